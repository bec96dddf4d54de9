//! `docs/token-cases.md` says what is so: every vector and every test that it names is there.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the message")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use hostbound::{
    ErrorCode, Guard, KeyError, KeySet, KeySetError, Memory, Policy, Reason, RequestDocument, SecretReference, Secrets,
    Timestamp,
};
use hostbound_vectors::{self as vectors, Case, File};
use serde_json::{Value, json};

const ROWS: std::ops::RangeInclusive<u32> = 1..=50;
const NOW: u64 = 1_767_225_600;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What a vector is wanted to give: a letter, and of what is refused the reasons.
struct Wanted {
    letter: &'static str,
    reasons: Vec<String>,
}

#[test]
fn every_row_names_what_is_there() {
    let wanted = wanted();
    let page = fs::read_to_string(root().join("docs/token-cases.md")).unwrap();
    let mut rows = Vec::new();
    let (mut vectors, mut tests) = (0_usize, 0_usize);
    for line in page.lines() {
        let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let Some(number) = cells.first().and_then(|cell| cell.parse::<u32>().ok()) else {
            continue;
        };
        let [_, _, answer, _, of_vectors, of_tests] = cells[..] else {
            panic!("row {number} has {} cells", cells.len())
        };
        rows.push(number);
        let mut shown = BTreeSet::new();
        for entry in entries(of_vectors, ", ") {
            for id in ids(entry, &wanted).unwrap_or_else(|why| panic!("row {number}: {entry}: {why}")) {
                shown.extend(wanted[id].reasons.iter().cloned());
                vectors += 1;
            }
        }
        let mut of_row = 0_usize;
        for entry in entries(of_tests, "; ") {
            let (name, file) = entry
                .strip_suffix(')')
                .and_then(|entry| entry.rsplit_once(" ("))
                .unwrap_or_else(|| panic!("row {number}: `{entry}`"));
            assert!(is_test(file, name), "row {number}: there is no test `{name}` in {file}");
            of_row += 1;
        }
        tests += of_row;
        assert!(!shown.is_empty() || of_row > 0, "row {number} shows nothing");
        let said = reasons_in(answer);
        assert!(
            shown.is_subset(&said),
            "row {number} says {said:?}, its vectors {shown:?}"
        );
        // What no vector shows a test does.
        assert!(
            of_row > 0 || shown == said,
            "row {number} says {said:?}, its vectors {shown:?}"
        );
    }
    assert_eq!(rows, ROWS.collect::<Vec<_>>());
    println!("{} rows, {vectors} vectors, {tests} tests", rows.len());
}

fn entries<'t>(cell: &'t str, separator: &'static str) -> impl Iterator<Item = &'t str> {
    cell.split(separator).filter(|entry| !entry.is_empty() && *entry != "—")
}

/// The vectors of an entry: `ID A`, or of all whose id begins so, `3 of BEGINNING* D`.
fn ids<'w>(entry: &str, wanted: &'w BTreeMap<String, Wanted>) -> Result<Vec<&'w str>, String> {
    let (what, letter) = entry.rsplit_once(' ').ok_or("no letter")?;
    let found: Vec<_> = match what.split_once(" of ") {
        Some((count, pattern)) => {
            let beginning = pattern.strip_suffix('*').ok_or("no *")?;
            let found: Vec<_> = wanted.keys().filter(|id| id.starts_with(beginning)).collect();
            if count.parse() != Ok(found.len()) {
                return Err(format!("there are {}", found.len()));
            }
            found
        }
        None => wanted.keys().filter(|id| *id == what).collect(),
    };
    if found.is_empty() {
        return Err("there is none".to_owned());
    }
    match found.iter().find(|id| wanted[**id].letter != letter) {
        Some(other) => Err(format!("{other} is {}", wanted[*other].letter)),
        None => Ok(found.into_iter().map(String::as_str).collect()),
    }
}

