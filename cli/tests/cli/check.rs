//! `hostbound check`: what it prints, word for word.

use serde_json::{Value, json};

use crate::run::{LOCAL, Ran, directory, run_in};

fn check(policy: &str, arguments: &[&str]) -> Ran {
    let directory = directory(&[("p.toml", policy)]);
    run_in(directory.path(), &[&["check", "p.toml"], arguments].concat(), b"")
}

fn digest(policy: &str) -> String {
    hostbound::Policy::from_toml(policy, "p.toml")
        .unwrap()
        .digest()
        .to_owned()
}

#[test]
fn a_clean_policy() {
    let ran = check(LOCAL, &[]);
    assert_eq!(ran.stdout, format!("p.toml: ok, {}, 2 hosts, 0 cases\n", digest(LOCAL)));
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
}

#[test]
fn a_mistake_stands_under_its_line() {
    let ran = check("version = 1\n[hosts]\nallow = [\"localhost\", \"*.com\"]\n", &[]);
    assert_eq!(
        ran.stdout,
        "\
error[host-too-wide]: `*.com` covers names that nobody in particular owns
 --> p.toml:3:23
  |
3 | allow = [\"localhost\", \"*.com\"]
  |                       ^^^^^^^ hosts.allow[1]
  |
  = help: list the names that the service answers as

p.toml: refused, 1 error
"
    );
    assert_eq!((ran.code, ran.stderr.as_str()), (2, ""));
}

#[test]
fn a_syntax_error_stands_under_its_line() {
    let ran = check("version = 1\n[hosts\nallow = [\"localhost\"]\n", &[]);
    assert!(ran.stdout.starts_with("error[syntax]: "), "{}", ran.stdout);
    assert!(
        ran.stdout
            .contains(" --> p.toml:2:7\n  |\n2 | [hosts\n  |       ^\n\np.toml: refused, 1 error\n"),
        "{}",
        ran.stdout
    );
    assert_eq!(ran.code, 2);
}

/// A mistake is shown in its line, wherever the line stands and whatever stands in it.
#[test]
fn any_place_can_be_shown() {
    for (text, place, line) in [
        ("", "p.toml:1:1", "1 |"),
        ("\u{feff}", "p.toml:1:1", "1 |"),
        (
            "version = 1\r\n[hosts]\r\nallow = [\"*\"]\r\n",
            "p.toml:3:10",
            "3 | allow = [\"*\"]\n",
        ),
        (
            "version = 1\n[hosts]\nallow = [\n  \"b\u{fc}cher.example\",\n]",
            "p.toml:4:3",
            "4 |   \"b\u{fc}cher.example\",\n",
        ),
        (
            "version = 1\n[hosts]\nallow = [\"\u{fc}\", \"*\"]",
            "p.toml:3:15",
            "3 | allow = [\"\u{fc}\", \"*\"]\n",
        ),
        (
            "version = 1\nhosts = { allow = [\n] }",
            "p.toml:2:19",
            "2 | hosts = { allow = [\n",
        ),
        (
            "version = 1\n[hosts]\nallow = [\"localhost\"]\nextra = \"",
            "p.toml:4:10",
            "4 | extra = \"\n",
        ),
    ] {
        let ran = check(text, &[]);
        assert!(
            ran.stdout.contains(&format!("--> {place}\n")),
            "{text:?}\n{}",
            ran.stdout
        );
        assert!(ran.stdout.contains(line), "{text:?}\n{}", ran.stdout);
        assert_eq!((ran.code, ran.stderr.as_str()), (2, ""));
    }
}

/// Minified JSON is one long line.
#[test]
fn a_long_line_is_not_shown() {
    let hosts = "\"a\",".repeat(2000);
    let policy = format!("{{\"version\":1,\"hosts\":{{\"allow\":[\"*\",{hosts}\"b\"]}}}}");
    let ran = check(&policy, &[]);
    let first = ran.stdout.lines().next().unwrap();
    assert!(
        first.starts_with("p.toml:1:32: error[host-too-wide]: hosts.allow[0]: `*` "),
        "{first}"
    );
    assert!(
        ran.stdout.len() < 20_000 && ran.stdout.ends_with("p.toml: refused, 100 errors\n"),
        "{}",
        ran.stdout
    );
    assert_eq!(ran.code, 2);
}

#[test]
fn a_policy_moves_no_cursor() {
    let ran = check(
        "version = 1\n[hosts]\nallow = [\"\\u001b[2J\"]\n\"\\u001b[31m\" = 1\n# \u{202e}\n",
        &[],
    );
    assert!(!ran.stdout.contains('\u{1b}'), "{}", ran.stdout);
    assert!(ran.stdout.contains("\\u{1b}[31m"), "{}", ran.stdout);
}

const WEAK: &str =
    "version = 1\n[hosts]\nallow = [\"localhost\", \"*.github.io\", \"*.example.com\"]\n[origins]\ncheck = \"off\"\n";

#[test]
fn a_weak_choice_is_a_warning() {
    let ran = check(WEAK, &["--allow", "origin-check-off"]);
    assert_eq!(
        ran.stdout,
        format!(
            "\
warning[host-public-suffix]: `*.github.io` has names that belong to different owners
 --> p.toml:3:23
  |
3 | allow = [\"localhost\", \"*.github.io\", \"*.example.com\"]
  |                       ^^^^^^^^^^^^^ hosts.allow[1]
  |
  = help: list the names that are yours

p.toml: 1 warning, 1 warning allowed by --allow, {}, 3 hosts, 0 cases
",
            digest(WEAK)
        )
    );
    assert_eq!((ran.code, ran.stderr.as_str()), (1, ""));
}

#[test]
fn allowed_warnings_are_silent() {
    let ran = check(WEAK, &["--allow", "origin-check-off", "--allow", "host-public-suffix"]);
    let want = format!(
        "p.toml: ok, 2 warnings allowed by --allow, {}, 3 hosts, 0 cases\n",
        digest(WEAK)
    );
    assert_eq!((ran.code, ran.stdout), (0, want));
}

#[test]
fn json_has_everything() {
    let directory = directory(&[("ok.toml", LOCAL), ("weak.toml", WEAK), ("bad.toml", "version = 1\n")]);
    let ran = run_in(
        directory.path(),
        &[
            "check",
            "--format",
            "json",
            "ok.toml",
            "weak.toml",
            "bad.toml",
            "no.toml",
        ],
        b"",
    );
    let lines: Vec<Value> = ran
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        lines[0],
        json!({"file": "ok.toml", "policy": digest(LOCAL), "errors": [], "warnings": [], "allowed": 0, "replay": []})
    );
    assert_eq!(lines[1]["warnings"][0]["code"], "host-public-suffix");
    assert_eq!(lines[1]["warnings"][1]["path"], "origins.check");
    assert_eq!(lines[2]["policy"], Value::Null);
    assert_eq!(lines[2]["errors"][0]["code"], "key-missing");
    assert_eq!(lines[3]["errors"][0]["code"], "unreadable");
    assert_eq!(lines[3]["errors"][0]["line"], Value::Null);
    assert_eq!((ran.code, ran.stderr.as_str()), (2, ""));
}

/// The text is gone; its lines are not.
#[test]
fn a_compiled_policy_names_the_lines_of_its_source() {
    let directory = directory(&[("p.toml", LOCAL)]);
    let compiled = run_in(directory.path(), &["compile", "p.toml"], b"").stdout;
    std::fs::write(directory.path().join("p.json"), compiled.replace("127.0.0.1", "*.com")).unwrap();
    let ran = run_in(directory.path(), &["check", "p.json"], b"");
    assert_eq!(
        ran.stdout,
        "p.toml:3:23: error[host-too-wide]: hosts.allow[1]: `*.com` covers names that nobody in particular owns; \
         list the names that the service answers as\np.json: refused, 1 error\n"
    );
    assert_eq!(ran.code, 2);
}
