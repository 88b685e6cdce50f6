//! A point as it lies in a folder, read without any code of ours: by the manifest's attempt, zstd and tar.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_vault::store::{Blob, Store};
use futures::TryStreamExt as _;
use serde_json::Value;
use tempfile::TempDir;

/// Where an object stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::leader) struct Path {
    /// The plural name, and the group behind a dot.
    pub(in crate::leader) kind: String,
    /// None outside of namespaces.
    pub(in crate::leader) namespace: Option<String>,
    /// Its name.
    pub(in crate::leader) name: String,
}

impl Path {
    pub(in crate::leader) fn new(kind: &str, namespace: Option<&str>, name: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        }
    }

    /// From `resources/<kind>/(cluster|namespaces/<namespace>)/<name>.json`.
    fn of_entry(entry: &str) -> Result<Self> {
        let parts: Vec<_> = entry
            .strip_suffix(".json")
            .context("no JSON")?
            .split('/')
            .collect();
        match parts.as_slice() {
            ["resources", kind, "cluster", name] => Ok(Self::new(kind, None, name)),
            ["resources", kind, "namespaces", namespace, name] => Ok(Self::new(kind, Some(namespace), name)),
            _ => anyhow::bail!("{entry} is no place of an object"),
        }
    }
}

/// Every object of the point, each once; sealed ones by the private half of a key.
pub(in crate::leader) fn contents(
    vault: &std::path::Path,
    id: &str,
    key: Option<&str>,
) -> Result<BTreeMap<Path, Value>> {
    let manifest = fs::read(vault.join(format!("catalogue/{id}.json"))).context("there is no manifest")?;
    let manifest: Value = serde_json::from_slice(&manifest)?;
    let attempt = manifest["content"]["attempt"].as_str().context("no attempt")?;
    let mut objects = BTreeMap::new();
    for file in fs::read_dir(vault.join(format!("data/{id}/{attempt}")))? {
        let file = file?.path();
        let name = file.to_string_lossy();
        if name.contains("/segment-") {
            let stored = fs::read(&file)?;
            let archive = match key {
                Some(key) if name.ends_with(".tar.zst.age") => opened(&stored, key)?,
                None if name.ends_with(".tar.zst") => stored,
                _ => anyhow::bail!("{name} is sealed, or should be"),
            };
            add(&mut objects, &archive).with_context(|| format!("in {name}"))?;
        }
    }
    Ok(objects)
}

fn opened(sealed: &[u8], key: &str) -> Result<Vec<u8>> {
    let key: age::x25519::Identity = key.parse().map_err(anyhow::Error::msg)?;
    Ok(age::decrypt(&key, sealed)?)
}

fn add(objects: &mut BTreeMap<Path, Value>, archive: &[u8]) -> Result<()> {
    let archive = zstd::stream::read::Decoder::new(archive)?;
    for entry in tar::Archive::new(archive).entries()? {
        let mut entry = entry?;
        let path = Path::of_entry(entry.path()?.to_str().context("no text")?)?;
        let mut text = String::new();
        entry.read_to_string(&mut text)?;
        let before = objects.insert(path.clone(), serde_json::from_str(&text)?);
        ensure!(before.is_none(), "{path:?} is there twice");
    }
    Ok(())
}

/// A copy of everything in a store, as files.
pub(super) async fn copied(store: &Store) -> Result<TempDir> {
    let copy = tempfile::tempdir()?;
    let blobs: Vec<Blob> = store.list(None).try_collect().await?;
    for Blob { key, size } in blobs {
        let file = copy.path().join(key.as_str());
        fs::create_dir_all(file.parent().context("no folder")?)?;
        fs::write(file, store.get_range(&key, 0..size).await?)?;
    }
    Ok(copy)
}
