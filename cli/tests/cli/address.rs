//! `hostbound address`: what is known of IP addresses.

use hostbound::{AddressReport, Nat64Prefix};

use crate::run::{Ran, directory, run_in};

fn address(arguments: &[&str]) -> Ran {
    let directory = directory(&[]);
    run_in(directory.path(), &[&["address"], arguments].concat(), b"")
}

#[test]
fn the_exit_code_says_whether_all_are_global() {
    for (arguments, code) in [
        (&["93.184.216.34"][..], 0),
        (&["93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8"], 0),
        (&["10.0.0.1"], 1),
        (&["93.184.216.34", "10.0.0.1"], 1),
        (&["2001:db8:64::808:808"], 1),
        (&["2001:db8:64::808:808", "--nat64", "2001:db8:64::/96"], 0),
        (&["2001:db8:64::a00:1", "--nat64", "2001:db8:64::/96"], 1),
    ] {
        let ran = address(arguments);
        assert_eq!((ran.code, ran.stderr.as_str()), (code, ""), "{arguments:?}");
    }
}

/// Nothing is printed if one is malformed, so that nobody takes a part for the whole.
#[test]
fn what_is_no_address_is_told() {
    for (arguments, part) in [
        (&["127.1"][..], "`127.1` is no IP address"),
        (&["8.8.8.8", "0x7f.1"], "`0x7f.1` is no IP address"),
        (&["127.0.0.01"], "no IP address"),
        (&["[::1]"], "no IP address"),
        (&["fe80::1%eth0"], "no IP address"),
        (&["10.0.0.0/8"], "no IP address"),
        (&["localhost"], "no IP address"),
        (&[""], "`` is no IP address"),
        (&["a\u{1b}[2J"], "`a\\u{1b}[2J` is no IP address"),
        (&["::1", "--nat64", "10.0.0.0/8"], "`10.0.0.0/8`: "),
        (&["::1", "--nat64", "2001:db8::/33"], "`2001:db8::/33`: "),
        (&[], "required"),
    ] {
        let ran = address(arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(ran.stderr.contains(part), "{arguments:?}: {}", ran.stderr);
    }
}

#[test]
fn json_is_the_engines_report_a_line() {
    let addresses = [
        "8.8.8.8",
        "::ffff:a9fe:a9fe",
        "2001:db8:64::a00:1",
        "192.0.0.9",
        "fe80::1",
    ];
    let prefix = "2001:db8:64::/96";
    let ran = address(&[&addresses[..], &["--nat64", prefix, "--format", "json"]].concat());
    let prefixes = [Nat64Prefix::parse(prefix).unwrap()];
    let want: String = addresses
        .iter()
        .map(|address| AddressReport::new(address.parse().unwrap(), &prefixes))
        .map(|report| serde_json::to_string(&report).unwrap() + "\n")
        .collect();
    assert_eq!((ran.code, ran.stdout), (1, want));
}

#[test]
fn people_read_every_part() {
    let ran = address(&["8.8.8.8", "0:0::FFFF:a9fe:a9fe", "192.0.0.9", "64:ff9b::808:808"]);
    assert_eq!(
        ran.stdout,
        "8.8.8.8: globally reachable\n  space     public\n\
         ::ffff:169.254.169.254: not globally reachable\n  space     local\n  registry  169.254.0.0/16, link-local (RFC 3927)\n  \
         metadata  AWS, GCP and Azure instance metadata\n  carries   169.254.169.254 (ipv4-mapped): not globally reachable\n\
         192.0.0.9: globally reachable\n  space     public\n  registry  192.0.0.9/32, Port Control Protocol anycast (RFC 7723)\n\
         64:ff9b::808:808: globally reachable\n  space     public\n  carries   8.8.8.8 (nat64-well-known): globally reachable\n"
    );
}
