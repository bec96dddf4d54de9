//! `hostbound decide` on streams without an end: memory, promptness, readers that leave.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::run::{LOCAL, directory, hostbound, request};

fn spawn(directory: &tempfile::TempDir) -> Child {
    hostbound()
        .current_dir(directory.path())
        .arg("decide")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// 20 MB of requests, good, bad and over-long, in bounded memory.
#[cfg(target_os = "linux")]
#[test]
fn memory_does_not_grow_with_the_stream() {
    let directory = directory(&[("hostbound.toml", LOCAL)]);
    let mut child = spawn(&directory);
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let lines = std::thread::spawn(move || {
        let mut lines = 0_u64;
        let mut line = Vec::new();
        while stdout.read_until(b'\n', &mut line).unwrap() > 0 {
            lines += 1;
            line.clear();
        }
        lines
    });
    let block = format!("{}\n{}\nx\n", request("a", "localhost"), request("b", "evil.test")).repeat(1000);
    let mut written = 0_u64;
    let mut blocks = 0_u64;
    while written < 13_000_000 {
        stdin.write_all(block.as_bytes()).unwrap();
        written += block.len() as u64;
        blocks += 1;
    }
    // One line, longer than any that is kept.
    for _ in 0..7 {
        stdin.write_all(&vec![b'x'; 1_000_000]).unwrap();
    }
    stdin.write_all(b"\n").unwrap();
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    drop(stdin);
    assert_eq!(lines.join().unwrap(), blocks * 3000 + 1);
    assert_eq!(child.wait().unwrap().code(), Some(3));
    assert!(peak < 50_000, "{peak} kB");
}

/// A verdict is there before the next request is.
#[test]
fn nobody_waits_for_a_verdict_that_is_made() {
    let directory = directory(&[("hostbound.toml", LOCAL)]);
    let mut child = spawn(&directory);
    let mut stdin = child.stdin.take().unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let (sender, receiver) = mpsc::channel();
    let reader = std::thread::spawn(move || stdout.lines().for_each(|line| sender.send(line.unwrap()).unwrap()));
    for id in ["first", "second", "third"] {
        writeln!(stdin, "{}", request(id, "localhost")).unwrap();
        let line = receiver.recv_timeout(Duration::from_secs(20)).unwrap();
        assert!(line.starts_with(&format!("{{\"id\":\"{id}\"")), "{line}");
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());
    reader.join().unwrap();
}

/// `hostbound decide | head -1`.
#[test]
fn a_reader_may_leave() {
    let directory = directory(&[("hostbound.toml", LOCAL)]);
    let mut child = spawn(&directory);
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let block = format!("{}\n", request("a", "localhost")).repeat(10_000);
    let writer = std::thread::spawn(move || while stdin.write_all(block.as_bytes()).is_ok() {});
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    drop(stdout);
    assert!(line.starts_with("{\"id\":\"a\",\"decision\":\"allow\""), "{line}");
    let mut words = String::new();
    child.stderr.take().unwrap().read_to_string(&mut words).unwrap();
    assert_eq!((child.wait().unwrap().code(), words.as_str()), (Some(3), ""));
    writer.join().unwrap();
}
