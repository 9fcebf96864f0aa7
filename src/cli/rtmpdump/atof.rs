//! Numbers as C reads them.

/// The number at the beginning of a text, as C's atof reads it: 0 where there is none.
pub fn leading_number(text: &str) -> f64 {
    let text = text.trim_start();
    let end = (1..=text.len()).rev().find(|end| {
        text.get(..*end).is_some_and(|t| t.parse::<f64>().is_ok_and(f64::is_finite) && !t.ends_with(['e', 'E']))
    });
    end.and_then(|end| text.get(..end)).and_then(|t| t.parse().ok()).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_c_reads_them() {
        for (text, number) in
            [("30", 30.0), ("1.5s", 1.5), (" 7x", 7.0), ("x", 0.0), ("", 0.0), ("-3", -3.0), ("1e3", 1000.0)]
        {
            assert_eq!(leading_number(text), number, "{text}");
        }
    }
}
