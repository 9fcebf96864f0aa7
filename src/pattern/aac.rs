//! The tone: AAC-LC, one channel, 44.1 kHz, one frame that is repeated (ISO/IEC 14496-3 §4.4.2).
//!
//! ```text
//! SCE 000 · tag 0000 · global_gain 8
//! ics_info      reserved 0 · window_sequence 00 (long) · window_shape 0 (sine) · max_sfb 6 bits · predictor_data_present 0
//! section_data  codebook 4 bits, length 5 bits: bands 0–3 codebook 0 (zeros), bands 4–5 codebook 1 (four values of −1, 0, 1)
//! scale factors difference 0 is the code 0, for each band that is not zero
//! pulse_data_present 0 · tns_data_present 0 · gain_control_data_present 0
//! spectral data bins 16–19: 0 0 0 1, bins 20–23: 1 0 0 0
//! END 111
//! ```

use super::bits::BitWriter;

/// Samples per second of the tone.
pub const SAMPLE_RATE: u32 = 44_100;

/// Samples of a frame.
pub(super) const SAMPLES_PER_FRAME: u64 = 1024;

/// AudioSpecificConfig: AAC-LC (2), 44.1 kHz (4), one channel; 1024 samples per frame.
pub(super) const SPECIFIC_CONFIG: [u8; 2] = [0x12, 0x08];

/// Amplitude: the two coefficients are 2^((190 − 100) / 4), a sine of a quarter of full scale.
const GLOBAL_GAIN: u32 = 190;

/// Codewords of codebook 1 for (0, 0, 0, 1) and (1, 0, 0, 0), five bits each.
const ONE_AT_END: u32 = 0x14;
const ONE_AT_START: u32 = 0x10;

/// The frame: bins 19 and 20 make 20 half bins, 10 × 44100 / 1024 = 430.7 Hz.
pub(super) fn tone() -> Vec<u8> {
    let mut bits = BitWriter::default();
    bits.put(0, 3 + 4);
    bits.put(GLOBAL_GAIN, 8);
    bits.put(0, 1 + 2 + 1);
    bits.put(6, 6);
    bits.put(0, 1);
    for (codebook, bands) in [(0, 4), (1, 2)] {
        bits.put(codebook, 4);
        bits.put(bands, 5);
    }
    bits.put(0, 2);
    bits.put(0, 3);
    bits.put(ONE_AT_END, 5);
    bits.put(ONE_AT_START, 5);
    bits.put(0b111, 3);
    bits.into_bytes()
}
