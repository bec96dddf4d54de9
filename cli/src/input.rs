//! Reading requests: a file or standard input, line by line in bounded memory.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read};
use std::path::Path;

use crate::exit::Failure;
use crate::output::say;
use crate::policy::reason;

/// The longest line, and the longest single request: 4 MiB.
pub(crate) const MAX_LINE: usize = 4 * 1024 * 1024;

const BUFFER: usize = 256 * 1024;

/// Where requests come from.
pub(crate) struct Input {
    pub(crate) reader: Box<dyn Read>,
    /// Its length, if it is a regular file.
    pub(crate) length: Option<u64>,
}

impl Input {
    /// A file; `-` or none is standard input.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = path.filter(|path| *path != Path::new("-")) else {
            let stdin = io::stdin();
            if stdin.is_terminal() {
                say("reading requests in JSON from standard input");
            }
            return Ok(Self {
                reader: Box::new(stdin),
                length: None,
            });
        };
        let unreadable =
            |error: &io::Error| Failure::Usage(format!("{} cannot be read: {}", path.display(), reason(error)));
        let file = File::open(path).map_err(|error| unreadable(&error))?;
        let metadata = file.metadata().map_err(|error| unreadable(&error))?;
        if metadata.is_dir() {
            return Err(unreadable(&io::ErrorKind::IsADirectory.into()));
        }
        Ok(Self {
            reader: Box::new(file),
            length: metadata.is_file().then_some(metadata.len()),
        })
    }

    /// The whole of it, if it is no longer than a line may be.
    pub(crate) fn read_one(self) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        let limit = MAX_LINE as u64;
        let mut reader = self.reader.take(limit + 1);
        reader.read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
        if bytes.len() > MAX_LINE {
            return Err(Failure::Input("the request is longer than 4 MiB".into()));
        }
        Ok(bytes)
    }

    /// The whole of it, and at most one byte more than `limit`.
    pub(crate) fn read_up_to(self, limit: usize) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        let mut reader = self.reader.take(limit as u64 + 1);
        reader.read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
        Ok(bytes)
    }

    /// The whole of it, in chunks, until `take` has enough.
    pub(crate) fn read_chunks(mut self, mut take: impl FnMut(&[u8]) -> bool) -> Result<(), Failure> {
        let mut buffer = vec![0; BUFFER];
        loop {
            match self.reader.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(length) => {
                    if !take(buffer.get(..length).unwrap_or_default()) {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Failure::Input(format!("the body cannot be read: {}", reason(&error)))),
            }
        }
    }

    pub(crate) fn lines(self) -> Lines {
        Lines {
            reader: BufReader::with_capacity(BUFFER, self.reader),
            line: Vec::new(),
            number: 0,
            bytes: 0,
        }
    }
}

fn unreadable(error: &io::Error) -> Failure {
    Failure::Input(format!("the requests cannot be read: {}", reason(error)))
}

/// One line, without its line feed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Line<'a> {
    Whole(&'a [u8]),
    /// It was longer than [`MAX_LINE`], and was passed over.
    TooLong,
}

/// The lines of an input. Never holds more than one of them, and its buffer.
pub(crate) struct Lines<R = Box<dyn Read>> {
    reader: BufReader<R>,
    line: Vec<u8>,
    number: u64,
    bytes: u64,
}

impl<R: Read> Lines<R> {
    /// False if reading the next line may have to wait for it.
    pub(crate) fn has_next_at_hand(&self) -> bool {
        self.reader.buffer().contains(&b'\n')
    }

    /// The next line and its number, from 1. A last line needs no line feed.
    pub(crate) fn next(&mut self) -> Result<Option<(u64, Line<'_>)>, Failure> {
        self.line.clear();
        let limit = MAX_LINE as u64 + 1;
        let mut limited = self.reader.by_ref().take(limit);
        let read = limited
            .read_until(b'\n', &mut self.line)
            .map_err(|error| unreadable(&error))?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        self.bytes += read as u64;
        if self.line.pop_if(|last| *last == b'\n').is_none() && self.line.len() > MAX_LINE {
            let skipped = self.reader.skip_until(b'\n').map_err(|error| unreadable(&error))?;
            self.bytes += skipped as u64;
            return Ok(Some((self.number, Line::TooLong)));
        }
        Ok(Some((self.number, Line::Whole(&self.line))))
    }

    /// How many bytes the lines so far had.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: Vec<u8>) -> Lines<io::Cursor<Vec<u8>>> {
        Lines {
            reader: BufReader::new(io::Cursor::new(text)),
            line: Vec::new(),
            number: 0,
            bytes: 0,
        }
    }

    #[test]
    fn lines_are_bounded_and_counted() {
        let longest = vec![b'x'; MAX_LINE];
        let mut text = b"a\n\n".to_vec();
        text.extend_from_slice(&longest);
        text.extend_from_slice(b"\ny");
        text.extend_from_slice(&longest);
        text.extend_from_slice(b"\nb\r\nlast");
        let length = text.len() as u64;
        let mut lines = lines(text);
        for want in [
            Line::Whole(b"a"),
            Line::Whole(b""),
            Line::Whole(&longest),
            Line::TooLong,
            Line::Whole(b"b\r"),
            Line::Whole(b"last"),
        ] {
            let (_, line) = lines.next().ok().flatten().unwrap();
            assert!(line == want, "line {}", lines.number);
        }
        assert!(matches!(lines.next(), Ok(None)));
        assert_eq!((lines.number, lines.bytes()), (6, length));
        assert!(lines.line.capacity() < 3 * MAX_LINE);
    }

    #[test]
    fn an_over_long_last_line_ends_too() {
        let mut lines = lines(vec![b'x'; 2 * MAX_LINE]);
        assert!(matches!(lines.next(), Ok(Some((1, Line::TooLong)))));
        assert!(matches!(lines.next(), Ok(None)));
    }
}
