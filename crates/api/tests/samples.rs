//! The samples in `manifests/samples` are what people copy: they have to be right.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use clusterbackup_api::{
    Backup, BackupHook, BackupInstance, BackupPolicy, BackupVault, Restore, RestoreHook, RestoreInterception,
    labels,
};
use clusterbackup_core::hook;
use clusterbackup_core::modifier::{Rename, RuleOutcome, RuleSet};
use clusterbackup_core::object::{GroupResource, ObjectName, Target};
use clusterbackup_core::patch::Draft;
use clusterbackup_core::yaml;
use serde_json::{Value, json};

/// The objects of every sample with rules, by file.
fn samples() -> BTreeMap<PathBuf, Vec<Value>> {
    objects_in("samples")
}

fn objects_in(folder: &str) -> BTreeMap<PathBuf, Vec<Value>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../manifests")
        .join(folder);
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files
        .filter(|path| path.is_file())
        .map(|path| {
            let objects = yaml::to_json_documents(&fs::read_to_string(&path).unwrap()).unwrap();
            (path, objects)
        })
        .collect()
}

#[test]
fn every_sample_of_a_backup_makes_sense_and_undoes_what_it_does() {
    let mut kinds = BTreeSet::new();
    for object in objects_in("samples/backups").into_values().flatten() {
        let kind = object["kind"].as_str().unwrap().to_owned();
        match kind.as_str() {
            "BackupHook" => {
                let hooks = serde_json::from_value::<BackupHook>(object)
                    .unwrap()
                    .hooks()
                    .unwrap();
                assert_eq!(hook::remarks(&hooks), []);
            }
            "RestoreHook" => {
                let hooks = serde_json::from_value::<RestoreHook>(object).unwrap();
                assert!(hooks.hooks().is_ok());
            }
            "BackupInstance" => {
                let instance = serde_json::from_value::<BackupInstance>(object).unwrap();
                assert!(instance.spec.inclusion().is_ok());
            }
            "BackupVault" => {
                let vault = serde_json::from_value::<BackupVault>(object).unwrap();
                assert!(vault.spec.operational.place().is_some());
            }
            "BackupPolicy" => {
                let policy = serde_json::from_value::<BackupPolicy>(object).unwrap();
                assert!(policy.spec.schedule().is_ok() && policy.spec.operational().is_ok());
            }
            "Restore" => {
                let restore = serde_json::from_value::<Restore>(object).unwrap();
                assert!(restore.decided().is_ok());
            }
            "Backup" => drop(serde_json::from_value::<Backup>(object).unwrap()),
            other => panic!("a sample of {other} is not tried"),
        }
        kinds.insert(kind);
    }
    assert_eq!(kinds.len(), 7, "{kinds:?}");
}

fn of_kind<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    let mut found = objects.iter().filter(|object| object["kind"] == kind);
    let object = found.next().unwrap();
    assert!(found.next().is_none(), "a sample has one {kind}");
    object
}

#[test]
fn every_sample_has_an_interception_without_a_problem() {
    let samples = samples();
    assert!(!samples.is_empty());
    for (path, objects) in samples {
        let interception: RestoreInterception =
            serde_json::from_value(of_kind(&objects, "RestoreInterception").clone()).unwrap();
        assert_eq!(interception.spec.problems(), [], "{}", path.display());
    }
}

#[test]
fn every_sample_refers_to_its_own_rules_and_they_are_valid() {
    for (path, objects) in samples() {
        let reference = &of_kind(&objects, "RestoreInterception")["spec"]["resourceModifierReference"];
        let config_map = of_kind(&objects, "ConfigMap");
        let metadata = &config_map["metadata"];
        assert_eq!(
            (&metadata["name"], &metadata["namespace"]),
            (&reference["name"], &reference["namespace"]),
            "{}",
            path.display()
        );
        assert_eq!(
            metadata["labels"][labels::RESOURCE_MODIFIER],
            labels::ENABLED,
            "{}",
            path.display()
        );
        let data: Vec<_> = config_map["data"].as_object().unwrap().values().collect();
        let [text] = data.as_slice() else {
            panic!("{}: {data:?}", path.display())
        };
        if let Err(problems) = RuleSet::parse(text.as_str().unwrap()) {
            panic!("{}: {problems}", path.display());
        }
    }
}

fn rules(objects: &[Value]) -> RuleSet {
    let text = of_kind(objects, "ConfigMap")["data"]["rules.yaml"]
        .as_str()
        .unwrap();
    RuleSet::parse(text).unwrap()
}

/// What becomes of an object of that name in the namespace `shop` by the rules of one sample.
fn restored(
    sample: &str,
    group_resource: (&str, &str),
    name: &str,
    object: Value,
) -> (Value, Vec<RuleOutcome>) {
    let samples = samples();
    let file = format!("{sample}.yaml");
    let (_, objects) = samples.iter().find(|(path, _)| path.ends_with(&file)).unwrap();
    let group_resource = GroupResource::new(group_resource.0, group_resource.1);
    let target = Target {
        group_resource: &group_resource,
        name: ObjectName::Exact(name),
        original_namespace: Some("shop"),
    };
    let rules = rules(objects);
    let selection = rules.select(&target, &object);
    let mut draft = Draft::new(object);
    let results = rules.apply(&selection, &mut draft, &Rename::Allowed.into());
    (
        draft.into_parts().0,
        results.into_iter().map(|result| result.outcome).collect(),
    )
}

