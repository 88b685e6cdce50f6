//! An OCI image layout with one layer, as one tar file. The same files always make the same
//! bytes: names in order, no times, no owners.

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// Uncompressed: a compressor would be one more thing on which the bytes depend.
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// An image apart from its files.
#[derive(Debug)]
pub(super) struct Layout<'a> {
    pub(super) name: &'a str,
    pub(super) version: &'a str,
    pub(super) platform: Platform,
    /// How it is run, and its labels.
    pub(super) config: Value,
}

/// What the program runs on.
#[derive(Debug, Clone, Copy)]
pub(super) enum Platform {
    Amd64,
    Arm64,
}

/// The finished archive.
pub(super) struct Archive {
    pub(super) bytes: Vec<u8>,
    /// Of the manifest: what `name@sha256:…` means.
    pub(super) digest: String,
}

/// One content of the archive with its name by digest.
struct Blob {
    media_type: &'static str,
    hash: String,
    bytes: Vec<u8>,
}

impl Platform {
    /// That of this machine.
    pub(super) fn here() -> Result<Self> {
        match std::env::consts::ARCH {
            "x86_64" => Ok(Self::Amd64),
            "aarch64" => Ok(Self::Arm64),
            other => bail!("images are for x86_64 and aarch64, this machine is {other}"),
        }
    }

    /// Rust's name of it.
    pub(super) fn triple(self) -> String {
        let architecture = match self {
            Self::Amd64 => "x86_64",
            Self::Arm64 => "aarch64",
        };
        format!("{architecture}-unknown-linux-gnu")
    }

    /// OCI's name of it.
    const fn architecture(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }
}

impl Layout<'_> {
    /// `name:version`.
    pub(super) fn tag(&self) -> String {
        format!("{}:{}", self.name, self.version)
    }

    /// The image with these files.
    pub(super) fn archive(&self, files: &[(String, Contents<'_>)]) -> Result<Archive> {
        let layer = Blob::new(LAYER, tar(files)?);
        let config = Blob::json(CONFIG, &self.config(&layer))?;
        let manifest = Blob::json(
            MANIFEST,
            &json!({
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": config.descriptor(),
                "layers": [layer.descriptor()],
            }),
        )?;
        let index = Blob::json(INDEX, &self.index(&manifest))?;
        let layout = json!({ "imageLayoutVersion": "1.0.0" }).to_string();

        let mut blobs = [&layer, &config, &manifest];
        blobs.sort_by_key(|blob| &blob.hash);
        let blobs = blobs.map(|blob| (format!("blobs/sha256/{}", blob.hash), Contents::Data(&blob.bytes)));
        let files: Vec<_> = blobs
            .into_iter()
            .chain([
                ("index.json".to_owned(), Contents::Data(&index.bytes)),
                ("oci-layout".to_owned(), Contents::Data(layout.as_bytes())),
            ])
            .collect();
        Ok(Archive {
            bytes: tar(&files)?,
            digest: manifest.digest(),
        })
    }

    fn config(&self, layer: &Blob) -> Value {
        json!({
            "architecture": self.platform.architecture(),
            "os": "linux",
            "config": self.config,
            // Of an uncompressed layer the two digests are one.
            "rootfs": { "type": "layers", "diff_ids": [layer.digest()] },
        })
    }

    fn index(&self, manifest: &Blob) -> Value {
        let mut descriptor = manifest.descriptor();
        descriptor["platform"] = json!({ "architecture": self.platform.architecture(), "os": "linux" });
        descriptor["annotations"] = json!({
            "org.opencontainers.image.ref.name": self.version,
            // containerd takes it as it stands, and this is what a kubelet makes of a name without a registry.
            "io.containerd.image.name": format!("docker.io/library/{}", self.tag()),
        });
        json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor] })
    }
}

impl Blob {
    fn new(media_type: &'static str, bytes: Vec<u8>) -> Self {
        let hash = format!("{:x}", Sha256::digest(&bytes));
        Self {
            media_type,
            hash,
            bytes,
        }
    }

    fn json(media_type: &'static str, value: &Value) -> Result<Self> {
        Ok(Self::new(media_type, serde_json::to_vec(value)?))
    }

    fn digest(&self) -> String {
        format!("sha256:{}", self.hash)
    }

    fn descriptor(&self) -> Value {
        json!({ "mediaType": self.media_type, "digest": self.digest(), "size": self.bytes.len() })
    }
}

