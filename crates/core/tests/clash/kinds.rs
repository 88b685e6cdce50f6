//! What is the cluster's, and what single kinds have of their own.

use clusterbackup_core::clash::Existing;
use clusterbackup_core::object::GroupResource;
use clusterbackup_core::patch::Draft;
use serde_json::{Value, json};

use crate::given::{
    CLAIM, CLUSTER_ROLE, CONFIG_MAP, DEFINITION, DEPLOYMENT, ENDPOINT_SLICE, JOB, POD, SERVICE,
    SERVICE_ACCOUNT, VOLUME, check, onto,
};

#[test]
fn a_service_keeps_its_addresses_and_ports_while_its_type_has_a_use_for_them() {
    let live = json!({"spec": {
        "type": "LoadBalancer",
        "clusterIP": "10.0.0.1",
        "clusterIPs": ["10.0.0.1"],
        "ipFamilies": ["IPv4"],
        "ipFamilyPolicy": "SingleStack",
        "externalTrafficPolicy": "Local",
        "healthCheckNodePort": 30001,
        "loadBalancerClass": "a",
        "ports": [{"name": "http", "port": 80, "nodePort": 30080}, {"name": "old", "port": 81, "nodePort": 30081}],
    }});
    let addresses = json!({
        "clusterIP": "10.0.0.1",
        "clusterIPs": ["10.0.0.1"],
        "ipFamilies": ["IPv4"],
        "ipFamilyPolicy": "SingleStack",
    });
    let with_addresses = |mut spec: Value| {
        for (field, value) in addresses.as_object().unwrap() {
            spec[field] = value.clone();
        }
        json!({"spec": spec})
    };
    let ports = json!([{"name": "http", "port": 8080}]);
    let (as_balancer, said) = onto(
        SERVICE,
        live.clone(),
        json!({"spec": {"type": "LoadBalancer", "clusterIP": "10.9.9.9", "clusterIPs": ["10.9.9.9"],
            "ports": [{"name": "http", "port": 8080, "nodePort": 32000}]}}),
        None,
    );
    let mut expected = live.clone();
    expected["spec"]["ports"][0]["port"] = json!(8080);
    assert_eq!(as_balancer, expected);
    for allocated in ["/spec/clusterIP", "/spec/clusterIPs", "/spec/ports/0/nodePort"] {
        assert!(said.contains(&format!("{allocated} Allocated")), "{said:?}");
    }

    let inside = json!({"spec": {"type": "ClusterIP", "ports": ports}});
    let (result, _) = onto(SERVICE, live.clone(), inside, None);
    let kept = json!({"name": "old", "port": 81, "nodePort": 30081});
    let expected = with_addresses(json!({"type": "ClusterIP", "ports": [ports[0], kept]}));
    assert_eq!(result, expected);

    let outside = json!({"spec": {"type": "ExternalName", "externalName": "a.example.com", "ports": []}});
    let (result, _) = onto(SERVICE, live, outside, None);
    for gone in [
        "clusterIP",
        "clusterIPs",
        "ipFamilies",
        "ipFamilyPolicy",
        "healthCheckNodePort",
        "loadBalancerClass",
    ] {
        assert_eq!(result["spec"].get(gone), None, "{gone}");
    }
}

/// A cluster of the scenarios has one family of addresses.
#[test]
fn a_second_address_may_come_and_go_and_the_first_may_not() {
    let service = |addresses: &[&str], policy: &str| json!({"spec": {"type": "ClusterIP", "clusterIP": addresses.first(), "clusterIPs": addresses, "ipFamilyPolicy": policy}});
    let one = service(&["10.0.0.1"], "SingleStack");
    let two = service(&["10.0.0.1", "fd00::1"], "PreferDualStack");
    for (live, sent, is_taken) in [
        (&one, &two, true),
        (&two, &one, true),
        (&two, &service(&["10.0.0.1"], "PreferDualStack"), false),
        (&two, &service(&["fd00::1"], "SingleStack"), false),
        (&two, &service(&["fd00::1", "10.0.0.1"], "PreferDualStack"), false),
        (&one, &service(&["10.0.0.2"], "SingleStack"), false),
        (&one, &service(&["None"], "SingleStack"), false),
        (
            &service(&["None"], "SingleStack"),
            &service(&["None"], "PreferDualStack"),
            true,
        ),
    ] {
        let group_resource = GroupResource::new("", "services");
        let typed = |object: &Value| {
            let mut object = object.clone();
            object["apiVersion"] = json!("v1");
            object["kind"] = json!("Service");
            object
        };
        let (live, mut draft) = (typed(live), Draft::new(typed(sent)));
        let put_back = Existing::new(&group_resource, &live, None)
            .put_back(&mut draft)
            .unwrap();
        assert_eq!(put_back.is_empty(), is_taken, "{sent} onto {live}: {put_back:?}");
    }
}

