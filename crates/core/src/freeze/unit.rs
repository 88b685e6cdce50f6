//! Freeze units: the connected components of pods that share claims. What shares a volume is frozen, cut and thawed as
//! one; what doesn't is independent.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::cut::{Bundle, Cut, Cutter};
use crate::duration::Span;
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

/// Pods and cuts that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// Unique within the backup.
    pub name: String,
    /// What each node does of it; several parts need the barrier.
    pub parts: Vec<Part>,
}

/// One node's share of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The node.
    pub node: String,
    /// The pods with commands.
    pub pods: Vec<PodCommands>,
    /// The cuts.
    pub cuts: Vec<Cut>,
}

/// One pod's commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodCommands {
    /// The pod.
    pub pod: Name,
    /// Its uid.
    pub uid: String,
    /// What runs in it.
    pub commands: Commands,
}

/// How long an instance lets applications be frozen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From the first pre hook to the undo.
    pub max_freeze: Span,
    /// For the cuts.
    pub cut: Span,
}

/// A pod whose hooks could use up the time that is left for the cuts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the pre hooks of pod {pod} may take {pre} and the cuts {cut}: together not less than maxFreeze, {max_freeze}; \
     raise maxFreeze or lower the time-outs"
)]
pub struct TooLong {
    /// The pod.
    pub pod: Name,
    /// The sum of the time-outs of its pre hooks.
    pub pre: Span,
    /// The longest time that the cuts may take.
    pub cut: Span,
    /// The longest time that it may be frozen.
    pub max_freeze: Span,
}

/// Whether every pod's pre hooks and the cuts fit into `maxFreeze`, whatever they need of their time-outs.
pub fn check(limits: &Limits, unit: &Unit) -> Result<(), TooLong> {
    let pods = unit.parts.iter().flat_map(|part| &part.pods);
    for PodCommands { pod, commands, .. } in pods.filter(|pod| !pod.commands.pre.is_empty()) {
        let pre = commands.longest_pre();
        if pre.duration().saturating_add(limits.cut.duration()) >= limits.max_freeze.duration() {
            return Err(TooLong {
                pod: pod.clone(),
                pre,
                cut: limits.cut,
                max_freeze: limits.max_freeze,
            });
        }
    }
    Ok(())
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
    match parts.entry(node.to_owned()) {
        Entry::Occupied(part) => part.into_mut(),
        Entry::Vacant(place) => place.insert(Part {
            node: node.to_owned(),
            pods: Vec::new(),
            cuts: Vec::new(),
        }),
    }
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
