//! How types 8 and 9 of RTMPE hide the signatures of C2 and S2.
//!
//! ```text
//! signature   32 bytes = 4 blocks of 8, each of two little-endian words, each enciphered for itself
//! key         of block i: number (byte 8·i of the key that signed, modulo 15) of a table
//! cipher      type 8: XTEA, 32 rounds, keys of 4 words │ type 9: Blowfish, keys of 24 bytes
//! ```
//!
//! Does not protect: the keys are in every Flash Player. Nothing else of the handshake or of the stream differs from type 6.

use blowfish::BlowfishLE;
use blowfish::cipher::{BlockCipherEncrypt, KeyInit};

/// What is done to a signature, by the version of the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum SignatureCipher {
    /// Versions 3 and 6.
    #[default]
    None,
    /// Version 8.
    Xtea,
    /// Version 9.
    Blowfish,
}

impl SignatureCipher {
    /// That of S0's version.
    pub fn of_version(version: u8) -> Self {
        match version {
            8 => SignatureCipher::Xtea,
            9 => SignatureCipher::Blowfish,
            _ => SignatureCipher::None,
        }
    }

    /// Hides `signature`, which was made with `signing_key`.
    pub fn apply(self, signature: &mut [u8; 32], signing_key: &[u8; 32]) {
        let (blocks, _) = signature.as_chunks_mut::<8>();
        for (block, chooser) in blocks.iter_mut().zip(signing_key.iter().step_by(8)) {
            let number = usize::from(*chooser) % XTEA_KEYS.len();
            match self {
                SignatureCipher::None => {}
                SignatureCipher::Xtea => XTEA_KEYS.get(number).into_iter().for_each(|key| xtea(block, key)),
                SignatureCipher::Blowfish => BLOWFISH_KEYS.get(number).into_iter().for_each(|key| blowfish(block, key)),
            }
        }
    }
}

/// One block of XTEA, little-endian.
fn xtea(block: &mut [u8; 8], key: &[u32; 4]) {
    const DELTA: u32 = 0x9e37_79b9;
    const ROUNDS: usize = 32;
    let both = u64::from_le_bytes(*block);
    // The words are the halves of this number: truncation is what takes them.
    let (mut low, mut high) = (both as u32, (both >> 32) as u32);
    let part = |index: u32| key.get(index as usize & 3).copied().unwrap_or_default();
    let mixed = |word: u32| ((word << 4) ^ (word >> 5)).wrapping_add(word);
    let mut sum = 0u32;
    for _ in 0..ROUNDS {
        low = low.wrapping_add(mixed(high) ^ sum.wrapping_add(part(sum)));
        sum = sum.wrapping_add(DELTA);
        high = high.wrapping_add(mixed(low) ^ sum.wrapping_add(part(sum >> 11)));
    }
    *block = (u64::from(high) << 32 | u64::from(low)).to_le_bytes();
}

/// One block of Blowfish, little-endian.
fn blowfish(block: &mut [u8; 8], key: &[u32; 6]) {
    let mut bytes = [0; 24];
    bytes.iter_mut().zip(key.iter().flat_map(|word| word.to_be_bytes())).for_each(|(to, from)| *to = from);
    // Blowfish takes keys of 4 to 56 bytes.
    if let Ok(cipher) = BlowfishLE::new_from_slice(&bytes) {
        cipher.encrypt_block(block.into());
    }
}

/// Keys of type 8.
const XTEA_KEYS: [[u32; 4]; 15] = [
    [0xbff0_34b2, 0x11d9_081f, 0xccdf_b795, 0x748d_e732],
    [0x086a_5eb6, 0x1743_090e, 0x6ef0_5ab8, 0xfe5a_39e2],
    [0x7b10_956f, 0x76ce_0521, 0x2388_a73a, 0x4401_49a1],
    [0xa943_f317, 0xebf1_1bb2, 0xa691_a5ee, 0x17f3_6339],
    [0x7a30_e00a, 0xb529_e22c, 0xa087_aea5, 0xc0cb_79ac],
    [0xbdce_0c23, 0x2feb_deff, 0x1cfa_ae16, 0x1123_239d],
    [0x55dd_3f7b, 0x77e7_e62e, 0x9bb8_c499, 0xc948_1ee4],
    [0x407b_b6b4, 0x71e8_9136, 0xa7ae_bf55, 0xca33_b839],
    [0xfcf6_bdc3, 0xb63c_3697, 0x7ce4_f825, 0x04d9_59b2],
    [0x28e0_91fd, 0x4195_4c4c, 0x7fb7_db00, 0xe3a0_66f8],
    [0x5784_5b76, 0x4f25_1b03, 0x46d4_5bcd, 0xa2c3_0d29],
    [0x0acc_eef8, 0xda55_b546, 0x0347_3452, 0x5863_713b],
    [0xb820_75dc, 0xa75f_1fee, 0xd842_68e8, 0xa72a_44cc],
    [0x07cf_6e9e, 0xa16d_7b25, 0x9fa7_ae6c, 0xd92f_5629],
    [0xfeb1_eae4, 0x8c8c_3ce1, 0x4e00_64a7, 0x6a38_7c2a],
];

