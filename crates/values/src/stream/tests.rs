//! Streams against a plain model: ids, ranges, deletion, trimming, and groups.

use super::*;
use proptest::prelude::*;

const LIMITS: Limits = Limits { block_bytes: 200, block_entries: 4 };

type Model = BTreeMap<StreamId, Vec<Vec<u8>>>;

fn words_of(entry: &Entry<'_>) -> Vec<Vec<u8>> {
    entry.fields().flat_map(|(name, value)| [name.to_vec(), value.to_vec()]).collect()
}

#[derive(Clone, Debug)]
enum Step {
    Add(u64, Vec<Vec<u8>>),
    Delete(u64),
    Trim(TrimTo, bool, Option<u64>),
}

fn step() -> impl Strategy<Value = Step> {
    let word = prop_oneof![Just(b"a".to_vec()), Just(b"-12".to_vec()), Just(vec![b'x'; 70])];
    let to = prop_oneof![
        (0..20_u64).prop_map(TrimTo::Len),
        (0..60_u64).prop_map(|ms| TrimTo::MinId(StreamId::new(ms, 0)))
    ];
    prop_oneof![
        6 => (0..3_u64, proptest::collection::vec(word, 1..3))
            .prop_map(|(gap, words)| Step::Add(gap, words.iter().cloned().chain(words.clone()).collect())),
        3 => (0..60_u64).prop_map(Step::Delete),
        1 => (to, any::<bool>(), proptest::option::of(0..10_u64))
            .prop_map(|(to, approximate, limit)| Step::Trim(to, approximate, limit)),
    ]
}

fn apply(stream: &mut Stream, model: &mut Model, step: Step) {
    match step {
        Step::Add(gap, words) => {
            let last = stream.last_id;
            let id = if gap == 0 { last.next().unwrap() } else { StreamId::new(last.ms + gap, 0) };
            let refs: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
            stream.add(id, &refs, LIMITS).unwrap();
            assert_eq!(stream.add(id, &refs, LIMITS), Err(AddError::NotAbove));
            model.insert(id, words);
        }
        Step::Delete(ms) => {
            let id = StreamId::new(ms, 0);
            assert_eq!(stream.delete(id), model.remove(&id).is_some());
        }
        Step::Trim(to, approximate, limit) => {
            let trim = Trim { to, approximate, limit };
            let before = model.len();
            let would = stream.would_trim(trim);
            let mut ids = Vec::new();
            stream.each_trimmed(trim, |id| ids.push(id));
            let gone = usize::try_from(stream.trim(trim)).unwrap();
            assert_eq!((ids.len(), would), (gone, gone > 0));
            for id in ids {
                assert_eq!(model.pop_first().map(|(id, _)| id), Some(id));
            }
            assert_eq!(before - model.len(), gone);
            assert!(limit.is_none_or(|limit| gone as u64 <= limit.max(4)));
            if !approximate && limit.is_none() {
                let left = Trim { limit: None, ..trim };
                assert!(!stream.would_trim(left));
            }
        }
    }
}

proptest! {
    #[test]
    fn a_stream_is_what_a_map_is(steps in proptest::collection::vec(step(), 0..60)) {
        let (mut stream, mut model) = (Stream::default(), Model::new());
        for step in steps {
            apply(&mut stream, &mut model, step);
            prop_assert_eq!(stream.len(), model.len() as u64);
            let first = model.keys().next().copied().unwrap_or_default();
            prop_assert_eq!(stream.first_id(), first);
        }
        for (from, to) in [(0, 99), (3, 30), (10, 10), (30, 3)] {
            let (from, to) = (StreamId::new(from, 0), StreamId::new(to, 1));
            let found = |entry: Entry<'_>| (entry.id, words_of(&entry));
            let mut expected: Vec<_> = model.iter().map(|(&id, words)| (id, words.clone()))
                .filter(|&(id, _)| from <= id && id <= to).collect();
            prop_assert_eq!(stream.range(from, to).map(found).collect::<Vec<_>>(), expected.clone());
            expected.reverse();
            prop_assert_eq!(stream.range_backwards(from, to).map(found).collect::<Vec<_>>(), expected);
        }
        let mut copy = Stream::default();
        for (first, pack) in stream.blocks() {
            prop_assert!(copy.push_block(first, pack.as_bytes().to_vec()).is_some());
        }
        prop_assert_eq!((copy.len(), copy.first_id()), (stream.len(), stream.first_id()));
        prop_assert_eq!(copy.block_bytes, stream.block_bytes);
    }
}

