//! The fields of built-in kinds that name a namespace. Where namespaces are mapped, they follow.

use serde_json::Value;

use super::Mappings;
use super::fields::{items_mut, text};
use crate::object::GroupResource;

/// The field, below what a `*` stands for every item of.
const REFERENCES: [(&str, &str); 10] = [
    (
        "mutatingwebhookconfigurations.admissionregistration.k8s.io",
        "/webhooks/*/clientConfig/service/namespace",
    ),
    (
        "validatingwebhookconfigurations.admissionregistration.k8s.io",
        "/webhooks/*/clientConfig/service/namespace",
    ),
    (
        "mutatingadmissionpolicybindings.admissionregistration.k8s.io",
        "/spec/paramRef/namespace",
    ),
    (
        "validatingadmissionpolicybindings.admissionregistration.k8s.io",
        "/spec/paramRef/namespace",
    ),
    ("apiservices.apiregistration.k8s.io", "/spec/service/namespace"),
    (
        "customresourcedefinitions.apiextensions.k8s.io",
        "/spec/conversion/webhook/clientConfig/service/namespace",
    ),
    ("persistentvolumes", "/spec/claimRef/namespace"),
    ("ingressclasses.networking.k8s.io", "/spec/parameters/namespace"),
    ("rolebindings.rbac.authorization.k8s.io", "/subjects/*/namespace"),
    (
        "clusterrolebindings.rbac.authorization.k8s.io",
        "/subjects/*/namespace",
    ),
];

/// Lets the fields of an object that name a namespace follow the mappings.
pub(super) fn map(object: &mut Value, kind: &GroupResource, mappings: &Mappings) {
    for (_, path) in REFERENCES.iter().filter(|(of, _)| *of == kind.as_str()) {
        match path.split_once("/*") {
            Some((list, path)) => items_mut(object, list).for_each(|item| map_field(item, path, mappings)),
            None => map_field(object, path, mappings),
        }
    }
}

fn map_field(object: &mut Value, path: &str, mappings: &Mappings) {
    if let Some(target) = text(object, path).map(|namespace| mappings.target(namespace).to_owned())
        && let Some(field) = object.pointer_mut(path)
    {
        *field = target.into();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::sample::kind;
    use super::*;

    /// An object that has a value at a path of the table.
    fn holding(path: &str, value: &str) -> Value {
        path.split('/')
            .skip(1)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .fold(value.into(), |inner: Value, name| {
                if name == "*" {
                    json!([{"x": 1}, inner])
                } else {
                    json!({ name: inner })
                }
            })
    }

    #[test]
    fn every_field_that_names_a_namespace_follows_the_mappings() {
        let mappings = Mappings::parse([("shop", "staging")]).unwrap();
        for (of, path) in REFERENCES {
            for (before, after) in [("shop", "staging"), ("bank", "bank")] {
                let mut object = holding(path, before);
                map(&mut object, &kind(of), &mappings);
                assert_eq!(object, holding(path, after), "{of} {path}");
            }
        }
    }

    #[test]
    fn fields_of_other_kinds_are_left_alone() {
        let mappings = Mappings::parse([("shop", "staging")]).unwrap();
        let mut object = json!({"spec": {"service": {"namespace": "shop"}}});
        let before = object.clone();
        map(&mut object, &kind("widgets.example.com"), &mappings);
        assert_eq!(object, before);
    }
}
