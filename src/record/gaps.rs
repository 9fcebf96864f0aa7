//! Stretches of a recording in which media is missing, between two connections.

/// A stretch in which media was missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// Time in the output at which it continues, in milliseconds.
    pub at_ms: u64,
    /// From the last media before to the first one after, in milliseconds on the wall.
    pub lost_ms: u64,
    /// Attempts until it was over.
    pub attempts: u32,
    /// Why.
    pub reason: String,
}

/// All gaps of a recording.
#[derive(Debug, Clone, Default)]
pub struct Gaps {
    kept: Vec<Gap>,
    count: u64,
    lost_ms: u64,
    open: Option<OpenGap>,
}

#[derive(Debug, Clone)]
struct OpenGap {
    since_ms: u64,
    attempts: u32,
    reason: String,
}

impl Gaps {
    /// Media stopped, the last of it at `since_ms`. Further attempts without media are part of the same gap.
    pub(super) fn begin(&mut self, since_ms: u64, reason: String) {
        let open = self.open.get_or_insert(OpenGap { since_ms, attempts: 0, reason });
        open.attempts += 1;
    }

    /// Whether media is missing at present.
    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// There is media again, at `at_ms` of the output.
    pub(super) fn end(&mut self, now_ms: u64, at_ms: u64) -> Option<Gap> {
        let OpenGap { since_ms, attempts, reason } = self.open.take()?;
        let gap = Gap { at_ms, lost_ms: now_ms.saturating_sub(since_ms), attempts, reason };
        self.count += 1;
        self.lost_ms += gap.lost_ms;
        if self.kept.len() < MAX_GAPS_KEPT {
            self.kept.push(gap.clone());
        }
        Some(gap)
    }

    /// The first thousand.
    pub fn list(&self) -> &[Gap] {
        &self.kept
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How much time they took in all, in milliseconds.
    pub fn lost_ms(&self) -> u64 {
        self.lost_ms
    }
}

/// Gaps that are listed one by one.
const MAX_GAPS_KEPT: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_without_media_are_one_gap() {
        let mut gaps = Gaps::default();
        assert!(gaps.end(5, 5).is_none());
        gaps.begin(1_000, "the server closed".into());
        gaps.begin(2_000, "no connection".into());
        assert!(gaps.is_open());
        let gap = gaps.end(3_500, 3_723_040).unwrap();
        assert_eq!((gap.at_ms, gap.lost_ms, gap.attempts), (3_723_040, 2_500, 2));
        assert_eq!(gap.reason, "the server closed");
        gaps.begin(10_000, "again".into());
        gaps.end(11_000, 4_000_000);
        assert_eq!((gaps.count(), gaps.lost_ms(), gaps.list().len()), (2, 3_500, 2));
    }
}
