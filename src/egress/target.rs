//! Targets, path and query, that no judgement of an outbound request depends on: a face that knows one answer knows those for all of them.

use crate::guard::Guard;

impl Guard {
    /// A regular expression for plain targets: path and query in characters that WHATWG never encodes, of which no segment is `.` or `..`, also encoded.
    /// Anchored, linear without backtracking, and read alike by JavaScript and Rust.
    ///
    /// INVARIANT: no rule looks at the target, and a plain one is its own normal form. So if a URL with a plain target is allowed as it is written, with
    /// certain headers and before the look-up, and nothing is reported, then so is every URL of the same origin with another plain target of at most
    /// [`Guard::MAX_PLAIN_TARGET`] bytes, with these headers. Faces rely on it to ask once.
    pub const PLAIN_TARGET: &str = concat!(
        r"^(?:/(?:(?:\.?[A-Za-z0-9_~!$&'()*+,;=:@-]|%[013-9A-Fa-f])[A-Za-z0-9._~!$&'()*+,;=:@%-]*)?)+",
        r"(?:\?[A-Za-z0-9._~!$&()*+,;=:@%/?\[\]{}|^`-]*)?$",
    );

    /// How long a plain target may be, in bytes: with any origin it is within what a URL may be.
    pub const MAX_PLAIN_TARGET: usize = 4 * 1024;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;
    use proptest::string::string_regex;
    use serde_json::{Value, json};

    use super::*;
    use crate::egress::{EgressDocument, EgressVerdictDocument};
    use crate::policy::Policy;
    use crate::verdict::Decision;

    const ORIGINS: &[&str] = &[
        "https://a.test",
        "http://a.test:8080",
        "https://any.b.test",
        "http://127.0.0.1:8080",
        "http://[::1]:8080",
        "https://pinned.test",
        "https://other.test",
        "https://a.test:1",
        "ftp://a.test",
    ];

    fn guard(mode: &str) -> Guard {
        let policy = json!({"version": 1, "mode": mode, "hosts": {"allow": ["localhost"]}, "egress": {
            "allow": ["https://a.test", "http://a.test:8080", "https://*.b.test", "http://127.0.0.1:8080", "http://[::1]:8080"],
            "destinations": [{"origin": "https://pinned.test", "credentials": ["x-key"]}],
            "credentials": {"https://a.test": ["authorization"]},
        }});
        Guard::new(Policy::from_json(&policy.to_string(), "test").unwrap())
    }

    fn judge(guard: &Guard, origin: &str, target: &str, headers: &[&str]) -> EgressVerdictDocument {
        guard.judge_egress(&EgressDocument {
            url: format!("{origin}{target}"),
            headers: headers.iter().map(|header| (*header).to_owned()).collect(),
            ..EgressDocument::default()
        })
    }

    /// All but the URL, which is as written; None if it is not.
    fn beside_url(verdict: &EgressVerdictDocument, url: &str) -> Option<Value> {
        let mut value: Value = serde_json::from_str(&verdict.to_json()).unwrap();
        if let Some(identity) = &verdict.identity {
            if identity.url != url {
                return None;
            }
            value["identity"]["url"] = Value::Null;
        }
        Some(value)
    }

    fn assert_same(guard: &Guard, origin: &str, target: &str, headers: &[&str]) {
        let wanted = beside_url(&judge(guard, origin, "/", headers), &format!("{origin}/"));
        let found = beside_url(&judge(guard, origin, target, headers), &format!("{origin}{target}"));
        assert!(wanted.is_some(), "{origin}");
        assert_eq!(found, wanted, "{origin}{target}");
    }

    const HEADERS: &[&[&str]] = &[&[], &["accept"], &["Authorization"], &["x-key", "accept"], &["cookie"]];

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever the expression matches changes no verdict, whether it is an allow or not.
        #[test]
        fn a_plain_target_changes_no_verdict(
            target in plain_target(),
            origin in select(ORIGINS),
            headers in select(HEADERS),
            mode in select(&["enforce", "report"][..]),
        ) {
            prop_assume!(target.len() <= Guard::MAX_PLAIN_TARGET);
            assert_same(&guard(mode), origin, &target, headers);
        }
    }

    fn plain_target() -> impl Strategy<Value = String> {
        string_regex(Guard::PLAIN_TARGET.trim_start_matches('^').trim_end_matches('$')).unwrap()
    }

    /// Each character that may be in a plain target, at each kind of place.
    #[test]
    fn every_plain_character_stays_as_it_is() {
        let guard = guard("enforce");
        for character in ('!'..='~')
            .filter(|character| character.is_ascii_alphanumeric() || "._~!$&'()*+,;=:@%-/?[]{}|^`".contains(*character))
        {
            if !"?[]{}|^`".contains(character) {
                assert_same(&guard, "https://a.test", &format!("/a{character}/{character}b"), &[]);
            }
            if character != '\'' {
                assert_same(&guard, "https://a.test", &format!("/a?{character}b{character}"), &[]);
            }
        }
    }

    /// The longest host and the longest plain target are within the longest URL.
    #[test]
    fn the_longest_plain_target_is_no_longer_than_a_url() {
        let label = "a".repeat(63);
        let host = format!("{label}.{label}.{label}.{}", "a".repeat(61));
        let policy = json!({"version": 1, "hosts": {"allow": ["localhost"]}, "egress": {"allow": [format!("https://{host}:65535")]}});
        let guard = Guard::new(Policy::from_json(&policy.to_string(), "test").unwrap());
        let target = format!("/{}", "a".repeat(Guard::MAX_PLAIN_TARGET.saturating_sub(1)));
        assert_same(&guard, &format!("https://{host}:65535"), &target, &[]);
        assert_eq!(
            judge(&guard, &format!("https://{host}:65535"), &target, &[]).decision,
            Decision::Allow
        );
    }
}
