//! What happened in a backup, found in the reports of its nodes, in the order in which it happened.

use clusterbackup_api::node_task::{
    CutOutcome, CutReport, ExecOutcome, ExecReport, PodReport, TaskPhase, Thaw, UnitReport,
};
use clusterbackup_api::{Backup, NodeTask, NodeTaskStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::words::{behind, command, millis, thaw};

/// Something that happened, for a person.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Event {
    /// Not of everything there is a time: what has none comes last.
    at: (bool, Option<Timestamp>),
    text: String,
}

impl Event {
    fn new(at: Option<Timestamp>, text: String) -> Self {
        Self {
            at: (at.is_none(), at),
            text,
        }
    }
}

/// `2026-11-21T18:14:02.123Z  node-1: …`
impl std::fmt::Display for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.at.1 {
            Some(at) => write!(f, "{at:.3}  {}", self.text),
            None => write!(f, "{:24}  {}", "", self.text),
        }
    }
}

/// Everything that is known by now.
pub(super) fn all(backup: &Backup, tasks: &[NodeTask]) -> Vec<Event> {
    let mut events = of_backup(backup);
    for task in tasks {
        let node = match task.spec.node_name.as_str() {
            "" => "leader",
            node => node,
        };
        for event in task.status.iter().flat_map(of_task) {
            events.push(Event {
                text: format!("{node}: {}", event.text),
                ..event
            });
        }
    }
    events.sort();
    events
}

fn of_backup(backup: &Backup) -> Vec<Event> {
    let Some(status) = &backup.status else {
        return Vec::new();
    };
    let began = status.started_at.as_ref().map(|at| {
        let text = format!("the backup of {} begins", backup.spec.instance);
        Event::new(Some(at.0), text)
    });
    let ended = backup.phase().filter(|_| backup.is_over()).map(|phase| {
        let message = behind(status.message.as_deref());
        let at = status.finished_at.as_ref().map(|at| at.0);
        Event::new(at, format!("the backup has ended: {phase:?}{message}"))
    });
    began.into_iter().chain(ended).collect()
}

fn of_task(status: &NodeTaskStatus) -> Vec<Event> {
    let mut events: Vec<_> = status.units.iter().flat_map(of_unit).collect();
    let time = |at: &Option<MicroTime>| at.as_ref().map(|at| at.0);
    if status.started_at.is_some() {
        events.push(Event::new(time(&status.started_at), "begins".to_owned()));
    }
    let message = behind(status.message.as_deref());
    match status.phase {
        Some(TaskPhase::Done) => {
            events.push(Event::new(time(&status.finished_at), format!("is done{message}")));
        }
        Some(TaskPhase::Refused) => {
            events.push(Event::new(
                time(&status.finished_at),
                format!("began nothing{message}"),
            ));
        }
        Some(TaskPhase::Running) | None => {}
    }
    events
}

fn of_unit(unit: &UnitReport) -> Vec<Event> {
    let message = unit
        .message
        .as_ref()
        .map(|message| Event::new(None, message.clone()));
    let pods = unit.pods.iter().flat_map(of_pod);
    let cuts = unit.cuts.iter().map(of_cut);
    pods.chain(cuts).chain(message).collect()
}

fn of_pod(pod: &PodReport) -> Vec<Event> {
    let mut events: Vec<_> = pod
        .execs
        .iter()
        .map(|exec| Event::new(Some(end_of(exec)), command(pod, exec)))
        .collect();
    let frozen_at = pod.execs.first().map(|exec| exec.started_at.0);
    let name = format!("{}/{}", pod.namespace, pod.name);
    match (pod.thaw, pod.frozen_millis) {
        (Thaw::NotNeeded, _) => {}
        (Thaw::Pending, _) => events.push(Event::new(None, format!("{name} is frozen"))),
        (how, Some(frozen)) => {
            let at = frozen_at.map(|at| later(at, frozen));
            let text = format!("{name} was frozen for {}; thaw: {}", millis(frozen), thaw(how));
            events.push(Event::new(at, text));
        }
        (how, None) => events.push(Event::new(None, format!("{name} thaw: {}", thaw(how)))),
    }
    events
}

