//! A point as it lies in a folder, read without any code of ours: by the manifest's attempt, zstd and tar.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

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

/// Every object of the point, each once.
pub(super) fn contents(vault: &std::path::Path, id: &str) -> Result<BTreeMap<Path, Value>> {
    let manifest = fs::read(vault.join(format!("catalogue/{id}.json"))).context("there is no manifest")?;
    let manifest: Value = serde_json::from_slice(&manifest)?;
    let attempt = manifest["content"]["attempt"].as_str().context("no attempt")?;
    let mut objects = BTreeMap::new();
    for file in fs::read_dir(vault.join(format!("data/{id}/{attempt}")))? {
        let file = file?.path();
        let is_segment = file.to_string_lossy().ends_with(".tar.zst");
        if is_segment {
            let archive = zstd::stream::read::Decoder::new(File::open(&file)?)?;
            for entry in tar::Archive::new(archive).entries()? {
                let mut entry = entry?;
                let path = Path::of_entry(entry.path()?.to_str().context("no text")?)?;
                let mut text = String::new();
                entry.read_to_string(&mut text)?;
                let before = objects.insert(path.clone(), serde_json::from_str(&text)?);
                ensure!(before.is_none(), "{path:?} is there twice");
            }
        }
    }
    Ok(objects)
}
