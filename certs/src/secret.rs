//! How [`Material`] lies in its Secret. `tls.crt`, `tls.key` and `ca.crt` mean what they mean in every TLS Secret; the
//! other keys are ours.

use std::collections::BTreeMap;

use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::api::ObjectMeta;

use crate::{
    authority::{Authority, AuthorityError, Certificate, Leaf, ServiceNames, bundle},
    material::Material,
};

const LEAF: (&str, &str) = ("tls.crt", "tls.key");
const ISSUER: (&str, &str) = ("ca.crt", "ca.key");
const NEXT: (&str, &str) = ("next-ca.crt", "next-ca.key");
/// One PEM certificate after the other.
const PREVIOUS: &str = "previous-ca.crt";
const TYPE: &str = "kubernetes.io/tls";
/// Restoring an old certificate from a backup would only break a running webhook.
const NOT_BACKED_UP: (&str, &str) = ("velero.io/exclude-from-backup", "true");
const PEM_END: &str = "-----END CERTIFICATE-----";

/// A Secret that holds nothing to build upon.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    #[error("it has no {0}")]
    Missing(&'static str),
    #[error("its {0} is not text")]
    NotText(&'static str),
    #[error("its authority (ca.crt, ca.key) is of no use: {0}")]
    Authority(AuthorityError),
}

/// Reads what a Secret holds. Without a usable authority it is of no use; anything else of it can be made again.
pub(crate) fn read(secret: &Secret, names: &ServiceNames) -> Result<Material, Unusable> {
    let pair = |keys: (&'static str, &'static str)| {
        Ok::<_, Unusable>((text(secret, keys.0)?, text(secret, keys.1)?))
    };
    let (certificate, key) = pair(ISSUER)?;
    let issuer = Authority::from_pem(certificate, key).map_err(Unusable::Authority)?;
    let next = pair(NEXT)
        .ok()
        .and_then(|(certificate, key)| Authority::from_pem(certificate, key).ok());
    let leaf = pair(LEAF)
        .ok()
        .and_then(|(certificate, key)| Leaf::from_pem(certificate, key).ok());
    let leaf = leaf.filter(|leaf| leaf.serves(names, issuer.certificate()));
    let previous = text(secret, PREVIOUS)
        .unwrap_or_default()
        .split_inclusive(PEM_END);
    let previous = previous
        .filter_map(|pem| Certificate::parse(pem.trim()).ok())
        .collect();
    Ok(Material {
        issuer,
        next,
        previous,
        leaf,
    })
}

/// The Secret for `material`; what else `existing` carries (labels, type, version) stays.
pub(crate) fn write(name: &str, existing: Option<&Secret>, material: &Material) -> Secret {
    let mut secret = existing.cloned().unwrap_or_else(|| Secret {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        },
        type_: Some(TYPE.to_owned()),
        ..Secret::default()
    });
    secret.metadata.managed_fields = None;
    let (key, value) = NOT_BACKED_UP;
    secret
        .metadata
        .labels
        .get_or_insert_default()
        .insert(key.to_owned(), value.to_owned());

    let issuer = (ISSUER, material.issuer.certificate(), material.issuer.key());
    let next = material
        .next
        .as_ref()
        .map(|next| (NEXT, next.certificate(), next.key()));
    let leaf = material
        .leaf
        .as_ref()
        .map(|leaf| (LEAF, leaf.certificate(), leaf.key()));
    let mut data = BTreeMap::new();
    for ((certificate_key, key_key), certificate, key) in std::iter::once(issuer).chain(next).chain(leaf) {
        data.insert(certificate_key.to_owned(), bytes(certificate.pem()));
        data.insert(key_key.to_owned(), bytes(key.expose()));
    }
    let previous = bundle(&material.previous);
    if !previous.is_empty() {
        data.insert(PREVIOUS.to_owned(), bytes(&previous));
    }
    secret.data = Some(data);
    secret
}

