//! Path patterns, and the tree in which many of them are looked up at once.

use super::path::{decode, escape};
use crate::table::Table;

/// The most segments of a pattern: what a walk through the patterns may need of the stack.
const MAX_SEGMENTS: usize = 32;

/// A path pattern: segments, of which `*` matches one that is not empty, and `**`, only last, any rest.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct PathPattern {
    pub(super) segments: Vec<Segment>,
    pub(super) has_rest: bool,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) enum Segment {
    Literal(Box<[u8]>),
    Any,
}

/// Why a text is no [`PathPattern`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum PathPatternError {
    NotAbsolute,
    Character,
    EmptySegment,
    DotSegment,
    Escape,
    WildcardPlace,
    TooDeep,
}

impl PathPatternError {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::NotAbsolute => "does not start with `/`",
            Self::Character => {
                "has a character that a pattern cannot have; a character of the path is written as in the URL, percent-encoded"
            }
            Self::EmptySegment => "has an empty segment, which could not be told from a merged `//`",
            Self::DotSegment => "has a `.` or `..` segment, which is refused in every request",
            Self::Escape => "has an escape that is broken, needless, or that hides a delimiter",
            Self::WildcardPlace => "has a `*` that is not a whole segment, or a `**` that is not the last",
            Self::TooDeep => "has more than 32 segments",
        }
    }
}

impl PathPattern {
    pub(crate) fn parse(text: &str) -> Result<Self, PathPatternError> {
        let Some(rest) = text.strip_prefix('/') else {
            return Err(PathPatternError::NotAbsolute);
        };
        let is_pattern_byte = |byte: u8| byte.is_ascii_graphic() && !b"\"#;<>?\\^`{|}".contains(&byte);
        if !text.bytes().all(is_pattern_byte) {
            return Err(PathPatternError::Character);
        }
        let mut pattern = Self {
            segments: Vec::new(),
            has_rest: false,
        };
        let mut segments = rest.split('/').peekable();
        while let Some(segment) = segments.next() {
            let is_last = segments.peek().is_none();
            match segment {
                "**" if is_last => pattern.has_rest = true,
                "*" => pattern.segments.push(Segment::Any),
                _ if segment.contains('*') => return Err(PathPatternError::WildcardPlace),
                "." | ".." => return Err(PathPatternError::DotSegment),
                "" if !is_last => return Err(PathPatternError::EmptySegment),
                _ => {
                    if !has_canonical_escapes(segment.as_bytes()) {
                        return Err(PathPatternError::Escape);
                    }
                    pattern.segments.push(Segment::Literal(segment.as_bytes().into()));
                }
            }
        }
        if pattern.segments.len() > MAX_SEGMENTS {
            return Err(PathPatternError::TooDeep);
        }
        Ok(pattern)
    }

    /// The pattern in one of the forms in which paths are compared.
    pub(super) fn in_form(&self, form: Form) -> Self {
        let mut segments: Vec<_> = self
            .segments
            .iter()
            .map(|segment| match segment {
                Segment::Any => Segment::Any,
                Segment::Literal(literal) => {
                    let mut literal = literal.to_vec();
                    if form.is_decoded {
                        literal = decode(&literal);
                    }
                    if form.is_folded {
                        literal.make_ascii_lowercase();
                    }
                    Segment::Literal(literal.into())
                }
            })
            .collect();
        if form.is_folded
            && segments
                .last()
                .is_some_and(|last| matches!(last, Segment::Literal(literal) if literal.is_empty()))
        {
            segments.pop();
        }
        Self {
            segments,
            has_rest: self.has_rest,
        }
    }

    /// The pattern as it meets a path whose reading differs most from the raw one.
    pub(crate) fn folded(&self) -> Self {
        self.in_form(Form {
            is_decoded: true,
            is_folded: true,
        })
    }

    /// True if every path that the other matches is matched by this one. Both in the same form.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        let enough = if self.has_rest {
            self.segments.len() <= other.segments.len()
        } else {
            !other.has_rest && self.segments.len() == other.segments.len()
        };
        enough
            && self
                .segments
                .iter()
                .zip(&other.segments)
                .all(|(mine, theirs)| match (mine, theirs) {
                    // `*` does not match the empty segment of a trailing slash.
                    (Segment::Any, Segment::Literal(literal)) => !literal.is_empty(),
                    (Segment::Any, Segment::Any) => true,
                    (mine, theirs) => mine == theirs,
                })
    }
}

#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) struct Form {
    pub(super) is_decoded: bool,
    pub(super) is_folded: bool,
}

/// Patterns by segment. A walk visits at most one literal and one `*` child of each node, so it takes the same time for ten
/// patterns and for ten thousand. Routes of one pattern, which differ by method or host, are tried in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Trie {
    literals: Table<Trie>,
    any: Option<Box<Trie>>,
    /// The routes that end here, in order.
    ends: Vec<usize>,
    /// The routes that match whatever follows, in order.
    rests: Vec<usize>,
}

