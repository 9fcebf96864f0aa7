//! Text from peers, made harmless.

/// `text` with control characters (except tabs) and characters that change the direction of writing escaped, cut after
/// 4000 bytes: it can be written to a terminal and stays on its line. Bytes that are not UTF-8 and that a `String` carries
/// as U+10FF80–U+10FFFF (see [`crate::proto::raw_text`]) are shown as `\xNN`.
pub fn printable(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if out.len() >= MAX_BYTES {
            out.push('…');
            break;
        }
        match c {
            '\t' => out.push(c),
            '\u{10FF80}'..='\u{10FFFF}' => out.push_str(&format!("\\x{:02x}", u32::from(c) & 0xFF)),
            _ if is_harmful(c) => out.extend(c.escape_default()),
            _ => out.push(c),
        }
    }
    out
}

/// The system's text of an error for use within a sentence: without its number, in lower case.
pub fn os_words(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = match text.rsplit_once(" (os error ") {
        Some((words, _)) => words,
        None => text.as_str(),
    };
    let mut letters = text.chars();
    match (letters.next(), letters.next()) {
        // Abbreviations keep their capitals.
        (Some(first), Some(second)) if first.is_uppercase() && second.is_lowercase() => {
            first.to_lowercase().chain(text.chars().skip(1)).collect()
        }
        _ => text.to_owned(),
    }
}

/// Whether a character controls a terminal, changes the direction of writing, or begins a new line.
pub fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c,
        '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

/// The longest text that is shown, in bytes.
const MAX_BYTES: usize = 4000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_and_direction_characters_are_escaped() {
        assert_eq!(printable("a\x1b[31m\u{9b}b\r\n\u{202e}c\té"), "a\\u{1b}[31m\\u{9b}b\\r\\n\\u{202e}c\té");
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_shown_as_hex() {
        let name = crate::proto::raw_text::from_bytes(b"caf\xe9 \x80\xff");
        assert_eq!(printable(&name), "caf\\xe9 \\x80\\xff");
    }

    #[test]
    fn system_errors_fit_into_sentences() {
        let words = |error: std::io::Error| os_words(&error);
        assert_eq!(words(std::io::Error::other("TLS: Broken")), "TLS: Broken");
        #[cfg(target_os = "linux")]
        assert_eq!(words(std::io::Error::from_raw_os_error(111)), "connection refused");
        #[cfg(target_os = "linux")]
        assert_eq!(words(std::io::Error::from_raw_os_error(2)), "no such file or directory");
    }

    #[test]
    fn long_texts_are_cut() {
        let cut = printable(&"é".repeat(MAX_BYTES));
        assert_eq!((cut.chars().count(), cut.ends_with('…')), (MAX_BYTES / 2 + 1, true));
    }
}
