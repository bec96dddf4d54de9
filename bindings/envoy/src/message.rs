//! The little of Protocol Buffers that `verify_signature` speaks: fields of bytes, and a first field that is true.
//!
//! Source: Protocol Buffers, "Encoding".

/// A message of fields of bytes, each with its number (1 to 15).
pub(crate) fn bytes_fields(fields: &[(u8, &[u8])]) -> Vec<u8> {
    let mut message = Vec::new();
    for (number, bytes) in fields {
        message.push((number << 3) | 2);
        let mut length = bytes.len();
        while length >= 0x80 {
            message.push(u8::try_from(length & 0x7f).unwrap_or(0) | 0x80);
            length >>= 7;
        }
        message.push(u8::try_from(length).unwrap_or(0));
        message.extend_from_slice(bytes);
    }
    message
}

/// True if field 1 of the message is true. It comes first, and is left out if it is false.
pub(crate) fn is_true(message: &[u8]) -> bool {
    message.starts_with(&[0x08, 0x01])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_their_number_and_length() {
        assert_eq!(bytes_fields(&[(1, b"ab"), (4, b"")]), b"\x0a\x02ab\x22\x00");
        let long = [7; 300];
        let message = bytes_fields(&[(2, &long)]);
        assert_eq!(message[..3], [0x12, 0xac, 0x02]);
        assert_eq!(message[3..], long);
    }

    #[test]
    fn only_a_first_field_that_is_true_counts() {
        assert!(is_true(b"\x08\x01"));
        assert!(is_true(b"\x08\x01\x12\x00"));
        for message in [&b""[..], b"\x08\x00", b"\x12\x02no", b"\x08", b"\x12\x02\x08\x01"] {
            assert!(!is_true(message));
        }
    }
}
