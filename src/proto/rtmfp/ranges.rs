//! Which sequence numbers were seen (RFC 7016 §3.6.3.3): a set of ranges whose first one begins at 0.

/// The set, in ascending order, with gaps between the ranges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranges {
    ranges: Vec<(u64, u64)>,
}

impl Default for Ranges {
    fn default() -> Self {
        Self { ranges: vec![(0, 0)] }
    }
}

impl Ranges {
    /// The end of the first range: everything up to here was seen.
    pub fn contiguous_end(&self) -> u64 {
        self.ranges.first().map_or(0, |(_, end)| *end)
    }

    /// Whether this number is in it.
    pub fn contains(&self, number: u64) -> bool {
        let after = self.ranges.partition_point(|(begin, _)| *begin <= number);
        after.checked_sub(1).and_then(|at| self.ranges.get(at)).is_some_and(|(_, end)| number <= *end)
    }

    /// How many ranges there are.
    pub fn count(&self) -> usize {
        self.ranges.len()
    }

    /// Ranges after the first one.
    pub fn later(&self) -> impl Iterator<Item = (u64, u64)> {
        self.ranges.iter().skip(1).copied()
    }

    /// Adds the numbers from `begin` to `end`, both included.
    pub fn insert(&mut self, begin: u64, end: u64) {
        // Those that overlap or touch the new one become part of it.
        let from = self.ranges.partition_point(|(_, other_end)| other_end.saturating_add(1) < begin);
        let to = self.ranges.partition_point(|(other_begin, _)| *other_begin <= end.saturating_add(1)).max(from);
        let touched = self.ranges.get(from..to).unwrap_or_default();
        let begin = touched.first().map_or(begin, |(other, _)| begin.min(*other));
        let end = touched.last().map_or(end, |(_, other)| end.max(*other));
        self.ranges.splice(from..to, [(begin, end)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_grow_and_meet() {
        let mut ranges = Ranges::default();
        for (begin, end, expected) in [
            (2, 2, &[(0, 0), (2, 2)][..]),
            (5, 9, &[(0, 0), (2, 2), (5, 9)]),
            (3, 3, &[(0, 0), (2, 3), (5, 9)]),
            (4, 4, &[(0, 0), (2, 9)]),
            (20, 30, &[(0, 0), (2, 9), (20, 30)]),
            (25, 26, &[(0, 0), (2, 9), (20, 30)]),
            (0, 1, &[(0, 9), (20, 30)]),
            (8, 40, &[(0, 40)]),
            (u64::MAX, u64::MAX, &[(0, 40), (u64::MAX, u64::MAX)]),
            (0, u64::MAX, &[(0, u64::MAX)]),
        ] {
            ranges.insert(begin, end);
            assert_eq!(ranges.ranges, expected);
            assert_eq!(ranges.contiguous_end(), expected[0].1);
        }
    }

    #[test]
    fn it_is_a_set() {
        let mut ranges = Ranges::default();
        let mut set = std::collections::BTreeSet::from([0]);
        let mut state = 7u64;
        for _ in 0..2000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let (begin, length) = (state >> 40 & 0x3ff, state >> 60);
            ranges.insert(begin, begin + length);
            set.extend(begin..=begin + length);
            let probe = state >> 20 & 0x3ff;
            assert_eq!(ranges.contains(probe), set.contains(&probe));
        }
        assert!((0..1100).all(|n| ranges.contains(n) == set.contains(&n)));
        let counted: u64 = ranges.ranges.iter().map(|(begin, end)| end - begin + 1).sum();
        assert_eq!(counted, set.len() as u64);
    }
}
