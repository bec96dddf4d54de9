//! Routes: path patterns, and the normal forms of a path that must agree.
//!
//! Decides which route a path selects. Servers and frameworks decode, merge and fold paths, each in its own way; a path on whose route the
//! forms disagree is refused, so that no way of reading it reaches a route that was not judged.

use rustc_hash::FxHashMap;

use crate::authority::{Authority, Port};
use crate::host::{HostPattern, HostSet};
use crate::verdict::{Detail, Failure, Reason};

/// How many rounds of percent-decoding a path may need.
const DECODING_ROUNDS: usize = 3;

/// The most segments of a pattern: what a walk through the patterns may need of the stack.
const MAX_SEGMENTS: usize = 32;

/// A path pattern: segments, of which `*` matches one that is not empty, and `**`, only last, any rest.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct PathPattern {
    segments: Vec<Segment>,
    has_rest: bool,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
enum Segment {
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
            Self::Character => "has a character that a pattern cannot have; a character of the path is written as in the URL, percent-encoded",
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
        let Some(rest) = text.strip_prefix('/') else { return Err(PathPatternError::NotAbsolute) };
        let is_pattern_byte = |byte: u8| byte.is_ascii_graphic() && !b"\"#;<>?\\^`{|}".contains(&byte);
        if !text.bytes().all(is_pattern_byte) {
            return Err(PathPatternError::Character);
        }
        let mut pattern = Self { segments: Vec::new(), has_rest: false };
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
    fn in_form(&self, form: Form) -> Self {
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
        if form.is_folded && segments.last().is_some_and(|last| matches!(last, Segment::Literal(literal) if literal.is_empty())) {
            segments.pop();
        }
        Self { segments, has_rest: self.has_rest }
    }

    /// The pattern as it meets a path whose reading differs most from the raw one.
    pub(crate) fn folded(&self) -> Self {
        self.in_form(Form { is_decoded: true, is_folded: true })
    }

    /// True if every path that the other matches is matched by this one. Both in the same form.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        let enough = if self.has_rest {
            self.segments.len() <= other.segments.len()
        } else {
            !other.has_rest && self.segments.len() == other.segments.len()
        };
        enough
            && self.segments.iter().zip(&other.segments).all(|(mine, theirs)| match (mine, theirs) {
                // `*` does not match the empty segment of a trailing slash.
                (Segment::Any, Segment::Literal(literal)) => !literal.is_empty(),
                (Segment::Any, Segment::Any) => true,
                (mine, theirs) => mine == theirs,
            })
    }
}

/// The methods of a route.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Methods {
    Every,
    /// Sorted, with HEAD where GET is.
    Listed(Vec<Box<[u8]>>),
}

impl Methods {
    pub(crate) fn admit(&self, method: &[u8]) -> bool {
        match self {
            Self::Every => true,
            Self::Listed(methods) => methods.iter().any(|listed| &**listed == method),
        }
    }

    pub(crate) fn cover(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Every, _) => true,
            (Self::Listed(_), Self::Every) => false,
            (Self::Listed(_), Self::Listed(methods)) => methods.iter().all(|method| self.admit(method)),
        }
    }
}

/// One entry of `routes`.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) name: String,
    pub(crate) path: PathPattern,
    pub(crate) methods: Methods,
    /// None: any host.
    pub(crate) hosts: Option<HostSet>,
}

/// What a route is selected by, beside the path.
#[derive(Clone, Copy)]
pub(crate) struct Selector<'a> {
    pub(crate) method: &'a [u8],
    pub(crate) authority: Option<Authority<'a>>,
    pub(crate) default_port: Port,
}

impl Route {
    fn admits(&self, selector: Selector<'_>) -> bool {
        self.methods.admit(selector.method)
            && self.hosts.as_ref().is_none_or(|hosts| {
                selector.authority.is_some_and(|authority| {
                    hosts.matching(authority, selector.default_port).is_some()
                })
            })
    }
}

#[derive(Clone, Copy, Eq, PartialEq)]
struct Form {
    is_decoded: bool,
    is_folded: bool,
}

