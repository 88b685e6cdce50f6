//! Definitions of custom kinds and webhook configurations: what older versions of their API allowed and v1 refuses.

use serde_json::Value;

use super::fields::{is_true, items_mut, members_mut, remove, text};

/// Says for each version what was once said for all: that unknown fields are kept.
pub(super) fn custom_kind(definition: &mut Value) {
    if is_true(definition, "/spec/preserveUnknownFields") {
        for version in items_mut(definition, "/spec/versions") {
            if let Some(schema) = members_mut(version, "/schema/openAPIV3Schema") {
                schema.insert("x-kubernetes-preserve-unknown-fields".to_owned(), true.into());
            }
        }
    }
    remove(definition, "/spec", &["preserveUnknownFields"]);
}

/// Gives each webhook side effects that v1 knows.
pub(super) fn webhooks(configuration: &mut Value) {
    for webhook in items_mut(configuration, "/webhooks") {
        let is_valid = matches!(text(webhook, "/sideEffects"), Some("None" | "NoneOnDryRun"));
        if !is_valid && let Some(webhook) = webhook.as_object_mut() {
            webhook.insert("sideEffects".to_owned(), "None".into());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::sample::created;

    #[test]
    fn a_definition_that_kept_unknown_fields_keeps_them_in_the_way_of_v1() {
        let definition = |kept: bool| {
            json!({"metadata": {"name": "widgets.example.com"}, "spec": {"preserveUnknownFields": kept,
                "versions": [{"name": "v1", "schema": {"openAPIV3Schema": {"type": "object"}}}, {"name": "v2"}]}})
        };
        let kept = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
        for (before, schema) in [(true, kept), (false, json!({"type": "object"}))] {
            let definition = created(
                "customresourcedefinitions.apiextensions.k8s.io",
                definition(before),
                &[],
            );
            let expected =
                json!({"versions": [{"name": "v1", "schema": {"openAPIV3Schema": schema}}, {"name": "v2"}]});
            assert_eq!(definition["spec"], expected);
        }
    }

    #[test]
    fn a_webhook_has_side_effects_that_v1_knows() {
        for (before, after) in [
            (json!({}), "None"),
            (json!({"sideEffects": "Unknown"}), "None"),
            (json!({"sideEffects": "Some"}), "None"),
            (json!({"sideEffects": "None"}), "None"),
            (json!({"sideEffects": "NoneOnDryRun"}), "NoneOnDryRun"),
        ] {
            for kind in ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"] {
                let kind = format!("{kind}.admissionregistration.k8s.io");
                let configuration = json!({"metadata": {"name": "a"}, "webhooks": [before]});
                let configuration = created(&kind, configuration, &[]);
                assert_eq!(
                    configuration["webhooks"][0]["sideEffects"], after,
                    "{kind} {before}"
                );
            }
        }
    }
}
