//! A recording as several files: whether, where to cut, what to do with them.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::cli::args::SegmentArgs;
use crate::flv::segmenter::Rules;
use crate::record::{FileNames, SegmentOptions};

/// What the options say; `None` if they do not cut.
///
/// # Errors
/// What is wrong with the options, in words.
pub fn segments(args: &SegmentArgs, output: Option<&Path>) -> Result<Option<SegmentOptions>> {
    let rules = Rules {
        time_ms: args.segment_time.map(|time| time.as_millis() as u64),
        bytes: args.segment_size,
        codec_change: args.segment_on.is_some(),
    };
    if rules == Rules::default() {
        let lonely =
            if args.keep.is_some() { Some("--keep") } else { args.on_segment.as_ref().map(|_| "--on-segment") };
        return match lonely {
            Some(option) => bail!("{option} requires --segment-time, --segment-size or --segment-on"),
            None => Ok(None),
        };
    }
    let path = output.context("segmenting requires -o, such as -o cam-%Y%m%d-%H%M%S.flv")?;
    let pattern = path.to_str().context("-o: a name with %{n} has to be text")?;
    Ok(Some(SegmentOptions {
        rules,
        names: FileNames::parse(pattern)?,
        on_segment: args.on_segment.clone(),
        keep: args.keep.map(|keep| keep.get() as usize),
    }))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn options_that_need_others() {
        let time = SegmentArgs { segment_time: Some(Duration::from_secs(1)), ..SegmentArgs::default() };
        assert!(segments(&time, Some(Path::new("a.flv"))).unwrap().is_some());
        assert!(segments(&time, None).unwrap_err().to_string().contains("-o"));
        assert!(segments(&SegmentArgs::default(), None).unwrap().is_none());
        let keep = SegmentArgs { keep: std::num::NonZeroU32::new(3), ..SegmentArgs::default() };
        assert!(segments(&keep, Some(Path::new("a.flv"))).unwrap_err().to_string().contains("--keep"));
        let command = SegmentArgs { on_segment: Some("x".into()), ..SegmentArgs::default() };
        assert!(segments(&command, Some(Path::new("a.flv"))).unwrap_err().to_string().contains("--on-segment"));
    }
}
