//! The NodeTask for one new pod. Its name follows from restore and pod, so that nobody can make a second one.

use std::collections::BTreeMap;

use clusterbackup_api::node_task::{RestoredPod, RunReference, TaskState};
use clusterbackup_api::{NodeTask, NodeTaskSpec, Restore, labels};
use clusterbackup_core::hook::restore::RestoreCommand;
use clusterbackup_core::selection::Pod;
use kube::ResourceExt as _;
use kube::api::ObjectMeta;

/// What the task of a pod is called.
pub(super) fn name(restore: &Restore, pod: &str) -> String {
    format!("{}-{pod}", restore.uid().unwrap_or_default())
}

/// The task for a pod that is bound to a node, by the leader of that epoch.
pub(super) fn order(
    restore: &Restore,
    epoch: i64,
    (pod, node): (&Pod, &str),
    commands: &[RestoreCommand],
) -> NodeTask {
    let uid = restore.uid().unwrap_or_default();
    let restored = RestoredPod {
        restore: RunReference {
            namespace: restore.namespace().unwrap_or_default(),
            name: restore.name_any(),
            uid: uid.clone(),
        },
        namespace: pod.name.namespace.clone(),
        name: pod.name.name.clone(),
        uid: pod.uid.clone(),
        commands: commands.iter().cloned().map(Into::into).collect(),
    };
    NodeTask {
        metadata: ObjectMeta {
            name: Some(name(restore, &pod.uid)),
            labels: Some(BTreeMap::from([(labels::RESTORE_UID.to_owned(), uid)])),
            ..ObjectMeta::default()
        },
        spec: NodeTaskSpec {
            node_name: node.to_owned(),
            epoch,
            backup: None,
            state: TaskState::Running,
            keep_output: false,
            units: Vec::new(),
            restored: Some(restored),
        },
        status: None,
    }
}
