//! `hostbound schema`: the JSON Schema of policies, for editors.

use clap::Args;

use crate::exit::{Exit, Failure};
use crate::output;

/// Print the JSON Schema of policies, for editors
#[derive(Args, Debug)]
pub(crate) struct Schema {}

impl Schema {
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        output::line(&format!("{:#}", hostbound::json_schema())).map_err(Failure::Output)?;
        Ok(Exit::Clean)
    }
}
