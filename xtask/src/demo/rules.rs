//! The rules in words, by the index under which an object's mark speaks of them.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use clusterbackup_api::labels;
use clusterbackup_core::yaml;
use serde_json::Value;

/// What each rule does, in the order of the rule text.
pub(super) struct Rules(Vec<Vec<String>>);

impl Rules {
    /// Those of the ConfigMap among `objects`.
    pub(super) fn of(objects: &[Value]) -> Result<Self> {
        let text = objects
            .iter()
            .find_map(|object| object["data"]["rules.yaml"].as_str())
            .context("there is no ConfigMap with rules.yaml")?;
        let documents = yaml::to_json_documents(text)?;
        let rules = documents
            .first()
            .and_then(|document| document["resourceModifierRules"].as_array())
            .context("rules.yaml has no resourceModifierRules")?;
        Ok(Self(rules.iter().map(describe).collect()))
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// What the rule does, line by line.
    pub(super) fn describe(&self, index: usize) -> &[String] {
        self.0.get(index).map_or(&[], Vec::as_slice)
    }
}

/// The rules that were applied to an object, as its mark says.
pub(super) fn applied(object: &Value) -> Result<BTreeSet<usize>> {
    let Some(mark) = object["metadata"]["annotations"][labels::MODIFIED].as_str() else {
        return Ok(BTreeSet::new());
    };
    let mark: Value = serde_json::from_str(mark).with_context(|| format!("not a mark: {mark}"))?;
    let rules = mark[0]["rules"].clone();
    serde_json::from_value(rules).with_context(|| format!("no rules in the mark {mark}"))
}

fn describe(rule: &Value) -> Vec<String> {
    let items = |field: &str| rule[field].as_array().into_iter().flatten();
    let text = |value: &Value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), |text| text.trim().to_owned())
    };
    // What a patch writes is seen in the change; only what a test reads is not.
    let operations = items("patches").flat_map(|patch| {
        let path = text(&patch["path"]);
        match (text(&patch["operation"]), patch.get("from"), patch.get("value")) {
            (operation, Some(from), _) => {
                vec![format!("{operation} {}", text(from)), format!("  to {path}")]
            }
            (operation, None, Some(value)) if operation == "test" => {
                vec![format!("{operation} {path}"), format!("  is {}", text(value))]
            }
            (operation, None, _) => vec![format!("{operation} {path}")],
        }
    });
    let merges = items("mergePatches").map(|patch| format!("merge {}", text(&patch["patchData"])));
    operations.chain(merges).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_kind_of_patch_has_its_words() {
        let rules = r#"
resourceModifierRules:
- patches:
  - {operation: test, path: /a, value: x}
  - {operation: replace, path: /a, value: "1"}
  - {operation: add, path: /b, value: "2"}
  - {operation: move, from: /b, path: /c}
  - {operation: remove, path: /d}
- mergePatches:
  - patchData: |
      {"e": null}
"#;
        let rules = Rules::of(&[json!({"data": {"rules.yaml": rules}})]).unwrap();
        assert_eq!(rules.count(), 2);
        let words = [
            "test /a",
            "  is x",
            "replace /a",
            "add /b",
            "move /b",
            "  to /c",
            "remove /d",
        ];
        assert_eq!(rules.describe(0), words);
        assert_eq!(rules.describe(1), [r#"merge {"e": null}"#]);
    }

    #[test]
    fn an_object_without_a_mark_had_no_rules() {
        assert_eq!(applied(&json!({"metadata": {}})).unwrap(), BTreeSet::new());
        let mark = r#"[{"interception":"i","hash":"h","rules":[3,0]}]"#;
        let object = json!({"metadata": {"annotations": {labels::MODIFIED: mark}}});
        assert_eq!(applied(&object).unwrap(), BTreeSet::from([0, 3]));
    }
}
