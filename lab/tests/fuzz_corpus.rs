//! Replays the corpus of the fuzz target `dns`, which `cargo xtask fuzz` runs live.

#[path = "../../fuzz/dns.rs"]
mod target;

use std::path::Path;

/// Among the seeds are questions that are answered with records.
#[test]
fn dns_corpus() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/dns");
    let mut count = 0;
    let mut answered = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        count += 1;
        answered += usize::from(target::dns(&std::fs::read(entry.unwrap().path()).unwrap()));
    }
    assert!(count >= 10, "{} has {count} seeds", folder.display());
    assert!(answered >= 10, "{answered} of {count}");
}
