//! `coverage`: what has no recent backup, or none that can be fully trusted.

use std::fmt::Debug;
use std::io::Write;
use std::process::ExitCode;

use clusterbackup_api::coverage::{self, Seen as SeenBackup};
use clusterbackup_api::{Backup, BackupInstance, RecoveryPoint};
use clusterbackup_core::coverage::{Covered, Gap, Protection, survey};
use clusterbackup_core::selection::{Claim, Namespace};
use k8s_openapi::api::core::v1::{Namespace as NamespaceObject, PersistentVolumeClaim};
use k8s_openapi::jiff::Timestamp;
use kube::api::ListParams;
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::arguments::backup::Output;
use crate::arguments::coverage::Coverage;
use crate::cluster::{self, answer};
use crate::words::counted;
use crate::{Error, output};

/// What is lacking.
#[derive(Debug, Serialize)]
struct Told {
    namespaces: usize,
    claims: usize,
    gaps: Vec<ToldGap>,
}

#[derive(Debug, Serialize)]
struct ToldGap {
    namespace: String,
    /// Absent where the namespace itself is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    claim: Option<String>,
    gap: Gap,
    grave: bool,
}

/// What the cluster says.
struct Seen {
    namespaces: Vec<Namespace>,
    claims: Vec<Claim>,
    protections: Vec<Protection>,
}

pub(crate) fn run(arguments: &Coverage, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let seen = cluster::run(async |client| see(&client).await)?;
    let told = tell(&seen, arguments.recent.duration().as_secs());
    match arguments.output {
        Output::Text => print(&told, out)?,
        Output::Json => output::json(&told, out)?,
        Output::Yaml => output::yaml(&told, out)?,
    }
    let grave = told.gaps.iter().any(|gap| gap.grave);
    Ok(if grave {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

async fn see(client: &Client) -> Result<Seen, Error> {
    let namespaces = list::<NamespaceObject>(client, "namespaces").await?;
    let claims = list::<PersistentVolumeClaim>(client, "persistentvolumeclaims").await?;
    let instances = list::<BackupInstance>(client, "backupinstances.clusterbackup.io").await?;
    let backups = list::<Backup>(client, "backups.clusterbackup.io").await?;
    let points = list::<RecoveryPoint>(client, "recoverypoints.clusterbackup.io").await?;
    let backups: Vec<_> = backups.iter().filter_map(SeenBackup::of).collect();
    Ok(Seen {
        protections: coverage::protections(&instances, &backups, &points, Timestamp::now()),
        namespaces: namespaces
            .iter()
            .filter_map(|namespace| coverage::namespace(namespace.meta()))
            .collect(),
        claims: claims.iter().map(|claim| coverage::claim(claim.meta())).collect(),
    })
}

async fn list<K>(client: &Client, kinds: &str) -> Result<Vec<K>, Error>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let api = Api::<K>::all(client.clone());
    let all = ListParams::default();
    let listed = answer(&format!("list {kinds}"), "", api.list(&all)).await;
    Ok(listed.map_err(Error::Cluster)?.items)
}

fn tell(seen: &Seen, recent: u64) -> Told {
    let mut told = Told {
        namespaces: 0,
        claims: 0,
        gaps: Vec::new(),
    };
    for (covered, gap) in survey(&seen.namespaces, &seen.claims, &seen.protections, recent) {
        let (namespace, claim) = match covered {
            Covered::Namespace(namespace) => {
                told.namespaces += 1;
                (&namespace.name, None)
            }
            Covered::Claim(claim) => {
                told.claims += 1;
                (&claim.name.namespace, Some(claim.name.name.as_str()))
            }
        };
        told.gaps
            .extend(gap.map(|gap| ToldGap::new(namespace, claim, gap)));
    }
    told
}

fn print(told: &Told, out: &mut dyn Write) -> Result<(), Error> {
    if !told.gaps.is_empty() {
        let row = |gap: &ToldGap| {
            vec![
                gap.namespace.clone(),
                gap.claim.clone().unwrap_or_default(),
                format!("{:?}", gap.gap),
                words(gap.gap).to_owned(),
            ]
        };
        let head = ["NAMESPACE", "CLAIM", "LACKS", ""];
        output::table(&head, told.gaps.iter().map(row), out)?;
    }
    let grave = told.gaps.iter().filter(|gap| gap.grave).count();
    Ok(writeln!(
        out,
        "{} and {}: {grave} without a recent backup",
        counted(told.namespaces, "namespace"),
        counted(told.claims, "claim")
    )?)
}

const fn words(gap: Gap) -> &'static str {
    match gap {
        Gap::LocalOnly => "the backup is in the cluster's own storage alone",
        Gap::CrashConsistent => "the application was not frozen for the backup",
        Gap::Incomplete => "the last backup misses something",
        Gap::NotCut => "the last backup has no snapshot of it",
        Gap::Stale => "the last backup is too old",
        Gap::NeverBackedUp => "no backup has ended well",
        Gap::Unprotected => "no BackupInstance takes it",
    }
}

impl ToldGap {
    fn new(namespace: &str, claim: Option<&str>, gap: Gap) -> Self {
        Self {
            namespace: namespace.to_owned(),
            claim: claim.map(str::to_owned),
            gap,
            grave: gap.is_grave(),
        }
    }
}
