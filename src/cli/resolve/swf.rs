//! What the options say of the player's SWF file.

use crate::cli::args::{DumpArgs, leading_number};
use crate::cli::dump::Player;

/// Takes the options in. Numbers that are none are ignored, as by rtmpdump, with a warning.
pub fn take_options(player: &mut Player, args: &DumpArgs, warnings: &mut Vec<String>) {
    if let Some(url) = &args.swf_vfy {
        player.url = Some(url.clone());
    }
    player.hash.clone_from(&args.swf_hash);
    let mut ignored = |reason: String| warnings.push(format!("{reason}, ignoring it"));
    if let Some(age) = &args.swf_age {
        player.age_days = days(age).map_err(&mut ignored).ok().or(player.age_days);
    }
    player.size = args.swf_size.as_deref().and_then(|text| size(text).map_err(&mut ignored).ok());
}

/// librtmp's `swfAge` and the option's value.
///
/// # Errors
/// It is negative.
pub fn days(text: &str) -> Result<u32, String> {
    // Whole days, as rtmpdump reads them.
    let days = leading_number(text);
    if days < 0.0 { Err(format!("--swfAge {text}: it cannot be negative")) } else { Ok(days as u32) }
}

fn size(text: &str) -> Result<u32, String> {
    let size = leading_number(text);
    let sound = (1.0..=f64::from(u32::MAX)).contains(&size);
    if sound { Ok(size as u32) } else { Err(format!("--swfsize {text}: no size of a file")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_looked_at() {
        assert_eq!((size("1"), size("4294967295x")), (Ok(1), Ok(u32::MAX)));
        assert!(["0", "", "-1", "x", "4294967296"].iter().all(|text| size(text).is_err()));
        assert_eq!((days("0"), days("30"), days("x")), (Ok(0), Ok(30), Ok(0)));
        assert!(days("-1").is_err());
    }
}
