//! What the system is set up with goes into its vaults, and a blank cluster is set up from there.

use std::path::{Path, PathBuf};

use age::secrecy::ExposeSecret as _;
use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::backup::BackupPhase;
use clusterbackup_api::backup_vault::SavedConfiguration;
use clusterbackup_api::{BackupInstance, BackupPolicy, BackupVault, RecoveryPoint, labels};
use clusterbackup_tests::leader::Leaders;
use clusterbackup_tests::plugin::{Ran, plugin};
use clusterbackup_tests::{Cluster, Replica, ReplicaOptions, Webhook, eventually};
use clusterbackup_vault::seal::Identity;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::leader::stage::{Ground, LIMIT};
use crate::runner::scenarios;
use crate::steps::create;

scenarios! {
    Own: [a_blank_cluster_is_set_up_from_the_vault_of_another],
}

const RULES: &str = "
version: v1
resourceModifierRules:
- conditions: {groupResource: persistentvolumeclaims}
  patches: [{operation: remove, path: /spec/volumeName}]
";

/// What nobody may find in the store.
const CANARY: &str = "canary-of-the-configuration";

async fn a_blank_cluster_is_set_up_from_the_vault_of_another(cluster: Cluster) -> Result<()> {
    let before = Before::new(Ground::set_up(cluster).await?).await?;
    let point = before.backs_up().await?;
    let first = before.until_saved(0).await?;
    // Only what has changed is written.
    let patch = Patch::Merge(json!({ "spec": { "limits": { "onDemandBackupsPerDay": 7 } } }));
    let vaults = before.ground.home.api::<BackupVault>();
    vaults.patch("vault", &PatchParams::default(), &patch).await?;
    let second = before.until_saved(first.number).await?;
    ensure!(second.number == first.number + 1, "{second:?}");
    before.no_canary()?;

    let after = After::new(&before).await?;
    let words = after.restores(&[], 0).await?;
    for made in [
        "Namespace ",
        "ConfigMap ",
        "RestoreInterception ",
        "BackupPolicy ",
        "BackupHook ",
        "RestoreHook ",
        "BackupInstance ",
    ] {
        let line = words.lines().find(|line| line.starts_with(made));
        ensure!(
            line.is_some_and(|line| line.ends_with("created")),
            "{made}: {words}"
        );
    }
    let home = before.ground.home.name();
    ensure!(
        words.contains("9 objects, 0 not as they were")
            && words.contains(&format!("To be made by hand: Secret {home}/keys")),
        "{words}"
    );
    let lost = after.shows(&point).await?;
    after.leaves_what_is_there(&lost).await
}

/// The cluster that is lost.
struct Before {
    ground: Ground,
    key: PathBuf,
    _leader: clusterbackup_tests::Daemon,
}

impl Before {
    /// Sets the system up: the vault comes last, so that all of it is in what is first written.
    async fn new(ground: Ground) -> Result<Self> {
        let (home, admin) = (ground.home.name(), ground.cluster.admin());
        for object in objects(home, ground.shop.name()) {
            let place = object["metadata"]["namespace"].as_str();
            create(&admin, place, &object).await?;
        }
        let spec = json!({
            "vault": "vault", "policy": "daily", "snapshotVolumes": false, "includeSecrets": true,
        });
        ground.instance("shop", spec).await?;
        ground
            .credentials("keys", &json!({ "accessKeyId": "a", "secretAccessKey": CANARY }))
            .await?;
        let offsite = json!({
            "bucket": "offsite", "endpoint": "http://127.0.0.1:1", "credentials": { "name": "keys" },
        });
        ground
            .vault_of("offsite", &json!({ "operational": { "s3": offsite } }))
            .await?;

        let identity = Identity::generate();
        let key = ground.cluster.folder().join("key.txt");
        std::fs::write(&key, identity.reveal().expose_secret())?;
        let folder = ground.leaders.vaults().join("vault");
        std::fs::create_dir_all(&folder)?;
        let spec = json!({
            "operational": { "fileSystem": { "path": folder } },
            "encryption": { "recipients": [identity.recipient().to_string()] },
        });
        ground.vault_of("vault", &spec).await?;
        Ok(Self {
            _leader: ground.leaders.start().await?,
            ground,
            key,
        })
    }

    async fn backs_up(&self) -> Result<String> {
        self.ground.ask("one", "shop").await?;
        let status = self.ground.ends("one", BackupPhase::Completed).await?;
        status.recovery_point.context("there is no point")
    }

    /// Waits until one with a higher number is in the vault.
    async fn until_saved(&self, number: u32) -> Result<SavedConfiguration> {
        let vaults = self.ground.home.api::<BackupVault>();
        eventually("the configuration is in the vault", LIMIT, || async {
            let status = vaults.get("vault").await?.status.unwrap_or_default();
            let saved = status.configuration.clone();
            saved
                .filter(|saved| saved.number > number)
                .with_context(|| format!("{status:#?}"))
        })
        .await
    }

    /// What is written is encrypted, and holds no Secret.
    fn no_canary(&self) -> Result<()> {
        let folder = self.ground.leaders.vaults().join("vault/configuration");
        let mut left = vec![folder];
        let mut files = 0;
        while let Some(path) = left.pop() {
            if path.is_dir() {
                for entry in std::fs::read_dir(&path)? {
                    left.push(entry?.path());
                }
                continue;
            }
            files += 1;
            let text = String::from_utf8_lossy(&std::fs::read(&path)?).into_owned();
            ensure!(
                text.starts_with("age-encryption.org") && !text.contains(CANARY),
                "{}",
                path.display()
            );
        }
        ensure!(files == 2, "there are {files} files");
        Ok(())
    }
}

