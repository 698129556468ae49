//! Intsets against ordered sets.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

#[test]
fn bytes_are_those_of_stock() {
    let mut set: IntsetBuf = [2, 1].into_iter().collect();
    assert_eq!(set.as_bytes(), [2, 0, 0, 0, 2, 0, 0, 0, 1, 0, 2, 0]);
    assert!(set.insert(-70_000));
    assert!(!set.insert(1));
    let wide = [4, 0, 0, 0, 3, 0, 0, 0, 0x90, 0xee, 0xfe, 0xff, 1, 0, 0, 0, 2, 0, 0, 0];
    assert_eq!(set.as_bytes(), wide);
    assert!(set.remove(-70_000));
    assert_eq!(set.as_bytes(), [4, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0]);
}

fn value() -> impl Strategy<Value = i64> {
    prop_oneof![6 => -20_i64..20, 1 => -100_000_i64..100_000, 1 => any::<i64>()]
}

proptest! {
    #[test]
    fn an_intset_is_an_ordered_set(edits in prop::collection::vec((any::<bool>(), value()), 0..80)) {
        let (mut set, mut model) = (IntsetBuf::new(), BTreeSet::new());
        for (insert, value) in edits {
            if insert {
                prop_assert_eq!(set.insert(value), model.insert(value));
            } else {
                prop_assert_eq!(set.remove(value), model.remove(&value));
            }
            prop_assert_eq!(set.view().contains(value), insert);
            let view = Intset::validate(set.as_bytes()).expect("edits keep the form");
            prop_assert!(view.iter().eq(model.iter().copied()));
            prop_assert_eq!(view.first(), model.first().copied());
            prop_assert_eq!(view.last(), model.last().copied());
            prop_assert_eq!(view.get(model.len()), None);
        }
    }

    #[test]
    fn foreign_bytes_never_panic(bytes in prop::collection::vec(0_u8..9, 0..40)) {
        if let Some(view) = Intset::validate(&bytes) {
            prop_assert_eq!(view.iter().count(), view.len());
        }
    }
}
