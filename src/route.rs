//! Routes: path patterns, and the normal forms of a path that must agree.
//!
//! Decides which route a path selects. Servers and frameworks decode, merge and fold paths, each in its own way; a path on whose route the
//! forms disagree is refused, so that no way of reading it reaches a route that was not judged.

mod path;
mod pattern;

use path::{decode, fold, has_dot_segment, has_whole_escapes, is_plain, refuse_hidden, segments};
pub(crate) use pattern::PathPattern;
use pattern::{Form, Trie};

use crate::authority::{Authority, Port};
use crate::host::{HostPattern, HostSet};
use crate::verdict::{Detail, Failure, Mode, Reason};

/// How many rounds of percent-decoding a path may need.
const DECODING_ROUNDS: usize = 3;

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
            decoded: other(Form {
                is_decoded: true,
                is_folded: false,
            }),
            raw_folded: other(Form {
                is_decoded: false,
                is_folded: true,
            }),
            folded: other(Form {
                is_decoded: true,
                is_folded: true,
            }),
            raw: Trie::new(&raw),
            routes,
        }
    }

    pub(crate) fn get(&self, index: usize) -> Option<&Route> {
        self.routes.get(index)
    }

    /// Check `route`: the index of the one route that every form of the path selects.
    pub(crate) fn judge<'a>(&self, path: &'a [u8], selector: Selector<'_>) -> Result<usize, Failure<'a>> {
        let denied =
            |before, after| Failure::new(Reason::RouteNotAllowed, Detail::quoting(before, path, after)).by("routes");
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
    fn select_plain(&self, path: &[u8], selector: Selector<'_>) -> Result<Option<usize>, &'static str> {
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

    fn select_in_every_form(&self, path: &[u8], selector: Selector<'_>) -> Result<Option<usize>, &'static str> {
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
            let admitting = indices
                .iter()
                .copied()
                .find(|index| self.routes.get(*index).is_some_and(|route| route.admits(selector)));
            best = match (best, admitting) {
                (Some(best), Some(index)) => Some(index.min(best)),
                (best, admitting) => best.or(admitting),
            };
        });
        best
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
    /// The index of the `signatures` section that is required.
    pub(crate) signature: Option<usize>,
    /// The indices of the `tokens` sections of which one must fit; none: no token is required.
    #[cfg(feature = "tokens")]
    pub(crate) tokens: Vec<usize>,
    /// The scopes that a token must have.
    #[cfg(feature = "tokens")]
    pub(crate) scopes: Vec<String>,
    /// The same between spaces, for a challenge.
    #[cfg(feature = "tokens")]
    pub(crate) scope_text: String,
    /// What its own requirements do to a request that fails them; none: as the document says.
    pub(crate) mode: Option<Mode>,
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
                selector
                    .authority
                    .is_some_and(|authority| hosts.matching(authority, selector.default_port).is_some())
            })
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
        self.earlier
            .walk_covering(&folded.segments, folded.has_rest, &mut |candidates| {
                let covering = candidates
                    .iter()
                    .filter_map(|candidate| self.routes.get(*candidate))
                    .find(|(_, path, methods, listed)| {
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
            self.routes
                .push((index, folded, route.methods.clone(), route.hosts.clone()));
        }
        by
    }
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
            signature: None,
            #[cfg(feature = "tokens")]
            tokens: Vec::new(),
            #[cfg(feature = "tokens")]
            scopes: Vec::new(),
            #[cfg(feature = "tokens")]
            scope_text: String::new(),
            mode: None,
        };
        Routes::new(paths.iter().map(route).collect())
    }

    fn select(routes: &Routes, path: &str) -> Result<String, String> {
        let selector = Selector {
            method: b"GET",
            authority: None,
            default_port: Port::HTTP,
        };
        let index = routes
            .judge(path.as_bytes(), selector)
            .map_err(|failure| failure.detail().to_string())?;
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
            ("/admin%3fx", None),
            ("/admin%2523x", None),
            ("/x%3Fy", Some("/**")),
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
}
