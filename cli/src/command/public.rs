//! `hostbound public`: what of a policy a page in a browser needs, as a policy of its own.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;

use crate::exit::{Exit, Failure};
use crate::policy::PolicyArgs;
use crate::replace::{Readers, replace};

/// Write the part of a policy that pages in browsers may know
///
/// For the guard of pages, `hostbound/browser`. It has the names of hosts.allow, and of egress the destinations, the names of the headers that are bound to
/// them, and what becomes of redirects: whoever can open the page can read these. Of addresses that are not in hosts.allow, and of pins, certificates, keys,
/// secrets, routes, peers and proxies it has nothing. Nothing is written if the policy is refused.
#[derive(Args, Debug)]
pub(crate) struct Public {
    #[command(flatten)]
    policy: PolicyArgs,

    /// Where to write; an older file is replaced in one step [default: standard output]
    #[arg(long, short, value_name = "OUT")]
    out: Option<PathBuf>,
}

impl Public {
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        let json = self.policy.document()?.to_public_json();
        match &self.out {
            None => io::stdout().write_all(json.as_bytes()).map_err(Failure::Output)?,
            Some(out) => replace(out, json.as_bytes(), Readers::Usual)?,
        }
        Ok(Exit::Clean)
    }
}
