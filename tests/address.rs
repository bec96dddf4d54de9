//! What addresses are: `tests/vectors/address.json`, and the tables against a second reading of them, written slowly.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the message")]

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::time::{Duration, Instant};

use hostbound::{
    AddressReport, AddressRules, AddressSpace, METADATA, Nat64Prefix, Network, REGISTRY, Reachability, embedded,
    metadata_service,
};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<std::alloc::System> = &INSTRUMENTED_SYSTEM;

/// How many vectors there are; fewer would be cases lost.
const VECTORS: usize = 607;

// --- The vectors.

fn vectors() -> Map<String, Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/address.json");
    let file: Map<String, Value> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(file["schema"], "hostbound-address-vectors-1");
    file
}

fn cases() -> Vec<Value> {
    vectors()["cases"].as_array().unwrap().clone()
}

fn nat64_of(case: &Value) -> Vec<Nat64Prefix> {
    let prefixes = case["nat64"].as_array().into_iter().flatten();
    prefixes
        .map(|text| Nat64Prefix::parse(text.as_str().unwrap()).unwrap())
        .collect()
}

fn address_of(case: &Value) -> IpAddr {
    address(case["address"].as_str().unwrap())
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap_or_else(|_| panic!("{text} is no address"))
}

#[test]
fn every_report_is_as_wanted() {
    let cases = cases();
    let mut wrong = Vec::new();
    for case in &cases {
        let report = serde_json::to_value(AddressReport::new(address_of(case), &nat64_of(case))).unwrap();
        let mut found = json!({"space": report["space"], "reachable": report["reachable"]});
        if !report["row"].is_null() {
            found["row"] = report["row"]["block"].clone();
        }
        if !report["metadata"].is_null() {
            found["metadata"] = report["metadata"].clone();
        }
        let inner = report["embedded"].as_array().unwrap();
        if !inner.is_empty() {
            found["embedded"] = inner
                .iter()
                .map(|inner| json!([inner["form"], inner["address"]]))
                .collect();
        }
        if found != case["want"] {
            wrong.push(format!(
                "{}: {} {}\n  want  {}\n  found {found}",
                case["id"], case["comment"], case["address"], case["want"]
            ));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(cases.len(), VECTORS);
}

/// Every row of every table is wanted by some vector, and every flag is explained.
#[test]
fn the_vectors_reach_every_row() {
    let file = vectors();
    let cases = file["cases"].as_array().unwrap();
    let set = |pick: &dyn Fn(&Value) -> Vec<String>| cases.iter().flat_map(pick).collect::<BTreeSet<_>>();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let rows = set(&|case| text(&case["want"]["row"]).into_iter().collect());
    assert_eq!(rows, REGISTRY.iter().map(|row| row.block.to_string()).collect());
    let services = set(&|case| text(&case["want"]["metadata"]).into_iter().collect());
    assert_eq!(services, METADATA.iter().map(|row| row.service.to_owned()).collect());
    let forms = set(&|case| {
        let inner = case["want"]["embedded"].as_array().into_iter().flatten();
        inner.filter_map(|inner| text(&inner[0])).collect()
    });
    assert_eq!(forms.len(), 10);
    let flags = set(&|case| case["flags"].as_array().unwrap().iter().filter_map(text).collect());
    assert_eq!(flags, file["notes"].as_object().unwrap().keys().cloned().collect());
    let ids = set(&|case| text(&case["id"]).into_iter().collect());
    assert_eq!(ids.len(), cases.len());
    let addresses: BTreeSet<_> = cases.iter().map(address_of).collect();
    let blocks = AddressSpace::BLOCKS.iter().map(|row| row.block);
    for block in blocks.chain(REGISTRY.iter().map(|row| row.block)) {
        for edge in edges(block) {
            assert!(addresses.contains(&edge), "{block} {edge}");
        }
    }
}

/// A policy of `global` alone is the same judgement, and what it says of a refusal is the report's note.
#[test]
fn the_rules_agree_with_the_report() {
    for case in cases() {
        let (address, nat64) = (address_of(&case), nat64_of(&case));
        let mut rules = AddressRules::new();
        rules.insert_global().unwrap();
        for prefix in &nat64 {
            rules.insert_nat64(*prefix).unwrap();
        }
        let report = AddressReport::new(address, &nat64);
        let found = rules.allows(address);
        assert_eq!(found.is_ok(), report.reachable, "{address}");
        if let Err(refusal) = found {
            // Metadata that some refused form carries is named before the form.
            let carried = refusal.metadata().is_some() && report.metadata.is_none();
            assert!(
                carried || refusal.to_string() == report.note,
                "{refusal}; {}",
                report.note
            );
        }
        assert!(AddressRules::new().allows(address).is_err());
    }
}

// --- A second reading of the registries: ranges, each address compared in full.

/// Not globally reachable; the rows of §7.1 of our reference, typed a second time as ranges.
const DENIED: &[(&str, &str)] = &[
    ("0.0.0.0", "0.255.255.255"),
    ("10.0.0.0", "10.255.255.255"),
    ("100.64.0.0", "100.127.255.255"),
    ("127.0.0.0", "127.255.255.255"),
    ("169.254.0.0", "169.254.255.255"),
    ("172.16.0.0", "172.31.255.255"),
    ("192.0.0.0", "192.0.0.255"),
    ("192.0.2.0", "192.0.2.255"),
    ("192.88.99.0", "192.88.99.255"),
    ("192.168.0.0", "192.168.255.255"),
    ("198.18.0.0", "198.19.255.255"),
    ("198.51.100.0", "198.51.100.255"),
    ("203.0.113.0", "203.0.113.255"),
    ("224.0.0.0", "255.255.255.255"),
    // Unspecified, loopback, IPv4-compatible.
    ("::", "::ffff:ffff"),
    ("::ffff:0:0:0", "::ffff:0:ffff:ffff"),
    ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"),
    ("100::", "100::1:ffff:ffff:ffff:ffff"),
    ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("fe80::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
];

/// The globally reachable parts of those (§7.2).
const EXCEPTIONS: &[(&str, &str)] = &[
    ("192.0.0.9", "192.0.0.10"),
    ("2001:1::1", "2001:1::3"),
    ("2001:3::", "2001:3:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("2001:4:112::", "2001:4:112:ffff:ffff:ffff:ffff:ffff"),
    ("2001:20::", "2001:3f:ffff:ffff:ffff:ffff:ffff:ffff"),
];

/// §7.3, and what else the clouds document.
const SERVICES: &[&str] = &[
    "169.254.169.254",
    "169.254.170.2",
    "169.254.169.253",
    "100.100.100.200",
    "192.0.0.192",
    "168.63.129.16",
    "fd00:ec2::254",
    "fd20:ce::254",
    "169.254.170.23",
    "fd00:ec2::23",
    "169.254.42.42",
    "fd00:42::42",
    "169.254.0.23",
    "fd00:c1::a9fe:a9fe",
    "fe80::a9fe:a9fe",
];

struct Reference {
    denied: Vec<(IpAddr, IpAddr)>,
    exceptions: Vec<(IpAddr, IpAddr)>,
    services: Vec<IpAddr>,
}

impl Reference {
    fn new() -> Self {
        let ranges = |rows: &[(&str, &str)]| rows.iter().map(|(a, b)| (address(a), address(b))).collect();
        Self {
            denied: ranges(DENIED),
            exceptions: ranges(EXCEPTIONS),
            services: SERVICES.iter().map(|text| address(text)).collect(),
        }
    }

    fn is_global(&self, found: IpAddr) -> bool {
        let text = format!("{:032x}", if found.is_ipv6() { number(found) } else { 0 });
        let low = IpAddr::V4(Ipv4Addr::from_bits(u32::from_str_radix(&text[24..], 16).unwrap()));
        if found.is_ipv6() && (text.starts_with(MAPPED) || text.starts_with(WELL_KNOWN)) {
            return self.is_global(low);
        }
        let within = |rows: &[(IpAddr, IpAddr)]| {
            let family = |row: &&(IpAddr, IpAddr)| row.0.is_ipv4() == found.is_ipv4();
            rows.iter().filter(family).any(|(a, b)| *a <= found && found <= *b)
        };
        let isatap = found.is_ipv6() && ["00005efe", "02005efe"].contains(&&text[16..24]);
        !self.services.contains(&found)
            && (within(&self.exceptions) || !within(&self.denied))
            && (!isatap || self.is_global(low))
    }
}

/// The first twelve octets.
const MAPPED: &str = "00000000000000000000ffff";
const WELL_KNOWN: &str = "0064ff9b0000000000000000";

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

fn like(address: IpAddr, bits: u128) -> IpAddr {
    match address {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(bits).unwrap())),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::from_bits(bits)),
    }
}

/// The first and last address of a block, and the neighbours it has.
fn edges(block: Network) -> Vec<IpAddr> {
    let first = block.address();
    let length = if first.is_ipv4() { 32 } else { 128 };
    let top = u128::MAX >> (128 - length);
    let host = top.checked_shr(u32::from(block.prefix())).unwrap_or(0);
    let (low, high) = (number(first), number(first) | host);
    let around = [low.checked_sub(1), Some(low), Some(high), high.checked_add(1)];
    let around = around.into_iter().flatten().filter(|bits| *bits <= top);
    around.map(|bits| like(first, bits)).collect()
}

fn is_global(address: IpAddr) -> bool {
    Reachability::of(address).is_global()
}

#[test]
fn every_edge_is_on_its_side() {
    let reference = Reference::new();
    let mut count = 0;
    let blocks = AddressSpace::BLOCKS.iter().map(|row| row.block);
    for block in blocks.chain(REGISTRY.iter().map(|row| row.block)) {
        for edge in edges(block) {
            assert_eq!(is_global(edge), reference.is_global(edge), "{block}: {edge}");
            count += 1;
        }
    }
    assert!(count > 250, "{count}");
    for text in SERVICES {
        assert!(metadata_service(address(text)).is_some(), "{text}");
    }
    assert_eq!(SERVICES.len(), METADATA.len());
}

/// The first and last address of every IPv4 /16, of every /24 in 192/8 and of every IPv6 /16.
#[test]
fn every_sixteenth_of_the_space_is_on_its_side() {
    let reference = Reference::new();
    for high in 0..=0xffff_u32 {
        for bits in [
            high << 16,
            high << 16 | 0xffff,
            0xc000_0000 | high << 8,
            0xc000_00ff | high << 8,
        ] {
            let address = IpAddr::V4(Ipv4Addr::from_bits(bits));
            assert_eq!(is_global(address), reference.is_global(address), "{address}");
        }
        let (first, rest) = (u128::from(high) << 112, u128::MAX >> 16);
        for bits in [first, first | rest] {
            let address = IpAddr::V6(Ipv6Addr::from_bits(bits));
            assert_eq!(is_global(address), reference.is_global(address), "{address}");
        }
    }
}

// --- The scored list: what other guards were measured with.

/// Addresses that must be refused before a public-only policy: first, last and an inner address of each block, and twelve inner
/// addresses, none of them public, in each embedded form.
fn must_be_refused() -> Vec<IpAddr> {
    let mut list = Vec::new();
    for row in REGISTRY.iter().filter(|row| !row.global) {
        let first = row.block.address();
        let edges: Vec<_> = edges(row.block)
            .into_iter()
            .filter(|edge| row.block.contains(*edge))
            .collect();
        let last = number(edges[edges.len() - 1]);
        list.extend(edges);
        list.push(like(first, number(first) + (last - number(first)) / 3));
    }
    list.retain(|address| !REGISTRY.iter().any(|row| row.global && row.block.contains(*address)));
    for text in NOT_PUBLIC {
        list.extend(embeddings(text.parse().unwrap()));
    }
    list.sort_unstable();
    list.dedup();
    list
}

const NOT_PUBLIC: [&str; 12] = [
    "127.0.0.1",
    "127.255.255.254",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "169.254.170.2",
    "100.64.0.1",
    "100.100.100.200",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
];

/// The address in every form that needs no configuration.
fn embeddings(v4: Ipv4Addr) -> Vec<IpAddr> {
    let inner = u128::from(v4.to_bits());
    let inverted = u128::from(!v4.to_bits());
    let public = u128::from(!Ipv4Addr::new(8, 8, 4, 4).to_bits());
    let at = |prefix: &str| number(address(prefix));
    let local_use = |rest| at("64:ff9b:1::") | (inner >> 16) << 64 | (inner & 0xffff) << 40 | rest;
    let bits = [
        at("::ffff:0:0") | inner,
        at("::ffff:0:0:0") | inner,
        at("64:ff9b::") | inner,
        local_use(0),
        local_use(0x08_0808),
        at("2002::") | inner << 80,
        at("2002:0:0:1::1") | inner << 80,
        at("2001:0:4136:e378:8000:63bf::") | inverted,
        at("2001::8000:63bf:0:0") | inner << 64 | public,
        at("2a00:1450:4001:800:0:5efe::") | inner,
        at("2a00:1450:4001:800:200:5efe::") | inner,
        at("fe80::5efe:0:0") | inner,
    ];
    // `::` and `::1` are addresses of their own.
    let compatible = (inner > 1).then_some(inner);
    let all = bits.into_iter().chain(compatible);
    all.map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits))).collect()
}

