//! What a person does by the plugin with a vault that the leader writes into.

use std::path::{Path, PathBuf};

use age::secrecy::ExposeSecret as _;
use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use clusterbackup_api::backup::BackupPhase;
use clusterbackup_tests::plugin::{Ran, plugin};
use clusterbackup_tests::stores::{Kind, Place};
use clusterbackup_tests::{Cluster, Stores};
use clusterbackup_vault::seal::Identity;
use futures::TryStreamExt as _;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::leader::stage::Ground;
use crate::runner::scenarios;
use crate::steps::create;

scenarios! {
    OwnStores: [a_person_makes_a_vault_and_gets_at_what_is_in_it],
}

async fn a_person_makes_a_vault_and_gets_at_what_is_in_it(
    (cluster, stores): (Cluster, &Stores),
) -> Result<()> {
    let person = Person::new(Ground::set_up(cluster).await?)?;
    let ground = &person.ground;
    let place = stores.place(Kind::Azure).await?;
    ground.credentials("keys", &place.secret()).await?;
    let _leader = ground.leaders.start().await?;
    person.makes_vaults(&place).await?;

    let spec = json!({ "vault": "vault", "snapshotVolumes": false });
    ground.instance("shop", spec).await?;
    let shop = ground.shop.name();
    let settings = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "settings" }, "data": { "level": "info" },
    });
    create(&ground.cluster.admin(), Some(shop), &settings).await?;
    let before = person.backs_up("before").await?;
    let patch = Patch::Merge(json!({ "data": { "level": "debug" } }));
    let config_maps = ground.shop.api::<ConfigMap>();
    config_maps
        .patch("settings", &PatchParams::default(), &patch)
        .await?;
    let after = person.backs_up("after").await?;

    let key = person.key.to_str().context("the folder is no text")?;
    let at_home = ["-n", ground.home.name()];
    let diff = ["rp", "diff", &before, &after, "--identity", key, "-o", "json"];
    let told: Value = serde_json::from_str(&person.does(&[&diff[..], &at_home].concat(), 0).await?.out)?;
    let expected = json!([{
        "kind": "configmaps", "namespace": shop, "name": "settings",
        "fields": [{ "path": "/data/level", "before": "info", "after": "debug" }],
    }]);
    ensure!(told["changed"] == expected, "{told:#}");
    let get = [
        "rp",
        "get",
        &before,
        "configmaps/settings",
        "-n",
        shop,
        "--point-namespace",
        ground.home.name(),
    ];
    let shown = person.does(&[&get[..], &["--identity", key]].concat(), 0).await?;
    ensure!(shown.out.contains("level: info"), "{}", shown.out);

    let verify = ["vault", "verify", "vault", "-n", ground.home.name()];
    let said = person.does(&verify, 0).await?.out;
    ensure!(said.ends_with("2 recovery points, 0 damaged\n"), "{said}");
    damage(&place, &after).await?;
    let said = person.does(&verify, 1).await?.out;
    ensure!(said.contains(&format!("{after}: damaged\n")), "{said}");
    person
        .does(&[&["rp", "verify", &before][..], &at_home].concat(), 0)
        .await?;
    let said = person
        .does(&[&["rp", "verify", &after][..], &at_home].concat(), 1)
        .await?
        .out;
    ensure!(said.contains("segment-00000.tar.zst.age is damaged"), "{said}");

    let stranger = ground.cluster.kubeconfig_for("default", "default").await?;
    let ran = plugin(Some(&stranger), &verify).await?;
    let refused = "you may not get backupvaults.clusterbackup.io";
    ensure!(ran.code == Some(1) && ran.err.contains(refused), "{}", ran.err);
    Ok(())
}

/// Changes a byte of the point's first segment.
async fn damage(place: &Place, point: &str) -> Result<()> {
    let store = place.store()?;
    let blobs: Vec<_> = store.list(None).try_collect().await?;
    let segment = blobs.into_iter().find(|blob| {
        let name = blob.key.as_str();
        name.contains(point) && name.contains("/segment-00000.")
    });
    let segment = segment.context("the point has no segment")?;
    let mut bytes = store.get_range(&segment.key, 0..segment.size).await?.to_vec();
    let last = bytes.last_mut().context("the segment is empty")?;
    *last ^= 1;
    Ok(store.put(&segment.key, Bytes::from(bytes)).await?)
}

/// Somebody with a key.
struct Person {
    ground: Ground,
    kubeconfig: PathBuf,
    key: PathBuf,
    recipient: String,
}

impl Person {
    fn new(ground: Ground) -> Result<Self> {
        let identity = Identity::generate();
        let key = ground.cluster.folder().join("key.txt");
        std::fs::write(&key, identity.reveal().expose_secret())?;
        Ok(Self {
            kubeconfig: ground.cluster.admin_kubeconfig(),
            recipient: identity.recipient().to_string(),
            ground,
            key,
        })
    }

    async fn does(&self, arguments: &[&str], code: i32) -> Result<Ran> {
        let ran = plugin(Some(Path::new(&self.kubeconfig)), arguments).await?;
        ensure!(
            ran.code == Some(code),
            "{arguments:?}: {:?} {}{}",
            ran.code,
            ran.out,
            ran.err
        );
        Ok(ran)
    }

    /// One that can be used, and one in a container that isn't there.
    async fn makes_vaults(&self, place: &Place) -> Result<()> {
        let location = &place.location("keys")["azure"];
        let text = |field: &str| location[field].as_str().unwrap_or_default();
        let container = |name: &str| format!("{}/{name}", text("account"));
        for (vault, container, code, said) in [
            (
                "vault",
                container(text("container")),
                0,
                "Ready:     True (Ready)",
            ),
            (
                "nowhere",
                container("nowhere"),
                1,
                "Ready:     False (LocationMissing)",
            ),
        ] {
            let create = [
                "vault",
                "create",
                vault,
                "-n",
                self.ground.home.name(),
                "--azure",
                &container,
                "--endpoint",
                text("endpoint"),
                "--credentials",
                "keys",
                "--recipient",
                &self.recipient,
            ];
            let shown = self.does(&create, code).await?.out;
            ensure!(
                shown.contains(said) && shown.contains("Encrypted: yes"),
                "{shown}"
            );
        }
        Ok(())
    }

    /// Has the instance backed up, and says which point that makes.
    async fn backs_up(&self, name: &str) -> Result<String> {
        self.ground.ask(name, "shop").await?;
        let status = self.ground.ends(name, BackupPhase::Completed).await?;
        status.recovery_point.context("there is no point")
    }
}
