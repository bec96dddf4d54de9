//! Weak secrets: valid keys that are shorter than the hash.

use crate::policy::Policy;
use crate::policy::diagnostic::{Lint, LintId};
use crate::secret::Secrets;
use crate::signature::KeyBounds;

/// In bytes: as long as the output of SHA-256 (RFC 2104 §3).
const STRONG: usize = 32;

impl Policy {
    /// The secrets that are weak, of those that [`Guard::with_secrets`](crate::Guard::with_secrets) takes.
    #[must_use]
    pub fn lint_secrets(&self, secrets: &Secrets) -> Vec<Lint> {
        let mut lints = Vec::new();
        for section in &self.signatures {
            let bounds = KeyBounds::of(section.scheme.profile());
            for key in &section.keys {
                let is_short = secrets.key(&key.secret, bounds).is_ok_and(|bytes| bytes.len() < STRONG);
                if is_short {
                    let path = key.secret.path.clone();
                    lints.push(Lint {
                        id: LintId::SecretShort,
                        position: self.provenance.positions.get(path.as_bytes()).copied(),
                        path,
                        message: format!("{} has less than {STRONG} bytes", key.secret.reference),
                        fix: Some("make a longer one at the next rotation".into()),
                        span: 0..0,
                    });
                }
            }
        }
        lints
    }
}
