//! The built command, as users meet it.

#![expect(clippy::unwrap_used, reason = "for tests, where a panic is the message")]

mod address;
mod check;
mod compile;
mod decide;
mod egress;
mod envoy;
mod explain;
mod general;
mod keys;
mod policies;
mod public;
mod run;
mod sign;
mod stream;
mod test;
mod vector_runs;
