//! Durations and sizes, as a policy writes them: an integer and its unit.

/// Seconds: `120s`, `5m`, `1h`.
pub(crate) fn seconds(text: &str) -> Option<u64> {
    measure(text, &[("s", 1), ("m", 60), ("h", 3600)])
}

/// Bytes: `512B`, `64KiB`, `1MiB`, `2GiB`.
pub(crate) fn bytes(text: &str) -> Option<u64> {
    measure(text, &[("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("B", 1)])
}

/// An integer without leading zeros, and a unit.
fn measure(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (number, factor) = units
        .iter()
        .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor)))?;
    let is_plain = number == "0" || !number.starts_with('0');
    if number.is_empty() || !is_plain || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_needed_and_known() {
        for (text, want) in [
            ("120s", Some(120)),
            ("5m", Some(300)),
            ("24h", Some(86400)),
            ("0s", Some(0)),
            ("120", None),
            ("s", None),
            ("1 s", None),
            ("-1s", None),
            ("+1s", None),
            ("01s", None),
            ("1.5m", None),
            ("1d", None),
            ("1S", None),
            ("99999999999999999999s", None),
            ("18446744073709551615h", None),
        ] {
            assert_eq!(seconds(text), want, "{text}");
        }
        for (text, want) in [
            ("1B", Some(1)),
            ("64KiB", Some(65536)),
            ("1MiB", Some(1 << 20)),
            ("16GiB", Some(1 << 34)),
            ("1MB", None),
            ("1K", None),
            ("1", None),
        ] {
            assert_eq!(bytes(text), want, "{text}");
        }
    }
}
