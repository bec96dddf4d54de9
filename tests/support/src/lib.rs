//! The vector files, with their shorthands written out.

#![expect(clippy::unwrap_used, reason = "for tests, where a panic is the message")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use hostbound::{Guard, Memory, Policy, RequestDocument, SecretReference, Secrets, Timestamp};
use serde_json::{Map, Value, json};

/// One file.
pub struct File {
    pub name: String,
    pub notes: BTreeMap<String, Value>,
    pub cases: Vec<Case>,
}

impl File {
    /// The guard of a case, and its memory as the cases before it left it.
    pub fn stage(&self, case: &Case) -> (Guard, Memory) {
        let guard = case.guard();
        let mut memory = Memory::new(Timestamp(case.epoch));
        for id in &case.before {
            let before = self.cases.iter().find(|other| other.id == *id);
            let before = before.unwrap_or_else(|| panic!("{}: {id} is no case", case.id));
            let _ = guard.decide(&before.document(), &mut memory);
        }
        (guard, memory)
    }

    /// Every case gives the verdict it wants, in every field but `detail`, `id` and `policy`.
    pub fn assert_verdicts(&self, judge: impl Fn(&Case) -> Value) {
        let differing = |case: &Case| {
            let found = pinned_fields(&judge(case));
            let Case { id, comment, want, .. } = case;
            (found != *want).then(|| format!("{id}: {comment}\n  want  {want}\n  found {found}"))
        };
        let wrong: Vec<_> = self.cases.iter().filter_map(differing).collect();
        let count = self.cases.len();
        assert!(
            wrong.is_empty(),
            "{} of {count} differ:\n{}",
            wrong.len(),
            wrong.join("\n")
        );
        println!("{count} vectors");
    }

    /// Every denial has its nearest allowed twin: an allowed case that differs in one field of the request, or in the policy.
    pub fn assert_twins(&self) {
        let by_id: BTreeMap<_, _> = self.cases.iter().map(|case| (case.id.as_str(), case)).collect();
        assert_eq!(by_id.len(), self.cases.len(), "{}: ids are unique", self.name);
        for case in &self.cases {
            for flag in &case.flags {
                assert!(self.notes.contains_key(flag), "{}: flag {flag} has a note", case.id);
            }
            if case.is_plain_allow() || case.flags.iter().any(|flag| flag == "no-twin") {
                continue;
            }
            let twin = by_id.get(case.twin.as_deref().unwrap_or_default());
            let twin = twin.unwrap_or_else(|| panic!("{} has no twin", case.id));
            assert!(twin.is_plain_allow(), "{}: its twin {} is allowed", case.id, twin.id);
            let fields: BTreeSet<_> = [case, twin]
                .iter()
                .flat_map(|case| case.request.as_object().unwrap().keys())
                .filter(|field| case.request.get(field) != twin.request.get(field) && *field != "id")
                .collect();
            let differences = fields.len()
                + usize::from(case.policy != twin.policy)
                + usize::from(case.before != twin.before)
                + usize::from(case.epoch != twin.epoch);
            assert_eq!(differences, 1, "{} and {} differ in {fields:?}", case.id, twin.id);
        }
    }
}

/// One request, the policy before which it is judged, and the verdict that is wanted.
pub struct Case {
    pub id: String,
    pub comment: String,
    pub flags: Vec<String>,
    pub policy: Value,
    pub request: Value,
    pub want: Value,
    /// The nearest allowed case.
    pub twin: Option<String>,
    /// The cases whose requests are judged first, with the same guard and memory.
    pub before: Vec<String>,
    /// Of the replay store.
    pub epoch: u64,
    /// The file's secrets, by the name of the variable or of the secret.
    pub secrets: BTreeMap<String, String>,
}

impl Case {
    /// The case's request.
    pub fn document(&self) -> RequestDocument {
        RequestDocument::from_json(self.request.to_string().as_bytes())
            .unwrap_or_else(|error| panic!("{}: {error}", self.id))
    }

    /// A guard for the case's policy, with the secrets that it names.
    pub fn guard(&self) -> Guard {
        let policy = self.policy();
        let mut secrets = Secrets::new();
        for (name, value) in &self.secrets {
            secrets.insert_named(policy.secrets(), name, value);
        }
        for (name, text) in self.own_files() {
            secrets.insert(SecretReference::File(name.to_owned()), text.as_bytes().to_vec());
        }
        Guard::with_secrets(policy, &secrets).unwrap_or_else(|error| panic!("{}: {error}", self.id))
    }

