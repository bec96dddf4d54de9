//! A policy document: read, added to at run time, compiled.

use std::fmt::Write;

use super::compile::Compiler;
use super::diagnostic::{ErrorCode, PolicyError, PolicyErrors};
use super::digest::{digest, write_json};
use super::report::{LineIndex, Places, Report};
use super::schema::ANNOTATIONS;
use super::{Policy, shape};
use crate::host::HostPattern;
use crate::json::{self, JsonErrorKind, string};
use crate::place::Position;
use crate::table::Table;
use crate::tree::{Entry, Node, Path, Value};

/// The longest text of a policy: 16 MiB.
const MAX_TEXT: usize = 16 * 1024 * 1024;

/// A policy document that is well-formed TOML or JSON. What it says is judged by [`PolicyDocument::compile`].
#[derive(Clone, Debug)]
pub struct PolicyDocument {
    pub(crate) root: Node,
    pub(crate) file: String,
    pub(crate) places: Places,
}

impl PolicyDocument {
    /// Reads TOML 1.0. `file` is the document's name in messages.
    ///
    /// # Errors
    /// The first mistake of syntax, or a text over 16 MiB.
    #[cfg(feature = "toml")]
    pub fn from_toml(text: &str, file: &str) -> Result<Self, PolicyErrors> {
        check_length(text, file)?;
        let root = super::toml::parse(text).map_err(|error| {
            if error.message.contains("duplicate key") {
                let key = text.get(error.span.clone()).unwrap_or_default();
                let message = format!("the key `{}` occurs twice", shape::shortened(key));
                return refusal(ErrorCode::KeyDuplicate, message, error.span, text, file);
            }
            refusal(ErrorCode::Syntax, error.message, error.span, text, file)
        })?;
        Ok(Self {
            root,
            file: file.to_owned(),
            places: Places::Text(LineIndex::new(text)),
        })
    }

    /// Reads JSON (RFC 8259). A document written by [`PolicyDocument::to_compiled_json`] keeps the places of the text it came from.
    ///
    /// # Errors
    /// The first mistake of syntax, a duplicate key, more than 64 levels, or a text over 16 MiB.
    pub fn from_json(text: &str, file: &str) -> Result<Self, PolicyErrors> {
        check_length(text, file)?;
        let root = json::parse(text).map_err(|error| {
            let (code, message) = match error.kind {
                JsonErrorKind::Expected(what) => (ErrorCode::Syntax, format!("expected {what}")),
                JsonErrorKind::DuplicateKey(key) => (
                    ErrorCode::KeyDuplicate,
                    format!("the key `{}` occurs twice", shape::shortened(&key)),
                ),
                JsonErrorKind::TooDeep => (ErrorCode::Syntax, "more than 64 levels of nesting".to_owned()),
            };
            refusal(code, message, error.span, text, file)
        })?;
        Ok(match source_map(&root) {
            Some((file, positions)) => Self {
                root,
                file,
                places: Places::Map(positions),
            },
            None => Self {
                root,
                file: file.to_owned(),
                places: Places::Text(LineIndex::new(text)),
            },
        })
    }

    /// Reads JSON if the first character is `{`, else TOML.
    ///
    /// # Errors
    /// As the reader chosen.
    #[cfg(feature = "toml")]
    pub fn from_text(text: &str, file: &str) -> Result<Self, PolicyErrors> {
        if Self::is_json(text) {
            Self::from_json(text, file)
        } else {
            Self::from_toml(text, file)
        }
    }

    /// True for a text that is read as JSON: its first character is `{`.
    #[must_use]
    pub fn is_json(text: &str) -> bool {
        text.trim_start().starts_with('{')
    }

    /// A document whose text another module has read.
    #[cfg(feature = "wasm")]
    pub(crate) fn from_tree(root: Node, text: &str, file: &str) -> Self {
        Self {
            root,
            file: file.to_owned(),
            places: Places::Text(LineIndex::new(text)),
        }
    }

