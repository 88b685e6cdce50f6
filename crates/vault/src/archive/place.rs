//! What a file of the archive is, by its path.

use super::error::Refusal;
use crate::point::segment;

/// A file's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// `metadata/version`.
    Version,
    /// `resources/<plural.group>/{cluster|namespaces/<ns>}/<name>.json`: what Velero restores.
    Object(ObjectPath),
    /// The same below `<version>-preferredversion`, or another version of it. Velero reads it only where a feature flag of
    /// API group versions is set, and so it isn't read here.
    OtherVersion,
}

/// Which object a file is to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ObjectPath {
    pub(super) group_resource: String,
    pub(super) namespace: Option<String>,
    pub(super) name: String,
}

impl Place {
    pub(super) fn of(path: &str) -> Result<Self, Refusal> {
        let segments = segments(path)?;
        let object = |group_resource: &str, namespace: Option<&str>, file: &str| {
            let name = file
                .strip_suffix(".json")
                .filter(|name| segment::is_file_name(name));
            let good = is_group_resource(group_resource) && namespace.is_none_or(is_namespace);
            Some(ObjectPath {
                group_resource: group_resource.to_owned(),
                namespace: namespace.map(str::to_owned),
                name: name.filter(|_| good)?.to_owned(),
            })
        };
        let place = match *segments {
            ["metadata", "version"] => Some(Self::Version),
            ["resources", kind, "cluster", file] => object(kind, None, file).map(Self::Object),
            ["resources", kind, "namespaces", namespace, file] => {
                object(kind, Some(namespace), file).map(Self::Object)
            }
            ["resources", kind, _, "cluster", file] => object(kind, None, file).map(|_| Self::OtherVersion),
            ["resources", kind, _, "namespaces", namespace, file] => {
                object(kind, Some(namespace), file).map(|_| Self::OtherVersion)
            }
            _ => None,
        };
        place.ok_or(Refusal::NoPlace)
    }
}

/// A folder may be in an archive that somebody packed again.
pub(super) fn check_folder(path: &str) -> Result<(), Refusal> {
    match path.strip_suffix('/').unwrap_or(path) {
        "." => Ok(()),
        path => segments(path).map(drop),
    }
}

fn segments(path: &str) -> Result<Vec<&str>, Refusal> {
    let segments: Vec<_> = path.strip_prefix("./").unwrap_or(path).split('/').collect();
    let inside = segments.iter().all(|segment| segment::is_file_name(segment));
    inside.then_some(segments).ok_or(Refusal::LeadsElsewhere)
}

fn is_group_resource(text: &str) -> bool {
    let letters = |part: &str| {
        part.bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
    };
    text.len() <= 317 && text.split('.').all(|part| !part.is_empty() && letters(part))
}

fn is_namespace(text: &str) -> bool {
    text.len() <= 63 && is_group_resource(text) && !text.contains('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(group_resource: &str, namespace: Option<&str>, name: &str) -> Place {
        Place::Object(ObjectPath {
            group_resource: group_resource.to_owned(),
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        })
    }

    #[test]
    fn a_path_says_what_a_file_is() {
        for (path, place) in [
            ("metadata/version", Place::Version),
            ("./metadata/version", Place::Version),
            (
                "resources/pods/namespaces/shop/a.json",
                object("pods", Some("shop"), "a"),
            ),
            (
                "resources/pods/namespaces/cluster/a.json",
                object("pods", Some("cluster"), "a"),
            ),
            (
                "resources/clusterroles.rbac.authorization.k8s.io/cluster/system:a b.json",
                object("clusterroles.rbac.authorization.k8s.io", None, "system:a b"),
            ),
            ("resources/x.y/cluster/a.json.json", object("x.y", None, "a.json")),
            (
                "resources/pods/v1-preferredversion/namespaces/shop/a.json",
                Place::OtherVersion,
            ),
            ("resources/nodes/v1beta1/cluster/a.json", Place::OtherVersion),
        ] {
            assert_eq!(Place::of(path), Ok(place), "{path}");
        }
    }

    #[test]
    fn a_path_that_leads_elsewhere_is_refused() {
        for path in [
            "",
            "/metadata/version",
            "../metadata/version",
            "resources/pods/namespaces/../cluster/a.json",
            "resources/pods/cluster/./a.json",
            "resources//cluster/a.json",
            "resources/pods/cluster/..",
            "resources/pods/cluster/a\0.json",
            "././metadata/version",
        ] {
            assert_eq!(Place::of(path), Err(Refusal::LeadsElsewhere), "{path:?}");
        }
        for path in [".", "./", "resources", "resources/pods/", "./resources/"] {
            assert_eq!(check_folder(path), Ok(()), "{path:?}");
        }
        for path in ["/", "..", "../", "resources/../..", "/etc"] {
            assert_eq!(check_folder(path), Err(Refusal::LeadsElsewhere), "{path:?}");
        }
    }

    #[test]
    fn a_path_that_velero_does_not_write_is_refused() {
        for path in [
            "metadata",
            "metadata/other",
            "resources/pods/a.json",
            "resources/pods/namespaces/a.json",
            "resources/pods/cluster/a",
            "resources/pods/cluster/.json",
            "resources/pods/cluster/...json",
            "resources/Pods/cluster/a.json",
            "resources/pods./cluster/a.json",
            "resources/pods/namespaces/a.b/a.json",
            "resources/pods/namespaces/A/a.json",
            "resources/pods/v1/v1/cluster/a.json",
            "etc/passwd",
        ] {
            assert_eq!(Place::of(path), Err(Refusal::NoPlace), "{path:?}");
        }
    }
}
