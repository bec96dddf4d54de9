//! `hostbound address`: what is known of IP addresses.

use std::io::{self, Write};
use std::net::IpAddr;

use clap::Args;
use hostbound::{AddressReport, Nat64Prefix};

use crate::args::Format;
use crate::exit::{Exit, Failure};
use crate::output::printable;

/// Say what IP addresses are: loopback, local or public, globally reachable or not, and what they carry
///
/// Two notions, which do not follow from each other: the address space of Local Network Access, by which browsers go, and global reachability by the
/// special-purpose registries of IANA, by which `addresses = "global"` goes. Ends with 0 if all are globally reachable, 1 if some are not, 2 if some
/// are no addresses.
#[derive(Args, Debug)]
pub(crate) struct Address {
    /// The addresses, without brackets, port and zone
    #[arg(value_name = "ADDRESS", required = true)]
    addresses: Vec<String>,

    /// A prefix under which the network translates to IPv4, beside 64:ff9b::/96 (repeatable)
    #[arg(long, value_name = "PREFIX")]
    nat64: Vec<String>,

    /// How to print what is known
    #[arg(long, value_enum, default_value = "human")]
    pub(super) format: Format,
}

impl Address {
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        let mut prefixes = Vec::new();
        for text in &self.nat64 {
            let prefix = Nat64Prefix::parse(text);
            prefixes.push(prefix.map_err(|error| Failure::Usage(format!("`{}`: {error}", printable(text, 100))))?);
        }
        let mut reports = Vec::new();
        for text in &self.addresses {
            let address: IpAddr = text
                .parse()
                .map_err(|_| Failure::Usage(format!("`{}` is no IP address", printable(text, 100))))?;
            reports.push(AddressReport::new(address, &prefixes));
        }
        print(&reports, self.format).map_err(Failure::Output)?;
        Ok(if reports.iter().all(|report| report.reachable) {
            Exit::Clean
        } else {
            Exit::Findings
        })
    }
}

fn print(reports: &[AddressReport], format: Format) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    for report in reports {
        match format {
            Format::Json => writeln!(out, "{}", serde_json::to_string(report)?)?,
            Format::Human => print_words(&mut out, report)?,
        }
    }
    out.flush()
}

fn print_words(out: &mut impl Write, report: &AddressReport) -> io::Result<()> {
    writeln!(out, "{}: {}", report.address, reachable(report.reachable))?;
    writeln!(out, "  space     {}", report.space)?;
    if let Some(row) = report.row {
        writeln!(out, "  registry  {}, {} ({})", row.block, row.name, row.rfc)?;
    }
    if let Some(service) = report.metadata {
        writeln!(out, "  metadata  {service}")?;
    }
    for inner in &report.embedded {
        let form = serde_json::to_value(inner.form)?;
        let form = form.as_str().unwrap_or_default();
        writeln!(
            out,
            "  carries   {} ({form}): {}",
            inner.address,
            reachable(inner.reachable)
        )?;
    }
    Ok(())
}

const fn reachable(is_reachable: bool) -> &'static str {
    if is_reachable {
        "globally reachable"
    } else {
        "not globally reachable"
    }
}