proptest! {
    /// A trim that spares: exactly the definition where it is exact, whole blocks of it where it is not.
    #[test]
    fn a_trim_spares_what_groups_need(
        steps in proptest::collection::vec(step(), 0..40),
        read in proptest::collection::vec(0..70_u64, 0..3),
        held in proptest::collection::vec((0..3_usize, 0..60_u64), 0..20),
        len in 0..20_u64,
        min_ms in 0..60_u64,
        by_len: bool,
    ) {
        let (mut stream, mut model) = (Stream::default(), Model::new());
        for step in steps {
            apply(&mut stream, &mut model, step);
        }
        for (at, &ms) in read.iter().enumerate() {
            let name = [u8::try_from(at).unwrap()];
            stream.add_group(&name, Group::new(StreamId::new(ms, 0), None));
            for (_, ms) in held.iter().filter(|(of, _)| *of == at) {
                stream.group_mut(&name).unwrap().assign(StreamId::new(*ms, 0), b"c", 1, 1);
            }
        }
        let to = if by_len { TrimTo::Len(len) } else { TrimTo::MinId(StreamId::new(min_ms, 0)) };
        let mut expected: Vec<StreamId> =
            model.keys().copied().filter(|&id| !stream.is_referenced(id)).collect();
        match to {
            TrimTo::Len(len) => {
                expected.truncate(model.len().saturating_sub(usize::try_from(len).unwrap()));
            }
            TrimTo::MinId(lowest) => expected.retain(|&id| id < lowest),
        }
        let exact = Trim { to, approximate: false, limit: None };
        let found = stream.acknowledged_to_trim(exact);
        prop_assert_eq!(&found, &expected);
        let whole = stream.acknowledged_to_trim(Trim { approximate: true, ..exact });
        prop_assert!(whole.iter().all(|id| !stream.is_referenced(*id)));
        let within = |id: &StreamId| match to {
            TrimTo::Len(_) => true,
            TrimTo::MinId(lowest) => *id < lowest,
        };
        prop_assert!(whole.iter().all(within) && whole.len() <= expected.len());
        for (_, pack) in stream.blocks().map(|(first, pack)| (first, Block::of(first, pack).unwrap())) {
            let ids: Vec<_> =
                pack.entries().filter(|entry| !entry.deleted).map(|entry| entry.id).collect();
            let gone = ids.iter().filter(|id| whole.contains(id)).count();
            prop_assert!(gone == 0 || gone == ids.len());
        }
    }
}

#[test]
fn foreign_blocks_are_judged() {
    let mut stream = Stream::default();
    stream.add(StreamId::new(1, 1), &[b"f", b"v"], LIMITS).unwrap();
    let bytes = stream.blocks().next().unwrap().1.as_bytes().to_vec();
    for at in 0..bytes.len() {
        let mut other = bytes.clone();
        other[at] ^= 0x11;
        let _any = Stream::default().push_block(StreamId::new(1, 1), other);
    }
    assert!(Stream::default().push_block(StreamId::new(1, 1), bytes.clone()).is_some());
    assert!(stream.push_block(StreamId::new(1, 1), bytes.clone()).is_none());
    // Stock may keep a block of nothing but marks; it is left out.
    let mut marks = ListpackBuf::from_trusted(bytes);
    let place =
        Block::of(StreamId::new(1, 1), marks.view()).unwrap().entries().next().unwrap().place();
    block::mark_all_deleted(&mut marks, &[place], (1, 0));
    let mut empty = Stream::default();
    assert!(empty.push_block(StreamId::new(1, 1), marks.as_bytes().to_vec()).is_some());
    assert_eq!((empty.len(), empty.block_count()), (0, 0));
}

#[test]
fn pending_entries_have_one_holder() {
    let mut group = Group::new(StreamId::MIN, Some(0));
    assert!(group.create_consumer(b"a", 1) && group.create_consumer(b"b", 1));
    assert!(!group.create_consumer(b"a", 2));
    let id = StreamId::new(1, 0);
    group.assign(id, b"a", 5, 1);
    group.assign(id, b"b", 6, 2);
    assert!(group.consumer(b"a").unwrap().pending().is_empty());
    assert_eq!(group.pending()[&id].deliveries, 2);
    assert_eq!(group.remove_consumer(b"b"), Some(1));
    assert!(!group.acknowledge(id));
}

