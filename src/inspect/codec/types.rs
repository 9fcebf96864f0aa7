//! What records tell, and what their readers have in common.

/// What is known of a track from its configuration.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Configuration {
    /// Profile, by its name in the codec's specification.
    pub profile: Option<String>,
    /// Level, as it is written there, e.g. `4.1`.
    pub level: Option<String>,
    /// Width of the picture that is shown, in pixels.
    pub width: Option<u32>,
    /// Height of it.
    pub height: Option<u32>,
    /// Frames in a second that the configuration promises.
    pub frame_rate: Option<f64>,
    /// Bits of a sample, of luma or of sound.
    pub bit_depth: Option<u8>,
    /// Subsampling of chroma: `4:0:0`, `4:2:0`, `4:2:2` or `4:4:4`.
    pub chroma: Option<&'static str>,
    /// Samples of sound in a second.
    pub sample_rate_hz: Option<u32>,
    /// Channels of sound.
    pub channels: Option<u8>,
}

/// Subsampling of chroma by its number in parameter sets.
pub(super) fn chroma(format: u8) -> Option<&'static str> {
    ["4:0:0", "4:2:0", "4:2:2", "4:4:4"].get(usize::from(format)).copied()
}

/// `size` pixels without `before` and `after`, in units of `unit` pixels.
pub(super) fn cropped(size: u64, before: u64, after: u64, unit: u64) -> Option<u32> {
    pixels(size.checked_sub(before.checked_add(after)?.checked_mul(unit)?)?)
}

/// A size that a picture can have.
pub(super) fn pixels(size: u64) -> Option<u32> {
    u32::try_from(size).ok().filter(|size| (1..=MAX_PIXELS).contains(size))
}

/// Pixels of a side.
pub(super) const MAX_PIXELS: u32 = 65_536;