/// Addresses that must be allowed.
fn must_be_allowed() -> Vec<IpAddr> {
    let cases = cases();
    let public = cases.iter().filter(|case| case["flags"][0] == "public").map(address_of);
    let neighbours = REGISTRY.iter().flat_map(|row| edges(row.block));
    let reference = Reference::new();
    let neighbours = neighbours.filter(|edge| reference.is_global(*edge));
    let mut list: Vec<_> = public.chain(neighbours).collect();
    list.sort_unstable();
    list.dedup();
    list
}

#[test]
fn the_scored_list_has_no_false_verdict() {
    let mut rules = AddressRules::new();
    rules.insert_global().unwrap();
    let (refused, allowed) = (must_be_refused(), must_be_allowed());
    let false_allows: Vec<_> = refused
        .iter()
        .filter(|a| is_global(**a) || rules.allows(**a).is_ok())
        .collect();
    let false_refusals: Vec<_> = allowed
        .iter()
        .filter(|a| !is_global(**a) || rules.allows(**a).is_err())
        .collect();
    let carried = refused.iter().filter(|a| embedded(**a, &[]).next().is_some()).count();
    println!(
        "false allow {}/{} (embedded {carried}), false refusal {}/{}",
        false_allows.len(),
        refused.len(),
        false_refusals.len(),
        allowed.len()
    );
    assert!(false_allows.is_empty(), "{false_allows:?}");
    assert!(false_refusals.is_empty(), "{false_refusals:?}");
    assert!(refused.len() >= 177 && carried >= 78 && allowed.len() >= 35);
}

