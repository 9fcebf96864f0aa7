//! A recording as several files: whether, where to cut, what to do with them.

use std::path::Path;

use crate::cli::args::SegmentArgs;
use crate::cli::dump::SegmentPlan;
use crate::flv::segmenter::Rules;

/// What the options say; `None` if they do not cut.
///
/// # Errors
/// What is wrong with the options, in words.
pub fn segments(args: &SegmentArgs, output: Option<&Path>) -> Result<Option<SegmentPlan>, String> {
    let rules = Rules {
        time_ms: args.segment_time.map(|time| time.as_millis() as u64),
        bytes: args.segment_size,
        codec_change: args.segment_on.is_some(),
    };
    if rules == Rules::default() {
        let lonely =
            if args.keep.is_some() { Some("--keep") } else { args.on_segment.as_ref().map(|_| "--on-segment") };
        return match lonely {
            Some(option) => Err(format!("{option} needs one of --segment-time, --segment-size, --segment-on")),
            None => Ok(None),
        };
    }
    let path = output.ok_or("files need a name: give one with -o, such as cam-%Y%m%d-%H%M%S.flv")?;
    SegmentPlan::new(rules, path, args.on_segment.clone(), args.keep.map(|keep| keep.get() as usize)).map(Some)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn options_that_need_others() {
        let time = SegmentArgs { segment_time: Some(Duration::from_secs(1)), ..SegmentArgs::default() };
        assert!(segments(&time, Some(Path::new("a.flv"))).unwrap().is_some());
        assert!(segments(&time, None).unwrap_err().contains("-o"));
        assert!(segments(&SegmentArgs::default(), None).unwrap().is_none());
        let keep = SegmentArgs { keep: std::num::NonZeroU32::new(3), ..SegmentArgs::default() };
        assert!(segments(&keep, Some(Path::new("a.flv"))).unwrap_err().contains("--keep"));
        let command = SegmentArgs { on_segment: Some("x".into()), ..SegmentArgs::default() };
        assert!(segments(&command, Some(Path::new("a.flv"))).unwrap_err().contains("--on-segment"));
    }
}
