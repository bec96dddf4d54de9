//! The `cases` section.

use super::Compiler;
use crate::policy::cases::Case;
use crate::policy::diagnostic::ErrorCode;
use crate::policy::digest::write_json;
use crate::policy::schema::EXPECTATIONS;
use crate::policy::shape::{listed, shortened};
use crate::request::RequestDocument;
use crate::tree::{Node, Path};
use crate::verdict::{Check, Reason};

impl Compiler<'_, '_> {
    pub(super) fn cases(&mut self, cases: &Node, path: &Path<'_>) -> Vec<Case> {
        let cases = cases.items().iter().enumerate();
        cases
            .filter_map(|(index, case)| self.case(case, &path.index(index)))
            .collect()
    }

    fn known_expectations(&mut self, expect: &Node, path: &Path<'_>) {
        for entry in expect.entries() {
            let (Some(text), Some(known)) = (entry.node.as_str(), known_values(&entry.key)) else {
                continue;
            };
            if !known.contains(&text) {
                let message = format!("`{}` is no {} of a verdict", shortened(text), entry.key);
                self.report
                    .error(
                        ErrorCode::CaseMalformed,
                        &path.key(&entry.key),
                        entry.node.span.clone(),
                        message,
                    )
                    .fix(format!("write {}", listed("or", known.into_iter())));
            }
        }
    }

    fn case(&mut self, case: &Node, path: &Path<'_>) -> Option<Case> {
        let (request, expect) = (case.get("request")?, case.get("expect")?);
        let expect_path = path.key("expect");
        for entry in expect.entries() {
            if !EXPECTATIONS.contains(&entry.key.as_str()) {
                let message = format!(
                    "`{}` is no field of a verdict that a case can expect",
                    shortened(&entry.key)
                );
                self.report
                    .error(
                        ErrorCode::CaseMalformed,
                        &expect_path.key(&entry.key),
                        entry.key_span.clone(),
                        message,
                    )
                    .fix(format!("the fields are {}", listed("and", EXPECTATIONS.into_iter())));
            }
        }
        if expect.entries().is_empty() {
            self.report
                .error(
                    ErrorCode::CaseMalformed,
                    &expect_path,
                    expect.span.clone(),
                    "the case expects nothing".into(),
                )
                .fix("write `decision = \"deny\"` or `decision = \"allow\"`, and a `reason`".into());
        }
        for (part, path) in [(request, path.key("request")), (expect, path.key("expect"))] {
            if let Some(value) = part.unusable() {
                let message = format!(
                    "`{}` is {}, not a string or an integer",
                    shortened(&value.offending()),
                    value.kind()
                );
                self.report
                    .error(ErrorCode::CaseMalformed, &path, value.span.clone(), message);
                return None;
            }
        }
        self.known_expectations(expect, &path.key("expect"));
        let mut json = String::new();
        write_json(&mut json, request);
        let request = match RequestDocument::from_json(json.as_bytes()) {
            Ok(request) => request,
            Err(error) => {
                let message = format!("the request is malformed: {}", error.message());
                self.report.error(
                    ErrorCode::CaseMalformed,
                    &path.key("request"),
                    request.span.clone(),
                    message,
                );
                return None;
            }
        };
        let serde_json::Value::Object(expect) = expect.to_json() else {
            return None;
        };
        Some(Case {
            name: case.get("name")?.as_str()?.to_owned(),
            request,
            expect,
            position: self.report.position(path, &case.span),
        })
    }
}

/// The values that a verdict can have in fields where a misspelt one would only show as a case that fails.
fn known_values(field: &str) -> Option<Vec<&'static str>> {
    match field {
        "decision" => Some(vec!["allow", "deny"]),
        "mode" => Some(vec!["enforce", "report"]),
        "check" => Some(Check::ALL.iter().map(|check| check.as_str()).collect()),
        "reason" | "public_reason" => Some(Reason::ALL.iter().map(|reason| reason.as_str()).collect()),
        _ => None,
    }
}
