//! `cargo xtask image`: the container images without Docker: one static program each in an OCI archive.

use anyhow::Result;
use clusterbackup_tests::image::{self, Build, Image};
use owo_colors::{OwoColorize as _, Stream};

pub(crate) fn run() -> Result<()> {
    for image in image::of_programs(Build::Release)? {
        println!("{}\n", usage(&image));
    }
    Ok(())
}

fn usage(image: &Image) -> String {
    let tag = image.tag();
    let title = format!("{tag}  {}", image.digest());
    format!(
        "\
{title}
{file}

To load it, whichever you have:

  ctr --namespace k8s.io images import {file}     (on a node)
  podman load --input {file}
  docker load --input {file}
  skopeo copy oci-archive:{file} docker://<your registry>/{tag}",
        title = title.if_supports_color(Stream::Stdout, |title| title.bold()),
        file = image.file().display(),
    )
}
