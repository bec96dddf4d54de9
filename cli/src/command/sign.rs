//! `hostbound sign`: the headers that make a request a signed one.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use hostbound::{Guard, SignOptions, SignedHeaders, Timestamp};
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::json;

use crate::args::Format;
use crate::clock;
use crate::exit::{Exit, Failure};
use crate::input::Input;
use crate::output::{self, say};
use crate::policy::PolicyArgs;
use crate::secrets::SecretsArgs;
use crate::shorthand::Shorthand;

/// Sign a request by a `signatures` section of the policy
///
/// Prints the headers to add, one a line, as `curl -H @-` reads them. The request must be sent just as it is told here: the same method, URL and body.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Sign {
    /// The method
    #[arg(value_name = "METHOD")]
    method: String,

    /// The URL, or the raw request target
    #[arg(value_name = "URL")]
    url: String,

    #[command(flatten)]
    shorthand: Shorthand,

    /// A file with the body; `-` is standard input [default: no body]
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,

    /// The section [default: the only one]
    #[arg(long, value_name = "NAME")]
    section: Option<String>,

    /// The key [default: the first that signs for the host]
    #[arg(long, value_name = "ID")]
    key_id: Option<String>,

    /// When the signature is made, in Unix seconds [default: the clock]
    #[arg(long, value_name = "SECONDS")]
    now: Option<u64>,

    /// The nonce, or the webhook's id [default: random]
    #[arg(long, value_name = "TEXT")]
    nonce: Option<String>,

    /// Also show what is signed: the signature base, on standard error
    #[arg(long)]
    explain: bool,

    #[command(flatten)]
    policy: PolicyArgs,

    #[command(flatten)]
    secrets: SecretsArgs,

    /// How to print; `json` is one object with `headers` and `base`
    #[arg(long, value_enum, default_value = "human")]
    pub(super) format: Format,
}

const EXAMPLES: &str = "\
Examples:
  hostbound sign GET https://api.partner.example/orders?id=7
  hostbound sign POST https://api.partner.example/orders --body order.json | curl -H @- --data-binary @order.json https://api.partner.example/orders";

impl Sign {
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        let request = self
            .shorthand
            .request(&self.method, &self.url, None)
            .map_err(Failure::Usage)?;
        let guard = self.policy.guard_with(&self.secrets)?;
        let section = self.section(&guard)?;
        let nonce = match &self.nonce {
            Some(nonce) => nonce.clone(),
            None => random()?,
        };
        let options = SignOptions {
            key_id: self.key_id.as_deref(),
            created: self.now.map_or_else(clock::now, |now| Ok(Timestamp(now)))?,
            nonce: Some(&nonce),
        };
        let headers = request.headers();
        let mut signing = guard
            .sign(&section, &request.request(&headers), &options)
            .map_err(|error| Failure::Usage(error.to_string()))?;
        if let Some(path) = &self.body {
            Input::open(Some(path))?.read_chunks(|chunk| {
                signing.update(chunk);
                true
            })?;
        }
        let signed = signing.finish().map_err(|error| Failure::Usage(error.to_string()))?;
        self.print(&signed).map_err(Failure::Output)?;
        Ok(Exit::Clean)
    }

    fn section(&self, guard: &Guard) -> Result<String, Failure> {
        let mut names = guard.policy().signatures();
        match (&self.section, names.next(), names.next()) {
            (Some(name), ..) => Ok(name.clone()),
            (None, Some(name), None) => Ok(name.to_owned()),
            (None, None, _) => Err(Failure::Usage("the policy has no signatures section".into())),
            (None, Some(_), Some(_)) => {
                let names: Vec<_> = guard.policy().signatures().collect();
                Err(Failure::Usage(format!(
                    "the policy has {} signatures sections; name one with --section: {}",
                    names.len(),
                    names.join(", ")
                )))
            }
        }
    }

    fn print(&self, signed: &SignedHeaders) -> io::Result<()> {
        if self.format == Format::Json {
            let report = json!({
                "headers": signed.headers(),
                "base": signed.base(),
                "body_length": signed.body_length(),
            });
            return output::line(&report.to_string());
        }
        if self.explain {
            let body = signed.body_length().map_or_else(String::new, |length| {
                format!(
                    ", before {} of body",
                    output::count(usize::try_from(length).unwrap_or(usize::MAX), "byte")
                )
            });
            say(&format!("the signature base{body}:\n{}", signed.base()));
        }
        let mut out = io::stdout().lock();
        for (name, value) in signed.headers() {
            writeln!(out, "{name}: {value}")?;
        }
        out.flush()
    }
}

/// 128 bits, in hex: a nonce in every profile.
fn random() -> Result<String, Failure> {
    let mut bytes = [0_u8; 16];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Failure::Usage("the system gives no random bytes; name a nonce with --nonce".into()))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
