//! The `routes` section.

use super::Compiler;
use super::lists::HostList;
use super::requirements::{Required, Requirements};
use crate::authority::Port;
use crate::host::HostPattern;
use crate::policy::Hosts;
use crate::policy::diagnostic::ErrorCode;
use crate::policy::shape::shortened;
use crate::route::{Methods, PathPattern, Route, Routes, Selector, Shadows};
use crate::table::Table;
use crate::tree::{Node, Path};
use crate::verdict::Mode;

impl Compiler<'_, '_> {
    pub(super) fn routes(
        &mut self,
        list: &Node,
        path: &Path<'_>,
        allowed: &HostList,
        requirements: &Requirements<'_>,
    ) -> Routes {
        let mut routes = Vec::new();
        let mut names = Table::default();
        let mut shadows = Shadows::default();
        for (index, entry) in list.items().iter().enumerate() {
            let path = path.index(index);
            let Some(route) = self.route(entry, &path, allowed, requirements) else {
                continue;
            };
            let mut error = |code, key: &str, message, fix: &str| {
                let span = entry.get(key).map_or(entry.span.clone(), |node| node.span.clone());
                self.report
                    .error(code, &path.key(key), span, message)
                    .fix(fix.to_owned());
            };
            if let Some(earlier) = names.insert(route.route.name.as_bytes(), index) {
                let key = if entry.get("name").is_some() { "name" } else { "path" };
                let message = format!(
                    "routes[{earlier}] has the name `{}` already",
                    shortened(&route.route.name)
                );
                error(ErrorCode::NameDuplicate, key, message, "give this route a `name`");
            }
            if let Some(earlier) = shadows.insert(index, &route.route, &route.host_patterns) {
                let message = format!("routes[{earlier}] already matches every request that this route matches");
                error(
                    ErrorCode::EntryCovered,
                    "path",
                    message,
                    "move this route before that one, or remove it",
                );
            }
            routes.push(route.route);
        }
        Routes::new(routes)
    }

    fn route(
        &mut self,
        entry: &Node,
        path: &Path<'_>,
        allowed: &HostList,
        requirements: &Requirements<'_>,
    ) -> Option<CompiledRoute> {
        let text = entry.get("path")?;
        let pattern = match PathPattern::parse(text.as_str()?) {
            Ok(pattern) => pattern,
            Err(error) => {
                let message = format!("`{}` {}", shortened(text.as_str()?), error.as_str());
                self.report
                    .error(ErrorCode::PathMalformed, &path.key("path"), text.span.clone(), message)
                    .fix("write a path such as `/api/*/items` or `/api/**`".into());
                return None;
            }
        };
        let hosts = entry.get("hosts").map(|hosts| {
            let hosts_path = path.key("hosts");
            let list = self.host_list(hosts, &hosts_path, None);
            for (index, (pattern, item)) in list.patterns.iter().zip(hosts.items()).enumerate() {
                let is_reachable = allowed.set.covering(pattern).is_some()
                    || allowed.patterns.iter().any(|other| other.overlaps(pattern));
                if !is_reachable {
                    let message = format!("`{}` is in no entry of hosts.allow", shortened(&item.offending()));
                    self.report
                        .error(
                            ErrorCode::EntryNeverMatches,
                            &hosts_path.index(index),
                            item.span.clone(),
                            message,
                        )
                        .fix("add it to hosts.allow, or remove it here".into());
                }
            }
            list
        });
        let methods = match entry.get("methods") {
            Some(list) => Methods::Listed(self.methods(list, &path.key("methods"))),
            None => Methods::Every,
        };
        let required = entry.get("require").map_or_else(Required::default, |list| {
            self.required(list, &path.key("require"), requirements)
        });
        #[cfg(feature = "tokens")]
        let scopes = self.scopes(entry, path, !required.tokens.is_empty());
        let mode = entry.get("mode");
        if let (Some(node), true) = (mode, entry.get("require").is_some_and(|list| list.items().is_empty())) {
            self.report
                .error(
                    ErrorCode::EntryNeverMatches,
                    &path.key("mode"),
                    node.span.clone(),
                    "`mode` has no effect on a route that requires nothing".into(),
                )
                .fix("remove it, or list what the route requires".into());
        }
        let name = entry.get("name").unwrap_or(text).as_str()?.to_owned();
        let (set, host_patterns) = hosts.map_or((None, Vec::new()), |hosts| (Some(hosts.set), hosts.patterns));
        let route = Route {
            name,
            path: pattern,
            methods,
            hosts: set,
            signature: required.signature,
            #[cfg(feature = "tokens")]
            tokens: required.tokens,
            #[cfg(feature = "tokens")]
            scope_text: scopes.join(" "),
            #[cfg(feature = "tokens")]
            scopes,
            mode: mode.and_then(Node::as_str).map(|mode| match mode {
                "report" => Mode::Report,
                _ => Mode::Enforce,
            }),
        };
        Some(CompiledRoute { route, host_patterns })
    }

    /// An exempt request has no authority and is a GET: it must find a route.
    pub(super) fn exempt_routes(&mut self, hosts: &Hosts, routes: &Routes, section: &Node) {
        let root = Path::ROOT;
        let (hosts_path, key) = (root.key("hosts"), "exempt");
        let exempt_path = hosts_path.key(key);
        for (index, (exempt, entry)) in hosts.exempt.iter().zip(section.items()).enumerate() {
            let selector = Selector {
                method: b"GET",
                authority: None,
                default_port: Port::HTTP,
            };
            let trouble = match routes.judge(&exempt.path, selector) {
                Err(failure) => Some((
                    format!("the exemption can never matter: {}", failure.detail()),
                    "add a route for the path, without `hosts`",
                )),
                Ok(index) => routes
                    .get(index)
                    .filter(|route| route.signature.is_some())
                    .map(|route| {
                        (
                            format!(
                                "the exemption can never matter: the route `{}` requires a signature",
                                shortened(&route.name)
                            ),
                            "add a route for the path before that one, with `require = []`",
                        )
                    }),
            };
            if let Some((message, fix)) = trouble {
                self.report
                    .error(
                        ErrorCode::EntryNeverMatches,
                        &exempt_path.index(index),
                        entry.span.clone(),
                        message,
                    )
                    .fix(fix.into());
            }
        }
    }
}

struct CompiledRoute {
    route: Route,
    host_patterns: Vec<HostPattern>,
}
