//! The documents say what is so: their policies compile, their snippets are those that are tested, their links lead somewhere.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the message")]

use std::path::{Path, PathBuf};

use hostbound::Policy;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The fenced blocks of a language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    text.split(&fence)
        .skip(1)
        .map(|rest| rest.split("\n```").next().unwrap().to_owned())
        .collect()
}

/// Whole policies compile as they stand; pieces of one compile inside the smallest policy that they fit.
#[test]
fn policies_in_the_documents_compile() {
    let mut count = 0_usize;
    for page in ["README.md", "bindings/node/README.md"] {
        for block in blocks(&read(page), "toml") {
            let policy = if block.starts_with("version = 1") {
                block
            } else {
                format!("version = 1\n[hosts]\nallow = [\"localhost\"]\n{block}")
            };
            if let Err(errors) = Policy::from_toml(&policy, page) {
                panic!("{errors}\n{policy}");
            }
            count += 1;
        }
    }
    assert!(count >= 4, "{count} policies");
}

/// The five lines of the README are those that the tests of the Node package run.
#[test]
fn the_snippet_is_the_one_that_is_tested() {
    let tested = blocks(&read("bindings/node/README.md"), "js");
    let blocks = blocks(&read("README.md"), "js");
    assert!(!blocks.is_empty());
    for block in blocks {
        assert!(tested.contains(&block), "not in bindings/node/README.md:\n{block}");
    }
}

/// What the README shows of Envoy is what the tests of the guide run.
#[test]
fn the_lines_for_envoy_are_those_that_are_tested() {
    let (readme, guide) = (read("README.md"), read("docs/envoy.md"));
    let section = readme
        .split("\n## ")
        .find(|section| section.starts_with("Guard what Envoy"))
        .unwrap();
    for language in ["sh", "yaml"] {
        let [shown] = &blocks(section, language)[..] else {
            panic!("one block of {language}")
        };
        assert!(
            blocks(&guide, language).contains(shown),
            "not in docs/envoy.md:\n{shown}"
        );
    }
}

#[test]
fn links_lead_somewhere() {
    for page in [
        "README.md",
        "ARCHITECTURE.md",
        "SECURITY.md",
        "CHANGELOG.md",
        "docs/browser-guard.md",
        "docs/envoy.md",
        "docs/lab.md",
        "docs/rebind-times.md",
        "bindings/node/README.md",
        "policies/README.md",
    ] {
        let text = read(page);
        let folder = root().join(page).parent().unwrap().to_owned();
        for target in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            if !target.contains("://") && !target.starts_with('#') {
                let path = target.split('#').next().unwrap();
                assert!(folder.join(path).exists(), "{page} links to {target}");
            }
        }
    }
}

/// Every file that the code map names is there.
#[test]
fn the_code_map_is_true() {
    let text = read("ARCHITECTURE.md");
    let map = text.split("## Code map").nth(1).unwrap().split("\n## ").next().unwrap();
    for row in map.lines().filter(|line| line.starts_with("| `")) {
        let cell = row.split('|').nth(1).unwrap();
        let first = cell.split('`').nth(1).unwrap();
        assert!(first.contains('{') || root().join(first).exists(), "{first}");
    }
}
