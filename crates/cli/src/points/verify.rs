//! `rp verify` and `vault verify`: whether recovery points are as they were written.

use std::io::{self, Write};
use std::process::ExitCode;

use clusterbackup_vault::point::{self, Damage, PointError, PointId, Verification};
use clusterbackup_vault::seal::Identity;
use clusterbackup_vault::store::Store;
use serde::Serialize;

use crate::arguments::backup::Output;
use crate::arguments::points::Verify;
use crate::store::{self, Wanted, told};
use crate::words::{counted, size};
use crate::{Error, output};

/// What was found in a point.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Found {
    /// The point; of a manifest that is none, what it is called in the store.
    point: String,
    good: bool,
    parts: u64,
    bytes: u64,
    /// How many were compared with the index; absent where the parts were not opened.
    objects: Option<u64>,
    /// What is damaged, and what to do.
    damages: Vec<String>,
    more_damages: u64,
}

pub(super) fn run(arguments: &Verify, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let namespace = arguments.reading.place.namespace.as_deref();
    let identity = store::identity(arguments.reading.identity.as_deref())?;
    let id = super::id(&arguments.name)?;
    let found = store::run(&arguments.reading.store, namespace, async |vaults| {
        let store = vaults.open(Wanted::Point(&arguments.name)).await?;
        Found::of(&store, &id, identity.as_ref()).await
    })?;
    match arguments.output {
        Output::Text => found.print(out)?,
        Output::Json => output::json(&found, out)?,
        Output::Yaml => output::yaml(&found, out)?,
    }
    Ok(found.code())
}

impl Found {
    /// Reads a point. One that is encrypted for others than this key is read as without a key.
    pub(crate) async fn of(store: &Store, id: &PointId, identity: Option<&Identity>) -> Result<Self, Error> {
        let verified = match point::verify(store.clone(), id, identity.cloned()).await {
            Err(PointError::WrongIdentity { .. }) => point::verify(store.clone(), id, None).await,
            verified => verified,
        };
        let Verification {
            parts,
            bytes,
            objects,
            faults,
            more_faults,
        } = verified.map_err(|error| told(&error))?;
        Ok(Self {
            point: id.to_string(),
            good: faults.is_empty(),
            parts,
            bytes,
            objects,
            damages: faults.iter().map(ToString::to_string).collect(),
            more_damages: more_faults,
        })
    }

    /// What lies among the manifests and can't be read as one; an error where the vault itself can't be read.
    pub(crate) fn of_manifest(error: &PointError) -> Result<Self, Error> {
        let PointError::Damaged { key, damage } = error else {
            return Err(told(error));
        };
        // It was there when it was listed.
        if *damage == Damage::Missing {
            return Err(told(error));
        }
        Ok(Self {
            point: key.to_string(),
            good: false,
            parts: 0,
            bytes: 0,
            objects: None,
            damages: vec![error.to_string()],
            more_damages: 0,
        })
    }

    pub(crate) const fn is_good(&self) -> bool {
        self.good
    }

    pub(crate) fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.good {
            let parts = counted(usize::try_from(self.parts).unwrap_or(usize::MAX), "part");
            let objects = self.objects.map_or_else(
                || "not opened, for want of its key".to_owned(),
                |objects| counted(usize::try_from(objects).unwrap_or(usize::MAX), "object"),
            );
            return writeln!(
                out,
                "{}: good: {parts}, {}; {objects}",
                self.point,
                size(self.bytes)
            );
        }
        writeln!(out, "{}: damaged", self.point)?;
        for damage in &self.damages {
            writeln!(out, "  {damage}")?;
        }
        match self.more_damages {
            0 => Ok(()),
            more => writeln!(out, "  and {more} more"),
        }
    }

    fn code(&self) -> ExitCode {
        if self.good {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}