/// Of requests A or D; of policies E for errors, L for lints alone, else A.
fn wanted() -> BTreeMap<String, Wanted> {
    let mut wanted = BTreeMap::new();
    for case in vectors::load().into_iter().flat_map(|file| file.cases) {
        let letter = if case.want["decision"] == json!("allow") {
            "A"
        } else {
            "D"
        };
        let reasons = case.want["reason"].as_str().map(str::to_owned).into_iter().collect();
        wanted.insert(case.id, Wanted { letter, reasons });
    }
    for file in ["policy.json", "policy_token.json"] {
        let policies = fs::read_to_string(root().join("tests/vectors").join(file)).unwrap();
        let policies: Value = serde_json::from_str(&policies).unwrap();
        for case in policies["cases"].as_array().unwrap() {
            let errors: Vec<_> = case["want"]["errors"].as_array().into_iter().flatten().collect();
            let has_lints = case["want"]["lints"].as_array().is_some_and(|rows| !rows.is_empty());
            let letter = match (errors.is_empty(), has_lints) {
                (false, _) => "E",
                (true, true) => "L",
                (true, false) => "A",
            };
            let reasons = errors.iter().map(|row| row[0].as_str().unwrap().to_owned()).collect();
            wanted.insert(case["id"].as_str().unwrap().to_owned(), Wanted { letter, reasons });
        }
    }
    wanted
}

/// The reasons and codes that a text has between backticks.
fn reasons_in(text: &str) -> BTreeSet<String> {
    let is_known = |word: &&str| {
        Reason::ALL.iter().any(|reason| reason.as_str() == *word)
            || ErrorCode::ALL.iter().any(|code| code.as_str() == *word)
    };
    let quoted = text.split('`').skip(1).step_by(2);
    quoted.filter(is_known).map(str::to_owned).collect()
}

/// In Rust a function; in JavaScript a call of `test`, or the name of an attack that is tested with others.
fn is_test(file: &str, name: &str) -> bool {
    let text = fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    let forms = [
        format!("fn {name}() {{"),
        format!("test('{name}', "),
        format!(" name: '{name}',"),
    ];
    forms.iter().any(|form| text.contains(form.as_str()))
}

fn file() -> File {
    vectors::load().into_iter().find(|file| file.name == "token").unwrap()
}

fn bearer_of(case: &Case) -> Option<&str> {
    let headers = case.request["headers"].as_array()?;
    let header = headers.iter().find(|header| header[0] == json!("Authorization"))?;
    header[1].as_str()?.strip_prefix("Bearer ")
}

fn key_file(file: &File, name: &str) -> Value {
    serde_json::from_str(&file.cases[0].secrets[name]).unwrap()
}

fn guard(section: &Value, secrets: &[(SecretReference, &str)]) -> Result<Guard, Vec<ErrorCode>> {
    let policy = json!({
        "version": 1,
        "hosts": {"allow": ["api.example.com"]},
        "tokens": {"main": section},
        "egress": {"allow": ["https://auth.example.com"], "credentials": {"https://auth.example.com": ["authorization"]}},
        "routes": [{"path": "/**", "require": ["token:main"]}],
    });
    let policy = Policy::from_json(&policy.to_string(), "policy").unwrap();
    let mut all = Secrets::new();
    for (reference, value) in secrets {
        all.insert(reference.clone(), value.as_bytes().to_vec());
    }
    Guard::with_secrets(policy, &all)
        .map_err(|errors| errors.errors().iter().map(hostbound::PolicyError::code).collect())
}

/// How a token fares, with what other servers answer.
fn fate(guard: &Guard, memory: &mut Memory, now: u64, token: &str, answers: &Value) -> Option<Reason> {
    let request = json!({
        "now": now, "method": "GET", "scheme": "https", "target": "/", "answers": answers,
        "headers": [["host", "api.example.com"], ["authorization", format!("Bearer {token}")]],
    });
    let document = RequestDocument::from_json(request.to_string().as_bytes()).unwrap();
    guard.decide(&document, memory).reason
}

/// RSA of 2048 bits whose modulus is 65537^12345 modulo the product of the first 127 primes.
fn roca() -> String {
    let tail = "CJbK1ItGdKQ9FZ36DEnCJ2pS_XSGGsbQhg8xfLWQFSKvcuscSpA3yvK5T__XEx5Su1_H8bwrh0epYh5ytAKsdCgws2wzvT2LHUl7vjnUnUuaQLcaBVReiEjBE79OTOI9fbgHZMVQKYYP7Ca72afjNkijJ1yWhWBNIqMQ";
    format!("gA{}{tail}", "A".repeat(340 - tail.len()))
}