impl Trie {
    pub(super) fn new(patterns: &[PathPattern]) -> Self {
        let mut root = Self::default();
        for (index, pattern) in patterns.iter().enumerate() {
            root.insert(pattern, index);
        }
        root
    }

    pub(super) fn insert(&mut self, pattern: &PathPattern, index: usize) {
        self.insert_below(&pattern.segments, pattern.has_rest, index);
    }

    fn insert_below(&mut self, segments: &[Segment], has_rest: bool, index: usize) {
        match segments.split_first() {
            Some((Segment::Literal(literal), rest)) => self
                .literals
                .update(literal, |child| child.insert_below(rest, has_rest, index)),
            Some((Segment::Any, rest)) => {
                self.any.get_or_insert_default().insert_below(rest, has_rest, index);
            }
            None if has_rest => self.rests.push(index),
            None => self.ends.push(index),
        }
    }

    /// Hands over the routes of every pattern that could cover one of these segments.
    pub(super) fn walk_covering(&self, segments: &[Segment], has_rest: bool, found: &mut impl FnMut(&[usize])) {
        found(&self.rests);
        let Some((segment, rest)) = segments.split_first() else {
            if !has_rest {
                found(&self.ends);
            }
            return;
        };
        if let Segment::Literal(literal) = segment
            && let Some(child) = self.literals.get(literal)
        {
            child.walk_covering(rest, has_rest, found);
        }
        if let Some(child) = &self.any {
            child.walk_covering(rest, has_rest, found);
        }
    }

    /// Hands the routes of every matching pattern to `found`. As deep as the longest pattern, not as the path.
    pub(super) fn walk(&self, segments: Option<&[u8]>, found: &mut impl FnMut(&[usize])) {
        found(&self.rests);
        let Some(segments) = segments else {
            return found(&self.ends);
        };
        let end = segments.iter().position(|byte| *byte == b'/');
        let (segment, rest) = match end.and_then(|end| segments.split_at_checked(end)) {
            Some((segment, rest)) => (segment, rest.get(1..)),
            None => (segments, None),
        };
        if let Some(child) = self.literals.get(segment) {
            child.walk(rest, found);
        }
        if let Some(child) = self.any.as_ref().filter(|_| !segment.is_empty()) {
            child.walk(rest, found);
        }
    }
}

/// True if every escape is whole, in upper case (RFC 3986 §6.2.2.1), and stands for a byte that cannot stand for itself in a segment
/// nor means something to a server that decodes it.
fn has_canonical_escapes(segment: &[u8]) -> bool {
    let mut rest = segment;
    while let Some(start) = rest.iter().position(|byte| *byte == b'%') {
        let at = rest.get(start..).unwrap_or_default();
        let Some((value, after)) = escape(at) else { return false };
        let digits = at.get(1..3).unwrap_or_default();
        let is_unreserved = value.is_ascii_alphanumeric() || b"-._~".contains(&value);
        if is_unreserved
            || value.is_ascii_control()
            || b"%/;\\?#".contains(&value)
            || digits.iter().any(u8::is_ascii_lowercase)
        {
            return false;
        }
        rest = after;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_refused_with_their_reason() {
        use PathPatternError::{Character, DotSegment, EmptySegment, Escape, NotAbsolute, TooDeep, WildcardPlace};
        let deep = "/a".repeat(33);
        for (text, want) in [
            ("", NotAbsolute),
            ("healthz", NotAbsolute),
            ("/a b", Character),
            ("/a?b", Character),
            ("/a;b", Character),
            ("/a\\b", Character),
            ("/caf\u{e9}", Character),
            ("/a//b", EmptySegment),
            ("/a/../b", DotSegment),
            ("/a*", WildcardPlace),
            ("/**/a", WildcardPlace),
            ("/a%2Fb", Escape),
            ("/a%61", Escape),
            ("/a%c3%a9", Escape),
            ("/a%", Escape),
            (&deep, TooDeep),
        ] {
            assert_eq!(PathPattern::parse(text), Err(want), "{text}");
        }
    }

    #[test]
    fn coverage_is_by_segment() {
        for (earlier, later, want) in [
            ("/**", "/a/b", true),
            ("/**", "/", true),
            ("/a/**", "/a", true),
            ("/a/**", "/a/", true),
            ("/a/**", "/a/b/**", true),
            ("/a/b/**", "/a/**", false),
            ("/a", "/A", true),
            ("/a", "/a/", true),
            ("/*", "/a", true),
            ("/a", "/*", false),
            ("/*/b", "/a/*", false),
        ] {
            let folded = |text| PathPattern::parse(text).unwrap().folded();
            assert_eq!(folded(earlier).covers(&folded(later)), want, "{earlier} {later}");
        }
    }
}