#[test]
fn what_the_cluster_gave_stays_and_what_another_cluster_gave_is_dropped() {
    let meta = |metadata: Value| json!({"metadata": metadata});
    let owner = |uid: &str| meta(json!({"ownerReferences": [{"uid": uid}]}));
    let aggregated = |verb: &str| json!({"aggregationRule": {}, "rules": [{"verbs": [verb]}]});
    let managed = |address: &str| json!({"metadata": {"labels": {"endpointslice.kubernetes.io/managed-by": "a"}}, "endpoints": [{"addresses": [address]}]});
    let revision = |number: &str| meta(json!({"annotations": {"deployment.kubernetes.io/revision": number}}));
    let bound = |by: &str| meta(json!({"annotations": {"pv.kubernetes.io/bind-completed": by}}));
    let said_meta = |name: &'static str| vec![name];
    for (kind, live, sent, result, said) in [
        (
            CONFIG_MAP,
            owner("live"),
            owner("dead"),
            owner("live"),
            said_meta("/metadata/ownerReferences Allocated"),
        ),
        (
            CONFIG_MAP,
            meta(json!({})),
            owner("dead"),
            meta(json!({})),
            said_meta("/metadata/ownerReferences Allocated"),
        ),
        (
            CONFIG_MAP,
            owner("live"),
            meta(json!({})),
            owner("live"),
            said_meta("/metadata/ownerReferences LeftOut"),
        ),
        (
            CLUSTER_ROLE,
            aggregated("live"),
            aggregated("dead"),
            aggregated("live"),
            vec!["/rules Allocated"],
        ),
        (
            ENDPOINT_SLICE,
            managed("10.0.0.1"),
            managed("10.9.9.9"),
            managed("10.0.0.1"),
            vec!["/endpoints Allocated"],
        ),
        (
            DEPLOYMENT,
            revision("5"),
            revision("2"),
            revision("5"),
            vec!["/metadata/annotations/deployment.kubernetes.io~1revision Allocated"],
        ),
        (
            CLAIM,
            meta(json!({"annotations": {}})),
            bound("yes"),
            meta(json!({"annotations": {}})),
            vec!["/metadata/annotations/pv.kubernetes.io~1bind-completed Allocated"],
        ),
        (
            SERVICE_ACCOUNT,
            json!({"secrets": [{"name": "live"}]}),
            json!({"secrets": [{"name": "dead"}]}),
            json!({"secrets": [{"name": "live"}]}),
            vec!["/secrets Allocated"],
        ),
    ] {
        check(kind, live, sent, &result, &said);
    }
    let own = json!({"endpoints": [{"addresses": ["10.9.9.9"]}]});
    let other = json!({"endpoints": [{"addresses": ["10.0.0.1"]}]});
    check(ENDPOINT_SLICE, other, own.clone(), &own, &[]);
    let role = |verb: &str| json!({"rules": [{"verbs": [verb]}]});
    check(CLUSTER_ROLE, role("live"), role("sent"), &role("sent"), &[]);
}

#[test]
fn a_volume_keeps_the_uid_of_its_claim_only_while_it_is_for_the_same_claim() {
    let claimed = |claim: Value| json!({"spec": {"claimRef": claim}});
    let live =
        || claimed(json!({"namespace": "shop", "name": "data", "uid": "live", "resourceVersion": "7"}));
    for (sent, result) in [
        (
            json!({"namespace": "shop", "name": "data", "uid": "dead"}),
            json!({"namespace": "shop", "name": "data", "uid": "live", "resourceVersion": "7"}),
        ),
        (
            json!({"namespace": "shop", "name": "other", "uid": "dead"}),
            json!({"namespace": "shop", "name": "other"}),
        ),
    ] {
        let (found, _) = onto(VOLUME, live(), claimed(sent), None);
        assert_eq!(found, claimed(result));
    }
    let (found, _) = onto(VOLUME, live(), json!({"spec": {}}), None);
    assert_eq!(found, live());
}

