//! `hostbound compile`.

use serde_json::Value;

use crate::run::{LOCAL, directory, request, run_in};

#[test]
fn what_is_compiled_decides_alike() {
    let requests = format!("{}\n{}\n", request("a", "localhost"), request("b", "evil.test"));
    let directory = directory(&[("p.toml", LOCAL)]);
    let compiled = run_in(directory.path(), &["compile", "p.toml", "-o", "p.json"], b"");
    assert_eq!(
        (compiled.code, compiled.stdout.as_str(), compiled.stderr.as_str()),
        (0, "", "")
    );
    let decide = |policy| run_in(directory.path(), &["decide", "--policy", policy], requests.as_bytes());
    let from_toml = decide("p.toml");
    assert_eq!(from_toml, decide("p.json"));
    let verdict: Value = serde_json::from_str(from_toml.stdout.lines().next().unwrap()).unwrap();
    assert_eq!(
        verdict["policy"],
        hostbound::Policy::from_toml(LOCAL, "").unwrap().digest()
    );
    let printed = run_in(directory.path(), &["compile", "p.toml"], b"").stdout;
    assert_eq!(
        printed,
        std::fs::read_to_string(directory.path().join("p.json")).unwrap()
    );
    let again = run_in(directory.path(), &["compile", "p.json"], b"").stdout;
    assert_eq!(printed, again);
}

#[test]
fn a_refused_policy_leaves_the_old_file() {
    let directory = directory(&[("p.toml", "version = 1\n[hosts]\nallow = [\"*\"]\n"), ("p.json", "old")]);
    let ran = run_in(directory.path(), &["compile", "p.toml", "-o", "p.json"], b"");
    assert!(ran.stderr.starts_with("error[host-too-wide]: "), "{}", ran.stderr);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""));
    assert_eq!(std::fs::read_to_string(directory.path().join("p.json")).unwrap(), "old");
    let ran = run_in(directory.path(), &["compile", "p.toml", "-o", "new.json"], b"");
    assert_eq!((ran.code, directory.path().join("new.json").exists()), (2, false));
}

#[test]
fn a_file_is_replaced_and_nothing_left_behind() {
    let directory = directory(&[("p.toml", LOCAL), ("p.json", "old")]);
    assert_eq!(
        run_in(directory.path(), &["compile", "p.toml", "-o", "p.json"], b"").code,
        0
    );
    let mut names: Vec<_> = std::fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["p.json", "p.toml"]);
    let ran = run_in(directory.path(), &["compile", "p.toml", "-o", "nowhere/p.json"], b"");
    assert_eq!(
        (ran.code, ran.stderr.as_str()),
        (
            2,
            "error: nowhere/p.json cannot be written: there is no such directory\n"
        )
    );
}

/// Others must be able to read it: the service that it is for runs under another name.
#[cfg(unix)]
#[test]
fn a_new_file_has_the_usual_permissions() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let directory = directory(&[("p.toml", LOCAL)]);
    let path = |name: &str| directory.path().join(name);
    std::fs::write(path("usual"), "").unwrap();
    let mode = |name: &str| std::fs::metadata(path(name)).unwrap().permissions().mode() & 0o777;
    run_in(directory.path(), &["compile", "p.toml", "-o", "p.json"], b"");
    assert_eq!(mode("p.json"), mode("usual"));
    std::fs::set_permissions(path("p.json"), std::fs::Permissions::from_mode(0o640)).unwrap();
    symlink("p.json", path("link.json")).unwrap();
    run_in(directory.path(), &["compile", "p.toml", "-o", "link.json"], b"");
    assert_eq!(mode("p.json"), 0o640);
    assert!(std::fs::symlink_metadata(path("link.json")).unwrap().is_symlink());
    assert_eq!(
        run_in(directory.path(), &["compile", "p.toml", "-o", "/dev/null"], b"").code,
        0
    );
    assert!(!std::fs::metadata("/dev/null").unwrap().is_file());
}