// --- For all addresses.

fn any_v4() -> impl Strategy<Value = Ipv4Addr> {
    let blocks: Vec<_> = REGISTRY
        .iter()
        .map(|row| row.block)
        .filter(|block| block.address().is_ipv4())
        .collect();
    let services: Vec<_> = METADATA.iter().map(|row| row.address).filter(IpAddr::is_ipv4).collect();
    let near = (select(blocks), any::<u32>()).prop_map(|(block, noise)| {
        let host = u32::MAX.checked_shr(u32::from(block.prefix())).unwrap_or(0);
        u32::try_from(number(block.address())).unwrap() | noise & host
    });
    let service = select(services).prop_map(|service| u32::try_from(number(service)).unwrap());
    prop_oneof![3 => any::<u32>(), 3 => near, 1 => service].prop_map(Ipv4Addr::from_bits)
}

fn any_v6() -> impl Strategy<Value = Ipv6Addr> {
    let blocks: Vec<_> = REGISTRY
        .iter()
        .map(|row| row.block)
        .filter(|block| block.address().is_ipv6())
        .collect();
    let near = (select(blocks), any::<u128>()).prop_map(|(block, noise)| {
        let host = u128::MAX.checked_shr(u32::from(block.prefix())).unwrap_or(0);
        number(block.address()) | noise & host
    });
    let form = (any_v4(), any::<prop::sample::Index>()).prop_map(|(v4, index)| {
        let all = embeddings(v4);
        number(all[index.index(all.len())])
    });
    prop_oneof![2 => any::<u128>(), 2 => near, 2 => form].prop_map(Ipv6Addr::from_bits)
}