    /// The secrets that the case's policy refers to.
    pub fn own_secrets(&self) -> BTreeMap<&str, &str> {
        let policy = self.policy();
        let mut unused = Secrets::new();
        let is_own = |(name, value): &(&String, &String)| unused.insert_named(policy.secrets(), name, value);
        let own = self.secrets.iter().filter(is_own);
        own.map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    /// The files that the case's policy names, with their texts.
    pub fn own_files(&self) -> BTreeMap<&str, &str> {
        let policy = self.policy();
        let is_own = |name: &str| {
            let mut references = policy.secrets();
            references.any(|reference| *reference == SecretReference::File(name.to_owned()))
        };
        let own = self.secrets.iter().filter(|(name, _)| is_own(name));
        own.map(|(name, text)| (name.as_str(), text.as_str())).collect()
    }

    /// The case's policy, compiled.
    pub fn policy(&self) -> Policy {
        Policy::from_json(&self.policy.to_string(), "vector").unwrap_or_else(|error| panic!("{}: {error}", self.id))
    }

    /// Allowed, and not because of report mode.
    pub fn is_plain_allow(&self) -> bool {
        self.want["decision"] == json!("allow") && self.want["reported"] == json!([])
    }
}

/// The files of requests and verdicts, in the order of their names.
pub fn load() -> Vec<File> {
    let names = [
        "authority",
        "guard",
        "host",
        "origin",
        "peer",
        "request",
        "route",
        "signature",
        "token",
        "token_source",
    ];
    names
        .into_iter()
        .map(|name| load_one(name, "hostbound-vectors-1"))
        .collect()
}

/// The file of outbound requests and their verdicts.
pub fn load_egress() -> File {
    load_one("egress", "hostbound-egress-vectors-1")
}

/// The file of pages, what they ask for, and the verdicts on them.
pub fn load_page() -> File {
    load_one("page", "hostbound-page-vectors-1")
}

fn load_one(name: &str, schema: &str) -> File {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../vectors")
        .join(name)
        .with_extension("json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let file: Map<String, Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(file["schema"], schema);
    let policies = file["policies"].as_object().unwrap();
    let secrets = file.get("secrets").map(strings).unwrap_or_default();
    let cases = file["cases"].as_array().unwrap().iter().map(|case| {
        let text = |key: &str| case[key].as_str().map(str::to_owned);
        let policy = match &case["policy"] {
            Value::String(name) => policies[name].clone(),
            inline => inline.clone(),
        };
        Case {
            id: text("id").unwrap(),
            comment: text("comment").unwrap_or_default(),
            flags: case["flags"]
                .as_array()
                .unwrap()
                .iter()
                .map(|flag| flag.as_str().unwrap().to_owned())
                .collect(),
            policy: expand(&policy),
            request: expand(&case["request"]),
            want: expand(&case["want"]),
            twin: text("twin"),
            before: case["before"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|id| id.as_str().unwrap().to_owned())
                .collect(),
            epoch: case["epoch"].as_u64().unwrap_or(0),
            secrets: secrets.clone(),
        }
    });
    File {
        name: name.to_owned(),
        notes: file["notes"].as_object().unwrap().clone().into_iter().collect(),
        cases: cases.collect(),
    }
}

fn strings(object: &Value) -> BTreeMap<String, String> {
    let entries = object.as_object().unwrap().iter();
    entries
        .map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned()))
        .collect()
}

/// Writes out `{"repeat": [text, count]}`, `{"concat": [part, …]}` and, in a list of headers, `{"repeat_header": [name, value, count]}`.
fn expand(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            if let Some(text) = text_of(value) {
                return Value::String(text);
            }
            Value::Object(object.iter().map(|(key, value)| (key.clone(), expand(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().flat_map(expand_item).collect()),
        _ => value.clone(),
    }
}

fn expand_item(item: &Value) -> Vec<Value> {
    let Some(header) = item.get("repeat_header") else {
        return vec![expand(item)];
    };
    let (name, value) = (header[0].as_str().unwrap(), expand(&header[1]));
    let count = header[2].as_u64().unwrap();
    (0..count)
        .map(|index| Value::Array(vec![format!("{name}-{index}").into(), value.clone()]))
        .collect()
}

fn text_of(value: &Value) -> Option<String> {
    if let Some(text) = value.as_str() {
        return Some(text.to_owned());
    }
    let object = value.as_object().filter(|object| object.len() == 1)?;
    if let Some(repeat) = object.get("repeat") {
        let count = usize::try_from(repeat[1].as_u64()?).ok()?;
        return Some(text_of(&repeat[0])?.repeat(count));
    }
    object.get("concat")?.as_array()?.iter().map(text_of).collect()
}

/// A verdict without the fields that vectors do not pin: `id`, `policy` and every `detail`.
pub fn pinned_fields(verdict: &Value) -> Value {
    let mut verdict = verdict.clone();
    let fields = verdict.as_object_mut().unwrap();
    for field in ["id", "policy", "detail"] {
        fields.remove(field);
    }
    for report in fields["reported"].as_array_mut().unwrap() {
        report.as_object_mut().unwrap().remove("detail");
    }
    verdict
}
