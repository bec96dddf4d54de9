//! What routes require: sections of the policy, by name.

use super::Compiler;
use crate::policy::diagnostic::ErrorCode;
#[cfg(feature = "tokens")]
use crate::policy::digest::write_json;
use crate::policy::shape::{listed, shortened};
use crate::table::Table;
use crate::tree::{Node, Path};

/// What routes can require, and what they do.
pub(super) struct Requirements<'n> {
    signatures: Sections<'n>,
    tokens: Sections<'n>,
    /// Every section that a route names, as `signature:NAME`.
    listed: Table<()>,
}

/// The sections of one kind, in the policy's order.
struct Sections<'n> {
    prefix: &'static str,
    sections: Vec<(&'n str, &'n Node)>,
}

impl<'n> Sections<'n> {
    fn of(document: &'n Node, key: &str, prefix: &'static str) -> Self {
        let entries = document.get(key).map_or(&[][..], Node::entries);
        Self {
            prefix,
            sections: entries.iter().map(|entry| (entry.key.as_str(), &entry.node)).collect(),
        }
    }

    fn find(&self, requirement: &str) -> Option<usize> {
        let name = requirement.strip_prefix(self.prefix)?;
        self.sections.iter().position(|(section, _)| *section == name)
    }

    fn requirements(&self) -> impl Iterator<Item = String> {
        self.sections.iter().map(|(name, _)| format!("{}{name}", self.prefix))
    }
}

/// What one route requires.
#[derive(Default)]
pub(super) struct Required {
    pub(super) signature: Option<usize>,
    #[cfg_attr(not(feature = "tokens"), expect(dead_code, reason = "no policy has tokens then"))]
    pub(super) tokens: Vec<usize>,
}

impl<'n> Requirements<'n> {
    pub(super) fn of(document: &'n Node) -> Self {
        let routes = document.get("routes").map_or(&[][..], Node::items);
        let lists = routes.iter().filter_map(|route| route.get("require"));
        let mut listed = Table::default();
        for entry in lists.flat_map(Node::items).filter_map(Node::as_str) {
            for one in entry.split('|') {
                listed.insert(one.as_bytes(), ());
            }
        }
        Self {
            signatures: Sections::of(document, "signatures", "signature:"),
            tokens: Sections::of(document, "tokens", "token:"),
            listed,
        }
    }
}

impl Compiler<'_, '_> {
    /// The sections that a route requires.
    pub(super) fn required(&mut self, list: &Node, list_path: &Path<'_>, requirements: &Requirements<'_>) -> Required {
        let mut signatures = Vec::new();
        let mut tokens = Vec::new();
        for (index, item) in list.items().iter().enumerate() {
            let path = list_path.index(index);
            let text = item.as_str().unwrap_or_default();
            if let Some(section) = requirements.signatures.find(text) {
                if signatures.contains(&section) {
                    self.covered(item, &path, "an earlier entry of this list");
                }
                signatures.push(section);
                continue;
            }
            let alternatives: Option<Vec<_>> = text.split('|').map(|one| requirements.tokens.find(one)).collect();
            match alternatives {
                Some(sections) => {
                    if tokens.contains(&sections) {
                        self.covered(item, &path, "an earlier entry of this list");
                    }
                    #[cfg(feature = "tokens")]
                    self.alternatives(item, &path, &sections, requirements);
                    tokens.push(sections);
                }
                None => self.unknown_requirement(item, &path, requirements),
            }
        }
        signatures.dedup();
        tokens.dedup();
        for (count, what) in [(signatures.len(), "signature"), (tokens.len(), "token")] {
            if count > 1 {
                self.report
                    .error(
                        ErrorCode::ValueUnknown,
                        list_path,
                        list.span.clone(),
                        format!("a route can require one {what}"),
                    )
                    .fix("keep one of them".into());
            }
        }
        Required {
            signature: signatures.first().copied(),
            tokens: tokens.into_iter().next().unwrap_or_default(),
        }
    }

    fn unknown_requirement(&mut self, item: &Node, path: &Path<'_>, requirements: &Requirements<'_>) {
        let message = format!(
            "`{}` names a section that this policy does not have",
            shortened(&item.offending())
        );
        let known: Vec<_> = requirements
            .signatures
            .requirements()
            .chain(requirements.tokens.requirements())
            .collect();
        let fix = if known.is_empty() {
            "add the section, or write `[]`".to_owned()
        } else {
            format!("write {}", listed("or", known.iter().map(String::as_str)))
        };
        self.report
            .error(ErrorCode::ReferenceUnknown, path, item.span.clone(), message)
            .fix(fix);
    }

    /// Alternatives are told apart by their issuer, before anything is verified.
    #[cfg(feature = "tokens")]
    fn alternatives(&mut self, item: &Node, path: &Path<'_>, sections: &[usize], requirements: &Requirements<'_>) {
        let value = |section: &usize, key: &str| {
            let (_, node) = requirements.tokens.sections.get(*section)?;
            node.get(key).map(|node| {
                let mut json = String::new();
                write_json(&mut json, node);
                json
            })
        };
        for (index, section) in sections.iter().enumerate() {
            let earlier = sections.iter().take(index);
            let mut trouble = None;
            if sections.len() > 1 && value(section, "introspection").is_some() {
                trouble = Some("an opaque token does not say its issuer, by which alternatives are told apart");
            }
            for other in earlier {
                if value(other, "issuer") == value(section, "issuer") {
                    trouble = Some("two alternatives have one issuer, by which they are told apart");
                } else if value(other, "from") != value(section, "from") {
                    trouble = Some("the alternatives read their token from different places");
                }
            }
            if let Some(message) = trouble {
                self.report
                    .error(ErrorCode::KeyConflict, path, item.span.clone(), message.into())
                    .fix("give the route one section, or correct the sections".into());
                return;
            }
        }
    }

    /// A section that no route requires says nothing.
    pub(super) fn unrequired(&mut self, document: &Node, requirements: &Requirements<'_>) {
        let root = Path::ROOT;
        for (key, sections) in [
            ("signatures", &requirements.signatures),
            ("tokens", &requirements.tokens),
        ] {
            let path = root.key(key);
            for entry in document.get(key).map_or(&[][..], Node::entries) {
                let requirement = format!("{}{}", sections.prefix, entry.key);
                if !requirements.listed.contains(requirement.as_bytes()) {
                    let message = format!("no route requires `{}`", shortened(&requirement));
                    self.report
                        .error(
                            ErrorCode::EntryNeverMatches,
                            &path.key(&entry.key),
                            entry.node.span.clone(),
                            message,
                        )
                        .fix(format!(
                            "add it to the `require` of a route: `[\"{}\"]`",
                            shortened(&requirement)
                        ));
                }
            }
        }
    }
}
