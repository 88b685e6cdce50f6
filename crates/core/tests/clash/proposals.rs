//! What is asked of the API server until it is known which changes it takes.

use clusterbackup_core::clash::{Existing, Outcome};
use clusterbackup_core::object::GroupResource;
use clusterbackup_core::patch::{Draft, merge};
use serde_json::{Value, json};

/// An API server that takes no patch with one of these fields, and names what it calls a field for each.
struct Server<'s> {
    refuses: &'s [(&'s str, &'s str)],
    ignores: &'s [&'s str],
}

/// What came of it: the patch, fields with what becomes of them, and how many questions that took.
fn settled(live: &Value, wanted: Value, server: &Server<'_>) -> (Option<Value>, Vec<String>, usize) {
    let kind = GroupResource::new("", "services");
    let mut proposal = Existing::new(&kind, live, None).propose(wanted);
    let (mut stored, mut questions) = (live.clone(), 0);
    while let Some(question) = proposal.question() {
        questions += 1;
        assert!(questions < 50, "it goes on and on: {question}");
        let refused = server
            .refuses
            .iter()
            .filter(|(path, _)| question.pointer(path).is_some());
        let causes: Vec<&str> = refused.map(|(_, cause)| *cause).collect();
        if causes.is_empty() {
            stored = taken(live, &question, server.ignores);
            proposal.accept();
        } else {
            proposal.refuse(causes.into_iter().filter(|cause| !cause.is_empty()));
        }
    }
    let settled = proposal.settle(&stored);
    let fields = settled.fields.iter().map(|field| match field.outcome {
        Outcome::Changed => field.path.clone(),
        Outcome::Kept(reason) => format!("{} {}", field.path, reason.name()),
    });
    (settled.patch, fields.collect(), questions)
}

fn taken(live: &Value, patch: &Value, ignored: &[&str]) -> Value {
    let mut draft = Draft::new(live.clone());
    merge::apply(patch.as_object().unwrap(), &mut draft).unwrap();
    let mut object = draft.into_parts().0;
    for path in ignored {
        *object.pointer_mut(path).unwrap() = live.pointer(path).unwrap().clone();
    }
    object
}

/// A Service, with some of its fields as letters.
fn service(spec: &Value, data: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "annotations": data}, "spec": spec})
}

#[test]
fn what_the_api_server_refuses_is_found_and_the_rest_is_changed() {
    let annotations = |value: &str| json!({"a": value, "b": value, "c": value, "d": value});
    let live = service(
        &json!({"type": "ClusterIP", "clusterIP": "10.0.0.1"}),
        &annotations("old"),
    );
    let wanted = || {
        service(
            &json!({"type": "ClusterIP", "clusterIP": "10.0.0.1"}),
            &annotations("new"),
        )
    };
    let pointer = |key: &str| format!("/metadata/annotations/{key}");
    for (refuses, cause, most) in [
        (&[][..], "", 1),
        // Named in the refusal.
        (&["b"][..], "metadata.annotations[b]", 2),
        // Named too coarsely, or not at all.
        (&["b"], "metadata.annotations", 5),
        (&["a"], "", 5),
        (&["a", "d"], "", 7),
        (&["a", "b", "c", "d"], "", 7),
    ] {
        let paths: Vec<_> = refuses.iter().map(|key| pointer(key)).collect();
        let refused: Vec<_> = paths.iter().map(|path| (path.as_str(), cause)).collect();
        let server = Server {
            refuses: &refused,
            ignores: &[],
        };
        let (patch, fields, questions) = settled(&live, wanted(), &server);
        let expected: Vec<_> = ["a", "b", "c", "d"]
            .iter()
            .map(|key| {
                if refuses.contains(key) {
                    format!("{} Refused", pointer(key))
                } else {
                    pointer(key)
                }
            })
            .collect();
        assert_eq!(fields, expected, "{refuses:?} {cause}");
        assert!(questions <= most, "{refuses:?} {cause}: {questions} questions");
        assert_eq!(patch.is_none(), refuses.len() == 4, "{patch:?}");
        let patched = patch
            .as_ref()
            .and_then(|patch| patch.pointer("/metadata/annotations"));
        let keys = patched.and_then(Value::as_object).map_or(0, serde_json::Map::len);
        assert_eq!(keys, 4 - refuses.len(), "{patch:?}");
    }
}

#[test]
fn what_goes_together_is_taken_or_refused_together() {
    let live = service(
        &json!({"type": "ExternalName", "externalName": "a.example.com"}),
        &json!({"a": "1"}),
    );
    let wanted = service(
        &json!({"type": "ClusterIP", "ports": [{"port": 80}]}),
        &json!({"a": "2"}),
    );
    let server = Server {
        refuses: &[("/spec/type", "spec.type")],
        ignores: &[],
    };
    let (patch, fields, _) = settled(&live, wanted, &server);
    assert_eq!(
        fields,
        [
            "/metadata/annotations/a",
            "/spec/ports",
            "/spec/externalName Refused",
            "/spec/type Refused"
        ]
    );
    assert_eq!(patch.unwrap()["spec"], json!({"ports": [{"port": 80}]}));
}

#[test]
fn what_is_taken_and_not_changed_is_no_change() {
    let live = service(&json!({"type": "ClusterIP"}), &json!({"a": "1"}));
    let wanted = service(&json!({"type": "ClusterIP"}), &json!({"a": "2"}));
    let server = Server {
        refuses: &[],
        ignores: &["/metadata/annotations/a"],
    };
    let (patch, fields, _) = settled(&live, wanted, &server);
    assert_eq!(
        (patch, fields),
        (None, vec!["/metadata/annotations/a Allocated".to_owned()])
    );
}

#[test]
fn a_list_is_sent_as_a_whole_with_those_of_its_items_that_are_taken() {
    let ports =
        |first: u16, second: u16| json!([{"name": "a", "port": first}, {"name": "b", "port": second}]);
    let live = service(&json!({"ports": ports(1, 2)}), &json!({}));
    let wanted = service(&json!({"ports": ports(3, 4)}), &json!({}));
    let kind = GroupResource::new("", "services");
    let mut proposal = Existing::new(&kind, &live, None).propose(wanted);
    assert_eq!(
        proposal.question().unwrap(),
        json!({"spec": {"ports": ports(3, 4)}})
    );
    // Which of two items is meant isn't believed: what is sent may lack some.
    proposal.refuse(["spec.ports[1].port"]);
    let mut stored = live.clone();
    while let Some(question) = proposal.question() {
        if question.pointer("/spec/ports/1/port") == Some(&json!(4)) {
            proposal.refuse(["spec.ports[1].port"]);
        } else {
            stored["spec"] = question["spec"].clone();
            proposal.accept();
        }
    }
    assert_eq!(
        proposal.settle(&stored).patch.unwrap(),
        json!({"spec": {"ports": ports(3, 2)}})
    );
}

#[test]
fn whoever_has_asked_enough_gives_up_what_is_not_known() {
    let live = service(&json!({}), &json!({"a": "1", "b": "1"}));
    let wanted = service(&json!({}), &json!({"a": "2", "b": "2"}));
    let kind = GroupResource::new("", "services");
    let mut proposal = Existing::new(&kind, &live, None).propose(wanted);
    proposal.refuse([]);
    proposal.give_up();
    assert_eq!(proposal.question(), None);
    let settled = proposal.settle(&live);
    assert_eq!(settled.patch, None);
    assert!(
        settled
            .fields
            .iter()
            .all(|field| field.outcome != Outcome::Changed),
        "{settled:?}"
    );
}