#[test]
fn nodes_of_the_tree_are_counted_as_stock_does() {
    let one = Limits { block_bytes: 0, block_entries: 1 };
    let mut stream = Stream::default();
    assert_eq!(stream.radix_node_count(), 1);
    for (id, nodes) in [((1, 1), 2), ((1, 2), 4), ((1, 300), 7), ((2, 0), 11)] {
        stream.add(StreamId::new(id.0, id.1), &[b"f", b"v"], one).unwrap();
        assert_eq!(stream.radix_node_count(), nodes, "{id:?}");
    }
}

/// The pack of a block `1-0` whose flags take three bytes each: more than need be, which is no damage.
fn block_of_wide_flags(entries: u8) -> Vec<u8> {
    let int = |number: u8| vec![number, 1];
    let word = |letter: u8| vec![0x81, letter, 2];
    let mut elements = vec![int(entries), int(0), int(1), word(b'f'), int(0)];
    for seq in 0..entries {
        elements.extend([vec![0xf1, 2, 0, 3], int(0), int(seq), word(b'v'), int(4)]);
    }
    let (count, body) = (u16::try_from(elements.len()).unwrap(), elements.concat());
    let len = u32::try_from(body.len() + 7).unwrap();
    [&len.to_le_bytes()[..], &count.to_le_bytes(), &body, b"\xff"].concat()
}

/// What a snapshot of `stream` loads.
fn reloaded(stream: &Stream) -> Stream {
    let mut copy = Stream::default();
    for (first, pack) in stream.blocks() {
        copy.push_block(first, pack.as_bytes().to_vec()).unwrap();
    }
    copy
}

fn ids(stream: &Stream) -> Vec<(u64, u64)> {
    let entries = stream.range(StreamId::MIN, StreamId::MAX);
    entries.map(|entry| (entry.id.ms, entry.id.seq)).collect()
}

#[test]
fn flags_of_any_width_become_marks() {
    let mut stream = Stream::default();
    stream.push_block(StreamId::new(1, 0), block_of_wide_flags(4)).unwrap();
    assert!(stream.delete(StreamId::new(1, 1)));
    let trim = Trim { to: TrimTo::Len(1), approximate: false, limit: None };
    assert_eq!(stream.trim(trim), 2);
    assert_eq!(ids(&stream), [(1, 3)]);
    assert_eq!(words_of(&stream.last().unwrap()), [b"f", b"v"]);
    assert_eq!(ids(&reloaded(&stream)), [(1, 3)]);
    assert_eq!(stream.block_bytes, reloaded(&stream).block_bytes);
}

#[test]
fn entries_are_added_below_ids_that_were_deleted() {
    let mut stream = Stream::default();
    let words: &[&[u8]] = &[b"f", b"v"];
    for ms in [1, 10, 11, 12] {
        stream.add(StreamId::new(ms, 0), words, LIMITS).unwrap();
    }
    for ms in [10, 11, 12] {
        stream.delete(StreamId::new(ms, 0));
    }
    stream.set_last_id(StreamId::new(10, 5));
    stream.add(StreamId::new(10, 6), words, LIMITS).unwrap();
    assert_eq!(ids(&reloaded(&stream)), [(1, 0), (10, 6)]);
    stream.delete(StreamId::new(10, 6));
    stream.set_last_id(StreamId::new(5, 0));
    stream.add(StreamId::new(6, 0), words, LIMITS).unwrap();
    assert_eq!(ids(&stream), [(1, 0), (6, 0)]);
    let copy = reloaded(&stream);
    assert_eq!((ids(&copy), copy.len()), (ids(&stream), stream.len()));
    assert_eq!(stream.block_bytes, copy.block_bytes);
}

#[test]
fn counts_end_at_the_greatest_signed_number() {
    let most = i64::MAX.unsigned_abs();
    let (mut stream, id) = (Stream::default(), StreamId::new(1, 0));
    stream.entries_added = u64::MAX;
    stream.add(id, &[b"f", b"v"], LIMITS).unwrap();
    stream.add_group(b"g", Group::new(StreamId::MIN, Some(u64::MAX)));
    stream.add_group(b"h", Group::new(StreamId::MIN, None));
    for name in [b"g", b"h"] {
        stream.advance(name, id);
        assert_eq!(stream.group(name).unwrap().entries_read, Some(most));
        let group = stream.group_mut(name).unwrap();
        group.create_consumer(b"c", 1);
        group.assign(id, b"c", 1, u64::MAX);
        assert_eq!(group.pending()[&id].deliveries, most);
    }
}