#[test]
fn finalizers_are_united_and_none_comes_while_the_object_is_being_deleted() {
    let object = |finalizers: Value, deleted: Option<&str>| json!({"metadata": {"finalizers": finalizers, "deletionTimestamp": deleted}});
    let sent = object(json!(["b/b", "c/c"]), None);
    let (united, _) = onto(
        CONFIG_MAP,
        object(json!(["a/a", "b/b"]), None),
        sent.clone(),
        None,
    );
    assert_eq!(united["metadata"]["finalizers"], json!(["a/a", "b/b", "c/c"]));
    let (frozen, said) = onto(CONFIG_MAP, object(json!(["a/a", "b/b"]), Some("now")), sent, None);
    assert_eq!(frozen["metadata"]["finalizers"], json!(["a/a", "b/b"]));
    assert!(
        said.contains(&"/metadata/finalizers/2 Immutable".to_owned()),
        "{said:?}"
    );
}

#[test]
fn a_pod_changes_by_its_images_alone() {
    let pod = |image: &str, command: &str| {
        json!({"spec": {"nodeName": "n1", "containers": [
            {"name": "web", "image": image, "command": [command]},
            {"name": "proxy", "image": "p:1"},
        ]}})
    };
    let mut sent = pod("w:0", "other");
    sent["spec"].as_object_mut().unwrap().remove("nodeName");
    sent["spec"]["containers"].as_array_mut().unwrap().swap(0, 1);
    sent["spec"]["containers"]
        .as_array_mut()
        .unwrap()
        .push(json!({"name": "new", "image": "n:0"}));
    check(
        POD,
        pod("w:1", "run"),
        sent,
        &pod("w:0", "run"),
        &[
            "/spec/nodeName LeftOut",
            "/spec/containers/0/command Immutable",
            "/spec/containers/2 Immutable",
        ],
    );
    let grace = |seconds: i64| json!({"spec": {"terminationGracePeriodSeconds": seconds}});
    check(POD, grace(-1), grace(1), &grace(1), &[]);
    check(
        POD,
        grace(-1),
        grace(5),
        &grace(-1),
        &["/spec/terminationGracePeriodSeconds Immutable"],
    );
}

#[test]
fn the_labels_of_a_job_that_hold_its_uid_stay() {
    let job = |uid: &str, tier: &str| {
        let labels = json!({"batch.kubernetes.io/controller-uid": uid, "tier": tier});
        json!({"metadata": {"labels": labels}, "spec": {
            "suspend": true,
            "selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}},
            "template": {"metadata": {"labels": labels}},
        }})
    };
    let (result, _) = onto(JOB, job("live", "a"), job("dead", "b"), None);
    assert_eq!(result, job("live", "b"));
}

#[test]
fn a_version_of_which_objects_are_stored_does_not_go() {
    let definition = |versions: &[&str], stored: &[&str]| {
        let versions: Vec<_> = versions.iter().map(|name| json!({"name": name})).collect();
        json!({"spec": {"versions": versions}, "status": {"storedVersions": stored}})
    };
    let versions = |live: &[&str], sent: &[&str], stored: &[&str]| {
        let (result, said) = onto(DEFINITION, definition(live, stored), definition(sent, &[]), None);
        let names: Vec<_> = result["spec"]["versions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|version| version["name"].clone())
            .collect();
        (json!(names), said)
    };
    assert_eq!(
        versions(&["v1", "v2"], &["v2"], &["v2"]),
        (json!(["v2"]), Vec::new())
    );
    assert_eq!(
        versions(&["v1", "v2"], &["v2"], &["v1", "v2"]),
        (json!(["v1", "v2"]), vec!["/spec/versions Immutable".to_owned()])
    );
}
