//! The rebinding lab: real DNS rebinding, in a real browser, against a service that its owner names, and which layer
//! stopped it.

mod addresses;
mod attacker;
mod attempt;
pub mod browser;
mod canary;
pub mod case;
pub mod dns;
mod guard;
mod handoff;
mod http;
pub mod inside;
pub mod log;
pub mod namespace;
mod opener;
pub mod oracle;
pub mod plan;
mod probe;
pub mod program;
pub mod report;
pub mod run;
mod self_test;
mod stage;
pub mod strategy;
mod tap;
pub mod verdict;
pub mod zone;

pub use addresses::LOCAL_TARGET;
pub use guard::GuardPlan;