#[test]
fn the_samples_do_what_they_say() {
    let deployment = ("apps", "deployments");
    let claim = ("", "persistentvolumeclaims");
    let containers = |images: &[&str]| {
        let containers: Vec<_> = images.iter().map(|image| json!({"image": image})).collect();
        json!({"spec": {"template": {"spec": {"containers": containers}}}})
    };
    let volume = |volume: Value| json!({"spec": {"template": {"spec": {"volumes": [volume]}}}});
    let cases = [
        (
            "storage-class",
            claim,
            "data",
            json!({"spec": {"storageClassName": "standard"}}),
            json!({"spec": {"storageClassName": "premium"}}),
        ),
        (
            "volume-name",
            claim,
            "data",
            json!({"metadata": {"annotations": {"a": "b"}}, "spec": {"volumeName": "pv-1"}}),
            json!({"metadata": {"annotations": {"a": "b"}}, "spec": {}}),
        ),
        (
            "rename-claim",
            claim,
            "data",
            json!({"metadata": {"name": "data"}}),
            json!({"metadata": {"name": "data-restored"}}),
        ),
        (
            "rename-claim",
            deployment,
            "database",
            volume(json!({"persistentVolumeClaim": {"claimName": "data"}})),
            volume(json!({"persistentVolumeClaim": {"claimName": "data-restored"}})),
        ),
        (
            "replicas",
            ("apps", "statefulsets"),
            "database",
            json!({"spec": {"replicas": 3}}),
            json!({"spec": {"replicas": 0}}),
        ),
        (
            "image-registry",
            deployment,
            "web",
            containers(&[
                "registry.old.example/shop/web:2.4.1",
                "registry.old.example/shop/proxy:1.9.0",
            ]),
            containers(&[
                "registry.new.example/shop/web:2.4.1",
                "registry.new.example/shop/proxy:1.9.0",
            ]),
        ),
        (
            "annotation",
            ("networking.k8s.io", "ingresses"),
            "web",
            json!({"metadata": {"annotations": {"cert-manager.io/cluster-issuer": "letsencrypt-production"}}}),
            json!({"metadata": {"annotations": {}}}),
        ),
        (
            "nfs-server",
            ("", "persistentvolumes"),
            "pv-1",
            json!({"spec": {"nfs": {"server": "nfs.old.example"}}}),
            json!({"spec": {"nfs": {"server": "nfs.new.example"}}}),
        ),
        (
            "nfs-server",
            deployment,
            "files",
            volume(json!({"nfs": {"server": "nfs.old.example"}})),
            volume(json!({"nfs": {"server": "nfs.new.example"}})),
        ),
        (
            "labels",
            deployment,
            "web",
            json!({"metadata": {"labels": {"app": "web"}}}),
            json!({"metadata": {"labels": {"app": "web", "environment": "staging", "restored": "true"}}}),
        ),
        (
            "team-rules",
            ("", "services"),
            "web",
            json!({"spec": {"type": "LoadBalancer"}}),
            json!({"spec": {"type": "ClusterIP"}}),
        ),
    ];
    for (sample, group_resource, name, object, wanted) in cases {
        let (object, outcomes) = restored(sample, group_resource, name, object);
        assert_eq!(object, wanted, "{sample}: {outcomes:?}");
    }
}

#[test]
fn what_is_restored_in_place_loses_the_note_of_the_last_apply() {
    let note = "kubectl.kubernetes.io/last-applied-configuration";
    let object = json!({"metadata": {"annotations": {"a": "b", note: "{}"}}});
    let (object, _) = restored("velero-patch", ("apps", "deployments"), "web", object);
    assert_eq!(object, json!({"metadata": {"annotations": {"a": "b"}}}));
}

#[test]
fn no_rule_of_a_sample_fails_on_an_object_that_it_is_not_about() {
    let bystanders = [
        (
            ("apps", "deployments"),
            json!({"spec": {"replicas": 1, "template": {"spec": {"containers": []}}}}),
        ),
        (("", "persistentvolumeclaims"), json!({"spec": {}})),
        (("", "persistentvolumes"), json!({"spec": {"csi": {}}})),
        (("networking.k8s.io", "ingresses"), json!({"metadata": {}})),
        (("", "services"), json!({"spec": {}})),
    ];
    for path in samples().keys() {
        let sample = path.file_stem().unwrap().to_str().unwrap();
        for (group_resource, object) in &bystanders {
            let (_, outcomes) = restored(sample, *group_resource, "bystander", object.clone());
            let failed = outcomes
                .iter()
                .any(|outcome| matches!(outcome, RuleOutcome::Failed(_)));
            assert!(!failed, "{sample} {group_resource:?}: {outcomes:?}");
        }
    }
}