/// Rows 16 and 39 to 41: a set with a key that may not verify lets no policy begin.
#[test]
fn a_key_that_may_not_verify_refuses_its_set() {
    let file = file();
    let rsa = &key_file(&file, "key-rs256.json")["keys"][0];
    let ec = &key_file(&file, "ec-two.json")["keys"][0];
    let ed = &key_file(&file, "ed.json")["keys"][0];
    let oct = &key_file(&file, "hs-32.json")["keys"][0];
    let n = rsa["n"].as_str().unwrap();
    let short = &n[..n.len() / 2];
    // Three zero bytes.
    let (with_zeros, long) = (format!("AAAA{n}"), format!("{n}{}", "A".repeat(344)));
    let (roca, x, k) = (roca(), ec["x"].as_str().unwrap(), oct["k"].as_str().unwrap());
    let next = format!("{}A", &x[..x.len() - 1]);
    for (key, member, value, why) in [
        (rsa, "e", json!("AQ"), KeyError::Exponent),
        (rsa, "e", json!("Aw"), KeyError::Exponent),
        (rsa, "e", json!("AQAA"), KeyError::Exponent),
        (rsa, "e", json!("AQAAAAAAAQ"), KeyError::Exponent),
        (rsa, "e", json!("AAEAAQ"), KeyError::Member("e")),
        (rsa, "n", json!(short), KeyError::Size),
        (rsa, "n", json!(long), KeyError::Size),
        (rsa, "n", json!(with_zeros), KeyError::Member("n")),
        (rsa, "n", json!(format!("{n}=")), KeyError::Member("n")),
        (rsa, "n", json!(roca), KeyError::Roca),
        (rsa, "d", json!("AQAB"), KeyError::Private),
        (rsa, "use", json!("enc"), KeyError::Purpose),
        (rsa, "key_ops", json!(["encrypt"]), KeyError::Purpose),
        (rsa, "alg", json!("HS256"), KeyError::Algorithm),
        (rsa, "alg", json!("ES256"), KeyError::Algorithm),
        (rsa, "kty", json!("oct"), KeyError::Member("k")),
        (ec, "crv", json!("P-384"), KeyError::Member("x")),
        (ec, "crv", json!("secp256k1"), KeyError::Kind),
        (ec, "x", json!(next), KeyError::Point),
        (ec, "y", ec["x"].clone(), KeyError::Point),
        (ec, "kty", json!("OKP"), KeyError::Kind),
        (ed, "crv", json!("X25519"), KeyError::Kind),
        (ed, "x", json!("AAAA"), KeyError::Member("x")),
        (oct, "k", json!(""), KeyError::Secret),
        (oct, "k", json!(&k[..28]), KeyError::Secret),
        (oct, "alg", json!("HS512"), KeyError::Secret),
    ] {
        let mut wrong = key.clone();
        wrong[member] = value;
        let label = format!("{} {member} {}", key["kty"], wrong[member]);
        let errors = KeySet::from_json(&wrong.to_string()).unwrap_err();
        let is_why = |error: &KeySetError| matches!(error, KeySetError::Key { why: found, .. } if *found == why);
        assert!(errors.errors().iter().all(is_why), "{label}: {errors}");
        // One such key refuses the whole set, which is all right without it.
        let mut honest = key.clone();
        honest["kid"] = json!("honest");
        let algorithms = match key["kty"].as_str() {
            Some("RSA") => json!(["RS256"]),
            Some("EC") => json!(["ES256"]),
            Some("OKP") => json!(["EdDSA"]),
            _ => json!(["HS256"]),
        };
        let section = json!({
            "issuer": "https://auth.example.com/", "audience": ["api.example.com"], "algorithms": algorithms, "keys": {"file": "k.json"},
        });
        let read = |keys: Value| {
            let text = json!({"keys": keys}).to_string();
            guard(&section, &[(SecretReference::File("k.json".into()), &text)])
        };
        assert!(read(json!([honest])).is_ok(), "{label}");
        assert_eq!(
            read(json!([honest, wrong])).unwrap_err(),
            [ErrorCode::KeySetRefused],
            "{label}"
        );
    }
}

/// Rows 11 to 13 and 15: what a token says decides neither whether nor whom to ask.
#[test]
fn no_token_chooses_whom_to_ask() {
    let file = file();
    let section = json!({
        "issuer": "https://auth.example.com/", "audience": ["api.example.com"], "algorithms": ["EdDSA"],
        "keys": {"url": "https://auth.example.com/jwks.json", "pins": "none"},
    });
    let guard = guard(&section, &[]).unwrap();
    let mut refused = 0_usize;
    for case in &file.cases {
        let Some(reason @ ("token_header_not_understood" | "token_malformed" | "token_type_not_allowed")) =
            case.want["reason"].as_str()
        else {
            continue;
        };
        let Some(token) = bearer_of(case).filter(|_| case.policy["name"] == json!("main")) else {
            continue;
        };
        // Whoever asks gets no answer, and so another reason.
        let found = fate(&guard, &mut Memory::new(Timestamp(0)), NOW, token, &json!({}));
        assert_eq!(found.map(Reason::as_str), Some(reason), "{}", case.id);
        refused += 1;
    }
    assert!(refused > 250, "{refused}");
    // And what is asked for is always the same: the policy's keys.
    for id in ["token-main", "token-key-unknown-url", "token-key-unknown-path-file"] {
        let case = file.cases.iter().find(|case| case.id == id).unwrap();
        let found = fate(
            &guard,
            &mut Memory::new(Timestamp(0)),
            NOW,
            bearer_of(case).unwrap(),
            &json!({}),
        );
        assert_eq!(found, Some(Reason::TokenKeysUnavailable), "{id}");
    }
}

