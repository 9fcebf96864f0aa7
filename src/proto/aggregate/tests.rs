use super::*;
use proptest::prelude::*;

type Seen = (u8, u32, Vec<u8>);

fn part(kind: u8, timestamp: u32, payload: &[u8], pointer: Option<u32>) -> Vec<u8> {
    let [t3, t2, t1, t0] = timestamp.to_be_bytes();
    let [_, s2, s1, s0] = (payload.len() as u32).to_be_bytes();
    let header = [kind, s2, s1, s0, t2, t1, t0, t3, 0, 0, 0];
    [&header[..], payload, pointer.map(u32::to_be_bytes).as_ref().map_or(&[][..], |bytes| &bytes[..])].concat()
}

fn aggregate(parts: &[Seen]) -> Vec<u8> {
    parts
        .iter()
        .flat_map(|(kind, time, payload)| part(*kind, *time, payload, Some(11 + payload.len() as u32)))
        .collect()
}

fn walk(timestamp: u32, bytes: &[u8]) -> Vec<Seen> {
    parts(timestamp, bytes).map(|p| (p.message_type_id, p.timestamp, p.payload.to_vec())).collect()
}

#[test]
fn times_are_rebased_on_the_message() {
    let bytes = aggregate(&[(8, 500, vec![1]), (9, 520, vec![2, 3]), (8, 490, vec![])]);
    assert_eq!(walk(9000, &bytes), [(8, 9000, vec![1]), (9, 9020, vec![2, 3]), (8, 8990, vec![])]);
    assert_eq!(walk(5, &aggregate(&[(8, u32::MAX, vec![1]), (8, 4, vec![2])]))[1].1, 10, "over the wrap");
}

#[test]
fn every_truncation_gives_the_parts_that_are_whole() {
    let bytes = aggregate(&[(8, 0, vec![1]), (9, 20, vec![2, 3]), (18, 40, vec![4])]);
    for cut in 0..=bytes.len() {
        let mut parts = walk(0, &bytes[..cut]);
        let whole = [12, 29, 45].iter().filter(|&&end| cut >= end).count();
        let inside = ![0, 12, 13, 14, 15, 16, 29, 30, 31, 32, 33, 45, 46, 47, 48, 49].contains(&cut);
        if inside {
            assert_eq!(parts.pop().map(|rest| rest.0), Some(22), "cut at {cut}");
        }
        assert_eq!(parts.len(), whole, "cut at {cut}");
    }
}

/// Times that put any byte where a back pointer, or the header after it, would be.
const TIMES: [u32; 6] = [0, 40, 0x08_0000, 0x09_0000, 0x12_0000, 0x0809_1216];

#[test]
fn back_pointers_may_be_wrong_or_missing() {
    for base in TIMES {
        for sizes in [[0_usize, 0, 0], [1, 2, 3], [5, 0, 400], [2000, 0x0900, 8], [0x08_0000, 9, 9]] {
            let tags: Vec<Seen> = [9, 8, 9]
                .into_iter()
                .zip(sizes)
                .zip(0..)
                .map(|((kind, size), number)| (kind, base + number * 20, vec![0x27; size]))
                .collect();
            let expected: Vec<Seen> =
                tags.iter().map(|(kind, time, payload)| (*kind, time - base + 7, payload.clone())).collect();
            let pointers: [&dyn Fn(usize) -> Option<u32>; 5] =
                [&|_| None, &|_| Some(0), &|size| Some(size as u32), &|_| Some(u32::MAX), &|_| Some(0x0900_0001)];
            for (number, pointer) in pointers.iter().enumerate() {
                let bytes: Vec<u8> =
                    tags.iter().flat_map(|(kind, time, body)| part(*kind, *time, body, pointer(body.len()))).collect();
                assert!(walk(7, &bytes) == expected, "pointers {number}, base {base:x}, sizes {sizes:?}");
                let cut = bytes.len() - if number == 0 { 1 } else { 5 };
                assert!(walk(7, &bytes[..cut])[..2] == expected[..2], "cut; pointers {number}, sizes {sizes:?}");
            }
        }
    }
}

#[test]
fn an_aggregate_within_an_aggregate_is_walked() {
    let inner = aggregate(&[(8, 900, vec![1]), (9, 910, vec![2])]);
    let outer = aggregate(&[(9, 50, vec![3]), (22, 60, inner), (8, 70, vec![4])]);
    let expected = [(9, 100, vec![3]), (8, 110, vec![1]), (9, 120, vec![2]), (8, 120, vec![4])];
    assert_eq!(walk(100, &outer), expected);
    // Too deep.
    let mut deep = aggregate(&[(9, 0, vec![1])]);
    for _ in 0..MAX_DEPTH {
        deep = aggregate(&[(22, 0, deep)]);
    }
    assert_eq!(walk(0, &deep).iter().map(|part| part.0).collect::<Vec<_>>(), [22]);
}

proptest! {
    #[test]
    fn what_was_put_in_comes_out(
        timestamp: u32, parts in proptest::collection::vec((0u8..22, any::<u32>(), proptest::collection::vec(any::<u8>(), 0..50)), 0..20),
    ) {
        let shift = parts.first().map_or(0, |first| timestamp.wrapping_sub(first.1));
        let bytes = aggregate(&parts);
        let expected: Vec<_> = parts.into_iter().map(|(k, t, p)| (k, t.wrapping_add(shift), p)).collect();
        prop_assert_eq!(walk(timestamp, &bytes), expected);
    }

    #[test]
    fn any_bytes_come_to_an_end(timestamp: u32, bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let used: usize = walk(timestamp, &bytes).iter().map(|part| part.2.len()).sum();
        prop_assert!(used <= bytes.len());
    }
}
