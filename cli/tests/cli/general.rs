//! What all commands share: the policy, the exit codes, colour, help.

use crate::run::{LOCAL, directory, hostbound, run_command, run_in};

#[test]
fn help_lists_the_commands_that_work() {
    let directory = directory(&[]);
    let help = run_in(directory.path(), &["--help"], b"");
    assert_eq!(help.code, 0);
    for command in [
        "check",
        "test",
        "decide",
        "egress",
        "explain",
        "address",
        "compile",
        "public",
        "envoy",
        "schema",
        "completions",
        "man",
    ] {
        assert!(help.stdout.contains(&format!("\n  {command} ")), "{command}");
        let help = run_in(directory.path(), &[command, "--help"], b"");
        assert_eq!((help.code, help.stderr.as_str()), (0, ""), "{command}");
    }
    assert!(help.stdout.contains("3  could not tell"));
    assert_eq!(
        run_in(directory.path(), &["--version"], b"").stdout,
        "hostbound 0.1.0\n"
    );
}

#[test]
fn usage_errors_end_with_2() {
    let directory = directory(&[("hostbound.toml", LOCAL)]);
    for arguments in [
        &[][..],
        &["serve"],
        &["check", "--allow", "no-such-lint"],
        &["decide", "nowhere.jsonl"],
        &["decide", "."],
        &["explain", "http://a/"],
        &["explain", "-H", "a: b"],
        &["explain", "request.json", "--peer", "127.0.0.1"],
        &["explain", "GET", "/", "-H", "no colon"],
        &["explain", "GET", "/", "--peer", "127.0.0.1:80"],
        &["explain", "GET", "http://user@localhost/"],
        &["explain", "GET", "/", "--http", "0.9"],
        &["check", "--format", "xml"],
        &["egress", "nowhere.jsonl"],
        &["address"],
        &["address", "127.1"],
    ] {
        let ran = run_in(directory.path(), arguments, b"");
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(!ran.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn an_unknown_lint_lists_the_known_ones() {
    let directory = directory(&[]);
    let ran = run_in(directory.path(), &["check", "--allow", "no-such-lint"], b"");
    for lint in hostbound::LintId::ALL {
        assert!(ran.stderr.contains(lint.as_str()), "{lint}");
    }
}

#[test]
fn a_missing_policy_is_told_by_every_command() {
    let directory = directory(&[]);
    let want = "hostbound.toml: error[unreadable]: the policy cannot be read: there is no such file; \
                name the policy's file, or change to its directory\n";
    for arguments in [
        &["decide"][..],
        &["explain", "GET", "/"],
        &["test"],
        &["compile"],
        &["public"],
    ] {
        let ran = run_in(directory.path(), arguments, b"");
        assert_eq!(
            (ran.code, ran.stdout.as_str(), ran.stderr.as_str()),
            (2, "", want),
            "{arguments:?}"
        );
    }
    let ran = run_in(directory.path(), &["check"], b"");
    assert_eq!(ran.stdout, format!("{want}hostbound.toml: refused, 1 error\n"));
    assert_eq!((ran.code, ran.stderr.as_str()), (2, ""));
}

#[test]
fn a_policy_that_is_not_utf_8_has_a_line() {
    let directory = directory(&[]);
    std::fs::write(directory.path().join("p.toml"), b"version = 1\n# \xff\n").unwrap();
    let ran = run_in(directory.path(), &["test", "p.toml"], b"");
    assert_eq!(
        ran.stderr,
        "p.toml:2:3: error[syntax]: the byte 0xff is not UTF-8; save the file as UTF-8\n"
    );
    assert_eq!(ran.code, 2);
}

#[test]
fn a_refused_policy_in_json() {
    let directory = directory(&[("p.toml", "version = 1\n[hosts]\nallow = [\"*\"]\n")]);
    for arguments in [
        &["decide", "-p", "p.toml", "--format", "json"][..],
        &["explain", "-p", "p.toml", "--format", "json", "GET", "/"],
        &["test", "--format", "json", "p.toml"],
    ] {
        let ran = run_in(directory.path(), arguments, b"");
        let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        let error = &json["errors"][0];
        assert_eq!(
            (&error["code"], &error["path"]),
            (&"host-too-wide".into(), &"hosts.allow[0]".into())
        );
        assert_eq!((&error["line"], &error["column"]), (&3.into(), &10.into()));
        assert!(error["message"].is_string() && error["fix"].is_string());
        assert_eq!((ran.code, ran.stderr.as_str()), (2, ""));
    }
}

#[test]
fn hosts_are_added_and_said() {
    let directory = directory(&[("hostbound.toml", LOCAL)]);
    let mut command = hostbound();
    command
        .current_dir(directory.path())
        .args([
            "explain",
            "GET",
            "http://abc.ngrok-free.app/",
            "--peer",
            "127.0.0.1",
            "--allow-host",
            "web_1:80",
        ])
        .env("HOSTBOUND_ALLOWED_HOSTS", "abc.ngrok-free.app, localhost,,");
    let ran = run_command(&mut command, b"");
    assert_eq!(ran.code, 0, "{}", ran.stdout);
    assert_eq!(
        ran.stderr,
        "hostbound.toml: allowing also `web_1:80` (--allow-host), `abc.ngrok-free.app` (HOSTBOUND_ALLOWED_HOSTS)\n"
    );
}

#[test]
fn what_cannot_be_added_is_refused() {
    let directory = directory(&[("hostbound.toml", LOCAL)]);
    let ran = run_in(directory.path(), &["decide", "--allow-host", "*.example.com"], b"");
    assert_eq!(
        ran.stderr,
        "hostbound.toml: error[host-malformed]: `*.example.com` of --allow-host is no exact host; list patterns in the policy itself\n"
    );
    assert_eq!(ran.code, 2);
}

#[test]
fn colour_only_where_it_is_wanted() {
    let directory = directory(&[("p.toml", "version = 1\n[hosts]\nallow = []\n")]);
    let colours = |arguments: &[&str], no_color: bool| {
        let mut command = hostbound();
        command.current_dir(directory.path()).args(arguments);
        if no_color {
            command.env("NO_COLOR", "1");
        }
        run_command(&mut command, b"").stdout.contains('\u{1b}')
    };
    assert!(!colours(&["check", "p.toml"], false));
    assert!(!colours(&["check", "p.toml", "--color", "never"], false));
    assert!(colours(&["--color=always", "check", "p.toml"], false));
    assert!(colours(&["check", "p.toml", "--color", "always"], true));
    assert!(colours(&["--help", "--color", "always"], false));
    assert!(!colours(&["--help", "--color", "auto"], false));
}

#[test]
fn scripts_and_pages_are_printed() {
    let directory = directory(&[]);
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let ran = run_in(directory.path(), &["completions", shell], b"");
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{shell}");
        assert!(ran.stdout.contains("allow-host"), "{shell}");
    }
    let ran = run_in(directory.path(), &["man"], b"");
    assert!(
        ran.code == 0 && ran.stdout.contains(".TH hostbound 1"),
        "{}",
        ran.stdout
    );
    let ran = run_in(directory.path(), &["man", "--out-dir", "pages"], b"");
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (0, "", ""));
    for page in [
        "hostbound.1",
        "hostbound-check.1",
        "hostbound-decide.1",
        "hostbound-explain.1",
    ] {
        assert!(directory.path().join("pages").join(page).is_file(), "{page}");
    }
}
