//! From pods and claims to freeze units: the connected components of pods that share claims. What shares a volume is
//! frozen, cut and thawed as one; what doesn't is independent.

use std::collections::BTreeMap;

use super::unit::{Part, PodCommands, Unit};
use crate::cut::{Bundle, Cut, Cutter};
use crate::hook::{Commands, HookProblem, OnError};
use crate::selection::{Name, Pod};

/// A selected pod with its commands.
#[derive(Debug, Clone)]
pub struct PlannedPod<'a> {
    /// The pod.
    pub pod: &'a Pod,
    /// What runs in it, or why that can't.
    pub commands: Result<Commands, HookProblem>,
}

/// What a backup freezes and cuts.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Units {
    /// The units with running pods; the nodes' work.
    pub units: Vec<Unit>,
    /// Cuts of claims that no running pod mounts; the leader's work.
    pub unattended: Vec<Cut>,
    /// Claims that are not cut since a hook of their unit can't run.
    pub refused: Vec<Name>,
    /// Hooks that can't run. A unit with one of them is not frozen at all.
    pub problems: Vec<HookProblem>,
}

/// The units of these pods and claims; with `whole` everything that runs is one unit.
pub fn units(pods: &[PlannedPod<'_>], bundles: &[Bundle<'_>], whole: bool, cutter: &Cutter<'_>) -> Units {
    let mut units = Units::default();
    for component in components(pods, bundles, whole) {
        component.plan(cutter, &mut units);
    }
    units
}

/// A unit before it is parted.
#[derive(Default)]
struct Component<'a> {
    /// Its running pods with their nodes, in order.
    pods: Vec<(&'a str, &'a PlannedPod<'a>)>,
    bundles: Vec<Bundle<'a>>,
}

/// Connects pods by the claims that they mount. Claims that are not cut connect nothing.
fn components<'a>(pods: &'a [PlannedPod<'a>], bundles: &[Bundle<'a>], whole: bool) -> Vec<Component<'a>> {
    let mut pods: Vec<_> = pods
        .iter()
        .filter_map(|planned| Some((planned.pod.runs_on()?, planned)))
        .collect();
    pods.sort_by_key(|(_, planned)| &planned.pod.name);
    let count = pods.len();
    let mut of_claim = BTreeMap::new();
    for (number, bundle) in bundles.iter().enumerate() {
        of_claim.extend(bundle.names().map(|name| (name, count + number)));
    }
    let mut sets = Sets::new(count + bundles.len());
    for (number, (_, planned)) in pods.iter().enumerate() {
        for claim in planned.pod.mounts() {
            if let Some(bundle) = of_claim.get(&claim) {
                sets.join(number, *bundle);
            }
        }
        if whole {
            sets.join(0, number);
        }
    }

    let mut components: BTreeMap<usize, Component<'a>> = BTreeMap::new();
    for (number, pod) in pods.into_iter().enumerate() {
        components.entry(sets.first(number)).or_default().pods.push(pod);
    }
    for (number, bundle) in bundles.iter().enumerate() {
        let component = components.entry(sets.first(count + number)).or_default();
        component.bundles.push(bundle.clone());
    }
    components.into_values().collect()
}

impl Component<'_> {
    fn plan(self, cutter: &Cutter<'_>, units: &mut Units) {
        if self.pods.is_empty() {
            units.unattended.extend(cutter.cuts("leader", &self.bundles));
            return;
        }
        let problems = self
            .pods
            .iter()
            .filter_map(|(_, planned)| planned.commands.as_ref().err());
        let problems: Vec<HookProblem> = problems.cloned().collect();
        let freezes = problems.is_empty();
        let refused = problems.iter().any(|problem| problem.on_error == OnError::Fail);
        units.problems.extend(problems);
        if refused {
            let claims = self.bundles.iter().flat_map(Bundle::names);
            units.refused.extend(claims.cloned());
            return;
        }
        let name = format!("u{}", units.units.len());
        let cuts = cutter.cuts(&name, &self.bundles);
        let parts = self.parts(cuts, freezes);
        if !parts.is_empty() {
            units.units.push(Unit { name, parts });
        }
    }

    /// Each pod's commands where it runs, each cut where the first pod runs that mounts one of its claims.
    fn parts(&self, cuts: Vec<Cut>, freezes: bool) -> Vec<Part> {
        let mut parts = BTreeMap::new();
        for (node, planned) in &self.pods {
            let commands = planned
                .commands
                .as_ref()
                .ok()
                .filter(|commands| freezes && !commands.is_empty());
            if let Some(commands) = commands {
                part(&mut parts, node).pods.push(PodCommands {
                    pod: planned.pod.name.clone(),
                    uid: planned.pod.uid.clone(),
                    commands: commands.clone(),
                });
            }
        }
        for cut in cuts {
            let mounts = |pod: &Pod| {
                pod.name.namespace == cut.namespace
                    && pod.claims.iter().any(|claim| cut.claims.contains(claim))
            };
            if let Some((node, _)) = self.pods.iter().find(|(_, planned)| mounts(planned.pod)) {
                part(&mut parts, node).cuts.push(cut);
            }
        }
        parts.into_values().collect()
    }
}

