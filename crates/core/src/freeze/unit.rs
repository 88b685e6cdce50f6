//! A freeze unit: the pods that are frozen together, and what is cut while they are, node by node.

use crate::cut::Cut;
use crate::duration::Span;
use crate::hook::Commands;
use crate::selection::Name;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hook;
    use crate::hook::sample::hook;
    use crate::selection::sample::pod;

    #[test]
    fn the_time_outs_of_a_pods_pre_hooks_and_the_cuts_must_fit_into_max_freeze() {
        let pod = pod("shop/a", &[]);
        let frozen = PodCommands {
            pod: pod.name.clone(),
            uid: pod.uid.clone(),
            commands: hook::resolve(&[hook("one"), hook("two")], &pod).unwrap(),
        };
        let part = Part {
            node: "node-1".to_owned(),
            pods: vec![frozen],
            cuts: Vec::new(),
        };
        let unit = Unit {
            name: "u0".to_owned(),
            parts: vec![part],
        };
        for (max_freeze, problem) in [
            (81, None),
            (
                80,
                Some(
                    "the pre hooks of pod shop/a may take 1m and the cuts 20s: together not less than maxFreeze, \
                     1m20s; raise maxFreeze or lower the time-outs",
                ),
            ),
        ] {
            let limits = Limits {
                max_freeze: Span::seconds(max_freeze),
                cut: Span::seconds(20),
            };
            let told = check(&limits, &unit).err().map(|problem| problem.to_string());
            assert_eq!(told.as_deref(), problem, "{max_freeze} s");
        }
    }
}
