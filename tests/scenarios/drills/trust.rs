//! The API server doesn't believe the webhook: its certificate has expired, or the caBundle is somebody else's.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, ensure};
use clusterbackup_certs::authority::{Authority, ServiceNames};
use clusterbackup_tests::{Cluster, ReplicaOptions, eventually, webhook};
use jiff::{SignedDuration, Timestamp};

use super::{Drill, install};
use crate::runner::scenarios;

scenarios! {
    Own: [
        an_expired_certificate_is_renewed_too_late,
        a_wrong_authority_in_the_ca_bundle,
    ],
}

const LIMIT: Duration = Duration::from_mins(1);
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// What cert-manager is: it issues a certificate into a mounted folder and tells the API server whom to trust.
struct Issuer {
    authority: Authority,
    folder: PathBuf,
}

impl Issuer {
    fn new(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        Ok(Self {
            authority: Authority::create(Timestamp::now(), HOUR * 9)?,
            folder: folder.to_path_buf(),
        })
    }

    fn issue(&self, lifetime: SignedDuration) -> Result<()> {
        let names = ServiceNames::new(webhook::NAME, webhook::NAMESPACE);
        let leaf = self.authority.issue(Timestamp::now(), lifetime, &names)?;
        std::fs::write(self.folder.join("tls.key"), leaf.key().expose())?;
        std::fs::write(self.folder.join("tls.crt"), leaf.certificate().pem())?;
        Ok(())
    }

    fn pem(&self) -> &str {
        self.authority.certificate().pem()
    }

    fn replica(&self) -> ReplicaOptions {
        ReplicaOptions {
            arguments: vec![format!("--certificates={}", self.folder.display())],
            ..ReplicaOptions::default()
        }
    }
}

async fn an_expired_certificate_is_renewed_too_late(cluster: Cluster) -> Result<()> {
    let webhook = install(&cluster).await?;
    let issuer = Issuer::new(&cluster.folder().join("mounted"))?;
    issuer.issue(SignedDuration::from_secs(20))?;
    let expiry = Timestamp::now() + SignedDuration::from_secs(20);
    webhook.set_ca_bundle(issuer.pem()).await?;
    let _replica = webhook.start(issuer.replica()).await?;
    let drill = Drill::start(cluster.admin()).await?;

    eventually("the certificate has expired", LIMIT, || async {
        ensure!(Timestamp::now() > expiry, "it has not");
        Ok(())
    })
    .await?;
    // Who has shaken hands already needs no certificate any more.
    webhook.cut_connections();
    drill.until_refused("failed calling webhook").await?;
    issuer.issue(HOUR)?;
    drill.end().await.map(drop)
}

async fn a_wrong_authority_in_the_ca_bundle(cluster: Cluster) -> Result<()> {
    let webhook = install(&cluster).await?;
    let issuer = Issuer::new(&cluster.folder().join("mounted"))?;
    let stranger = Issuer::new(&cluster.folder().join("stranger"))?;
    issuer.issue(HOUR)?;
    webhook.set_ca_bundle(issuer.pem()).await?;
    let replica = webhook.start(issuer.replica()).await?;
    let drill = Drill::start(cluster.admin()).await?;

    webhook.set_ca_bundle(stranger.pem()).await?;
    drill
        .until_refused("certificate signed by unknown authority")
        .await?;
    webhook.set_ca_bundle(issuer.pem()).await?;
    drill.until_opted_in_flow().await?;

    // A webhook that makes its own certificates puts it right by itself.
    drop(replica);
    let _replica = webhook.launch(ReplicaOptions::default()).await?;
    drill.until_opted_in_flow().await?;
    webhook.set_ca_bundle(stranger.pem()).await?;
    drill.end().await.map(drop)
}
