//! The files of the page, read once.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;

use hyper::body::Bytes;

/// Files of a folder above which it is taken for another than the page's.
const MAX_FILES: usize = 500;
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// A file and what it is.
#[derive(Clone, Debug)]
pub(super) struct File {
    pub(super) kind: &'static str,
    pub(super) bytes: Bytes,
}

/// The files by their paths, which begin with a slash.
#[derive(Debug, Default)]
pub(super) struct Files(HashMap<String, File>);

impl Files {
    /// # Errors
    ///
    /// When the folder cannot be read, holds too much, or is not the page's.
    pub(super) fn read(folder: &Path) -> io::Result<Self> {
        let mut files = Self::default();
        let mut left = MAX_BYTES;
        files
            .add(folder, "", &mut left)
            .map_err(|error| io::Error::other(format!("the page in {}: {error}", folder.display())))?;
        if files.get("/").is_none() {
            return Err(io::Error::other(format!("{} has no index.html", folder.display())));
        }
        Ok(files)
    }

    fn add(&mut self, folder: &Path, below: &str, left: &mut u64) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with('.') {
                continue;
            }
            let path = format!("{below}/{name}");
            let kind = entry.file_type()?;
            if kind.is_dir() {
                self.add(&entry.path(), &path, left)?;
            } else if kind.is_file() {
                let bytes = fs::read(entry.path())?;
                *left = left
                    .checked_sub(bytes.len() as u64)
                    .filter(|_| self.0.len() < MAX_FILES)
                    .ok_or_else(|| io::Error::other("it holds more than a page"))?;
                let file = File {
                    kind: kind_of(&name),
                    bytes: bytes.into(),
                };
                self.0.insert(path, file);
            }
        }
        Ok(())
    }

    /// The file at a path of a URL; `/` is the page.
    pub(super) fn get(&self, path: &str) -> Option<&File> {
        self.0.get(if path == "/" { "/index.html" } else { path })
    }
}

fn kind_of(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("json") => "application/json",
        Some("svg") => "image/svg+xml",
        Some("wasm") => "application/wasm",
        _ => "application/octet-stream",
    }
}
