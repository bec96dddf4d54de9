//! Weak choices in a valid policy.

mod secrets;
mod signatures;
#[cfg(feature = "tokens")]
mod tokens;

use super::PolicyDocument;
use super::diagnostic::{Lint, LintId};
use super::shape::shortened;
use crate::address::{Network, metadata_service};
use crate::host::HostPattern;
use crate::peer::PeerPattern;
use crate::route::{Methods, PathPattern};
use crate::tree::{Node, Path};

/// Domains under which anyone gets a name for any address, or a tunnel: a wildcard over them lets everyone in.
const SHARED_DNS: [&str; 24] = [
    "1u.ms",
    "backname.io",
    "duckdns.org",
    "lacolhost.com",
    "loca.lt",
    "local-ip.co",
    "local.gd",
    "localhost.direct",
    "localtest.me",
    "lvh.me",
    "ngrok-free.app",
    "ngrok-free.dev",
    "ngrok.app",
    "ngrok.dev",
    "ngrok.io",
    "nip.io",
    "rbndr.us",
    "serveo.net",
    "sslip.io",
    "traefik.me",
    "trycloudflare.com",
    "vcap.me",
    "xip.io",
    "yoogle.com",
];

/// What a document does not say of where it is used.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// Answers for a registrable domain's parent, such as `co.uk`: the list is large and changes, so it is the caller's (publicsuffix.org).
    pub is_public_suffix: &'a dyn Fn(&str) -> bool,
    /// True if several processes judge requests by the document.
    pub has_several_processes: bool,
}

impl PolicyDocument {
    /// The weak choices of a document that compiles, in the order of the text.
    #[must_use]
    pub fn lint(&self, surroundings: Surroundings<'_>) -> Vec<Lint> {
        let mut linter = Linter {
            document: self,
            surroundings,
            lints: Vec::new(),
        };
        linter.top();
        linter.hosts();
        linter.origins();
        linter.networks();
        linter.routes();
        linter.signatures();
        #[cfg(feature = "tokens")]
        linter.tokens();
        linter.egress();
        let mut lints = linter.lints;
        lints.sort_by_key(|lint| lint.span.start);
        lints
    }
}

struct Linter<'a> {
    document: &'a PolicyDocument,
    surroundings: Surroundings<'a>,
    lints: Vec<Lint>,
}

