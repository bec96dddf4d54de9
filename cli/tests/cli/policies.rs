//! The shipped policies: clean, tested, and with a schema that is current.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::run::{root, run_in};

/// A policy: its folder, its name there, and its text.
struct Shipped {
    folder: PathBuf,
    name: String,
    text: String,
}

fn policies() -> Vec<Shipped> {
    let mut policies = Vec::new();
    for folder in [directory(), directory().join("envoy")] {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "toml") {
                policies.push(Shipped {
                    folder: folder.clone(),
                    name: path.file_name().unwrap().to_str().unwrap().to_owned(),
                    text: std::fs::read_to_string(path).unwrap(),
                });
            }
        }
    }
    policies.sort_by(|one, other| one.name.cmp(&other.name));
    assert_eq!(policies.len(), 10);
    policies
}

fn directory() -> PathBuf {
    root().join("policies")
}

/// The command in a policy's comments is the one that finds nothing.
#[test]
fn each_passes_check_as_its_comments_say() {
    for Shipped { folder, name, text } in policies() {
        let command = text
            .lines()
            .find_map(|line| line.strip_prefix("# Then: hostbound "))
            .unwrap();
        let (check, test) = command.split_once(" && hostbound ").unwrap();
        for command in [check, test] {
            let arguments: Vec<_> = command.split(' ').collect();
            assert_eq!(arguments.last(), Some(&name.as_str()), "{command}");
            let ran = run_in(&folder, &arguments, b"");
            assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{command}\n{}", ran.stdout);
        }
        let accepted: BTreeSet<_> = check
            .split("--allow ")
            .skip(1)
            .filter_map(|rest| rest.split(' ').next())
            .collect();
        let ran = run_in(&folder, &["check", "--format", "json", &name], b"");
        let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        let found = json["warnings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|warning| warning["code"].as_str().unwrap());
        assert_eq!(accepted, found.collect(), "{name} accepts no more than there is");
    }
}

#[test]
fn each_shows_honest_traffic_and_attacks() {
    for Shipped { folder, name, text } in policies() {
        let schema = text
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("#:schema "))
            .unwrap();
        assert_eq!(
            folder.join(schema).canonicalize().unwrap(),
            directory().join("hostbound.schema.json").canonicalize().unwrap(),
            "{name}"
        );
        assert_eq!(
            text.split_once("# What must not.")
                .map(|(_, rest)| rest.contains("\"allow\"")),
            Some(false),
            "{name}"
        );
        let policy = hostbound::Policy::from_toml(&text, &name).unwrap();
        assert!(
            (12..=25).contains(&policy.cases().len()),
            "{name}: {}",
            policy.cases().len()
        );
        let names: BTreeSet<_> = policy.cases().iter().map(hostbound::Case::name).collect();
        assert_eq!(names.len(), policy.cases().len(), "{name}: names are unique");
        assert!(names.iter().any(|name| name.starts_with("rebinding: ")), "{name}");
    }
}

#[test]
fn the_schema_is_current() {
    let ran = run_in(&directory(), &["schema"], b"");
    let shipped = std::fs::read_to_string(directory().join("hostbound.schema.json")).unwrap();
    assert_eq!(ran.stdout, shipped, "hostbound schema > policies/hostbound.schema.json");
    assert_eq!(ran.code, 0);
}

#[test]
fn the_table_has_each() {
    let readme = std::fs::read_to_string(directory().join("README.md")).unwrap();
    for Shipped { folder, name, .. } in policies() {
        let path = folder.join(&name);
        let path = path.strip_prefix(directory()).unwrap().display();
        assert!(readme.contains(&format!("| [{path}]({path}) |")), "{path}");
    }
}