fn text<'a>(secret: &'a Secret, key: &'static str) -> Result<&'a str, Unusable> {
    let bytes = secret
        .data
        .as_ref()
        .and_then(|data| data.get(key))
        .ok_or(Unusable::Missing(key))?;
    std::str::from_utf8(&bytes.0).map_err(|_| Unusable::NotText(key))
}

fn bytes(text: &str) -> ByteString {
    ByteString(text.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{lifetimes::Lifetimes, step::Step};

    fn names() -> ServiceNames {
        ServiceNames::new("webhook", "system")
    }

    fn now() -> Timestamp {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    fn rotated() -> Material {
        let lifetimes = Lifetimes::default();
        let mut material = Material::begin(now(), &lifetimes, &names()).unwrap();
        for step in [
            Step::PublishNext,
            Step::SwitchToNext,
            Step::PublishNext,
            Step::SwitchToNext,
            Step::PublishNext,
        ] {
            material = material
                .after(step, now(), &lifetimes, &names())
                .unwrap()
                .unwrap();
        }
        material
    }

    #[test]
    fn everything_is_read_back_as_it_was_written() {
        let material = rotated();
        let back = read(&write("tls", None, &material), &names()).unwrap();
        assert_eq!(back.bundle(), material.bundle());
        assert_eq!(
            (back.previous.len(), back.next, back.leaf),
            (2, material.next, material.leaf)
        );
        assert_eq!(back.issuer, material.issuer);
    }

    #[test]
    fn garbage_costs_no_more_than_what_it_replaces() {
        let whole = write("tls", None, &rotated());
        let spoil = |key: &str, content: Option<&str>| {
            let mut secret = whole.clone();
            let data = secret.data.get_or_insert_default();
            match content {
                Some(content) => data.insert(key.to_owned(), bytes(content)),
                None => data.remove(key),
            };
            read(&secret, &names())
        };
        for content in [None, Some(""), Some("garbage")] {
            assert!(spoil("ca.crt", content).is_err());
            assert!(spoil("ca.key", content).is_err());
            assert!(spoil("tls.crt", content).unwrap().leaf.is_none());
            assert!(spoil("tls.key", content).unwrap().leaf.is_none());
            assert!(spoil("next-ca.key", content).unwrap().next.is_none());
            assert!(spoil("previous-ca.crt", content).unwrap().previous.is_empty());
        }
        assert!(read(&Secret::default(), &names()).is_err());
    }

    #[test]
    fn a_leaf_for_other_names_or_of_another_authority_is_of_no_use() {
        let lifetimes = Lifetimes::default();
        let material = rotated();
        assert!(
            read(
                &write("tls", None, &material),
                &ServiceNames::new("other", "system")
            )
            .unwrap()
            .leaf
            .is_none()
        );
        let foreign = Material::begin(now() + lifetimes.leaf(), &lifetimes, &names())
            .unwrap()
            .leaf;
        let mixed = Material {
            leaf: foreign,
            ..material
        };
        assert!(
            read(&write("tls", None, &mixed), &names())
                .unwrap()
                .leaf
                .is_none()
        );
    }

    #[test]
    fn an_existing_secret_keeps_what_is_not_ours() {
        let mut existing = Secret {
            type_: Some("Opaque".to_owned()),
            ..Secret::default()
        };
        existing.metadata.resource_version = Some("7".to_owned());
        existing.metadata.labels = Some(BTreeMap::from([("team".to_owned(), "a".to_owned())]));
        let written = write("tls", Some(&existing), &rotated());
        assert_eq!(written.metadata.resource_version.as_deref(), Some("7"));
        assert_eq!(written.metadata.labels.unwrap()["team"], "a");
        assert_eq!(written.type_.as_deref(), Some("Opaque"));
    }

    #[test]
    fn what_is_wrong_is_said_without_repeating_it() {
        let mut secret = write("tls", None, &rotated());
        secret
            .data
            .get_or_insert_default()
            .insert("ca.key".to_owned(), bytes("hunter2"));
        let message = read(&secret, &names()).unwrap_err().to_string();
        assert!(
            message.contains("private key") && !message.contains("hunter2"),
            "{message}"
        );
    }
}