    /// Reads an object of another language, such as a JS one. Its mistakes have paths, but no lines.
    ///
    /// # Errors
    /// The deserializer's, or a duplicate key.
    pub fn deserialize<'de, D: serde::Deserializer<'de>>(deserializer: D, file: &str) -> Result<Self, D::Error> {
        let root = serde::Deserialize::deserialize(deserializer)?;
        Ok(Self {
            root,
            file: file.to_owned(),
            places: Places::None,
        })
    }

    /// The text that was read; none for an object or a compiled policy.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.places {
            Places::Text(lines) => Some(lines.text()),
            Places::Map(_) | Places::None => None,
        }
    }

    /// The name under which the document was read; of a compiled policy, the name of its source.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Appends hosts to `hosts.allow`, as `HOSTBOUND_ALLOWED_HOSTS` and the faces' options do before compiling. Hosts that are covered already are
    /// left out. `source` is what to call their origin in a message. Gives those that were added.
    ///
    /// # Errors
    /// A host that is no exact name or IP literal, with an optional port.
    pub fn allow_hosts<'a>(
        &mut self,
        hosts: impl IntoIterator<Item = &'a str>,
        source: &str,
    ) -> Result<Vec<&'a str>, PolicyErrors> {
        // What is wrong is not in the file.
        let mut report = Report::new(&self.file, &Places::None);
        let path = Path::ROOT;
        let (path, allow_key) = (path.key("hosts"), "allow");
        let path = path.key(allow_key);
        let mut patterns = Vec::new();
        for host in hosts {
            match HostPattern::parse(host) {
                Ok(pattern) if pattern.is_exact() => patterns.push((host, pattern)),
                Ok(_) => {
                    let message = format!("`{}` of {source} is no exact host", shape::shortened(host));
                    report
                        .error(ErrorCode::HostMalformed, &path, 0..0, message)
                        .fix("list patterns in the policy itself".into());
                }
                Err(error) => {
                    let message = format!("`{}` of {source} {error}", shape::shortened(host));
                    let fix = error.fix().map(|fix| format!("write `{fix}`"));
                    report
                        .error(ErrorCode::HostMalformed, &path, 0..0, message)
                        .maybe_fix(fix);
                }
            }
        }
        report.finish()?;
        let mut added = Vec::new();
        let Some(Node {
            value: Value::Table(sections),
            ..
        }) = Some(&mut self.root)
        else {
            return Ok(added);
        };
        let hosts = sections
            .iter_mut()
            .find(|entry| entry.key == "hosts")
            .map(|entry| &mut entry.node.value);
        let Some(Value::Table(keys)) = hosts else {
            return Ok(added);
        };
        let allow = keys
            .iter_mut()
            .find(|entry| entry.key == "allow")
            .map(|entry| &mut entry.node);
        let Some(Node {
            value: Value::List(items),
            span,
        }) = allow
        else {
            return Ok(added);
        };
        let mut listed = crate::host::HostSet::default();
        for pattern in items.iter().filter_map(|item| HostPattern::parse(item.as_str()?).ok()) {
            // A covered entry is reported when the document is compiled.
            let _ = listed.insert(&pattern);
        }
        for (host, pattern) in patterns {
            if listed.insert(&pattern).is_ok() {
                items.push(Node::new(Value::String(host.to_owned()), span.clone()));
                added.push(host);
            }
        }
        Ok(added)
    }

    /// Judges the document and makes it ready to use.
    ///
    /// # Errors
    /// Every mistake in it, up to a hundred.
    pub fn compile(&self) -> Result<Policy, PolicyErrors> {
        let mut report = Report::new(&self.file, &self.places);
        if !matches!(self.root.value, Value::Table(_)) {
            let message = format!("a policy is a table, not {}", self.root.kind());
            report.error(ErrorCode::TypeMismatch, &Path::ROOT, self.root.span.clone(), message);
            report.finish()?;
            report = Report::new(&self.file, &self.places);
        }
        shape::check(&self.root, &mut report);
        if !report.is_in_shape() {
            report.finish()?;
            report = Report::new(&self.file, &self.places);
        }
        let parts = Compiler::new(&mut report).compile(&self.root);
        report.finish()?;
        Ok(parts.into_policy(digest(&self.root), self.file.clone(), self.positions()))
    }

    /// The document as JSON with a source map, so that a face without a TOML reader can still name the lines of the TOML. `cases` are left out: they are for
    /// `hostbound test` alone. The digest stays the same.
    #[must_use]
    pub fn to_compiled_json(&self) -> String {
        let mut json = String::from("{");
        for entry in self.root.entries().iter().filter(|entry| !is_left_out(entry)) {
            string(&mut json, &entry.key);
            json.push(':');
            write_json(&mut json, &entry.node);
            json.push(',');
        }
        json.push_str("\"$source\":{\"file\":");
        string(&mut json, &self.file);
        json.push_str(",\"positions\":{");
        let positions = self.positions();
        let mut positions: Vec<_> = positions.iter().collect();
        positions.sort_by_key(|(path, position)| (position.line, position.column, *path));
        for (index, (path, position)) in positions.iter().enumerate() {
            if index > 0 {
                json.push(',');
            }
            string(&mut json, &String::from_utf8_lossy(path));
            let _ = write!(json, ":[{},{}]", position.line, position.column);
        }
        json.push_str("}}}\n");
        json
    }

    /// The place of every value but the cases'.
    fn positions(&self) -> Table<Position> {
        let mut positions = Table::default();
        self.collect(&self.root, &Path::ROOT, &mut positions);
        positions
    }

    fn collect(&self, node: &Node, path: &Path<'_>, positions: &mut Table<Position>) {
        let text = path.to_string();
        if let Some(position) = self.places.of(&text, &node.span) {
            positions.insert(text.as_bytes(), position);
        }
        for entry in node.entries() {
            if !(path.is_root() && is_left_out(entry)) {
                self.collect(&entry.node, &path.key(&entry.key), positions);
            }
        }
        for (index, item) in node.items().iter().enumerate() {
            self.collect(item, &path.index(index), positions);
        }
    }
}

