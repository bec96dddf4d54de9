//! A verdict as a line of a log.

use super::{Failure, Identity, Verdict};
use crate::json::{Object, string};

impl Verdict<'_> {
    /// [`VerdictDocument::to_json`](super::VerdictDocument::to_json) for a log: without the claims of a token. Written here and not by `serde`, since
    /// claims may be anything, and what writes everything is large.
    #[must_use]
    pub fn to_log_json(&self, id: Option<&str>) -> String {
        let mut line = String::new();
        let mut verdict = Object::new(&mut line);
        verdict.text_or_null("id", id);
        verdict.text("decision", self.decision.as_str());
        verdict.number("status", self.status());
        let denied = self.denied();
        let reason = denied.map(|failure| failure.reason);
        verdict.text_or_null("check", reason.map(|reason| reason.check().as_str()));
        verdict.text_or_null("reason", reason.map(|reason| reason.as_str()));
        verdict.text_or_null("public_reason", reason.map(|reason| reason.public()));
        verdict.text_or_null("rule", denied.and_then(|failure| failure.rule));
        verdict.text_or_null("detail", denied.map(|failure| failure.detail.to_string()).as_deref());
        verdict.text("mode", self.provenance.mode.as_str());
        verdict.text("policy", &self.provenance.digest);
        if self.is_allowed() {
            write_identity(verdict.member("identity"), &self.identity);
        } else {
            verdict.null("identity");
        }
        let reported = verdict.member("reported");
        reported.push('[');
        if let Some(failure) = self.reported() {
            write_report(reported, &failure);
        }
        reported.push(']');
        verdict.end();
        line
    }
}

fn write_identity(out: &mut String, identity: &Identity<'_>) {
    let mut object = Object::new(out);
    object.text_or_null("host", identity.host.map(|host| host.to_string()).as_deref());
    object.text_or_null("route", identity.route);
    object.boolean("preflight", identity.preflight);
    match identity.signature {
        None => object.null("signature"),
        Some(signature) => {
            let mut signed = Object::new(object.member("signature"));
            signed.text("name", signature.name());
            signed.text("key_id", signature.key_id());
            signed.text_or_null("nonce", signature.nonce());
            signed.end();
        }
    }
    match identity.token() {
        None => object.null("token"),
        Some(token) => {
            let mut proved = Object::new(object.member("token"));
            proved.text("name", token.name());
            proved.text("issuer", token.issuer());
            proved.text_or_null("subject", token.subject());
            let scopes = proved.member("scopes");
            scopes.push('[');
            for (index, scope) in token.scopes().iter().enumerate() {
                if index > 0 {
                    scopes.push(',');
                }
                string(scopes, scope);
            }
            scopes.push(']');
            proved.end();
        }
    }
    object.end();
}

fn write_report(out: &mut String, failure: &Failure<'_>) {
    let mut object = Object::new(out);
    object.text("check", failure.reason.check().as_str());
    object.text("reason", failure.reason.as_str());
    object.number("status", failure.status);
    object.text_or_null("rule", failure.rule);
    object.text("detail", &failure.detail.to_string());
    object.end();
}