/// A file of an archive.
#[derive(Clone, Copy, Debug)]
pub(super) enum Contents<'a> {
    Program(&'a [u8]),
    Data(&'a [u8]),
    /// A symbolic link to this.
    Link(&'a str),
}

fn tar(files: &[(String, Contents<'_>)]) -> Result<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, contents) in files {
        let mut header = tar::Header::new_ustar();
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        let added = match contents {
            Contents::Program(bytes) => add(&mut builder, header, path, 0o755, bytes),
            Contents::Data(bytes) => add(&mut builder, header, path, 0o644, bytes),
            Contents::Link(target) => {
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_mode(0o777);
                header.set_size(0);
                builder.append_link(&mut header, path, target)
            }
        };
        added.with_context(|| format!("failed to pack {path}"))?;
    }
    Ok(builder.into_inner()?)
}

fn add(
    builder: &mut tar::Builder<Vec<u8>>,
    mut header: tar::Header,
    path: &str,
    mode: u32,
    bytes: &[u8],
) -> std::io::Result<()> {
    header.set_entry_type(tar::EntryType::Regular);
    header.set_size(bytes.len() as u64);
    header.set_mode(mode);
    builder.append_data(&mut header, path, bytes)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Read as _;

    use super::*;

    const PROGRAM: &[u8] = b"\x7fELF and so on";

    fn image_of(program: &[u8]) -> Archive {
        let layout = Layout {
            name: "program",
            version: "1.2.3",
            platform: Platform::Amd64,
            config: json!({ "Entrypoint": ["/program"], "User": "65532:65532" }),
        };
        let files = [
            ("program".to_owned(), Contents::Program(program)),
            ("alias".to_owned(), Contents::Link("program")),
        ];
        layout.archive(&files).unwrap()
    }

    struct File {
        contents: Vec<u8>,
        mode: u32,
        owner: (u64, u64),
        time: u64,
    }

    fn unpacked(archive: &[u8]) -> BTreeMap<String, File> {
        let mut archive = tar::Archive::new(archive);
        let entries = archive.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().display().to_string();
            let mut contents = Vec::new();
            entry.read_to_end(&mut contents).unwrap();
            let header = entry.header();
            let file = File {
                contents,
                mode: header.mode().unwrap(),
                owner: (header.uid().unwrap(), header.gid().unwrap()),
                time: header.mtime().unwrap(),
            };
            (path, file)
        });
        entries.collect()
    }

    /// What a descriptor leads to, once size and digest are found to be right.
    fn followed<'a>(files: &'a BTreeMap<String, File>, descriptor: &Value) -> &'a [u8] {
        let digest = descriptor["digest"].as_str().unwrap();
        let hash = digest.strip_prefix("sha256:").unwrap();
        let blob = &files[&format!("blobs/sha256/{hash}")].contents;
        assert_eq!(descriptor["size"], blob.len());
        assert_eq!(hash, format!("{:x}", Sha256::digest(blob)));
        blob
    }

    fn json(bytes: &[u8]) -> Value {
        serde_json::from_slice(bytes).unwrap()
    }

    #[test]
    fn every_digest_leads_from_the_index_to_the_program() {
        let archive = image_of(PROGRAM);
        let files = unpacked(&archive.bytes);
        assert_eq!(
            json(&files["oci-layout"].contents),
            json!({ "imageLayoutVersion": "1.0.0" })
        );
        let index = json(&files["index.json"].contents);
        assert_eq!(index["manifests"][0]["digest"], archive.digest);
        let manifest = json(followed(&files, &index["manifests"][0]));
        let config = json(followed(&files, &manifest["config"]));
        let layer = followed(&files, &manifest["layers"][0]);
        assert_eq!(
            config["rootfs"]["diff_ids"],
            json!([manifest["layers"][0]["digest"]])
        );
        assert_eq!(files.len(), 5, "nothing that no digest leads to");

        let contents = unpacked(layer);
        let program = &contents["program"];
        assert_eq!((contents.len(), program.mode), (2, 0o755));
        assert_eq!(program.contents, PROGRAM);
        assert_eq!(config["config"]["Entrypoint"], json!(["/program"]));
        assert_eq!(config["config"]["User"], "65532:65532");
    }

    #[test]
    fn the_same_program_makes_the_same_bytes() {
        let (one, other) = (image_of(PROGRAM), image_of(PROGRAM));
        assert_eq!((one.bytes == other.bytes, &one.digest), (true, &other.digest));
        for (path, file) in unpacked(&one.bytes) {
            assert_eq!((file.time, file.owner), (0, (0, 0)), "{path}");
        }
        assert_ne!(one.digest, image_of(b"another").digest);
    }
}
