//! Fields as the ABI packs them: how many; of each the lengths of name and value; then each name and value, ended by NUL. Numbers are u32, little-endian.
//!
//! Source: proxy-wasm-cpp-host, `include/proxy-wasm/pairs_util.h`.

/// The fields in a buffer, in order. A length that does not fit the buffer ends it with an error.
#[derive(Clone, Debug)]
pub(crate) struct Pairs<'a> {
    count: usize,
    lengths: &'a [u8],
    bytes: &'a [u8],
}

/// A buffer that is no packed fields: Envoy has another ABI than this filter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct PairsError;

impl<'a> Pairs<'a> {
    /// The fields of a buffer. An empty one holds none.
    pub(crate) fn read(buffer: &'a [u8]) -> Result<Self, PairsError> {
        if buffer.is_empty() {
            return Ok(Self {
                count: 0,
                lengths: &[],
                bytes: &[],
            });
        }
        let (count, rest) = take_number(buffer)?;
        let size = count.checked_mul(8).ok_or(PairsError)?;
        let (lengths, bytes) = rest.split_at_checked(size).ok_or(PairsError)?;
        Ok(Self { count, lengths, bytes })
    }

    /// How many fields are left.
    pub(crate) const fn len(&self) -> usize {
        self.count
    }

    fn take(&mut self) -> Result<(&'a [u8], &'a [u8]), PairsError> {
        let (name_length, rest) = take_number(self.lengths)?;
        let (value_length, rest) = take_number(rest)?;
        self.lengths = rest;
        Ok((self.take_text(name_length)?, self.take_text(value_length)?))
    }

    fn take_text(&mut self, length: usize) -> Result<&'a [u8], PairsError> {
        let (text, rest) = self.bytes.split_at_checked(length).ok_or(PairsError)?;
        self.bytes = rest.split_first().ok_or(PairsError)?.1;
        Ok(text)
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = Result<(&'a [u8], &'a [u8]), PairsError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.count = self.count.checked_sub(1)?;
        Some(self.take())
    }
}

fn take_number(bytes: &[u8]) -> Result<(usize, &[u8]), PairsError> {
    let (number, rest) = bytes.split_first_chunk::<4>().ok_or(PairsError)?;
    let number = usize::try_from(u32::from_le_bytes(*number)).map_err(|_| PairsError)?;
    Ok((number, rest))
}

/// Packs fields.
pub(crate) fn pack(fields: &[(&str, &str)]) -> Vec<u8> {
    let number = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    let mut buffer = Vec::new();
    buffer.extend(number(fields.len()));
    for (name, value) in fields {
        buffer.extend(number(name.len()));
        buffer.extend(number(value.len()));
    }
    for (name, value) in fields {
        for text in [name, value] {
            buffer.extend(text.as_bytes());
            buffer.push(0);
        }
    }
    buffer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_read() {
        let fields = [(":path", "/a"), ("x", ""), ("", "y")];
        let buffer = pack(&fields);
        let read: Result<Vec<_>, _> = Pairs::read(&buffer).unwrap().collect();
        let bytes = fields.map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        assert_eq!(read.unwrap(), bytes);
        assert_eq!(Pairs::read(&[]).unwrap().len(), 0);
    }

    #[test]
    fn lengths_that_do_not_fit_are_errors() {
        let buffer = pack(&[("name", "value")]);
        for length in 1..buffer.len() {
            let read = Pairs::read(&buffer[..length]).and_then(|pairs| pairs.collect::<Result<Vec<_>, _>>());
            assert_eq!(read, Err(PairsError), "cut at {length}");
        }
        assert_eq!(Pairs::read(&[0xff; 16]).unwrap_err(), PairsError);
    }
}