/// Keys of type 9, in big-endian words.
const BLOWFISH_KEYS: [[u32; 6]; XTEA_KEYS.len()] = [
    [0x7934_774c, 0x67d1_383a, 0xdfb3_56be, 0x8b7b_d024, 0x38e0_7358, 0x415d_6967],
    [0x46f6_b4cc, 0x0193_e3a1, 0x9e7d_3c65, 0x5586_fd09, 0x8ff7_b3c4, 0x6f41_ca5c],
    [0x1ae7_e2f3, 0xf914_7994, 0xc0d3_9743, 0x087b_b384, 0x432f_9d84, 0x3f21_019b],
    [0xd3e3_54b0, 0xf71d_f62b, 0x5a43_4d04, 0x8364_3e0d, 0x592f_61cb, 0xb16a_590d],
    [0xc8c1_e9b8, 0x1656_9921, 0x7b5b_36b7, 0xb59b_df06, 0x492c_97f5, 0x9548_857e],
    [0xebe5_e62e, 0xa4ba_d42c, 0xf216_e08f, 0x6623_a943, 0x41ce_3814, 0x8495_0053],
    [0x66db_90f0, 0x3b4f_f56f, 0xe49c_2089, 0x355e_d2b2, 0xc39e_9f7f, 0x63b2_2881],
    [0xbb20_aced, 0x2a04_6a19, 0x9498_9bc8, 0xffcd_93ef, 0xc60d_56a7, 0xeb13_d930],
    [0xbcf2_4382, 0x0940_8a87, 0x2543_6de6, 0xbba4_b944, 0x583f_217c, 0x99bb_3f24],
    [0xec1a_aacd, 0xcebd_5311, 0xd2fb_83b6, 0xc3ba_ab4f, 0x6279_e865, 0xa992_2876],
    [0xc60c_3003, 0x9118_2d7b, 0x79da_e1d5, 0x6477_9a12, 0xc5b1_d791, 0x4f96_4ca3],
    [0xd77c_2abf, 0xa6e7_857c, 0x45ad_ff12, 0x94d8_dea4, 0x5c3d_79a4, 0x4402_5d22],
    [0x1619_0d81, 0x6a4c_c7f8, 0xb8f9_4ecd, 0x2c9e_9084, 0xb208_2560, 0xe11e_ae18],
    [0xe97c_5826, 0x1b51_9e49, 0x8260_61fc, 0xa0a0_1bcd, 0xf505_d6a6, 0x6d07_88a3],
    [0x2b97_118b, 0xd94e_d9df, 0x20e3_9c10, 0xe6a1_3521, 0x11f9_130d, 0x0b24_65b2],
];

#[cfg(test)]
mod tests {
    use super::*;
    use ::blowfish::Blowfish;

    #[test]
    fn xtea_is_as_published() {
        // The vectors of the cipher's authors, whose words are big-endian.
        let key = [0x0001_0203, 0x0405_0607, 0x0809_0a0b, 0x0c0d_0e0f];
        for (plain, secret) in [
            ([0x4142_4344u32, 0x4546_4748u32], [0x497d_f3d0u32, 0x7261_2cb5u32]),
            ([0x4141_4141, 0x4141_4141], [0xe78f_2d13, 0x7443_41d8]),
        ] {
            let block = |[low, high]: [u32; 2]| (u64::from(high) << 32 | u64::from(low)).to_le_bytes();
            let mut bytes = block(plain);
            xtea(&mut bytes, &key);
            assert_eq!(bytes, block(secret));
        }
    }

    #[test]
    fn blowfish_works_on_little_endian_words() {
        let swapped = |block: [u8; 8]| {
            let [a, b, c, d, e, f, g, h] = block;
            [d, c, b, a, h, g, f, e]
        };
        let mut block = *b"12345678";
        blowfish(&mut block, &BLOWFISH_KEYS[1]);
        let key = b"\x46\xf6\xb4\xcc\x01\x93\xe3\xa1\x9e\x7d\x3c\x65\x55\x86\xfd\x09\x8f\xf7\xb3\xc4\x6f\x41\xca\x5c";
        let mut other = swapped(*b"12345678");
        <Blowfish>::new_from_slice(key).unwrap().encrypt_block((&mut other).into());
        assert_eq!(block, swapped(other));
    }

    #[test]
    fn each_block_has_its_own_key() {
        let mut signing_key = [0; 32];
        (signing_key[0], signing_key[8], signing_key[16], signing_key[24]) = (0, 1, 15, 255);
        for cipher in [SignatureCipher::Xtea, SignatureCipher::Blowfish] {
            let mut signature = [7; 32];
            cipher.apply(&mut signature, &signing_key);
            let blocks: Vec<_> = signature.chunks(8).collect();
            // 15 and 255 are 0 modulo 15.
            assert!(blocks[0] == blocks[2] && blocks[0] == blocks[3] && blocks[0] != blocks[1]);
            assert_ne!(blocks[1], [7; 8]);
        }
        let mut signature = [7; 32];
        SignatureCipher::None.apply(&mut signature, &signing_key);
        assert_eq!(signature, [7; 32]);
    }

    #[test]
    fn versions_have_their_covers() {
        let of = SignatureCipher::of_version;
        assert_eq!(
            [of(3), of(6), of(8), of(9)],
            [SignatureCipher::None, SignatureCipher::None, SignatureCipher::Xtea, SignatureCipher::Blowfish]
        );
    }
}
