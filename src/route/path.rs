//! The forms in which servers read one path: decoded, and folded.

/// The path without its leading `/`.
pub(super) fn segments(path: &[u8]) -> Option<&[u8]> {
    Some(path.strip_prefix(b"/").unwrap_or(path))
}

/// True if the path reads the same in every form.
pub(super) fn is_plain(path: &[u8]) -> bool {
    let mut previous = 0;
    for byte in path {
        if matches!(byte, b'%' | b';' | b'\\' | b'A'..=b'Z') || (*byte == b'/' && previous == b'/') {
            return false;
        }
        previous = *byte;
    }
    previous != b'/' || path == b"/"
}

pub(super) fn has_dot_segment(path: &[u8]) -> bool {
    path.split(|byte| *byte == b'/').any(|segment| {
        let name = segment.split(|byte| *byte == b';').next().unwrap_or_default();
        matches!(name, b"." | b"..")
    })
}

/// Refuses what servers disagree on in any form: dot segments, backslashes, control characters.
pub(super) fn refuse_hidden(form: &[u8]) -> Result<(), &'static str> {
    if has_dot_segment(form) {
        return Err(" has a dot segment");
    }
    if form.contains(&b'\\') {
        return Err(" has a backslash");
    }
    if form.iter().any(u8::is_ascii_control) {
        return Err(" has a control character");
    }
    Ok(())
}

/// What a decoded `?` or `#` starts and parameters cut, `//` merged, ASCII lower-cased, one trailing `/` dropped: the segments, joined by `/`.
pub(super) fn fold(path: &[u8]) -> Option<Vec<u8>> {
    // Handlers that decode a path before they split the query off cut here.
    let path = path
        .split(|byte| matches!(byte, b'?' | b'#'))
        .next()
        .unwrap_or_default();
    let mut folded: Option<Vec<u8>> = None;
    for segment in path.split(|byte| *byte == b'/') {
        let name = segment.split(|byte| *byte == b';').next().unwrap_or_default();
        if name.is_empty() {
            continue;
        }
        match &mut folded {
            Some(folded) => folded.push(b'/'),
            None => folded = Some(Vec::with_capacity(path.len())),
        }
        if let Some(folded) = &mut folded {
            folded.extend(name.iter().map(u8::to_ascii_lowercase));
        }
    }
    folded
}

/// One round of percent-decoding (RFC 3986 §2.1). What is no escape stays as it is.
pub(super) fn decode(bytes: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((byte, after)) = rest.split_first() {
        match escape(rest) {
            Some((value, after)) => {
                decoded.push(value);
                rest = after;
            }
            None => {
                decoded.push(*byte);
                rest = after;
            }
        }
    }
    decoded
}

/// The byte of the escape at the start, and what follows it.
pub(super) fn escape(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let [b'%', high, low, rest @ ..] = bytes else {
        return None;
    };
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some((digit(*high)?.checked_mul(16)?.checked_add(digit(*low)?)?, rest))
}

pub(super) fn has_whole_escapes(path: &[u8]) -> bool {
    let mut rest = path;
    while let Some(start) = rest.iter().position(|byte| *byte == b'%') {
        match rest.get(start..).and_then(escape) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    true
}
