//! Services: the addresses and ports that the API server gave one are not asked for again, those that a person asked
//! for are.

use serde_json::{Map, Value};

use super::fields::{annotation, items, items_mut, members_mut, text};

/// Where `kubectl apply` keeps what a person applied last.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Takes out what the API server gave the Service.
pub(super) fn rewrite(service: &mut Value) {
    let asked = Asked::of(service);
    let is_headless = text(service, "/spec/clusterIP") == Some("None");
    for port in items_mut(service, "/spec/ports") {
        if let Some(port) = port.as_object_mut()
            && !asked.node_port_of(port)
        {
            port.remove("nodePort");
        }
    }
    let Some(spec) = members_mut(service, "/spec") else {
        return;
    };
    if !is_headless {
        spec.remove("clusterIP");
        spec.remove("clusterIPs");
    }
    if !asked.health_check {
        spec.remove("healthCheckNodePort");
    }
}

/// The ports on nodes that a person asked for.
#[derive(Default)]
struct Asked {
    /// By port and protocol.
    node_ports: Vec<(u64, String)>,
    health_check: bool,
}

impl Asked {
    /// By what was applied last, and by who set which field.
    fn of(service: &Value) -> Self {
        let mut asked = Self::default();
        let applied = annotation(service, LAST_APPLIED).and_then(|text| serde_json::from_str(text).ok());
        if let Some(applied) = applied {
            asked.applied(&applied);
        }
        for entry in items(service, "/metadata/managedFields") {
            asked.managed(entry);
        }
        asked
    }

    fn applied(&mut self, service: &Value) {
        let ports = items(service, "/spec/ports").filter_map(Value::as_object);
        let chosen = ports.filter(|port| number(port, "nodePort").is_some());
        self.node_ports.extend(chosen.filter_map(key));
        self.health_check |= service
            .pointer("/spec/healthCheckNodePort")
            .and_then(Value::as_u64)
            .is_some_and(|port| port > 0);
    }

    fn managed(&mut self, entry: &Value) {
        let Some(spec) = entry.pointer("/fieldsV1/f:spec").and_then(Value::as_object) else {
            return;
        };
        self.health_check |= spec.contains_key("f:healthCheckNodePort");
        let ports = spec.get("f:ports").and_then(Value::as_object);
        for (name, fields) in ports.into_iter().flatten() {
            let port = name
                .strip_prefix("k:")
                .and_then(|key| serde_json::from_str(key).ok());
            if let Some(Value::Object(port)) = port
                && fields.get("f:nodePort").is_some()
            {
                self.node_ports.extend(key(&port));
            }
        }
    }

    fn node_port_of(&self, port: &Map<String, Value>) -> bool {
        key(port).is_some_and(|key| self.node_ports.contains(&key))
    }
}

/// What tells the ports of a Service apart.
fn key(port: &Map<String, Value>) -> Option<(u64, String)> {
    let protocol = port.get("protocol").and_then(Value::as_str).unwrap_or("TCP");
    Some((number(port, "port")?, protocol.to_owned()))
}

fn number(port: &Map<String, Value>, name: &str) -> Option<u64> {
    port.get(name).and_then(Value::as_u64).filter(|port| *port > 0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::sample::created;
    use super::*;

    fn spec(metadata: &Value, spec: &Value) -> Value {
        let mut service = json!({"metadata": {"name": "web", "namespace": "shop"}, "spec": spec});
        for (name, value) in metadata.as_object().unwrap() {
            service["metadata"][name] = value.clone();
        }
        created("services", service, &[])["spec"].take()
    }

    #[test]
    fn addresses_are_given_anew_and_a_headless_service_stays_so() {
        let port = json!([{"port": 80}]);
        for (before, after) in [
            (
                json!({"clusterIP": "10.0.0.7", "clusterIPs": ["10.0.0.7"], "ports": port, "ipFamilies": ["IPv4"]}),
                json!({"ports": port, "ipFamilies": ["IPv4"]}),
            ),
            (
                json!({"clusterIP": "None", "clusterIPs": ["None"], "ports": port}),
                json!({"clusterIP": "None", "clusterIPs": ["None"], "ports": port}),
            ),
            (
                json!({"type": "ExternalName", "externalName": "example.com"}),
                json!({"type": "ExternalName", "externalName": "example.com"}),
            ),
            (
                json!({"type": "LoadBalancer", "loadBalancerIP": "192.0.2.1", "healthCheckNodePort": 30100}),
                json!({"type": "LoadBalancer", "loadBalancerIP": "192.0.2.1"}),
            ),
        ] {
            assert_eq!(spec(&json!({}), &before), after, "{before}");
        }
    }

    #[test]
    fn a_port_on_nodes_is_kept_where_somebody_asked_for_it() {
        let ports = || {
            json!({"type": "NodePort", "healthCheckNodePort": 30100, "ports": [
                {"name": "web", "port": 80, "nodePort": 30080},
                {"name": "dns", "port": 53, "protocol": "UDP", "nodePort": 30053},
            ]})
        };
        let applied = |spec: Value| json!({"annotations": {LAST_APPLIED: json!({"spec": spec}).to_string()}});
        let managed =
            |spec: Value| json!({"managedFields": [{"manager": "any", "fieldsV1": {"f:spec": spec}}]});
        let set = json!({"f:nodePort": {}, "f:port": {}});
        for (metadata, kept) in [
            (json!({}), [false, false, false]),
            (
                applied(json!({"ports": [{"port": 80, "nodePort": 30080}]})),
                [true, false, false],
            ),
            (
                applied(json!({"ports": [{"port": 53, "nodePort": 30053}]})),
                [false, false, false],
            ),
            (
                applied(json!({"ports": [{"port": 53, "protocol": "UDP", "nodePort": 30053}]})),
                [false, true, false],
            ),
            (
                applied(json!({"ports": [{"port": 80}], "healthCheckNodePort": 30100})),
                [false, false, true],
            ),
            (
                applied(json!({"ports": [{"port": 80, "nodePort": 0}]})),
                [false, false, false],
            ),
            (
                managed(json!({"f:ports": {r#"k:{"port":80,"protocol":"TCP"}"#: set}})),
                [true, false, false],
            ),
            (
                managed(json!({"f:ports": {r#"k:{"port":53,"protocol":"UDP"}"#: set}})),
                [false, true, false],
            ),
            (
                managed(json!({"f:ports": {r#"k:{"port":80,"protocol":"TCP"}"#: {"f:port": {}}}})),
                [false, false, false],
            ),
            (managed(json!({"f:ports": {"k:{": set}})), [false, false, false]),
            (
                managed(json!({"f:healthCheckNodePort": {}})),
                [false, false, true],
            ),
            (
                json!({"annotations": {LAST_APPLIED: "no JSON"}}),
                [false, false, false],
            ),
        ] {
            let spec = spec(&metadata, &ports());
            let has = [
                spec["ports"][0].get("nodePort").is_some(),
                spec["ports"][1].get("nodePort").is_some(),
                spec.get("healthCheckNodePort").is_some(),
            ];
            assert_eq!(has, kept, "{metadata}");
        }
    }
}