/// Row 44: whatever a server shows, only pinned keys verify, and they do for ever.
#[test]
fn a_key_that_is_not_pinned_never_verifies() {
    let file = file();
    let set = key_file(&file, "ed.json");
    let (honest, evil) = (&set["keys"][0], &set["keys"][1]);
    let pin = KeySet::from_json(&honest.to_string()).unwrap().keys()[0]
        .thumbprint()
        .unwrap();
    let token = |id: &str| {
        let case = file.cases.iter().find(|case| case.id == id).unwrap();
        bearer_of(case).unwrap().to_owned()
    };
    // Signed by the honest key; by the evil one under its own name; and by that under the honest one's name.
    let (right, other, forged) = (
        token("token-main"),
        token("token-main-second-key"),
        token("token-key-swapped"),
    );
    let section = json!({
        "issuer": "https://auth.example.com/", "audience": ["api.example.com"], "algorithms": ["EdDSA"],
        "keys": {"url": "https://auth.example.com/jwks.json", "pins": pin},
    });
    let guard = guard(&section, &[]).unwrap();
    let served = |keys: Value| json!({"keys": {"main": json!({"keys": keys}).to_string()}});
    let renamed = |name: &str| {
        let mut key = evil.clone();
        key["kid"] = json!(name);
        key
    };
    let both = served(json!([honest, evil]));
    let poisoned = served(json!([renamed("ed1")]));
    for (answers, wanted) in [
        (
            &both,
            [
                None,
                Some(Reason::TokenKeyUnknown),
                Some(Reason::TokenSignatureMismatch),
            ],
        ),
        (
            &served(json!([renamed("ed1"), honest])),
            [
                None,
                Some(Reason::TokenKeyUnknown),
                Some(Reason::TokenSignatureMismatch),
            ],
        ),
        (&poisoned, [Some(Reason::TokenKeysUnavailable); 3]),
    ] {
        for (token, wanted) in [&right, &other, &forged].into_iter().zip(wanted) {
            let mut memory = Memory::new(Timestamp(0));
            assert_eq!(fate(&guard, &mut memory, NOW, token, answers), wanted, "{answers}");
        }
    }
    // A set that was poisoned later changes nothing.
    let mut memory = Memory::new(Timestamp(0));
    assert_eq!(fate(&guard, &mut memory, NOW, &right, &both), None);
    for (token, wanted) in [
        (&other, Reason::TokenKeyUnknown),
        (&forged, Reason::TokenSignatureMismatch),
    ] {
        assert_eq!(fate(&guard, &mut memory, NOW + 60, token, &poisoned), Some(wanted));
    }
    assert_eq!(fate(&guard, &mut memory, NOW + 60, &right, &poisoned), None);
}

