//! Lists against a plain model, and the forms they take as stock does.

use super::*;
use proptest::prelude::*;
use std::collections::VecDeque;

type Model = VecDeque<Vec<u8>>;

fn elements(list: &List) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    list.as_ref().walk(0, |item| {
        found.push(item.to_vec());
        true
    });
    found
}

fn compare(list: &List, model: &Model, limits: ListLimits) {
    let view = list.as_ref();
    assert_eq!(view.len(), model.len());
    assert_eq!(*model, elements(list));
    let mut reversed = Vec::new();
    if let Some(last) = model.len().checked_sub(1) {
        view.walk_back(last, |item| {
            reversed.push(item.to_vec());
            true
        });
    }
    assert!(reversed.iter().eq(model.iter().rev()));
    for (index, expected) in model.iter().enumerate() {
        assert_eq!(view.get(index).as_ref(), Some(expected));
    }
    assert_eq!(view.get(model.len()), None);
    match view {
        ListRef::Packed(pack) => {
            assert!(Listpack::validate(pack.as_bytes()).is_some());
            let (form, bytes) = list.packed().unwrap();
            assert_eq!(&List::unpack(form, bytes), list);
        }
        ListRef::Large(quick) => quick.check(limits),
    }
}

impl Quick {
    fn check(&self, limits: ListLimits) {
        let counts = self.parts().map(|part| match part {
            Part::Pack(bytes) => Listpack::validate(&bytes).expect("a sound pack").len(),
            Part::Long(_) => 1,
        });
        let counts: Vec<usize> = counts.collect();
        assert!(counts.iter().all(|&count| count > 0));
        assert_eq!(counts.iter().sum::<usize>(), self.len());
        self.check_sums(limits);
    }
}

/// An element that compresses, one that does not, or a number.
fn element() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        (0..5_i64).prop_map(|number| number.to_string().into_bytes()),
        "[a-c]{0,3}".prop_map(String::into_bytes),
        (60..90_usize).prop_map(|len| vec![b'x'; len]),
        prop::collection::vec(any::<u8>(), 40..60),
        Just(vec![b'y'; 9_000]),
    ]
}

fn limits() -> impl Strategy<Value = ListLimits> {
    let sizes = prop_oneof![-6..6_i64, Just(-1)];
    (sizes, 0..4_usize, prop_oneof![Just(0), Just(50)]).prop_map(|(size, depth, long)| ListLimits {
        size,
        compress_depth: depth,
        long_bytes_min: long,
    })
}

#[derive(Clone, Debug)]
enum Step {
    Push(bool, Vec<u8>),
    Pop(bool, usize),
    Insert(usize, Vec<u8>),
    Set(usize, Vec<u8>),
    Remove(usize, usize),
    RemoveEqual(Vec<u8>, usize, bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (any::<bool>(), element()).prop_map(|(end, element)| Step::Push(end, element)),
        2 => (any::<bool>(), 0..4_usize).prop_map(|(end, count)| Step::Pop(end, count)),
        4 => (0..40_usize, element()).prop_map(|(at, element)| Step::Insert(at, element)),
        3 => (0..40_usize, element()).prop_map(|(at, element)| Step::Set(at, element)),
        1 => (0..40_usize, 0..20_usize).prop_map(|(at, count)| Step::Remove(at, count)),
        1 => (element(), 0..3_usize, any::<bool>())
            .prop_map(|(element, count, back)| Step::RemoveEqual(element, count, back)),
    ]
}

fn end(is_left: bool) -> End {
    if is_left { End::Left } else { End::Right }
}

fn play(list: &mut List, model: &mut Model, step: Step, limits: ListLimits) {
    match step {
        Step::Push(left, element) => {
            list.push(end(left), &element, limits);
            if left { model.push_front(element) } else { model.push_back(element) }
        }
        Step::Pop(left, count) => {
            list.remove_at(end(left), count, limits);
            for _ in 0..count {
                if left {
                    model.pop_front()
                } else {
                    model.pop_back()
                };
            }
        }
        Step::Insert(at, element) => {
            let at = at.min(model.len());
            list.insert(at, &element, limits);
            model.insert(at, element);
        }
        Step::Set(at, element) => {
            let held = model.get_mut(at);
            assert_eq!(list.set(at, &element, limits), held.is_some());
            if let Some(held) = held {
                *held = element;
            }
        }
        Step::Remove(at, count) => {
            let at = at.min(model.len());
            let range = at..(at + count).min(model.len());
            list.remove(range.clone(), limits);
            model.drain(range);
        }
        Step::RemoveEqual(element, count, back) => {
            let count = if count == 0 { usize::MAX } else { count };
            let places = model.iter().enumerate().filter(|(_, held)| **held == element);
            let mut places: Vec<usize> = places.map(|(at, _)| at).collect();
            if back {
                places.reverse();
            }
            places.truncate(count);
            assert_eq!(list.remove_equal(&element, count, back, limits), places.len());
            let mut at = 0;
            model.retain(|_| {
                at += 1;
                !places.contains(&(at - 1))
            });
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn a_list_is_a_ring(steps in prop::collection::vec(step(), 0..80), limits in limits()) {
        let (mut list, mut model) = (List::default(), Model::new());
        for step in steps {
            play(&mut list, &mut model, step, limits);
            compare(&list, &model, limits);
        }
        prop_assert_eq!(&list.clone(), &list);
    }
}

fn of(count: usize, len: usize, limits: ListLimits) -> List {
    let mut list = List::default();
    (0..count).for_each(|_| list.push(End::Right, &vec![b'x'; len], limits));
    list
}

#[track_caller]
fn check_encoding(list: &List, expected: &str) {
    assert_eq!(list.as_ref().encoding(), expected);
}

#[test]
fn encodings_change_where_stock_changes_them() {
    let counted = |size| ListLimits { size, ..ListLimits::default() };
    check_encoding(&of(4, 1, counted(4)), "listpack");
    let mut list = of(5, 1, counted(4));
    check_encoding(&list, "quicklist");
    list.remove_at(End::Left, 2, counted(4));
    check_encoding(&list, "quicklist");
    // Two elements would do, but they are in two nodes.
    list.remove_at(End::Left, 1, counted(4));
    check_encoding(&list, "quicklist");
    list.remove_at(End::Left, 1, counted(4));
    check_encoding(&list, "listpack");
    // A size of 0 is one element; they have to fit into 8 KB.
    check_encoding(&of(2, 1, counted(0)), "quicklist");
    check_encoding(&of(2, 5_000, counted(4)), "quicklist");
    // 7 bytes of the pack and 8,185 of the element are 8 KB.
    check_encoding(&of(1, 8_185, counted(-2)), "listpack");
    check_encoding(&of(1, 8_186, counted(-2)), "quicklist");
    check_encoding(&of(1, 65_529, counted(-9)), "listpack");
    check_encoding(&of(1, 65_530, counted(-5)), "quicklist");
}

#[test]
fn nodes_are_filled_and_inner_ones_compressed() {
    let limits = ListLimits { size: 4, compress_depth: 1, long_bytes_min: 0 };
    let list = of(40, 100, limits);
    let ListRef::Large(quick) = list.as_ref() else { panic!("it is short") };
    assert_eq!(quick.node_count(), 10);
    assert!(list.heap_bytes() < 3_000, "{}", list.heap_bytes());
    let open = of(40, 100, ListLimits { compress_depth: 0, ..limits });
    assert!(open.heap_bytes() > 4_000, "{}", open.heap_bytes());
}
