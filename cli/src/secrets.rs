//! Secrets: read from where the policy says, or from `--secrets`. Their values go to the engine and nowhere else.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use hostbound::{Guard, Policy, SecretReference, Secrets};
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use zeroize::Zeroizing;

use crate::exit::Failure;
use crate::finding::Refusal;
use crate::policy::reason;

/// Where secrets are given beside the policy's own places.
#[derive(Args, Debug)]
pub(crate) struct SecretsArgs {
    /// Secrets, as a JSON object: the name of the environment variable, or of the secret, to the value; wins over the environment
    #[arg(long, value_name = "FILE")]
    secrets: Option<PathBuf>,
}

impl SecretsArgs {
    /// True if a file was named.
    pub(crate) const fn is_given(&self) -> bool {
        self.secrets.is_some()
    }

    /// A guard that has the secrets which the policy names.
    pub(crate) fn guard(&self, policy: Policy, policy_file: &Path, text: Option<&str>) -> Result<Guard, Failure> {
        let secrets = self.read(&policy, policy_file)?;
        Guard::with_secrets(policy, &secrets).map_err(|errors| Refusal::of_policy(&errors, text).into())
    }

    /// The secrets that the policy names, as far as they are there.
    pub(crate) fn read(&self, policy: &Policy, policy_file: &Path) -> Result<Secrets, Failure> {
        let mut secrets = Secrets::new();
        for (reference, value) in self.values(policy, policy_file)? {
            secrets.insert(reference, value.to_vec());
        }
        Ok(secrets)
    }

    /// Their values, for those who hand them on.
    pub(crate) fn values(&self, policy: &Policy, policy_file: &Path) -> Result<Values, Failure> {
        let mut values = Values::new();
        for reference in policy.secrets() {
            let value = match reference {
                SecretReference::Env(name) => std::env::var_os(name).map(|value| value.into_encoded_bytes()),
                SecretReference::File(path) => Some(read_file(&policy_file.with_file_name(path))?),
                _ => None,
            };
            if let Some(value) = value {
                values.insert(reference.clone(), Zeroizing::new(value));
            }
        }
        let Some(file) = &self.secrets else {
            return Ok(values);
        };
        let json = Zeroizing::new(read_file(file)?);
        let given: Given = serde_json::from_slice(&json).map_err(|error| {
            let place = format!("line {} column {}", error.line(), error.column());
            Failure::Usage(format!(
                "{} is no JSON object of strings, each name once: {place}",
                file.display()
            ))
        })?;
        for (name, value) in &given.0 {
            let named = policy.secrets().filter(|reference| reference.is_named(name));
            let mut is_used = false;
            for reference in named {
                values.insert(reference.clone(), Zeroizing::new(value.as_bytes().to_vec()));
                is_used = true;
            }
            if !is_used {
                let file = file.display();
                return Err(Failure::Usage(format!(
                    "{file}: no secret of the policy has the name `{name}`"
                )));
            }
        }
        Ok(values)
    }
}

/// What was found, by where.
pub(crate) type Values = HashMap<SecretReference, Zeroizing<Vec<u8>>>;

fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| Failure::Usage(format!("{} cannot be read: {}", path.display(), reason(&error))))
}

/// Names and values, each name once. Values are wiped when it is dropped.
struct Given(BTreeMap<String, Zeroizing<String>>);

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct GivenVisitor;

        impl<'de> Visitor<'de> for GivenVisitor {
            type Value = Given;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Given, A::Error> {
                let mut given = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, String>()? {
                    if given.insert(name, Zeroizing::new(value)).is_some() {
                        return Err(A::Error::custom("a name twice"));
                    }
                }
                Ok(Given(given))
            }
        }

        deserializer.deserialize_map(GivenVisitor)
    }
}
