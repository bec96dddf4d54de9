//! The rebinding lab: real DNS rebinding, in a real browser, against a service that its owner names, and which layer
//! stopped it.

pub mod case;
pub mod dns;
pub mod log;
pub mod strategy;
pub mod verdict;
pub mod zone;