/// Row 49: only an answer that says all of it lets anybody in.
#[test]
fn what_is_no_answer_lets_nobody_in() {
    let section = json!({
        "issuer": "https://auth.example.com/", "audience": ["api.example.com"],
        "introspection": {"url": "https://auth.example.com/introspect", "client_id": "api", "secret": {"env": "ASKS"}},
    });
    let secret = (SecretReference::Env("ASKS".into()), "published-test-secret");
    let guard = guard(&section, &[secret]).unwrap();
    let good = json!({"active": true, "iss": "https://auth.example.com/", "aud": "api.example.com", "exp": NOW + 60});
    let with = |member: &str, value: Value| {
        let mut answer = good.clone();
        answer[member] = value;
        json!(answer.to_string())
    };
    let without = |member: &str| {
        let mut answer = good.clone();
        answer.as_object_mut().unwrap().remove(member);
        json!(answer.to_string())
    };
    let twice = good.to_string().replacen('{', "{\"active\":false,", 1);
    let sent = |status: u16, kind: &str, body: &str| json!({"status": status, "type": kind, "body": body});
    let right = good.to_string();
    for (answer, wanted) in [
        (json!(right), None),
        (sent(200, "Application/JSON; charset=utf-8", &right), None),
        (with("active", json!(false)), Some(Reason::TokenInactive)),
        (with("active", json!("true")), Some(Reason::TokenKeysUnavailable)),
        (with("active", json!(1)), Some(Reason::TokenKeysUnavailable)),
        (with("active", Value::Null), Some(Reason::TokenKeysUnavailable)),
        (without("active"), Some(Reason::TokenKeysUnavailable)),
        (json!(twice), Some(Reason::TokenKeysUnavailable)),
        (json!(format!("{right}{right}")), Some(Reason::TokenKeysUnavailable)),
        (json!(format!("[{right}]")), Some(Reason::TokenKeysUnavailable)),
        (Value::Null, Some(Reason::TokenKeysUnavailable)),
        (json!(""), Some(Reason::TokenKeysUnavailable)),
        (json!("<html>welcome</html>"), Some(Reason::TokenKeysUnavailable)),
        (sent(200, "text/html", &right), Some(Reason::TokenKeysUnavailable)),
        (
            sent(200, "application/token-introspection+jwt", &right),
            Some(Reason::TokenKeysUnavailable),
        ),
        (
            sent(201, "application/json", &right),
            Some(Reason::TokenKeysUnavailable),
        ),
        (
            sent(302, "application/json", &right),
            Some(Reason::TokenKeysUnavailable),
        ),
        (
            sent(401, "application/json", &right),
            Some(Reason::TokenKeysUnavailable),
        ),
        (
            sent(500, "application/json", &right),
            Some(Reason::TokenKeysUnavailable),
        ),
        (without("aud"), Some(Reason::ClaimMissing)),
        (without("iss"), Some(Reason::ClaimMissing)),
        (without("exp"), Some(Reason::ClaimMissing)),
        (with("aud", json!("other")), Some(Reason::AudienceMismatch)),
        (
            with("iss", json!("https://auth.example.com/tenants/2")),
            Some(Reason::IssuerMismatch),
        ),
        (with("exp", json!(NOW - 60)), Some(Reason::TokenExpired)),
        (with("nbf", json!(NOW + 60)), Some(Reason::TokenNotYetValid)),
        (with("exp", json!("9999999999")), Some(Reason::ClaimMalformed)),
        (with("token_type", json!("DPoP")), Some(Reason::TokenTypeNotAllowed)),
        (with("cnf", json!({"jkt": "x"})), Some(Reason::TokenBindingMissing)),
    ] {
        let mut memory = Memory::new(Timestamp(0));
        let answers = json!({"introspection": answer});
        assert_eq!(fate(&guard, &mut memory, NOW, "opaque", &answers), wanted, "{answer}");
    }
}

/// Row 50: neither verdict nor trace has a secret, or a signature: not the one that was sent, and not the one that would be right.
#[test]
fn no_verdict_tells_what_would_be_right() {
    let file = file();
    let by_id: BTreeMap<_, _> = file.cases.iter().map(|case| (case.id.as_str(), case)).collect();
    let secrets: BTreeSet<_> = file.cases[0]
        .secrets
        .values()
        .filter_map(|text| serde_json::from_str::<Value>(text).ok())
        .flat_map(|set| set["keys"].as_array().cloned().unwrap_or_default())
        .filter_map(|key| key["k"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(secrets.len(), 4);
    let signature = |case: &Case| {
        let (_, last) = bearer_of(case)?.rsplit_once('.')?;
        Some(last.to_owned()).filter(|last| last.len() >= 16)
    };
    let mut looked = 0_usize;
    for case in file.cases.iter().filter(|case| !case.is_plain_allow()) {
        let (guard, mut memory) = file.stage(case);
        let explanation = guard.explain(&case.document(), &mut memory);
        let told = format!(
            "{}{}",
            guard.decide(&case.document(), &mut memory).to_json(),
            serde_json::to_string(&explanation).unwrap()
        );
        let twin = case.twin.as_deref().and_then(|twin| by_id.get(twin));
        let signatures = [signature(case), twin.and_then(|twin| signature(twin))];
        for hidden in signatures.into_iter().flatten().chain(secrets.iter().cloned()) {
            assert!(!told.contains(&hidden), "{}: {told}", case.id);
            looked += 1;
        }
    }
    assert!(looked > 5_000);
}
