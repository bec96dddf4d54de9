//! A policy's own cases: a request and the fields of its verdict that are expected.

use serde_json::{Map, Value as Json};

use crate::place::Position;
use crate::request::RequestDocument;
use crate::verdict::VerdictDocument;

/// One entry of `cases`.
#[derive(Clone, Debug)]
pub struct Case {
    pub(crate) name: String,
    pub(crate) request: RequestDocument,
    pub(crate) expect: Map<String, Json>,
    pub(crate) position: Option<Position>,
}

/// A field of a verdict that is not what a case expects.
#[derive(Clone, Debug)]
pub struct CaseMismatch {
    /// The field.
    pub field: String,
    /// What the case expects, in JSON.
    pub expected: Json,
    /// What the verdict has, in JSON.
    pub found: Json,
}

impl Case {
    /// What the case shows.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The request to judge.
    #[must_use]
    pub const fn request(&self) -> &RequestDocument {
        &self.request
    }

    /// Where the case stands in the document.
    #[must_use]
    pub const fn position(&self) -> Option<Position> {
        self.position
    }

    /// The fields in which the verdict differs from what is expected. Of an object, such as `identity`, only the listed members are compared.
    #[must_use]
    pub fn mismatches(&self, verdict: &VerdictDocument) -> Vec<CaseMismatch> {
        // Strings, numbers and nulls only: serializing them cannot fail.
        let verdict = serde_json::to_value(verdict).unwrap_or_default();
        let mut mismatches = Vec::new();
        for (field, expected) in &self.expect {
            let found = verdict.get(field).cloned().unwrap_or_default();
            if !is_part_of(expected, &found) {
                mismatches.push(CaseMismatch {
                    field: field.clone(),
                    expected: expected.clone(),
                    found,
                });
            }
        }
        mismatches
    }
}

fn is_part_of(expected: &Json, found: &Json) -> bool {
    match (expected, found) {
        (Json::Object(expected), Json::Object(found)) => expected
            .iter()
            .all(|(key, value)| found.get(key).is_some_and(|found| is_part_of(value, found))),
        (Json::Array(expected), Json::Array(found)) => {
            expected.len() == found.len() && expected.iter().zip(found).all(|(e, f)| is_part_of(e, f))
        }
        _ => expected == found,
    }
}
