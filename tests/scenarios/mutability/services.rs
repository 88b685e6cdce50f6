//! Services and what leads to them.

use serde_json::{Value, json};

use super::row::{Row, extended, set, unset};

pub(super) fn rows() -> Vec<Row> {
    [services(), endpoints(), routing()]
        .into_iter()
        .flatten()
        .collect()
}

fn service(name: &str, spec: &Value) -> Value {
    let object = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "name": name },
        "spec": {
            "selector": { "app": "web" },
            "ports": [{ "name": "http", "port": 80 }, { "name": "metrics", "port": 9090 }],
        },
    });
    extended(object, "/spec", spec)
}

fn services() -> Vec<Row> {
    const ONCE: &str = "may not change once set";
    let external = json!([
        set("/spec/type", "ExternalName"),
        set("/spec/externalName", "web.example.com"),
        unset("/spec/clusterIP"),
        unset("/spec/clusterIPs"),
    ]);
    vec![
        Row::of(service("plain", &json!({})))
            .refuses(
                json!([
                    set("/spec/clusterIP", "10.0.0.211"),
                    set("/spec/clusterIPs", json!(["10.0.0.211"]))
                ]),
                ONCE,
            )
            .refuses(
                json!([
                    set("/spec/clusterIP", "None"),
                    set("/spec/clusterIPs", json!(["None"])),
                ]),
                ONCE,
            )
            .refuses(
                json!([set("/spec/ipFamilies", json!(["IPv6"]))]),
                "expected an IPv6 value",
            )
            .accepts(external)
            .accepts(json!([set("/spec/type", "NodePort")]))
            .accepts(json!([
                set("/spec/type", "LoadBalancer"),
                set("/spec/loadBalancerClass", "example.com/a"),
            ]))
            .accepts(json!([
                set("/spec/ports/0/port", 81),
                set("/spec/selector", json!({ "tier": "a" }))
            ]))
            .accepts(json!([
                set("/spec/sessionAffinity", "ClientIP"),
                set("/spec/externalIPs", json!(["192.0.2.1"])),
            ]))
            .accepts(json!([
                set("/spec/internalTrafficPolicy", "Local"),
                set("/spec/publishNotReadyAddresses", true),
            ]))
            .accepts(json!([set("/spec/trafficDistribution", "PreferSameZone")])),
        Row::of(service("headless", &json!({ "clusterIP": "None" })))
            .refuses(
                json!([
                    set("/spec/clusterIP", "10.0.0.212"),
                    set("/spec/clusterIPs", json!(["10.0.0.212"]))
                ]),
                ONCE,
            )
            .accepts(json!([set("/spec/ports/0/port", 81)])),
        Row::of(service("node", &json!({ "type": "NodePort" })))
            .accepts(json!([set("/spec/ports/0/nodePort", 32_109)]))
            .accepts(json!([set("/spec/externalTrafficPolicy", "Local")]))
            .accepts(json!([
                set("/spec/type", "ClusterIP"),
                unset("/spec/ports/0/nodePort"),
                unset("/spec/ports/1/nodePort"),
                unset("/spec/externalTrafficPolicy"),
            ])),
        Row::of(service(
            "balanced",
            &json!({
                "type": "LoadBalancer",
                "externalTrafficPolicy": "Local",
                "loadBalancerClass": "example.com/a",
            }),
        ))
        .refuses(json!([set("/spec/loadBalancerClass", "example.com/b")]), ONCE)
        .refuses(json!([unset("/spec/loadBalancerClass")]), ONCE)
        .refuses(
            json!([set("/spec/healthCheckNodePort", 32_110)]),
            "field is immutable",
        )
        .accepts(json!([set(
            "/spec/loadBalancerSourceRanges",
            json!(["192.0.2.0/24"])
        )]))
        .accepts(json!([set("/spec/allocateLoadBalancerNodePorts", false)]))
        .accepts(json!([set("/spec/type", "ClusterIP")])),
        Row::of(service(
            "external",
            &json!({ "type": "ExternalName", "externalName": "a.example.com", "ports": null }),
        ))
        .accepts(json!([set("/spec/externalName", "b.example.com")]))
        .accepts(json!([
            set("/spec/type", "ClusterIP"),
            set("/spec/ports", json!([{ "port": 80 }])),
            unset("/spec/externalName"),
        ])),
    ]
}

fn endpoints() -> Vec<Row> {
    vec![
        Row::of(json!({
            "apiVersion": "v1",
            "kind": "Endpoints",
            "metadata": { "name": "own" },
            "subsets": [{ "addresses": [{ "ip": "192.0.2.1" }], "ports": [{ "port": 80 }] }],
        }))
        .accepts(json!([set("/subsets/0/addresses/0/ip", "192.0.2.2")])),
        Row::of(json!({
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": { "name": "own" },
            "addressType": "IPv4",
            "endpoints": [{ "addresses": ["192.0.2.1"] }],
            "ports": [{ "port": 80 }],
        }))
        .refuses(
            json!([set("/addressType", "FQDN"), set("/endpoints", json!([]))]),
            "field is immutable",
        )
        .accepts(json!([
            set("/endpoints/0/addresses/0", "192.0.2.2"),
            set("/ports/0/port", 81)
        ])),
    ]
}

fn routing() -> Vec<Row> {
    let backend = json!({ "service": { "name": "web", "port": { "number": 80 } } });
    vec![
        Row::of(json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": { "name": "web" },
            "spec": { "defaultBackend": backend },
        }))
        .accepts(json!([set(
            "/spec/defaultBackend",
            json!({ "resource": { "kind": "Bucket", "name": "a" } })
        )]))
        .accepts(json!([set("/spec/ingressClassName", "other")])),
        Row::cluster_wide(json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "IngressClass",
            "metadata": { "name": "mutability" },
            "spec": { "controller": "example.com/a" },
        }))
        .refuses(
            json!([set("/spec/controller", "example.com/b")]),
            "field is immutable",
        )
        .accepts(json!([set(
            "/spec/parameters",
            json!({ "kind": "Settings", "name": "a", "scope": "Cluster" })
        )])),
        Row::of(json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": { "name": "web" },
            "spec": { "podSelector": { "matchLabels": { "app": "web" } } },
        }))
        .accepts(json!([
            set("/spec/podSelector", json!({})),
            set("/spec/policyTypes", json!(["Egress"]))
        ])),
        Row::cluster_wide(json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "ServiceCIDR",
            "metadata": { "name": "mutability" },
            "spec": { "cidrs": ["10.77.0.0/24"] },
        }))
        .refuses(
            json!([set("/spec/cidrs/0", "10.78.0.0/24")]),
            "field is immutable",
        )
        .accepts(json!([set("/spec/cidrs/-", "2001:db8::/112")])),
        Row::cluster_wide(json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "IPAddress",
            "metadata": { "name": "10.0.0.213", "labels": { "ipaddress.kubernetes.io/ip-family": "IPv4" } },
            "spec": { "parentRef": { "resource": "services", "namespace": "default", "name": "kubernetes" } },
        }))
        .refuses(
            json!([set("/spec/parentRef/name", "other")]),
            "field is immutable",
        ),
    ]
}
