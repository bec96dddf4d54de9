//! The Envoy filter as an image that registries keep and Istio and Envoy Gateway fetch: an OCI image layout in one tar.
//!
//! Source: OCI image specification 1.1; solo-io/wasm, `spec/spec-compat.md`: one layer of an ordinary type, in it `plugin.wasm` alone, and an annotation.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use anyhow::{Context, Result, ensure};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::setup::sha256;

const LAYOUT: &str = "oci-layout";
const INDEX: &str = "index.json";
const BLOBS: &str = "blobs/sha256/";
const PLUGIN: &str = "plugin.wasm";
const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";
const LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const VARIANT: (&str, &str) = ("module.wasm.image/variant", "compat");

/// The tar of an image layout with this module. The same module gives the same bytes.
///
/// # Errors
///
/// When it cannot be packed.
pub(crate) fn pack(module: &[u8], version: &str) -> Result<Vec<u8>> {
    let files = tar_of(&BTreeMap::from([(PLUGIN.to_owned(), module.to_vec())]))?;
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(&files)?;
    let layer = gzip.finish()?;
    let config = to_bytes(&json!({
        "architecture": "wasm",
        // Registries want one. The module calls no operating system.
        "os": "wasip1",
        "config": {},
        "rootfs": { "type": "layers", "diff_ids": [digest(&files)] },
    }))?;
    let manifest = to_bytes(&json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": descriptor(CONFIG_TYPE, &config),
        "layers": [descriptor(LAYER_TYPE, &layer)],
        "annotations": {
            VARIANT.0: VARIANT.1,
            "org.opencontainers.image.title": "hostbound",
            "org.opencontainers.image.version": version,
            "org.opencontainers.image.licenses": "MIT OR Apache-2.0",
        },
    }))?;
    let mut described = descriptor(MANIFEST_TYPE, &manifest);
    described["annotations"] = json!({ "org.opencontainers.image.ref.name": version });
    let index = to_bytes(&json!({ "schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [described] }))?;
    let mut layout = BTreeMap::from([
        (LAYOUT.to_owned(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec()),
        (INDEX.to_owned(), index),
    ]);
    for blob in [config, layer, manifest] {
        layout.insert(format!("{BLOBS}{}", sha256(&blob)), blob);
    }
    tar_of(&layout)
}

/// The module in the tar of an image layout, after every digest and size in it has been verified.
///
/// # Errors
///
/// When it is no such layout, or something in it is not what it says.
pub(crate) fn unpack(tar: &[u8]) -> Result<Vec<u8>> {
    let mut layout = files_of(tar)?;
    let version: Value = serde_json::from_slice(layout.get(LAYOUT).context("there is no oci-layout")?)?;
    ensure!(
        version["imageLayoutVersion"] == "1.0.0",
        "the layout has another version than 1.0.0"
    );
    let index: Value = serde_json::from_slice(layout.get(INDEX).context("there is no index.json")?)?;
    let manifest = blob(&mut layout, only(&index["manifests"])?, MANIFEST_TYPE)?;
    let manifest: Value = serde_json::from_slice(&manifest)?;
    ensure!(
        manifest["annotations"][VARIANT.0] == VARIANT.1,
        "the manifest does not say that it is of variant `{}`",
        VARIANT.1
    );
    let config: Value = serde_json::from_slice(&blob(&mut layout, &manifest["config"], CONFIG_TYPE)?)?;
    let layer = blob(&mut layout, only(&manifest["layers"])?, LAYER_TYPE)?;
    let mut files = Vec::new();
    GzDecoder::new(&*layer).read_to_end(&mut files)?;
    ensure!(
        *only(&config["rootfs"]["diff_ids"])? == digest(&files),
        "the layer has another digest than the configuration says"
    );
    layout.retain(|name, _| name.starts_with(BLOBS));
    ensure!(
        layout.is_empty(),
        "there are blobs that nothing names: {:?}",
        layout.keys()
    );
    let mut files = files_of(&files)?;
    let module = files.remove(PLUGIN).context("the layer has no plugin.wasm")?;
    ensure!(
        files.is_empty(),
        "the layer has more than plugin.wasm: {:?}",
        files.keys()
    );
    Ok(module)
}

/// Takes the blob that a descriptor is of.
fn blob(layout: &mut BTreeMap<String, Vec<u8>>, descriptor: &Value, media_type: &str) -> Result<Vec<u8>> {
    ensure!(
        descriptor["mediaType"] == media_type,
        "{} is expected to be {media_type}",
        descriptor["mediaType"]
    );
    let digest = descriptor["digest"].as_str().unwrap_or_default();
    let name = digest.strip_prefix("sha256:").unwrap_or_default();
    let bytes = layout
        .remove(&format!("{BLOBS}{name}"))
        .with_context(|| format!("there is no blob `{digest}`"))?;
    ensure!(sha256(&bytes) == name, "the blob `{digest}` has another digest");
    ensure!(
        descriptor["size"] == bytes.len(),
        "the blob `{digest}` has {} bytes",
        bytes.len()
    );
    Ok(bytes)
}

fn only(list: &Value) -> Result<&Value> {
    match list.as_array().map(Vec::as_slice) {
        Some([one]) => Ok(one),
        _ => anyhow::bail!("expected a list of one, not {list}"),
    }
}

fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": digest(bytes), "size": bytes.len() })
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", sha256(bytes))
}

fn to_bytes(value: &Value) -> Result<Vec<u8>> {
    Ok(serde_json::to_vec(value)?)
}

/// No owner and no time: the same files give the same archive.
fn tar_of(files: &BTreeMap<String, Vec<u8>>) -> Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(u64::try_from(bytes.len())?);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, &**bytes)?;
    }
    Ok(archive.into_inner()?)
}

fn files_of(tar: &[u8]) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(tar).entries()? {
        let mut entry = entry?;
        let name = entry.path()?.to_string_lossy().into_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes)?;
        ensure!(files.insert(name.clone(), bytes).is_none(), "`{name}` is there twice");
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked_and_packed_alike() {
        let packed = pack(b"\0asm", "1.2.3").unwrap();
        assert_eq!(unpack(&packed).unwrap(), b"\0asm");
        assert_eq!(packed, pack(b"\0asm", "1.2.3").unwrap());
        assert_ne!(packed, pack(b"\0asm", "1.2.4").unwrap());
    }

    #[test]
    fn whatever_is_changed_is_noticed() {
        let packed = pack(b"\0asm", "1.2.3").unwrap();
        let files = files_of(&packed).unwrap();
        for name in files.keys() {
            let mut fewer = files.clone();
            fewer.remove(name);
            assert!(unpack(&tar_of(&fewer).unwrap()).is_err(), "without {name}");
            let mut changed = files.clone();
            let bytes = changed.get_mut(name).unwrap();
            let at = bytes.len() / 2;
            bytes[at] ^= 1;
            assert!(unpack(&tar_of(&changed).unwrap()).is_err(), "{name} changed");
        }
        let mut more = files.clone();
        more.insert(format!("{BLOBS}{}", sha256(b"more")), b"more".to_vec());
        assert!(unpack(&tar_of(&more).unwrap()).is_err());
    }
}
