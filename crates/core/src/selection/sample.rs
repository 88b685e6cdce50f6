//! Pods and claims for the tables of tests: running on a node, bound to a volume of the driver `csi.example.com`.

use std::collections::BTreeMap;

use super::{Claim, ClaimPhase, Name, Pod, PodPhase, Volume};

/// `shop/db` with one container `main`, running on `node-1`.
pub(crate) fn pod(name: &str, claims: &[&str]) -> Pod {
    Pod {
        name: self::name(name),
        uid: format!("uid of {name}"),
        node: Some("node-1".to_owned()),
        phase: PodPhase::Running,
        deleting: false,
        labels: BTreeMap::new(),
        containers: vec!["main".to_owned()],
        sidecars: Vec::new(),
        claims: claims.iter().map(ToString::to_string).collect(),
    }
}

pub(crate) fn pod_on(node: &str, name: &str, claims: &[&str]) -> Pod {
    Pod {
        node: Some(node.to_owned()),
        ..pod(name, claims)
    }
}

pub(crate) fn claim(name: &str) -> Claim {
    Claim {
        name: self::name(name),
        labels: BTreeMap::new(),
        phase: ClaimPhase::Bound,
        deleting: false,
        volume: Some(Volume {
            driver: Some("csi.example.com".to_owned()),
            capacity: None,
        }),
        snapshots: 0,
    }
}

pub(crate) fn labels(labels: &[(&str, &str)]) -> BTreeMap<String, String> {
    labels
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

pub(crate) fn name(text: &str) -> Name {
    let (namespace, name) = text.split_once('/').unwrap();
    Name::new(namespace, name)
}