/// The `routes` section.
#[derive(Clone, Debug)]
pub(crate) struct Routes {
    routes: Vec<Route>,
    raw: Trie,
    /// The others; none where the patterns look the same in that form as in the raw one.
    decoded: Option<Trie>,
    raw_folded: Option<Trie>,
    folded: Option<Trie>,
}

impl Routes {
    pub(crate) fn new(routes: Vec<Route>) -> Self {
        let raw: Vec<_> = routes.iter().map(|route| route.path.clone()).collect();
        let other = |form| {
            let patterns: Vec<_> = routes.iter().map(|route| route.path.in_form(form)).collect();
            (patterns != raw).then(|| Trie::new(&patterns))
        };
        Self {
            decoded: other(Form { is_decoded: true, is_folded: false }),
            raw_folded: other(Form { is_decoded: false, is_folded: true }),
            folded: other(Form { is_decoded: true, is_folded: true }),
            raw: Trie::new(&raw),
            routes,
        }
    }

    pub(crate) fn get(&self, index: usize) -> Option<&Route> {
        self.routes.get(index)
    }

    /// Check `route`: the index of the one route that every form of the path selects.
    pub(crate) fn judge<'a>(
        &self,
        path: &'a [u8],
        selector: Selector<'_>,
    ) -> Result<usize, Failure<'a>> {
        let denied = |before, after| {
            Failure::new(Reason::RouteNotAllowed, Detail::quoting(before, path, after)).by("routes")
        };
        let selected = if is_plain(path) && !has_dot_segment(path) {
            self.select_plain(path, selector)
        } else {
            self.select_in_every_form(path, selector)
        };
        match selected {
            Ok(Some(index)) => Ok(index),
            Ok(None) => Err(denied("no route for ", "")),
            Err(trouble) => Err(denied("path ", trouble)),
        }
    }

    /// A path that neither decoding nor folding changes: only the patterns can look different.
    fn select_plain(
        &self,
        path: &[u8],
        selector: Selector<'_>,
    ) -> Result<Option<usize>, &'static str> {
        let selected = self.select(&self.raw, segments(path), selector);
        let decoded = self.decoded.iter().map(|trie| (trie, segments(path)));
        let folded = [&self.raw_folded, &self.folded].into_iter().flatten();
        let folded = folded.map(|trie| (trie, segments(path).filter(|rest| !rest.is_empty())));
        for (trie, rest) in decoded.chain(folded) {
            if self.select(trie, rest, selector) != selected {
                return Err(" selects another route when it is decoded or folded");
            }
        }
        Ok(selected)
    }

    fn select_in_every_form(
        &self,
        path: &[u8],
        selector: Selector<'_>,
    ) -> Result<Option<usize>, &'static str> {
        if !has_whole_escapes(path) {
            return Err(" has a broken escape");
        }
        refuse_hidden(path)?;
        let decoded = self.decoded.as_ref().unwrap_or(&self.raw);
        let raw_folded = self.raw_folded.as_ref().unwrap_or(&self.raw);
        let folded = self.folded.as_ref().unwrap_or(&self.raw);

        let selected = self.select(&self.raw, segments(path), selector);
        if self.select(raw_folded, fold(path).as_deref(), selector) != selected {
            return Err(" selects another route when it is folded");
        }
        let mut form = path.to_vec();
        for _ in 0..DECODING_ROUNDS {
            form = decode(&form);
            refuse_hidden(&form)?;
            if self.select(decoded, segments(&form), selector) != selected
                || self.select(folded, fold(&form).as_deref(), selector) != selected
            {
                return Err(" selects another route when it is decoded or folded");
            }
        }
        if decode(&form) != form {
            return Err(" is percent-encoded more than three times");
        }
        Ok(selected)
    }

    /// The first route that matches the segments, which are joined by `/`.
    fn select(&self, trie: &Trie, segments: Option<&[u8]>, selector: Selector<'_>) -> Option<usize> {
        let mut best = None;
        trie.walk(segments, &mut |indices| {
            let admitting = indices.iter().copied().find(|index| {
                self.routes.get(*index).is_some_and(|route| route.admits(selector))
            });
            best = match (best, admitting) {
                (Some(best), Some(index)) => Some(index.min(best)),
                (best, admitting) => best.or(admitting),
            };
        });
        best
    }
}