fn any_address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![any_v4().prop_map(IpAddr::V4), any_v6().prop_map(IpAddr::V6)]
}

/// A prefix of one's own, away from every special block.
fn any_nat64() -> impl Strategy<Value = Nat64Prefix> {
    (select(Nat64Prefix::LENGTHS.to_vec()), any::<u128>()).prop_map(|(length, noise)| {
        let bits = (0x2a << 120 | noise >> 8) & !(0xff << 56) & u128::MAX << (128 - u32::from(length));
        Nat64Prefix::parse(&format!("{}/{length}", Ipv6Addr::from_bits(bits))).unwrap()
    })
}

/// RFC 6052 §2.2, octet by octet; what is not the IPv4 address is noise.
fn translate(prefix: Nat64Prefix, v4: Ipv4Addr, noise: u128) -> IpAddr {
    let length = usize::from(prefix.network().prefix()) / 8;
    let mut octets = noise.to_be_bytes();
    octets[..length].copy_from_slice(&number(prefix.network().address()).to_be_bytes()[..length]);
    let mut place = length;
    for octet in v4.octets() {
        if place == 8 {
            place = 9;
        }
        octets[place] = octet;
        place += 1;
    }
    IpAddr::V6(Ipv6Addr::from(octets))
}

#[derive(Clone, Debug)]
enum Entry {
    Global,
    Network(Network),
}

