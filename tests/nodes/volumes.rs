//! Volumes in real pods, on every node; and an application whose data is only right as a whole, without our help.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_api::snapshots::VolumeSnapshot;
use clusterbackup_tests::csi::{CLASS, LATE_CLASS, Operation, SNAPSHOT_CLASS, Volume};
use clusterbackup_tests::nodes::{Application, Running};
use clusterbackup_tests::runner::{NodesContext, scenarios};
use clusterbackup_tests::{eventually, steps, writer};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::ResourceExt as _;
use kube::api::DeleteParams;

scenarios! {
    Nodes: [
        pods_write_into_volumes_wherever_they_run,
        snapshots_of_a_pod_agree_only_if_it_is_frozen,
    ],
}

const LIMIT: Duration = Duration::from_mins(1);
/// The control folder of the writer in its pod.
const CONTROL: &str = "/control";

async fn pods_write_into_volumes_wherever_they_run(context: &NodesContext) -> Result<()> {
    let NodesContext {
        nodes,
        csi,
        namespace,
    } = context;
    for node in nodes.all() {
        for class in [CLASS, LATE_CLASS] {
            let name = format!("{class}-{}", node.name());
            csi.claim_in(class, namespace, &name).await?;
            let folder = format!("/data/{name}");
            let running = run(context, node.name(), &name, &[&name], &[CONTROL, &folder]).await?;
            let volume = csi.volume_of(namespace.name(), &name).await?;
            eventually("the pod has written", LIMIT, || async {
                writer::last_record(&volume.data)
            })
            .await?;
            let mount = mount_of(context, &running, &name).await?;
            node.run("mountpoint", &["-q", &mount]).await?;

            let pods = namespace.api::<Pod>();
            pods.delete(&name, &DeleteParams::default()).await?;
            steps::gone(&pods, &name).await?;
            eventually("the volume is unmounted", LIMIT, || async {
                let left = node.run("mountpoint", &["-q", &mount]).await;
                ensure!(left.is_err(), "{mount} is a mount");
                Ok(())
            })
            .await?;
        }
    }
    Ok(())
}

/// The first half is the experiment that shows what the second is worth: were these equal, nothing could be told from
/// copies that agree.
async fn snapshots_of_a_pod_agree_only_if_it_is_frozen(context: &NodesContext) -> Result<()> {
    let NodesContext { csi, namespace, .. } = context;
    let first = csi.claim(namespace, "first").await?;
    let second = csi.claim(namespace, "second").await?;
    let arguments = [CONTROL, "/data/first", "/data/second"];
    let running = run(context, "node-2", "writer", &["first", "second"], &arguments).await?;
    eventually("the pod has written", LIMIT, || async {
        writer::last_record(&second.data)
    })
    .await?;
    csi.driver()
        .knobs_of(&second.handle)
        .takes(Operation::CreateSnapshot, Duration::from_millis(500))?;

    let [first_end, second_end] = cut(context, [&first, &second]).await?;
    ensure!(
        first_end < second_end,
        "free, and yet the copies end at {first_end} and {second_end}"
    );

    exec(&running, &writer::freeze(CONTROL)).await?;
    let [first_end, second_end] = cut(context, [&first, &second]).await?;
    ensure!(
        first_end == second_end,
        "frozen, and yet the copies end at {first_end} and {second_end}"
    );
    exec(&running, &writer::thaw(CONTROL)).await?;
    let history = running.exec(&["cat", "/control/history"]).await?;
    ensure!(
        matches!(writer::pauses_in(&history)?[..], [(_, Some(_))]),
        "{history}"
    );
    eventually("the pod goes on", LIMIT, || async {
        let last = writer::last_record(&second.data)?;
        ensure!(last > second_end, "it is at {last}");
        Ok(())
    })
    .await
}

/// Where the copies of two volumes end that are cut one after the other.
async fn cut(context: &NodesContext, volumes: [&Volume; 2]) -> Result<[u64; 2]> {
    let NodesContext { csi, namespace, .. } = context;
    for volume in volumes {
        csi.ask(namespace, SNAPSHOT_CLASS, volume).await?;
    }
    let snapshots = namespace.api::<VolumeSnapshot>();
    let mut ends = [0; 2];
    for (end, volume) in ends.iter_mut().zip(volumes) {
        let taken = csi.taken(namespace.name(), &volume.claim).await?;
        *end = writer::last_record(&taken.data)?;
        snapshots.delete(&volume.claim, &DeleteParams::default()).await?;
        steps::gone(&snapshots, &volume.claim).await?;
    }
    Ok(ends)
}

/// Runs the writer on a node.
async fn run<'a>(
    context: &'a NodesContext,
    node: &str,
    name: &str,
    claims: &[&str],
    arguments: &[&str],
) -> Result<Running<'a>> {
    let application = Application {
        node: Some(node),
        script: writer::SCRIPT,
        arguments,
        claims,
        ..Application::new(name)
    };
    context.nodes.run(context.namespace.name(), &application).await
}

async fn exec(running: &Running<'_>, command: &[String]) -> Result<()> {
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    running.exec(&words).await.map(drop)
}

/// Where the kubelet has a claim of a pod mounted.
async fn mount_of(context: &NodesContext, running: &Running<'_>, claim: &str) -> Result<String> {
    let claims = context.namespace.api::<PersistentVolumeClaim>();
    let volume = claims.get(claim).await?.spec.and_then(|spec| spec.volume_name);
    Ok(format!(
        "/var/lib/kubelet/pods/{}/volumes/kubernetes.io~csi/{}/mount",
        running.pod().uid().context("a pod without uid")?,
        volume.context("a claim without volume")?,
    ))
}
