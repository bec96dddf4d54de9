//! What is known of one address, for `hostbound address`.

use std::net::{IpAddr, Ipv4Addr};

use serde::Serialize;

use super::embedded::{EmbeddedForm, Nat64Prefix, decoded, embedded};
use super::reachability::{NotGlobal, NotGlobalCause, Reachability};
use super::registry::RegistryRow;
use super::rules::AddressRefusal;
use super::space::AddressSpace;

/// Everything known of one address. Its JSON has all fields, in this order, null where there is nothing.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct AddressReport {
    /// The address; its text is canonical (RFC 5952).
    pub address: IpAddr,
    /// What a browser takes it for.
    pub space: AddressSpace,
    /// Whether it is globally reachable.
    pub reachable: bool,
    /// The row of the registry with the address that decided, itself or one inside.
    pub row: Option<&'static RegistryRow>,
    /// The metadata service that decided.
    pub metadata: Option<&'static str>,
    /// The IPv4 addresses inside.
    pub embedded: Vec<EmbeddedReport>,
    /// The same in one line for people.
    pub note: String,
}

/// An IPv4 address inside.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct EmbeddedReport {
    /// In which form.
    pub form: EmbeddedForm,
    /// The address inside.
    pub address: Ipv4Addr,
    /// Whether it is globally reachable.
    pub reachable: bool,
}

impl AddressReport {
    /// Reports on an address, in a network that translates to IPv4 under these prefixes.
    #[must_use]
    pub fn new(address: IpAddr, nat64: &[Nat64Prefix]) -> Self {
        let reachability = Reachability::through(address, nat64);
        let (row, metadata) = match reachability {
            Reachability::Global(row) => (row, None),
            Reachability::NotGlobal(NotGlobal { embedded, cause }) => match cause {
                NotGlobalCause::Block(row) => (Some(row), None),
                NotGlobalCause::Metadata(service) => {
                    let decided = embedded.map_or(address, |inner| IpAddr::V4(inner.address));
                    (RegistryRow::of(decided), Some(service))
                }
            },
        };
        let report = |inner: super::Embedded| EmbeddedReport {
            form: inner.form,
            address: inner.address,
            reachable: Reachability::of(IpAddr::V4(inner.address)).is_global(),
        };
        Self {
            address,
            space: AddressSpace::of(address),
            reachable: reachability.is_global(),
            row,
            metadata,
            embedded: embedded(address, nat64).map(report).collect(),
            note: note(address, nat64, reachability),
        }
    }
}

fn note(address: IpAddr, nat64: &[Nat64Prefix], reachability: Reachability) -> String {
    let row = match reachability {
        Reachability::NotGlobal(why) => {
            return AddressRefusal::not_global(address, why.embedded, why.cause).to_string();
        }
        Reachability::Global(row) => row,
    };
    let carries = decoded(address, nat64).next();
    let carries = carries.map_or_else(String::new, |inner| format!(" carries {}, which", inner.address));
    match row {
        Some(RegistryRow { block, name, rfc, .. }) => {
            format!("{address}{carries} is in {block}, {name} ({rfc}), and globally reachable")
        }
        None => format!("{address}{carries} is globally reachable"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_has_every_field() {
        const ROWS: &[(&str, &str)] = &[
            (
                "8.8.8.8",
                r#"{"address":"8.8.8.8","space":"public","reachable":true,"row":null,"metadata":null,"embedded":[],"note":"8.8.8.8 is globally reachable"}"#,
            ),
            (
                "0:0::FFFF:a9fe:a9fe",
                r#"{"address":"::ffff:169.254.169.254","space":"local","reachable":false,"row":{"block":"169.254.0.0/16","name":"link-local","rfc":"RFC 3927"},"metadata":"AWS, GCP and Azure instance metadata","embedded":[{"form":"ipv4-mapped","address":"169.254.169.254","reachable":false}],"note":"::ffff:169.254.169.254 carries 169.254.169.254, which is AWS, GCP and Azure instance metadata"}"#,
            ),
        ];
        for (address, want) in ROWS {
            let report = AddressReport::new(address.parse().unwrap(), &[]);
            assert_eq!(serde_json::to_string(&report).unwrap(), *want);
        }
    }

    #[test]
    fn the_note_of_a_reachable_address_says_why() {
        for (address, want) in [
            (
                "192.0.0.9",
                "192.0.0.9 is in 192.0.0.9/32, Port Control Protocol anycast (RFC 7723), and globally reachable",
            ),
            (
                "64:ff9b::808:808",
                "64:ff9b::808:808 carries 8.8.8.8, which is globally reachable",
            ),
            ("2002:808:808::", "2002:808:808:: is in 2002::/16, 6to4 (RFC 3056)"),
        ] {
            assert_eq!(AddressReport::new(address.parse().unwrap(), &[]).note, want);
        }
    }
}
