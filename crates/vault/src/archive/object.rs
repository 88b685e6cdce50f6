//! An object of the archive, compared with its path.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use bytes::Bytes;
use serde::Deserialize;

use super::at_most::AtMost;
use super::error::Refusal;
use super::limits::Limits;
use super::place::ObjectPath;
use crate::point::{Digest, Entry};

/// Far more labels than an object has.
const MOST_LABELS: usize = 10_000;

/// What was seen of an archive so far.
pub(super) struct Seen {
    limits: Limits,
    objects: HashSet<[u8; 16]>,
    /// The one kind of each plural name.
    kinds: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Object<'a> {
    #[serde(borrow)]
    api_version: Cow<'a, str>,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    metadata: Metadata<'a>,
}

#[derive(Deserialize)]
struct Metadata<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    namespace: Option<Cow<'a, str>>,
    labels: Option<AtMost<String, MOST_LABELS>>,
}

impl Seen {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            objects: HashSet::new(),
            kinds: BTreeMap::new(),
        }
    }

    /// The object, if it is the one that its path says, and wasn't there before.
    pub(super) fn object(&mut self, path: ObjectPath, json: Vec<u8>) -> Result<Entry, Refusal> {
        self.once(&path)?;
        let object: Object<'_> =
            serde_json::from_slice(&json).map_err(|error| Refusal::json("an object", &error))?;
        // The parser skips what it needn't know without looking at the encoding of its texts.
        if str::from_utf8(&json).is_err() {
            return Err(Refusal::Encoding);
        }
        check(&object, &path)?;
        self.check_kind(&path.group_resource, &object.kind)?;
        let labels = object
            .metadata
            .labels
            .map_or_else(BTreeMap::new, |AtMost(labels)| labels);
        Ok(Entry {
            group_resource: path.group_resource,
            namespace: path.namespace,
            name: path.name,
            labels,
            json: Bytes::from(json),
        })
    }

    fn once(&mut self, path: &ObjectPath) -> Result<(), Refusal> {
        let (kind, namespace) = (
            &path.group_resource,
            path.namespace.as_deref().unwrap_or_default(),
        );
        let name = format!("{kind}/{namespace}/{}", path.name);
        if !self.objects.insert(Digest::of(name.as_bytes()).short()) {
            return Err(Refusal::Twice);
        }
        at_most(self.objects.len(), self.limits.objects, "objects")
    }

    fn check_kind(&mut self, group_resource: &str, kind: &str) -> Result<(), Refusal> {
        match self.kinds.get(group_resource) {
            Some(known) if known == kind => Ok(()),
            Some(known) => Err(Refusal::other("kind", kind, known)),
            None => {
                self.kinds.insert(group_resource.to_owned(), kind.to_owned());
                at_most(self.kinds.len(), self.limits.kinds, "kinds of objects")
            }
        }
    }
}

fn check(object: &Object<'_>, path: &ObjectPath) -> Result<(), Refusal> {
    let group = object.api_version.split_once('/').map_or("", |(group, _)| group);
    let expected = path.group_resource.split_once('.').map_or("", |(_, group)| group);
    let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
    for (field, found, expected) in [
        ("API group", group, expected),
        (
            "namespace",
            namespace,
            path.namespace.as_deref().unwrap_or_default(),
        ),
        ("name", &object.metadata.name, &path.name),
    ] {
        if found != expected {
            return Err(Refusal::other(field, found, expected));
        }
    }
    let letters = object.kind.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !letters || object.kind.is_empty() || object.kind.len() > 63 {
        return Err(Refusal::other("kind", &object.kind, "a kind's name"));
    }
    Ok(())
}

fn at_most(count: usize, most: usize, what: &'static str) -> Result<(), Refusal> {
    if count > most {
        return Err(Refusal::TooMany { most, what });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(group_resource: &str, namespace: Option<&str>) -> ObjectPath {
        ObjectPath {
            group_resource: group_resource.to_owned(),
            namespace: namespace.map(str::to_owned),
            name: "a".to_owned(),
        }
    }

    fn read(path: ObjectPath, json: &str) -> Result<Entry, Refusal> {
        Seen::new(Limits::DEFAULT).object(path, json.as_bytes().to_vec())
    }

    #[test]
    fn an_object_is_the_one_of_its_path() {
        let pod = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","namespace":"shop","labels":{"k":"v"}}}"#;
        let entry = read(path("pods", Some("shop")), pod).unwrap();
        assert_eq!(entry.labels, BTreeMap::from([("k".to_owned(), "v".to_owned())]));
        assert_eq!(entry.json, pod);
        for (path, json, field) in [
            (path("pods", Some("other")), pod, "namespace"),
            (path("pods", None), pod, "namespace"),
            (path("pods.example.com", Some("shop")), pod, "API group"),
            (
                path("nodes", None),
                r#"{"apiVersion":"apps/v1","kind":"Node","metadata":{"name":"a"}}"#,
                "API group",
            ),
            (
                path("nodes", None),
                r#"{"apiVersion":"v1","kind":"Node","metadata":{"name":"b"}}"#,
                "name",
            ),
            (
                path("nodes", None),
                r#"{"apiVersion":"v1","kind":"","metadata":{"name":"a"}}"#,
                "kind",
            ),
        ] {
            let refused = read(path, json);
            assert!(
                matches!(refused, Err(Refusal::Other { field: found, .. }) if found == field),
                "{refused:?}"
            );
        }
    }

    #[test]
    fn a_plural_name_has_one_kind() {
        let mut seen = Seen::new(Limits::DEFAULT);
        let mut read = |name: &str, kind: &str| {
            let path = ObjectPath {
                name: name.to_owned(),
                ..path("nodes", None)
            };
            let json = serde_json::json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}});
            seen.object(path, json.to_string().into_bytes()).map(drop)
        };
        assert_eq!(read("a", "Node"), Ok(()));
        assert_eq!(read("b", "Node"), Ok(()));
        assert_eq!(read("c", "Pod"), Err(Refusal::other("kind", "Pod", "Node")));
    }

    #[test]
    fn what_is_no_object_is_refused_without_showing_it() {
        let deep = format!(r#"{{"data":{}"#, "[".repeat(1 << 20));
        let encoded = [
            br#"{"apiVersion":"v1","kind":"Node","metadata":{"name":"a"},"data":""#.as_slice(),
            b"\xff\"}",
        ];
        for json in [
            b"".as_slice(),
            b"null",
            b"[]",
            br#""canary""#,
            br#"{"apiVersion":"v1","kind":"Node"}"#,
            br#"{"apiVersion":"v1","kind":"Node","metadata":"canary"}"#,
            br#"{"apiVersion":"v1","kind":"Node","metadata":{"name":"a"},"metadata":{"name":"a"}}"#,
            br#"{"apiVersion":"v1","kind":"Node","metadata":{"name":"a"}} {}"#,
            br#"{"apiVersion":"v1","kind":"Node","metadata":{"name":"a","labels":{"canary":7}}}"#,
            deep.as_bytes(),
            &encoded.concat(),
        ] {
            let refused = Seen::new(Limits::DEFAULT).object(path("nodes", None), json.to_vec());
            let text = refused.unwrap_err().to_string();
            assert!(!text.contains("canary"), "{text}");
        }
    }
}