/// When a command ended, or began while it runs. Of repeated tries only the first beginning is known.
fn end_of(exec: &ExecReport) -> Timestamp {
    let began = exec.started_at.0;
    if exec.outcome == ExecOutcome::Running || exec.attempts > 1 {
        return began;
    }
    later(began, exec.millis)
}

fn later(at: Timestamp, millis: u64) -> Timestamp {
    let by = SignedDuration::from_millis(i64::try_from(millis).unwrap_or(i64::MAX));
    at.checked_add(by).unwrap_or(at)
}

fn of_cut(cut: &CutReport) -> Event {
    let claim = format!("{}/{}", cut.namespace, cut.claim);
    let snapshot = cut.snapshot.as_deref().unwrap_or("no snapshot");
    let took = cut
        .millis
        .map_or_else(String::new, |took| format!(" after {}", millis(took)));
    let began = cut.started_at.as_ref().map(|at| at.0);
    let ended = began.map(|at| later(at, cut.millis.unwrap_or_default()));
    let message = behind(cut.message.as_deref());
    match cut.outcome {
        CutOutcome::Pending => Event::new(began, format!("cut of {claim} is under way: {snapshot}")),
        CutOutcome::Taken => {
            let trust = cut
                .consistency
                .map_or_else(String::new, |trust| format!(", {trust:?}"));
            Event::new(
                ended,
                format!("cut of {claim} is taken{took}: {snapshot}{trust}{message}"),
            )
        }
        CutOutcome::Failed => Event::new(ended, format!("cut of {claim} failed{took}{message}")),
        CutOutcome::NotBegun => Event::new(None, format!("{claim} is not cut{message}")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::given;
    use super::*;

    #[test]
    fn what_happened_is_told_in_its_order() {
        let told: Vec<_> = all(&given::backup(), &given::tasks())
            .iter()
            .map(|event| event.to_string().replace("2026-11-21T18:14:", ""))
            .collect();
        let expected = "\
00.000Z  the backup of nightly begins
00.990Z  node-1: begins
00.990Z  node-2: begins
01.035Z  node-1: pre hook shop/hooks/quiesce in shop/db-0 (main) succeeded after 35ms
01.100Z  node-1: cut of shop/data is taken after 60ms: data-1, ApplicationConsistent
01.700Z  node-2: pre hook shop/hooks/quiesce in shop/till-0 (main) took longer than it may: ended after 500ms, and \
some of what it had started lives on: over 500ms
    | locked\u{fffd}[2J
    | out
01.800Z  node-2: post hook shop/hooks/quiesce in shop/till-0 (main) succeeded after 100ms
01.800Z  node-2: shop/till-0 was frozen for 600ms; thaw: done
02.400Z  node-1: post hook shop/hooks/quiesce in shop/db-0 (main) succeeded after 100ms, try 3
02.500Z  node-1: shop/db-0 was frozen for 1s500ms; thaw: by the watchdog
04.000Z  node-1: is done
04.000Z  node-2: is done
09.000Z  the backup has ended: CompletedWithWarnings: 1 of 3 claims is not cut
                          node-2: shop/till is not cut: a pre hook failed";
        assert_eq!(told.join("\n"), expected);
    }

    #[test]
    fn what_the_leader_does_itself_is_told_as_its_own() {
        let mut tasks = given::tasks();
        tasks[0].spec.node_name.clear();
        let told = all(&given::backup(), &tasks[..1]);
        assert!(
            told.iter()
                .any(|event| event.text.starts_with("leader: cut of shop/data")),
            "{told:?}"
        );
    }

    #[test]
    fn of_a_backup_that_nobody_has_taken_up_there_is_nothing_to_tell() {
        let mut backup = given::backup();
        backup.status = None;
        assert_eq!(all(&backup, &[]), []);
    }
}
