//! A list that the API server can't continue where it stood, because it has forgotten that state.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use clusterbackup_api::backup::BackupPhase;
use clusterbackup_tests::{Cluster, eventually, leader};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, ListParams, PostParams};
use serde_json::json;

use super::stage::{Ground, filling};
use super::vault::Path;
use crate::runner::scenarios;

scenarios! {
    OwnForgetful: [a_list_that_expired_goes_on_at_a_later_state_and_is_marked],
}

/// A leader that sleeps for longer leads no more.
const SLEEP: Duration = Duration::from_secs(8);

async fn a_list_that_expired_goes_on_at_a_later_state_and_is_marked(cluster: Cluster) -> Result<()> {
    let ground = Ground::set_up(cluster).await?;
    ground.fill().await?;
    let spec = json!({ "vault": "vault", "snapshotVolumes": false });
    ground.instance("shop", spec).await?;
    let leader = ground.leaders.start().await?;
    leader::leads(&leader).await?;
    ground.ask("nightly", "shop").await?;
    ground.stores().await?;
    leader.pause()?;
    forget(&ground).await?;
    leader.resume()?;

    let status = ground.ends("nightly", BackupPhase::CompletedWithWarnings).await?;
    let manifests = ground.listed().await?;
    let [manifest] = manifests.as_slice() else {
        bail!("{manifests:#?}");
    };
    ensure!(
        manifest.inconsistent.iter().eq(["configmaps"]) && manifest.unread.is_empty(),
        "{manifest:#?}"
    );
    ensure!(
        status.warnings.len() == 1 && status.warnings[0].contains("configmaps"),
        "{status:#?}"
    );
    // Everything that was there all the time is there, each once; of what came and went, what its page saw.
    let stored = ground.stored(&status)?;
    for number in 0..=Ground::FILLING {
        let path = Path::new("configmaps", Some(ground.shop.name()), &filling(number));
        ensure!(stored.contains_key(&path), "{path:?} is missing");
    }
    Ok(())
}

/// Changes the first and the last of the objects, and waits until the state before that is forgotten.
async fn forget(ground: &Ground) -> Result<()> {
    let objects = ground.shop.api::<ConfigMap>();
    let first = ListParams::default().limit(1);
    let token = objects.list(&first).await?.metadata.continue_.unwrap_or_default();
    objects.delete(&filling(0), &DeleteParams::default()).await?;
    ground.filling(Ground::FILLING).await?;
    eventually("the state is forgotten", SLEEP, || async {
        // Without a change there is nothing that could be forgotten.
        ground.home.api().create(&PostParams::default(), &touch()).await?;
        let later = objects.list(&first.clone().continue_token(&token)).await;
        match later {
            Err(kube::Error::Api(answer)) if answer.code == 410 => Ok(()),
            other => bail!("it is known: {:?}", other.map(|list| list.metadata)),
        }
    })
    .await
}

fn touch() -> ConfigMap {
    let mut object = ConfigMap::default();
    object.metadata.generate_name = Some("touch-".to_owned());
    object
}
