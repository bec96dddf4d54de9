//! The grammar of what stands in signature headers, the same for signer and verifier (contract §9).

/// `[A-Za-z0-9][A-Za-z0-9._:/@+=-]{0,127}`.
pub(crate) fn is_key_id(text: &str) -> bool {
    is_word(text, 128, "._:/@+=-")
}

/// `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`.
pub(crate) fn is_service_id(text: &str) -> bool {
    is_word(text, 64, "._-")
}

/// 16 to 128 of `[A-Za-z0-9._~-]`.
pub(crate) fn is_nonce(text: &str) -> bool {
    (16..=128).contains(&text.len()) && consists_of(text, "._~-")
}

/// `[A-Za-z0-9_-]{1,256}`: no dot, which separates the signed parts.
pub(crate) fn is_webhook_id(text: &str) -> bool {
    (1..=256).contains(&text.len()) && consists_of(text, "_-")
}

/// Unix seconds that a signature can name: 1…999999999999.
pub(crate) fn is_time(seconds: u64) -> bool {
    (1..=999_999_999_999).contains(&seconds)
}

/// `[1-9][0-9]{0,11}`.
pub(crate) fn time(text: &str) -> Option<u64> {
    let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|seconds| is_decimal && is_time(*seconds))
}

/// A letter or digit, then letters, digits and `others`.
pub(crate) fn is_word(text: &str, most: usize, others: &str) -> bool {
    text.len() <= most && text.starts_with(|first: char| first.is_ascii_alphanumeric()) && consists_of(text, others)
}

fn consists_of(text: &str, others: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || others.as_bytes().contains(&byte))
}

/// 64 digits of lower-case hex.
pub(crate) fn tag(text: &[u8]) -> Option<[u8; 32]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte.wrapping_sub(b'0')),
        b'a'..=b'f' => Some(byte.wrapping_sub(b'a').wrapping_add(10)),
        _ => None,
    };
    let (pairs, rest) = text.as_chunks::<2>();
    let mut tag = [0; 32];
    if !rest.is_empty() || pairs.len() != tag.len() {
        return None;
    }
    for (byte, [high, low]) in tag.iter_mut().zip(pairs) {
        *byte = digit(*high)?.wrapping_shl(4) | digit(*low)?;
    }
    Some(tag)
}

/// A tag in lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte.wrapping_shr(4), byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_written_as_they_are_read() {
        let text = "00ff".repeat(16);
        assert_eq!(tag(text.as_bytes()).map(|tag| hex(&tag)), Some(text.clone()));
        for other in [
            text.to_uppercase(),
            text.replacen('0', "", 1),
            format!("{text}0"),
            text.replacen('0', " ", 1),
        ] {
            assert_eq!(tag(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn times_have_one_spelling() {
        for (text, want) in [
            ("1", Some(1)),
            ("999999999999", Some(999_999_999_999)),
            ("1000000000000", None),
            ("0", None),
            ("01", None),
            ("+1", None),
            ("-1", None),
            ("1.0", None),
            ("", None),
            (" 1", None),
        ] {
            assert_eq!(time(text), want, "{text}");
        }
    }
}
