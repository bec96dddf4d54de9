//! Which policy gave a verdict: its mode, its digest, and where its entries stand.

use crate::place::Position;
use crate::table::Table;

/// What happens to a request that fails a check.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// It is denied.
    Enforce,
    /// It is allowed and reported, unless it is malformed.
    Report,
}

impl Mode {
    /// `enforce` or `report`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Report => "report",
        }
    }
}

/// What a verdict tells of the policy that gave it.
#[derive(Clone, Debug)]
pub(crate) struct Provenance {
    pub(crate) mode: Mode,
    pub(crate) explain_to_client: bool,
    pub(crate) digest: String,
    pub(crate) file: String,
    /// The place of every entry, by its dotted path.
    pub(crate) positions: Table<Position>,
}

impl Provenance {
    pub(crate) fn place_of(&self, path: &str) -> Option<String> {
        let position = self.positions.get(path.as_bytes())?;
        Some(format!("{}:{}", self.file, position.line))
    }

    /// The same without the file's folder: for clients, which it does not concern.
    pub(crate) fn place_for_clients(&self, path: &str) -> Option<String> {
        let position = self.positions.get(path.as_bytes())?;
        let name = self.file.rsplit(['/', '\\']).next().unwrap_or_default();
        Some(format!("{name}:{}", position.line))
    }
}
