//! `vault verify`: whether all recovery points of a vault are as they were written.

use std::io::Write;
use std::process::ExitCode;

use clusterbackup_vault::catalogue;
use clusterbackup_vault::seal::Identity;
use clusterbackup_vault::store::Store;
use futures::StreamExt as _;
use serde::Serialize;

use crate::arguments::backup::Output;
use crate::arguments::vault::Verify;
use crate::points::verify::Found;
use crate::store::{self, Wanted};
use crate::words::counted;
use crate::{Error, output};

/// The same for programs.
#[derive(Debug, Serialize)]
struct Told {
    good: bool,
    points: Vec<Found>,
}

pub(super) fn run(arguments: &Verify, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let wanted = Wanted::Vault(arguments.vault.name.as_deref().unwrap_or_default());
    let identity = store::identity(arguments.vault.reading.identity.as_deref())?;
    let namespace = arguments.vault.reading.place.namespace.as_deref();
    let is_text = arguments.output == Output::Text;
    let points = store::run(&arguments.vault.reading.store, namespace, async |vaults| {
        let store = vaults.open(wanted).await?;
        // Who waits for many points sees each as soon as it was read.
        verify(&store, identity.as_ref(), |found| {
            if is_text {
                found.print(out)?;
                out.flush()?;
            }
            Ok(())
        })
        .await
    })?;
    let damaged = points.iter().filter(|found| !found.is_good()).count();
    let told = Told {
        good: damaged == 0,
        points,
    };
    match arguments.output {
        Output::Text => writeln!(
            out,
            "{}, {damaged} damaged",
            counted(told.points.len(), "recovery point")
        )?,
        Output::Json => output::json(&told, out)?,
        Output::Yaml => output::yaml(&told, out)?,
    }
    Ok(if told.good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn verify(
    store: &Store,
    identity: Option<&Identity>,
    mut show: impl FnMut(&Found) -> Result<(), Error>,
) -> Result<Vec<Found>, Error> {
    let mut listed = catalogue::list(store);
    let mut points = Vec::new();
    while let Some(manifest) = listed.next().await {
        let found = match manifest {
            Ok(manifest) => Found::of(store, &manifest.begin.id, identity).await?,
            Err(error) => Found::of_manifest(&error)?,
        };
        show(&found)?;
        points.push(found);
    }
    Ok(points)
}
