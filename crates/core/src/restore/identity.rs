//! Service accounts, their tokens, and who is given a role.

use serde_json::Value;

use super::Mappings;
use super::fields::{annotation, items_mut, members, remove, retain, text};

const TOKEN: &str = "kubernetes.io/service-account-token";
const ACCOUNT: &str = "kubernetes.io/service-account.name";

/// How the token controller begins the names of Secrets that it makes by itself.
fn token_prefix(account: &str) -> String {
    format!("{account}-token-")
}

/// Takes out the tokens that were made for the account.
pub(super) fn account(account: &mut Value, name: &str) {
    let prefix = token_prefix(name);
    let is_other = |secret: &Value| text(secret, "/name").is_none_or(|name| !name.starts_with(&prefix));
    retain(account, "", "secrets", is_other);
}

/// Whether nobody has set anything of an account.
pub(super) fn is_bare_account(account: &Value) -> bool {
    let has = |path: &str| members(account, path).is_some_and(|members| !members.is_empty());
    let is_set = |name: &str| account.get(name).is_some();
    !has("/metadata/labels")
        && !has("/metadata/annotations")
        && !is_set("imagePullSecrets")
        && !is_set("automountServiceAccountToken")
}

/// Takes a token out of the Secret that it was made for: it is of another cluster, or of an account that is gone. The
/// controller puts in a new one.
pub(super) fn secret(secret: &mut Value) {
    if text(secret, "/type") == Some(TOKEN) {
        remove(
            secret,
            "/metadata/annotations",
            &["kubernetes.io/service-account.uid"],
        );
        remove(secret, "/data", &["ca.crt", "namespace", "token"]);
    }
}

/// Whether the token controller made this Secret by itself.
pub(super) fn is_automatic_token(name: &str, secret: &Value) -> bool {
    let of_account = |account: &str| name.starts_with(&token_prefix(account));
    text(secret, "/type") == Some(TOKEN) && annotation(secret, ACCOUNT).is_some_and(of_account)
}

/// Takes the rules out of a role that a controller gathers from others: who restores need not have all of those rights.
pub(super) fn role(role: &mut Value) {
    if role.get("aggregationRule").is_some_and(Value::is_object) {
        remove(role, "", &["rules"]);
    }
}

/// Lets those who are given a role follow their namespace where it stands in their names.
pub(super) fn binding(binding: &mut Value, mappings: &Mappings) {
    for subject in items_mut(binding, "/subjects") {
        let Some(name) = text(subject, "/name").and_then(|name| follow(name, mappings)) else {
            continue;
        };
        if matches!(text(subject, "/kind"), Some("Group" | "User")) {
            subject["name"] = name.into();
        }
    }
}

/// The name of the service accounts of a namespace, or of one of them as a user, in the namespace's target.
fn follow(name: &str, mappings: &Mappings) -> Option<String> {
    if let Some(namespace) = name.strip_prefix("system:serviceaccounts:") {
        return Some(format!("system:serviceaccounts:{}", mappings.target(namespace)));
    }
    let (namespace, account) = name.strip_prefix("system:serviceaccount:")?.split_once(':')?;
    Some(format!(
        "system:serviceaccount:{}:{account}",
        mappings.target(namespace)
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::sample::created;
    use super::*;

    #[test]
    fn an_account_loses_the_tokens_that_were_made_for_it_and_keeps_what_a_person_gave_it() {
        for (secrets, left) in [
            (
                json!([{"name": "web-token-x7k2p"}, {"name": "key"}]),
                json!([{"name": "key"}]),
            ),
            (json!([{"name": "web-token-x7k2p"}]), Value::Null),
            (
                json!([{"name": "db-token-x7k2p"}]),
                json!([{"name": "db-token-x7k2p"}]),
            ),
        ] {
            let account = json!({"metadata": {"name": "web", "namespace": "shop"}, "secrets": secrets,
                "imagePullSecrets": [{"name": "registry"}]});
            let account = created("serviceaccounts", account, &[]);
            assert_eq!(account["secrets"], left, "{secrets}");
            assert_eq!(account["imagePullSecrets"], json!([{"name": "registry"}]));
        }
    }

    #[test]
    fn a_secret_that_asks_for_a_token_gets_a_new_one_and_others_stay() {
        let data = json!({"ca.crt": "a", "namespace": "b", "token": "c", "extra": "d"});
        for (of_type, left, uid) in [
            (TOKEN, json!({"extra": "d"}), Value::Null),
            ("Opaque", data.clone(), json!("u")),
        ] {
            let annotations = json!({ACCOUNT: "web", "kubernetes.io/service-account.uid": "u"});
            let secret = json!({"metadata": {"name": "by-hand", "namespace": "shop", "annotations": annotations},
                "type": of_type, "data": data});
            let secret = created("secrets", secret, &[]);
            assert_eq!(secret["data"], left, "{of_type}");
            assert_eq!(
                secret["metadata"]["annotations"]["kubernetes.io/service-account.uid"], uid,
                "{of_type}"
            );
            assert_eq!(secret["metadata"]["annotations"][ACCOUNT], "web");
        }
    }

    #[test]
    fn the_rules_of_a_role_are_gathered_anew_where_a_controller_does_that() {
        let rules = json!([{"verbs": ["get"]}]);
        for (aggregation, left) in [
            (json!({"clusterRoleSelectors": []}), Value::Null),
            (Value::Null, rules.clone()),
        ] {
            let role = json!({"metadata": {"name": "a"}, "rules": rules, "aggregationRule": aggregation});
            let role = created("clusterroles.rbac.authorization.k8s.io", role, &[]);
            assert_eq!(role["rules"], left, "{aggregation}");
        }
    }

    #[test]
    fn who_is_given_a_role_follows_the_namespace_in_every_way_of_naming_it() {
        for (before, after) in [
            (
                json!({"kind": "ServiceAccount", "name": "web", "namespace": "shop"}),
                json!({"kind": "ServiceAccount", "name": "web", "namespace": "staging"}),
            ),
            (
                json!({"kind": "ServiceAccount", "name": "web", "namespace": "bank"}),
                json!({"kind": "ServiceAccount", "name": "web", "namespace": "bank"}),
            ),
            (
                json!({"kind": "Group", "name": "system:serviceaccounts:shop"}),
                json!({"kind": "Group", "name": "system:serviceaccounts:staging"}),
            ),
            (
                json!({"kind": "Group", "name": "system:serviceaccounts"}),
                json!({"kind": "Group", "name": "system:serviceaccounts"}),
            ),
            (
                json!({"kind": "User", "name": "system:serviceaccount:shop:web"}),
                json!({"kind": "User", "name": "system:serviceaccount:staging:web"}),
            ),
            (
                json!({"kind": "User", "name": "shop"}),
                json!({"kind": "User", "name": "shop"}),
            ),
        ] {
            for kind in [
                "rolebindings.rbac.authorization.k8s.io",
                "clusterrolebindings.rbac.authorization.k8s.io",
            ] {
                let binding = json!({"metadata": {"name": "a"}, "subjects": [before]});
                let binding = created(kind, binding, &[("shop", "staging")]);
                assert_eq!(binding["subjects"][0], after, "{kind} {before}");
            }
        }
    }
}