fn any_entry() -> impl Strategy<Value = Entry> {
    let network = (any_address(), any::<u8>()).prop_map(|(address, length)| {
        let longest = if address.is_ipv4() { 32 } else { 128 };
        // Half of them exact.
        let length = u32::from(length) % (longest * 2);
        let mask = u128::MAX.checked_shl(longest.saturating_sub(length)).unwrap_or(0);
        let first = like(address, number(address) & mask);
        Entry::Network(Network::parse(&format!("{first}/{}", length.min(longest))).unwrap())
    });
    prop_oneof![1 => Just(Entry::Global), 4 => network.prop_map(|entry| entry)]
}

/// Contract §7 step 7, word by word.
fn is_listed(entries: &[Entry], address: IpAddr, reference: &Reference) -> bool {
    let exact = |address: IpAddr| {
        let single = Network::parse(&address.to_string()).unwrap();
        entries
            .iter()
            .any(|entry| matches!(entry, Entry::Network(network) if *network == single))
    };
    let listed = entries.iter().any(|entry| match entry {
        Entry::Global => reference.is_global(address),
        Entry::Network(network) => {
            let bits = if network.address().is_ipv4() { 32 } else { 128 } - u32::from(network.prefix());
            network.address().is_ipv4() == address.is_ipv4()
                && number(network.address()).checked_shr(bits) == number(address).checked_shr(bits)
        }
    });
    let carries = std::iter::once(address)
        .chain(embedded(address, &[]).map(|inner| IpAddr::V4(inner.address)))
        .any(|inner| reference.services.contains(&inner));
    exact(address) || listed && !carries
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// What an address carries never makes it more reachable than what it carries.
    #[test]
    fn no_form_reaches_what_its_inside_does_not(v4 in any_v4(), prefix in any_nat64(), noise in any::<u128>()) {
        let inside = is_global(IpAddr::V4(v4));
        for outside in embeddings(v4) {
            prop_assert!(inside || !is_global(outside), "{outside}");
            let found = embedded(outside, &[]).any(|inner| inner.address == v4);
            prop_assert!(found, "{outside} carries {v4}");
        }
        // Those that are decoded are exactly as reachable.
        for prefix in ["::ffff:0:0", "64:ff9b::"] {
            let outside = Ipv6Addr::from_bits(number(address(prefix)) | u128::from(v4.to_bits()));
            prop_assert_eq!(is_global(IpAddr::V6(outside)), inside);
        }
        let outside = translate(prefix, v4, noise);
        prop_assert_eq!(Reachability::through(outside, &[prefix]).is_global(), inside);
    }

    /// No address is refused that no row has, and none is reachable that one has.
    #[test]
    fn addresses_are_as_reachable_as_the_reference_says(found in any_address()) {
        let reference = Reference::new();
        prop_assert_eq!(is_global(found), reference.is_global(found));
    }

    /// In 2000::/3 the rows alone refuse.
    #[test]
    fn global_unicast_is_reachable(noise in any::<u128>()) {
        let found = IpAddr::V6(Ipv6Addr::from_bits(noise >> 3 | 1 << 125));
        let row = REGISTRY.iter().any(|row| row.block.contains(found));
        let isatap = embedded(found, &[]).next().is_some();
        prop_assert!(row || isatap || is_global(found));
    }

    /// A list allows what is listed and nothing else, in every form.
    #[test]
    fn a_list_allows_what_is_listed(
        entries in prop::collection::vec(any_entry(), 0..6),
        others in prop::collection::vec(any_address(), 4),
        prefix in any_nat64(),
        noise in any::<u128>(),
    ) {
        let reference = Reference::new();
        let mut rules = AddressRules::new();
        rules.insert_nat64(prefix).unwrap();
        for entry in &entries {
            // A covered entry changes nothing: it is left out here and stays in the list that is read slowly.
            let _covered = match entry {
                Entry::Global => rules.insert_global(),
                Entry::Network(network) => rules.insert(*network),
            };
        }
        let mut addresses = others;
        for entry in &entries {
            let Entry::Network(network) = entry else { continue };
            addresses.extend(edges(*network));
        }
        for found in addresses.clone() {
            let IpAddr::V4(v4) = found else { continue };
            addresses.extend(embeddings(v4));
            addresses.push(translate(prefix, v4, noise));
        }
        for found in addresses {
            let inner = embedded(found, &[prefix]).find(|inner| inner.form.is_decoded());
            let judged = inner.map_or(found, |inner| IpAddr::V4(inner.address));
            let want = is_listed(&entries, judged, &reference);
            prop_assert_eq!(rules.allows(found).is_ok(), want, "{} in {:?}", found, entries);
        }
    }

    /// The space is that of the first row, whatever rows follow; a mapped address is where its inside is.
    #[test]
    fn a_mapped_address_is_in_the_space_of_its_inside(v4 in any_v4()) {
        let mapped = IpAddr::V6(v4.to_ipv6_mapped());
        prop_assert_eq!(AddressSpace::of(mapped), AddressSpace::of(IpAddr::V4(v4)));
    }
}

