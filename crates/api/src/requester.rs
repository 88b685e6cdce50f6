//! Whose rights count: recorded at admission, in the spec of instances and in an annotation of hooks, whose schema may
//! be somebody else's.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::labels;

/// What of `extra` tells of the credential and not of the user; it is another one tomorrow.
const OF_THE_CREDENTIAL: &str = "authentication.kubernetes.io/";

const MOST_GROUPS: usize = 1024;
const MOST_EXTRA: usize = 64;

/// Whose rights count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct Requester {
    /// The user's name.
    #[schemars(length(max = 1024))]
    pub username: String,
    /// The user's uid, where the authenticator gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub uid: Option<String>,
    /// The user's groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1024), inner(length(max = 1024)))]
    pub groups: Vec<String>,
    /// What else the authenticator says of the user, for authorizers that ask for it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "extra_schema")]
    pub extra: BTreeMap<String, Vec<String>>,
}

/// Why it is not known who wrote a hook.
#[derive(Debug, Error)]
pub enum NoRequester {
    /// Nobody was recorded.
    #[error("nobody is recorded as its requester; write it again, with the webhook installed")]
    Missing,
    /// What is recorded is not what the webhook writes.
    #[error("its requester can't be read: {0}; write it again, with the webhook installed")]
    Unreadable(serde_json::Error),
}

impl Requester {
    /// Who is recorded in the annotation of a hook.
    pub fn of_hook(metadata: &ObjectMeta) -> Result<Self, NoRequester> {
        let annotations = metadata.annotations.as_ref();
        let recorded = annotations.and_then(|annotations| annotations.get(labels::REQUESTER));
        serde_json::from_str(recorded.ok_or(NoRequester::Missing)?).map_err(NoRequester::Unreadable)
    }

    /// Within what the schema admits. Who loses a group by that has fewer rights, never more.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        self.groups.truncate(MOST_GROUPS);
        self.uid.take_if(|uid| uid.is_empty());
        self.extra.retain(|key, _| !key.starts_with(OF_THE_CREDENTIAL));
        while self.extra.len() > MOST_EXTRA {
            self.extra.pop_last();
        }
        self
    }
}

fn extra_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": MOST_EXTRA,
        "additionalProperties": {
            "type": "array",
            "maxItems": 64,
            "items": { "type": "string", "maxLength": 1024 },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tells_of_the_credential_alone_is_not_recorded() {
        let extra = ["authentication.kubernetes.io/credential-id", "oid"];
        let requester = Requester {
            uid: Some(String::new()),
            extra: extra.map(|key| (key.to_owned(), vec!["a".to_owned()])).into(),
            ..Requester::default()
        };
        let recorded = requester.bounded();
        assert_eq!(recorded.extra.into_keys().collect::<Vec<_>>(), ["oid"]);
        assert_eq!(recorded.uid, None);
    }

    #[test]
    fn a_hook_without_a_record_has_no_requester() {
        let hook = |recorded: Option<&str>| ObjectMeta {
            annotations: recorded.map(|text| [(labels::REQUESTER.to_owned(), text.to_owned())].into()),
            ..ObjectMeta::default()
        };
        let requester = Requester {
            username: "jane".to_owned(),
            groups: vec!["team".to_owned()],
            ..Requester::default()
        };
        let text = serde_json::to_string(&requester).unwrap();
        assert_eq!(Requester::of_hook(&hook(Some(&text))).unwrap(), requester);
        assert!(matches!(
            Requester::of_hook(&hook(None)),
            Err(NoRequester::Missing)
        ));
        let unreadable = Requester::of_hook(&hook(Some("jane")));
        assert!(matches!(unreadable, Err(NoRequester::Unreadable(_))));
    }
}
