//! The packages as users get them, in `dist/`: the command's archive, the npm package, the Envoy filter as a module and as an image, the digests;
//! and the proof that they install as the README says.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::process::{self, Run};
use crate::setup::{self, read, sha256};
use crate::{cargo, doctor, envoy, node, oci, www};

const VERSION: &str = env!("CARGO_PKG_VERSION");
const SUMS: &str = "SHA256SUMS";

/// The shells that the command writes completions for, and what each calls such a file.
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "completions/hostbound.bash"),
    ("zsh", "completions/_hostbound"),
    ("fish", "completions/hostbound.fish"),
];

/// Makes the packages and lists them.
///
/// # Errors
///
/// When something is missing or cannot be built.
pub(crate) fn make() -> Result<()> {
    setup::ensure(&setup::BUILD)?;
    cargo::build_all()?;
    let folder = folder();
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut names = vec![archive(&folder)?, node::pack(&folder)?];
    names.extend(filter(&folder)?);
    names.sort();

    let mut sums = String::new();
    for name in &names {
        let bytes = read(&folder.join(name))?;
        sums.push_str(&format!("{}  {name}\n", sha256(&bytes)));
        println!("{:>9} bytes  dist/{name}", bytes.len());
    }
    write(&folder.join(SUMS), sums.as_bytes())?;
    println!("{:>9} bytes  dist/{SUMS}", sums.len());
    Ok(())
}

/// Verifies the digests, then does in an empty folder beside `dist` what the README says, line by line, and uses what that installed.
///
/// # Errors
///
/// When one of the packages is not what it should be.
pub(crate) fn check() -> Result<()> {
    verify(&folder())?;
    let [name, image] = filter_names();
    let module = read(&folder().join(&name))?;
    ensure!(
        oci::unpack(&read(&folder().join(&image))?)? == module,
        "dist/{image} holds another module than dist/{name}"
    );
    let readme = String::from_utf8(read(&process::root().join("README.md"))?)?;
    let scratch = std::env::temp_dir().join(format!("hostbound-dist-{}", std::process::id()));
    fs::create_dir(&scratch).with_context(|| format!("cannot make {}", scratch.display()))?;
    let outcome = install(&readme, &scratch)
        .and_then(|()| use_installed(&readme, &scratch))
        .and_then(|()| load_filter(&scratch))
        .and_then(|()| show_page(&scratch));
    fs::remove_dir_all(&scratch).with_context(|| format!("cannot remove {}", scratch.display()))?;
    outcome?;
    println!("dist/: digests verified, packages installed as the README says, and used");
    Ok(())
}

/// The Envoy filter, as it is and as an image.
fn filter(folder: &Path) -> Result<[String; 2]> {
    let module = read(&envoy::module())?;
    let [name, image] = filter_names();
    write(&folder.join(&name), &module)?;
    write(&folder.join(&image), &oci::pack(&module, VERSION)?)?;
    Ok([name, image])
}

fn filter_names() -> [String; 2] {
    ["wasm", "oci.tar"].map(|extension| format!("hostbound-envoy-{VERSION}.{extension}"))
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

fn folder() -> PathBuf {
    process::root().join("dist")
}

/// The command with its completions, manual page and licences, and the self-test page.
fn archive(folder: &Path) -> Result<String> {
    let command = cargo::build_command()?;
    let top = format!("hostbound-{VERSION}-{}", host()?);
    let name = format!("{top}.tar.gz");
    let path = folder.join(&name);
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    let mut archive = tar::Builder::new(GzEncoder::new(file, Compression::best()));

    let mut add = |name: &str, mode: u32, bytes: &[u8]| -> Result<()> {
        // No owner and no time: the same inputs give the same archive.
        let mut header = tar::Header::new_gnu();
        header.set_size(u64::try_from(bytes.len())?);
        header.set_mode(mode);
        Ok(archive.append_data(&mut header, format!("{top}/{name}"), bytes)?)
    };
    add("hostbound", 0o755, &read(&command)?)?;
    for (shell, name) in COMPLETIONS {
        let text = Run::new(&command).args(["completions", shell]).capture()?;
        add(name, 0o644, text.as_bytes())?;
    }
    let page = Run::new(&command).arg("man").capture()?;
    add("man/hostbound.1", 0o644, page.as_bytes())?;
    for name in ["LICENSE-APACHE", "LICENSE-MIT", "README.md"] {
        add(name, 0o644, &read(&process::root().join(name))?)?;
    }
    // Where `hostbound lab page` looks for it.
    for path in www::files()? {
        add(&path, 0o644, &read(&process::root().join(&path))?)?;
    }
    archive.into_inner()?.finish()?;
    Ok(name)
}

/// The platform that this compiler builds for.
fn host() -> Result<String> {
    let said = Run::new("rustc").arg("-vV").capture()?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("`rustc -vV` names no host")?.to_owned())
}

