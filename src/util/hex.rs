//! Hexadecimal digits.

/// Two lower-case digits for each byte.
pub fn encode(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

/// The bytes that digits of either case stand for; `None` if there is anything else, or half a byte.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let (pairs, odd) = text.as_bytes().as_chunks::<2>();
    odd.is_empty().then(|| pairs.iter().map(|[high, low]| byte(*high, *low)).collect())?
}

/// The byte that two digits stand for.
pub fn byte(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_digits() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(&encode(&all)), Some(all));
        assert_eq!(encode(&[0, 0x9a, 0xff]), "009aff");
        assert_eq!(decode("9AfF"), Some(vec![0x9a, 0xff]));
        assert_eq!(decode(""), Some(vec![]));
        for bad in ["a", "abc", "0g", "+1", " 1", "é", "0x"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }
}