/// Patterns by segment. A walk visits at most one literal and one `*` child of each node, so it takes the same time for ten
/// routes and for ten thousand.
#[derive(Clone, Debug, Default)]
struct Trie {
    literals: FxHashMap<Box<[u8]>, Trie>,
    any: Option<Box<Trie>>,
    /// The routes that end here, in order.
    ends: Vec<usize>,
    /// The routes that match whatever follows, in order.
    rests: Vec<usize>,
}

impl Trie {
    fn new(patterns: &[PathPattern]) -> Self {
        let mut root = Self::default();
        for (index, pattern) in patterns.iter().enumerate() {
            root.insert(pattern, index);
        }
        root
    }

    fn insert(&mut self, pattern: &PathPattern, index: usize) {
        let mut node = self;
        for segment in &pattern.segments {
            node = match segment {
                Segment::Literal(literal) => node.literals.entry(literal.clone()).or_default(),
                Segment::Any => node.any.get_or_insert_default(),
            };
        }
        if pattern.has_rest { &mut node.rests } else { &mut node.ends }.push(index);
    }

    /// Hands over the routes of every pattern that could cover one of these segments.
    fn walk_covering(&self, segments: &[Segment], has_rest: bool, found: &mut impl FnMut(&[usize])) {
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
    fn walk(&self, segments: Option<&[u8]>, found: &mut impl FnMut(&[usize])) {
        found(&self.rests);
        let Some(segments) = segments else { return found(&self.ends) };
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

/// Finds routes that an earlier one leaves nothing for.
#[derive(Default)]
pub(crate) struct Shadows {
    earlier: Trie,
    routes: Vec<(usize, PathPattern, Methods, Option<HostSet>)>,
}

impl Shadows {
    /// The index of an earlier route that matches whatever this one matches; else takes note of this one. `hosts` are the route's, one by one.
    pub(crate) fn insert(&mut self, index: usize, route: &Route, hosts: &[HostPattern]) -> Option<usize> {
        let folded = route.path.folded();
        let mut by = None;
        self.earlier.walk_covering(&folded.segments, folded.has_rest, &mut |candidates| {
            let covering = candidates.iter().filter_map(|candidate| self.routes.get(*candidate)).find(|(_, path, methods, listed)| {
                path.covers(&folded)
                    && methods.cover(&route.methods)
                    && listed.as_ref().is_none_or(|listed| {
                        !hosts.is_empty() && hosts.iter().all(|host| listed.covering(host).is_some())
                    })
            });
            by = by.or(covering.map(|(index, ..)| *index));
        });
        if by.is_none() {
            self.earlier.insert(&folded, self.routes.len());
            self.routes.push((index, folded, route.methods.clone(), route.hosts.clone()));
        }
        by
    }
}

/// The path without its leading `/`.
fn segments(path: &[u8]) -> Option<&[u8]> {
    Some(path.strip_prefix(b"/").unwrap_or(path))
}

/// True if the path reads the same in every form.
fn is_plain(path: &[u8]) -> bool {
    let mut previous = 0;
    for byte in path {
        if matches!(byte, b'%' | b';' | b'\\' | b'A'..=b'Z') || (*byte == b'/' && previous == b'/') {
            return false;
        }
        previous = *byte;
    }
    previous != b'/' || path == b"/"
}

fn has_dot_segment(path: &[u8]) -> bool {
    path.split(|byte| *byte == b'/').any(|segment| {
        let name = segment.split(|byte| *byte == b';').next().unwrap_or_default();
        matches!(name, b"." | b"..")
    })
}

/// Refuses what servers disagree on in any form: dot segments, backslashes, control characters.
fn refuse_hidden(form: &[u8]) -> Result<(), &'static str> {
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

/// Parameters cut, `//` merged, ASCII lower-cased, one trailing `/` dropped: the segments, joined by `/`.
fn fold(path: &[u8]) -> Option<Vec<u8>> {
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
fn decode(bytes: &[u8]) -> Vec<u8> {
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
fn escape(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let [b'%', high, low, rest @ ..] = bytes else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some((digit(*high)?.checked_mul(16)?.checked_add(digit(*low)?)?, rest))
}

fn has_whole_escapes(path: &[u8]) -> bool {
    let mut rest = path;
    while let Some(start) = rest.iter().position(|byte| *byte == b'%') {
        match rest.get(start..).and_then(escape) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    true
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
            || b"%/;\\".contains(&value)
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

    fn routes(paths: &[&str]) -> Routes {
        let route = |path: &&str| Route {
            name: (*path).to_owned(),
            path: PathPattern::parse(path).unwrap(),
            methods: Methods::Every,
            hosts: None,
        };
        Routes::new(paths.iter().map(route).collect())
    }

    fn select(routes: &Routes, path: &str) -> Result<String, String> {
        let selector = Selector { method: b"GET", authority: None, default_port: Port::HTTP };
        let index = routes.judge(path.as_bytes(), selector).map_err(|failure| failure.detail().to_string())?;
        Ok(routes.get(index).unwrap().name.clone())
    }

    #[test]
    fn patterns_match_segments() {
        let routes = routes(&["/healthz", "/api/*/items", "/hooks/**", "/caf%C3%A9", "/"]);
        for (path, want) in [
            ("/healthz", Some("/healthz")),
            ("/api/7/items", Some("/api/*/items")),
            ("/hooks", Some("/hooks/**")),
            ("/hooks/", Some("/hooks/**")),
            ("/hooks/a/b", Some("/hooks/**")),
            ("/hooks//a", Some("/hooks/**")),
            ("/hooks/a%20b", Some("/hooks/**")),
            ("/hooks/100%25", Some("/hooks/**")),
            ("/caf%C3%A9", Some("/caf%C3%A9")),
            ("/", Some("/")),
            ("/healthz/", None),
            ("/Healthz", None),
            ("/%68ealthz", None),
            ("//healthz", None),
            ("/healthz;a", None),
            ("/api//items", None),
            ("/api/7/items/8", None),
            ("/hooksx", None),
            ("/other", None),
            ("//", None),
        ] {
            assert_eq!(select(&routes, path).ok().as_deref(), want, "{path}");
        }
    }

    #[test]
    fn forms_that_disagree_are_refused() {
        let routes = routes(&["/admin/**", "/public/*", "/**"]);
        for (path, want) in [
            ("/x", Some("/**")),
            ("/admin/x", Some("/admin/**")),
            ("/ADMIN/x", None),
            ("//admin/x", None),
            ("/%61dmin/x", None),
            ("/%2561dmin/x", None),
            ("/%252561dmin/x", None),
            ("/%25252561dmin/x", None),
            ("/x/%25252525", None),
            ("/x/%252525", Some("/**")),
            ("/admin;a/x", None),
            ("/;a/admin/x", None),
            ("/public/a%2Fb", None),
            ("/x/../admin", None),
            ("/x/%2e%2e/admin", None),
            ("/x/%252e%252e/%zz", None),
            ("/x/%252e%252e/%25zz", None),
            ("/x/..;a/b", None),
            ("/x/.", None),
            ("/x/...", Some("/**")),
            ("/x\\y", None),
            ("/x%5cy", None),
            ("/x%255cy", None),
            ("/x%00", None),
            ("/x%2500", None),
            ("/x%7f", None),
            ("/x%", None),
            ("/x%4", None),
            ("/x%zz", None),
            ("/x%C3%A9", Some("/**")),
            ("/x/", Some("/**")),
            ("/X", Some("/**")),
        ] {
            assert_eq!(select(&routes, path).ok().as_deref(), want, "{path}");
        }
    }

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