/// The entries of a document that are neither digested nor compiled.
pub(crate) fn is_left_out(entry: &Entry) -> bool {
    entry.key == "cases" || ANNOTATIONS.contains(&entry.key.as_str())
}

fn check_length(text: &str, file: &str) -> Result<(), PolicyErrors> {
    if text.len() <= MAX_TEXT {
        return Ok(());
    }
    Err(refusal(
        ErrorCode::TooLarge,
        "the policy is longer than 16 MiB".into(),
        0..0,
        "",
        file,
    ))
}

fn refusal(code: ErrorCode, message: String, span: std::ops::Range<usize>, text: &str, file: &str) -> PolicyErrors {
    let position = Some(LineIndex::new(text).position(span.start));
    let error = PolicyError {
        code,
        path: String::new(),
        message,
        fix: None,
        position,
        span,
    };
    PolicyErrors {
        file: file.to_owned(),
        errors: vec![error],
    }
}

/// The `$source` of a compiled policy. What is malformed in it is passed over: it can misplace a message, nothing else.
fn source_map(root: &Node) -> Option<(String, Table<Position>)> {
    let source = root.get("$source")?;
    let file = source.get("file")?.as_str()?.to_owned();
    let number = |node: &Node| node.as_integer().and_then(|number| u32::try_from(number).ok());
    let mut positions = Table::default();
    for entry in source.get("positions")?.entries() {
        if let [line, column] = entry.node.items()
            && let (Some(line), Some(column)) = (number(line), number(column))
        {
            positions.insert(entry.key.as_bytes(), Position { line, column });
        }
    }
    Some((file, positions))
}