// --- Cost.

/// Judging allocates nothing. Other tests allocate meanwhile, so the least of many tries counts.
#[test]
fn judging_allocates_nothing() {
    let mut rules = AddressRules::new();
    rules.insert_global().unwrap();
    rules.insert_nat64(Nat64Prefix::parse("2a00:64::/32").unwrap()).unwrap();
    for text in ["10.0.0.0/8", "fd00::/8", "192.168.7.0/24", "169.254.169.254"] {
        rules.insert(Network::parse(text).unwrap()).unwrap();
    }
    for text in [
        "8.8.8.8",
        "127.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "2a00:64:a00:1::",
        "2a00::5efe:a00:1",
        "fd00::1",
        "2002::",
    ] {
        let address = address(text);
        let least = (0..20_000).map(|_| {
            let region = Region::new(ALLOCATOR);
            let _verdicts = std::hint::black_box((
                rules.allows(address),
                Reachability::of(address),
                AddressSpace::of(address),
            ));
            region.change().allocations
        });
        assert_eq!(least.min(), Some(0), "{text}");
    }
}

/// A list of ten thousand networks takes the time of ten.
#[test]
fn judging_takes_bounded_time() {
    let mut rules = AddressRules::new();
    for index in 0..10_000_u32 {
        let network = Ipv4Addr::from_bits(0x0a00_0000 | index << 8);
        rules.insert(Network::parse(&format!("{network}/24")).unwrap()).unwrap();
    }
    let start = Instant::now();
    for index in 0..10_000_u32 {
        let inside = Ipv4Addr::from_bits(0x0a00_0001 | index << 8);
        assert!(rules.allows(IpAddr::V4(inside)).is_ok());
    }
    assert!(rules.allows(address("10.255.0.1")).is_err());
    // Generous: debug builds on a busy machine. Ten thousand times ten thousand comparisons would take longer.
    assert!(start.elapsed() < Duration::from_secs(5));
}