/// What there is beside vaults and the instance.
fn objects(home: &str, shop: &str) -> [Value; 5] {
    let hook = json!({ "exec": { "container": "app", "command": ["true"] } });
    let hooks = "clusterbackup.dataprotection.microsoft.com/v1alpha1";
    [
        json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {
                "name": "staging", "namespace": home, "labels": { labels::RESOURCE_MODIFIER: "true" },
            },
            "data": { "rules.yaml": RULES },
        }),
        json!({
            "apiVersion": "clusterbackup.io/v1alpha1", "kind": "RestoreInterception",
            "metadata": { "name": "staging" },
            "spec": { "resourceModifierReference": { "name": "staging", "namespace": home } },
        }),
        json!({
            "apiVersion": "clusterbackup.io/v1alpha1", "kind": "BackupPolicy",
            "metadata": { "name": "daily", "namespace": home },
            "spec": {
                "schedule": { "every": "24h", "at": "02:30" }, "retention": { "operational": { "days": 7 } },
            },
        }),
        json!({
            "apiVersion": hooks, "kind": "BackupHook", "metadata": { "name": "quiesce", "namespace": home },
            "spec": { "backupHook": [{ "name": "a", "includedNamespaces": [shop], "preHooks": [hook] }] },
        }),
        json!({
            "apiVersion": hooks, "kind": "RestoreHook", "metadata": { "name": "reindex", "namespace": home },
            "spec": { "restoreHook": [{ "name": "a", "includedNamespaces": [shop], "postHooks": [hook] }] },
        }),
    ]
}

/// A blank cluster, where the system is installed.
struct After<'a> {
    before: &'a Before,
    kubeconfig: PathBuf,
    cluster: Cluster,
    _webhook: (Webhook, Replica),
    _leader: clusterbackup_tests::Daemon,
}

impl<'a> After<'a> {
    async fn new(before: &'a Before) -> Result<Self> {
        let cluster = Cluster::start().await?;
        let webhook = Webhook::install(&cluster, &["hook-kinds", "requester"]).await?;
        let replica = webhook.start(ReplicaOptions::default()).await?;
        let leaders = Leaders::install(&cluster).await?;
        let vaults = before.ground.leaders.vaults().to_str().context("no text")?;
        Ok(Self {
            _leader: leaders.start_with(&[("FILE_VAULTS", vaults)]).await?,
            _webhook: (webhook, replica),
            kubeconfig: cluster.admin_kubeconfig(),
            cluster,
            before,
        })
    }

    /// What the one command says.
    async fn restores(&self, more: &[&str], code: i32) -> Result<String> {
        let folder = self.before.ground.leaders.vaults().join("vault");
        let folder = folder.to_str().context("no text")?;
        let key = self.before.key.to_str().context("no text")?;
        let command = [
            "vault",
            "restore-config",
            "--file-system",
            folder,
            "--identity",
            key,
        ];
        let ran = self.plugin(&[&command[..], more].concat()).await?;
        let said = ran.code == Some(code) && ran.err.is_empty();
        ensure!(said, "{:?} {}{}", ran.code, ran.out, ran.err);
        Ok(ran.out)
    }

    async fn plugin(&self, arguments: &[&str]) -> Result<Ran> {
        plugin(Some(Path::new(&self.kubeconfig)), arguments).await
    }

    /// What the other cluster has stored is seen here, and who set it up answers for it. Tells which cluster that was.
    async fn shows(&self, point: &str) -> Result<String> {
        let home = self.before.ground.home.name();
        let points = Api::<RecoveryPoint>::namespaced(self.cluster.admin(), home);
        let shown = eventually("the point is shown", LIMIT, || async {
            Ok(points.get(point).await?)
        })
        .await?;
        let instances = Api::<BackupInstance>::namespaced(self.cluster.admin(), home);
        let instance = instances.get("shop").await?;
        let requester = instance.spec.requester.context("nobody answers for it")?;
        ensure!(!requester.username.is_empty(), "{requester:?}");
        Ok(shown.spec.cluster)
    }

    /// What is there stays, unless somebody asks. This cluster's own configuration is in the vault as well by then.
    async fn leaves_what_is_there(&self, lost: &str) -> Result<()> {
        let of_lost = ["--cluster", lost];
        let words = self.restores(&of_lost, 0).await?;
        ensure!(!words.contains("created"), "{words}");
        let home = self.before.ground.home.name();
        let policies = Api::<BackupPolicy>::namespaced(self.cluster.admin(), home);
        let days = json!({ "spec": { "retention": { "operational": { "days": 9 } } } });
        policies
            .patch("daily", &PatchParams::default(), &Patch::Merge(days))
            .await?;
        let words = self.restores(&of_lost, 1).await?;
        ensure!(words.contains("1 not as they were"), "{words}");
        let words = self
            .restores(&[&of_lost[..], &["--overwrite"]].concat(), 0)
            .await?;
        ensure!(words.contains("changed"), "{words}");
        let policy = serde_json::to_value(policies.get("daily").await?)?;
        ensure!(
            policy["spec"]["retention"]["operational"]["days"] == 7,
            "{policy:#}"
        );
        let dry = [&of_lost[..], &["--dry-run", "-o", "json"]].concat();
        let listed: Value = serde_json::from_str(&self.restores(&dry, 0).await?)?;
        let items = listed["items"].as_array().map(Vec::len);
        ensure!(items == Some(9), "{listed:#}");
        Ok(())
    }
}