fn part<'a>(parts: &'a mut BTreeMap<String, Part>, node: &str) -> &'a mut Part {
    parts.entry(node.to_owned()).or_insert_with(|| Part {
        node: node.to_owned(),
        pods: Vec::new(),
        cuts: Vec::new(),
    })
}

/// Disjoint sets of numbers.
struct Sets(Vec<usize>);

impl Sets {
    fn new(count: usize) -> Self {
        Self((0..count).collect())
    }

    /// The smallest number of the set that a number is in.
    fn first(&mut self, mut number: usize) -> usize {
        while self.0[number] != number {
            self.0[number] = self.0[self.0[number]];
            number = self.0[number];
        }
        number
    }

    fn join(&mut self, left: usize, right: usize) {
        let (left, right) = (self.first(left), self.first(right));
        self.0[left.max(right)] = left.min(right);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cut::sample::classes;
    use crate::cut::{Classes, Cuttable};
    use crate::hook::sample::{exec_in, hook};
    use crate::hook::{self, Hook};
    use crate::selection::Claim;
    use crate::selection::sample::{claim, labels, pod, pod_on};
    use crate::selector::{LabelSelector, Operator, Requirement};

    const DRIVER: &str = "csi.example.com";

    fn plan(pods: &[Pod], claims: &[Claim], hooks: &[Hook], whole: bool, groups: &Classes) -> Units {
        let classes = classes(&[DRIVER]);
        let class = classes.of(DRIVER).unwrap();
        let cutter = Cutter {
            backup: "4f1c",
            groups,
            all: claims,
        };
        let cuttable: Vec<_> = claims.iter().map(|claim| Cuttable { claim, class }).collect();
        let planned = pods.iter().map(|pod| PlannedPod {
            pod,
            commands: hook::resolve(hooks, pod),
        });
        let planned: Vec<_> = planned.collect();
        units(&planned, &cutter.bundles(&cuttable), whole, &cutter)
    }

    fn cut_names(cuts: &[Cut]) -> String {
        cuts.iter()
            .map(|cut| cut.claims.join("+"))
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// A line for each part: `unit node: pods | claims`.
    fn lines(units: &Units) -> Vec<String> {
        let parts = units
            .units
            .iter()
            .flat_map(|unit| unit.parts.iter().map(move |part| (unit, part)));
        parts
            .map(|(unit, part)| {
                let pods: Vec<&str> = part.pods.iter().map(|pod| pod.pod.name.as_str()).collect();
                let (pods, cuts) = (pods.join(" "), cut_names(&part.cuts));
                format!("{} {}: {pods} | {cuts}", unit.name, part.node)
            })
            .collect()
    }

    fn three_pods() -> [Pod; 3] {
        [
            pod_on("node-2", "shop/c", &["own"]),
            pod_on("node-2", "shop/b", &["shared"]),
            pod_on("node-1", "shop/a", &["shared", "first"]),
        ]
    }

    #[test]
    fn pods_that_share_a_claim_are_one_unit_and_each_claim_has_one_cutter() {
        let claims = ["shop/shared", "shop/first", "shop/own"].map(claim);
        let units = plan(&three_pods(), &claims, &[hook("h")], false, &classes(&[]));
        let expected = [
            "u0 node-1: a | first shared",
            "u0 node-2: b | ",
            "u1 node-2: c | own",
        ];
        assert_eq!(lines(&units), expected);
    }

    #[test]
    fn the_order_of_the_lists_does_not_matter() {
        let claims = ["shop/shared", "shop/first", "shop/own"].map(claim);
        let forwards = plan(&three_pods(), &claims, &[hook("h")], false, &classes(&[]));
        let (mut pods, mut claims) = (three_pods(), claims);
        pods.reverse();
        claims.reverse();
        assert_eq!(plan(&pods, &claims, &[hook("h")], false, &classes(&[])), forwards);
    }

    #[test]
    fn an_instance_with_a_barrier_is_one_unit() {
        let claims = ["shop/shared", "shop/first", "shop/own", "shop/idle"].map(claim);
        let units = plan(&three_pods(), &claims, &[hook("h")], true, &classes(&[]));
        assert_eq!(
            lines(&units),
            ["u0 node-1: a | first shared", "u0 node-2: b c | own"]
        );
        assert_eq!(cut_names(&units.unattended), "idle");
    }

    #[test]
    fn a_claim_that_no_running_pod_mounts_is_for_the_leader() {
        let deleted = Pod {
            deleting: true,
            ..pod("shop/a", &["a"])
        };
        let unplaced = Pod {
            node: None,
            ..pod("shop/b", &["b"])
        };
        let claims = ["shop/a", "shop/b", "shop/c"].map(claim);
        let units = plan(&[deleted, unplaced], &claims, &[hook("h")], false, &classes(&[]));
        assert!(units.units.is_empty());
        assert_eq!(cut_names(&units.unattended), "a b c");
    }

    #[test]
    fn pods_without_hooks_are_cut_where_they_run_and_not_frozen() {
        let units = plan(
            &[pod("shop/a", &["a"])],
            &[claim("shop/a")],
            &[],
            false,
            &classes(&[]),
        );
        assert_eq!(lines(&units), ["u0 node-1:  | a"]);
    }

    #[test]
    fn a_node_that_has_nothing_to_do_gets_nothing() {
        let pods = [
            pod_on("node-1", "shop/a", &["rwx"]),
            pod_on("node-2", "shop/b", &["rwx"]),
        ];
        let units = plan(&pods, &[claim("shop/rwx")], &[], false, &classes(&[]));
        assert_eq!(lines(&units), ["u0 node-1:  | rwx"]);
        assert_eq!(
            plan(&[pod("shop/idle", &[])], &[], &[], false, &classes(&[])),
            Units::default()
        );
    }

    #[test]
    fn hooks_also_run_in_a_pod_without_claims() {
        let units = plan(&[pod("shop/a", &[])], &[], &[hook("h")], false, &classes(&[]));
        assert_eq!(lines(&units), ["u0 node-1: a | "]);
    }

    #[test]
    fn a_group_that_a_person_labelled_is_one_cut_of_one_unit() {
        let mut claims = ["shop/a", "shop/b"].map(claim);
        for claim in &mut claims {
            claim.labels = labels(&[(crate::cut::VOLUME_GROUP, "g")]);
        }
        let pods = [
            pod_on("node-2", "shop/a", &["a"]),
            pod_on("node-1", "shop/b", &["b"]),
        ];
        let units = plan(&pods, &claims, &[hook("h")], false, &classes(&[DRIVER]));
        assert_eq!(lines(&units), ["u0 node-1: b | ", "u0 node-2: a | a+b"]);
    }

    #[test]
    fn a_hook_that_cannot_run_keeps_its_unit_from_being_frozen_and_no_other() {
        let operator = Operator::In(vec!["wrong".to_owned()]);
        let requirement = Requirement::new("hook".to_owned(), operator).unwrap();
        for (on_error, expected, refused) in [
            (OnError::Fail, &["u0 node-1: c | c"][..], &["shop/a"][..]),
            (OnError::Continue, &["u0 node-1:  | a", "u1 node-1: c | c"], &[]),
        ] {
            let mut wrong = hook("wrong");
            wrong.pods.labels = LabelSelector::new(vec![requirement.clone()]);
            wrong.pre = vec![hook::Exec {
                on_error,
                ..exec_in("none", "freeze")
            }];
            let mut pods = [
                pod("shop/a", &["a"]),
                pod("shop/b", &["a"]),
                pod("shop/c", &["c"]),
            ];
            pods[1].labels = labels(&[("hook", "wrong")]);
            let claims = ["shop/a", "shop/c"].map(claim);
            let units = plan(&pods, &claims, &[hook("h"), wrong], false, &classes(&[]));
            assert_eq!(lines(&units), expected, "{on_error:?}");
            let names: Vec<_> = units.refused.iter().map(ToString::to_string).collect();
            assert_eq!(names, refused, "{on_error:?}");
            assert_eq!(units.problems.len(), 1, "{on_error:?}");
        }
    }
}