impl<'a> Linter<'a> {
    fn section(&self, section: &str, key: &str) -> Option<&'a Node> {
        self.document.root.get(section)?.get(key)
    }

    fn lint(&mut self, id: LintId, path: &Path<'_>, node: &Node, message: String, fix: &str) {
        let path = path.to_string();
        let position = self.document.places.of(&path, &node.span);
        self.lints.push(Lint {
            id,
            path,
            message,
            fix: Some(fix.to_owned()),
            position,
            span: node.span.clone(),
        });
    }

    fn top(&mut self) {
        let root = &self.document.root;
        if let Some(mode) = root.get("mode").filter(|mode| mode.as_str() == Some("report")) {
            let message =
                "what would be denied is allowed and reported; only malformed requests and hosts are denied".into();
            self.lint(
                LintId::ModeReport,
                &Path::ROOT.key("mode"),
                mode,
                message,
                "remove it once the reports are clean",
            );
        }
        if let Some(explain) = root
            .get("explain_to_client")
            .filter(|node| node.as_bool() == Some(true))
        {
            let message = "denials tell the policy's file and line to every client on loopback".into();
            self.lint(
                LintId::ExplainToClient,
                &Path::ROOT.key("explain_to_client"),
                explain,
                message,
                "remove it outside development",
            );
        }
    }

    fn hosts(&mut self) {
        let hosts_path = Path::ROOT;
        let hosts_path = hosts_path.key("hosts");
        for key in ["allow", "proxy_hosts"] {
            let list_path = hosts_path.key(key);
            for (index, item) in self
                .section("hosts", key)
                .map_or(&[][..], Node::items)
                .iter()
                .enumerate()
            {
                let path = list_path.index(index);
                let Some(pattern) = item.as_str().and_then(|text| HostPattern::parse(text).ok()) else {
                    continue;
                };
                self.host(&pattern, item, &path);
            }
        }
        if let Some(forwarded) = self.section("hosts", "forwarded") {
            let message = format!(
                "`{}` is believed when a trusted proxy sends it",
                shortened(&forwarded.offending())
            );
            let fix = "make sure that the proxy overwrites the header: one that passes it through lets a rebound page choose the host";
            self.lint(
                LintId::ForwardedPassthrough,
                &hosts_path.key("forwarded"),
                forwarded,
                message,
                fix,
            );
        }
    }

    fn host(&mut self, pattern: &HostPattern, item: &Node, path: &Path<'_>) {
        let quoted = shortened(&item.offending());
        let is_unspecified = pattern.address().is_some_and(|address| address.is_unspecified())
            || pattern
                .network()
                .is_some_and(|network| network.address().is_unspecified());
        if pattern.network().is_some_and(|network| network.prefix() == 0) {
            let message = format!("`{quoted}` is every address");
            self.lint(
                LintId::NetworkWide,
                path,
                item,
                message,
                "list the networks from which the service is asked by address",
            );
        } else if is_unspecified {
            let message = format!("`{quoted}` reaches the machine itself, past some browsers' protections");
            self.lint(
                LintId::HostUnspecified,
                path,
                item,
                message,
                "list `127.0.0.1`, `[::1]` or `localhost`, whichever clients use",
            );
        }
        let Some(base) = pattern.wildcard_base() else { return };
        let is_shared = SHARED_DNS.iter().any(|shared| {
            base.strip_suffix(shared)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        });
        if is_shared {
            let message = format!("`{quoted}` has names that anyone can point at any address");
            self.lint(LintId::HostSharedDns, path, item, message, "list the exact names");
        } else if (self.surroundings.is_public_suffix)(base) {
            let message = format!("`{quoted}` has names that belong to different owners");
            self.lint(
                LintId::HostPublicSuffix,
                path,
                item,
                message,
                "list the names that are yours",
            );
        }
    }

    fn origins(&mut self) {
        let path = Path::ROOT;
        let path = path.key("origins");
        if let Some(check) = self
            .section("origins", "check")
            .filter(|check| check.as_str() == Some("off"))
        {
            let message = "requests that other sites' pages start are not told from the service's own".into();
            self.lint(
                LintId::OriginCheckOff,
                &path.key("check"),
                check,
                message,
                "list the origins that may start requests",
            );
        }
        let absent = self
            .section("origins", "absent")
            .filter(|absent| absent.as_str() == Some("deny"));
        if let (Some(absent), Some(_)) = (absent, self.section("hosts", "exempt")) {
            let message = "`deny` refuses the exempt requests too: they have neither Origin nor Sec-Fetch-Site".into();
            self.lint(
                LintId::ExemptDenied,
                &path.key("absent"),
                absent,
                message,
                "remove the exemptions, or `absent`",
            );
        }
        let list_path = path.key("allow");
        for (index, item) in self
            .section("origins", "allow")
            .map_or(&[][..], Node::items)
            .iter()
            .enumerate()
        {
            if item.as_str() == Some("null") {
                let message = "`null` is the origin of every sandboxed frame and local file".into();
                self.lint(
                    LintId::OriginNull,
                    &list_path.index(index),
                    item,
                    message,
                    "serve the page from an origin of its own",
                );
            }
        }
        let list_path = path.key("fetch_site");
        for (index, item) in self
            .section("origins", "fetch_site")
            .map_or(&[][..], Node::items)
            .iter()
            .enumerate()
        {
            if item.as_str() == Some("cross-site") {
                let message = "`cross-site` lets every site's images, scripts and frames in".into();
                self.lint(
                    LintId::OriginCrossSite,
                    &list_path.index(index),
                    item,
                    message,
                    "list origins, or leave it to `navigate`",
                );
            }
        }
    }

    fn networks(&mut self) {
        for (section, key) in [("peers", "allow"), ("hosts", "trusted_proxies")] {
            let path = Path::ROOT;
            let path = path.key(section);
            self.wide(self.section(section, key), &path.key(key));
        }
        let path = Path::ROOT;
        let path = path.key("hosts");
        let path = path.key("exempt");
        for (index, entry) in self
            .section("hosts", "exempt")
            .map_or(&[][..], Node::items)
            .iter()
            .enumerate()
        {
            self.wide(entry.get("from"), &path.index(index).key("from"));
        }
    }

    fn egress(&mut self) {
        let path = Path::ROOT;
        let path = path.key("egress");
        let list_path = path.key("allow");
        for (index, item) in self
            .section("egress", "allow")
            .map_or(&[][..], Node::items)
            .iter()
            .enumerate()
        {
            let Some((scheme, host)) = item.as_str().and_then(|text| text.split_once("://")) else {
                continue;
            };
            let Ok(pattern) = HostPattern::parse(host) else {
                continue;
            };
            let path = list_path.index(index);
            self.plain(scheme, &pattern, item, &path);
            self.host(&pattern, item, &path);
            self.metadata(pattern.address(), item, &path);
        }
        let addresses = self.section("egress", "addresses");
        self.egress_addresses(addresses, &path.key("addresses"));
        let destinations_path = path.key("destinations");
        for (index, entry) in self
            .section("egress", "destinations")
            .map_or(&[][..], Node::items)
            .iter()
            .enumerate()
        {
            let path = destinations_path.index(index);
            self.egress_addresses(entry.get("addresses"), &path.key("addresses"));
            let Some(origin) = entry.get("origin") else { continue };
            let parts = origin.as_str().and_then(|text| text.split_once("://"));
            let Some((scheme, host)) = parts else { continue };
            let Ok(pattern) = HostPattern::parse(host) else {
                continue;
            };
            self.plain(scheme, &pattern, origin, &path.key("origin"));
            self.metadata(pattern.address(), origin, &path.key("origin"));
        }
        if let Some(redirects) = self
            .section("egress", "redirects")
            .filter(|node| node.as_str() == Some("allowed"))
        {
            let message = "whoever answers for one destination can send requests on to every other".into();
            self.lint(
                LintId::EgressRedirects,
                &path.key("redirects"),
                redirects,
                message,
                "write `same-origin`, and follow redirects yourself where they are meant",
            );
        }
    }

    /// Over http a poisoned name gets everything. On loopback there is no name to poison.
    fn plain(&mut self, scheme: &str, pattern: &HostPattern, item: &Node, path: &Path<'_>) {
        let is_loopback = pattern.address().is_some_and(|address| address.is_loopback());
        if scheme == "http" && !is_loopback {
            let message = format!(
                "`{}` is not protected by TLS: whoever answers for its name gets the request",
                shortened(&item.offending())
            );
            self.lint(
                LintId::EgressHttp,
                path,
                item,
                message,
                "write https, or narrow `addresses` to where the service is",
            );
        }
    }

    fn egress_addresses(&mut self, node: Option<&Node>, path: &Path<'_>) {
        self.wide(node, path);
        for (index, item) in node.map_or(&[][..], Node::items).iter().enumerate() {
            let network = item.as_str().and_then(|text| Network::parse(text).ok());
            self.metadata(
                network.filter(|network| network.is_single()).map(Network::address),
                item,
                &path.index(index),
            );
        }
    }

    fn metadata(&mut self, address: Option<std::net::IpAddr>, item: &Node, path: &Path<'_>) {
        if let Some(service) = address.and_then(metadata_service) {
            let message = format!(
                "`{}` is {service}: its answers are credentials",
                shortened(&item.offending())
            );
            self.lint(
                LintId::EgressMetadata,
                path,
                item,
                message,
                "remove it unless this service is meant to ask for them",
            );
        }
    }

    fn wide(&mut self, list: Option<&Node>, path: &Path<'_>) {
        for (index, item) in list.map_or(&[][..], Node::items).iter().enumerate() {
            let pattern = item.as_str().and_then(|text| PeerPattern::parse(text).ok());
            if matches!(pattern, Some(PeerPattern::Network(network)) if network.prefix() == 0) {
                let message = format!("`{}` is every address", shortened(&item.offending()));
                self.lint(
                    LintId::NetworkWide,
                    &path.index(index),
                    item,
                    message,
                    "list the networks that are meant",
                );
            }
        }
    }

    fn routes(&mut self) {
        let path = Path::ROOT;
        let path = path.key("routes");
        let routes: Vec<_> = self
            .document
            .root
            .get("routes")
            .map_or(&[][..], Node::items)
            .iter()
            .map(Summary::of)
            .collect();
        for (index, route) in routes.iter().enumerate() {
            let Some(route) = route else { continue };
            let path = path.index(index);
            if let Some(mode) = route.report {
                let message = "what the route's requirements would deny is allowed and reported".into();
                self.lint(
                    LintId::ModeReport,
                    &path.key("mode"),
                    mode,
                    message,
                    "remove it once the reports are clean",
                );
            }
            let path = path.key("path");
            if route.is_public {
                let message = format!(
                    "`{}` asks for nothing beyond host, peer and origin",
                    shortened(route.text)
                );
                self.lint(
                    LintId::RoutePublic,
                    &path,
                    route.node,
                    message,
                    "make sure that everyone who passes those may have it",
                );
            }
            let later = routes.iter().enumerate().skip(index.saturating_add(1));
            let for_other_hosts = later
                .filter_map(|(other, later)| Some((other, later.as_ref()?)))
                .find(|(_, later)| route.has_hosts && !later.has_hosts && later.path.covers(&route.path));
            if let Some((other, later)) = for_other_hosts {
                let message = format!(
                    "a host that `{}` leaves out is served by routes[{other}] `{}`",
                    shortened(route.text),
                    shortened(later.text)
                );
                self.lint(
                    LintId::HostFallthrough,
                    &path,
                    route.node,
                    message,
                    "list `hosts` in the later route too, or leave them out here",
                );
            }
            let Methods::Listed(_) = route.methods else { continue };
            let later = routes.iter().enumerate().skip(index.saturating_add(1));
            let falls_through = later
                .filter_map(|(other, later)| Some((other, later.as_ref()?)))
                .find(|(_, later)| later.path.covers(&route.path) && !route.methods.cover(&later.methods));
            if let Some((other, later)) = falls_through {
                let message = format!(
                    "a method that `{}` leaves out is served by routes[{other}] `{}`",
                    shortened(route.text),
                    shortened(later.text)
                );
                self.lint(
                    LintId::MethodFallthrough,
                    &path,
                    route.node,
                    message,
                    "leave `methods` out here, or list the methods of the later route",
                );
                let message = format!(
                    "the method decides between this route and routes[{other}], and a header such as X-HTTP-Method-Override could change it behind this check"
                );
                self.lint(
                    LintId::MethodOverride,
                    &path,
                    route.node,
                    message,
                    "switch method overriding off in the framework",
                );
            }
        }
    }
}

struct Summary<'a> {
    node: &'a Node,
    text: &'a str,
    path: PathPattern,
    methods: Methods,
    has_hosts: bool,
    is_public: bool,
    /// Its `mode`, if that is `report`.
    report: Option<&'a Node>,
}

impl<'a> Summary<'a> {
    fn of(entry: &'a Node) -> Option<Self> {
        let node = entry.get("path")?;
        let text = node.as_str()?;
        let methods = entry.get("methods").map_or(Methods::Every, |methods| {
            let listed = methods.items().iter().filter_map(Node::as_str);
            // GET includes HEAD.
            let head = listed.clone().any(|method| method == "GET").then_some("HEAD");
            Methods::Listed(listed.chain(head).map(|method| method.as_bytes().into()).collect())
        });
        let is_public = entry.get("require").is_some_and(|require| require.items().is_empty());
        Some(Self {
            node,
            text,
            path: PathPattern::parse(text).ok()?.folded(),
            methods,
            has_hosts: entry.get("hosts").is_some(),
            is_public,
            report: entry.get("mode").filter(|mode| mode.as_str() == Some("report")),
        })
    }
}