/// Holds the files against `SHA256SUMS` and hands back their names.
fn verify(folder: &Path) -> Result<Vec<String>> {
    let sums = String::from_utf8(read(&folder.join(SUMS))?)?;
    let mut names = Vec::new();
    for line in sums.lines() {
        let (wanted, name) = line
            .split_once("  ")
            .with_context(|| format!("`{line}` in {SUMS} is no digest and name"))?;
        let found = sha256(&read(&folder.join(name))?);
        ensure!(found == wanted, "dist/{name} has another digest than {SUMS} says");
        names.push(name.to_owned());
    }
    ensure!(!names.is_empty(), "{SUMS} names no file");
    Ok(names)
}

/// Runs the README's install lines.
fn install(readme: &str, scratch: &Path) -> Result<()> {
    let section = readme
        .split_once("<!-- install:")
        .context("the README marks no install lines")?
        .1;
    let lines = block(section, "sh")?;
    std::os::unix::fs::symlink(folder(), scratch.join("dist"))?;
    for line in lines.lines() {
        Run::new("bash")
            .args(["-euo", "pipefail", "-c", line])
            .dir(scratch)
            .run()?;
    }
    Ok(())
}

/// The README's policy, held against a rebound name by the installed command and by the installed npm package.
fn use_installed(readme: &str, scratch: &Path) -> Result<()> {
    fs::write(scratch.join("hostbound.toml"), block(readme, "toml")?)?;
    let said = Run::new("./hostbound").arg("--version").dir(scratch).capture()?;
    ensure!(
        said.contains(VERSION),
        "`hostbound --version` says `{}`, not {VERSION}",
        said.trim()
    );
    Run::new("./hostbound").arg("check").dir(scratch).run()?;
    let script = "import { Guard, Policy } from 'hostbound'
        import 'hostbound/node'
        const guard = new Guard(await Policy.fromFile('hostbound.toml'))
        const judged = (host) => guard.decide({ method: 'GET', target: '/', headers: [['host', host]] }).status
        console.log(judged('localhost:8080'), judged('evil.test'))";
    let said = Run::new("node")
        .args(["--input-type=module", "--eval", script])
        .dir(scratch)
        .capture()?;
    ensure!(
        said.trim() == "200 421",
        "the npm package judges `{}`, not `200 421`",
        said.trim()
    );
    Ok(())
}

/// The filter with the README's policy, validated by Envoy.
fn load_filter(scratch: &Path) -> Result<()> {
    let [name, _] = filter_names();
    let module = folder().join(&name).display().to_string();
    let words = [
        "envoy",
        "--form",
        "bootstrap",
        "--out",
        "envoy.json",
        "--module",
        module.as_str(),
    ];
    Run::new("./hostbound").args(words).dir(scratch).run()?;
    let Some(envoy) = setup::installed_envoy()? else {
        println!("dist/{name}: not loaded, since there is no Envoy here; `cargo xtask test` installs one");
        return Ok(());
    };
    let words = [
        "--mode",
        "validate",
        "--config-path",
        "envoy.json",
        "--log-level",
        "error",
    ];
    Run::new(envoy).args(words).dir(scratch).run()
}

/// The self-test page, found beside the installed command and shown by it.
fn show_page(scratch: &Path) -> Result<()> {
    if doctor::chromium().is_none() {
        println!("the self-test page: not shown, since there is no Chromium here; `cargo xtask test` installs one");
        return Ok(());
    }
    let words = [
        "lab",
        "page",
        "--no-guard",
        "--headless",
        "--remote-debugging-port",
        "0",
    ];
    println!("$ (cd {} && ./hostbound {})", scratch.display(), words.join(" "));
    let mut command = Command::new("./hostbound")
        .args(words)
        .current_dir(scratch)
        .stdout(Stdio::piped())
        .spawn()
        .context("./hostbound does not start")?;
    let mut said = String::new();
    if let Some(stdout) = command.stdout.take() {
        BufReader::new(stdout).read_line(&mut said)?;
    }
    // It ends with its window, which nobody closes.
    command.kill()?;
    command.wait()?;
    ensure!(
        said.starts_with("remote debugging at "),
        "`hostbound lab page` shows no page"
    );
    Ok(())
}

/// The first fenced block of a language.
fn block(text: &str, language: &str) -> Result<String> {
    let (_, rest) = text
        .split_once(&format!("```{language}\n"))
        .with_context(|| format!("the README has no {language} block where one is expected"))?;
    Ok(rest.split("```").next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_file_is_noticed() {
        let folder = std::env::temp_dir().join(format!("hostbound-sums-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("a.tgz"), "abc").unwrap();
        fs::write(folder.join(SUMS), format!("{}  a.tgz\n", sha256(b"abc"))).unwrap();
        let good = verify(&folder);
        fs::write(folder.join("a.tgz"), "abd").unwrap();
        let changed = verify(&folder);
        fs::write(folder.join(SUMS), "").unwrap();
        let empty = verify(&folder);
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(good.unwrap(), ["a.tgz"]);
        assert!(changed.is_err());
        assert!(empty.is_err());
    }
}
