//! One pod on its way: seen, found to be new, handed to its node, ended.

use std::time::Duration;

use clusterbackup_api::restore::HookCounts;
use clusterbackup_core::hook::OnError;
use clusterbackup_core::hook::restore::{RestoreCommand, resolve};
use clusterbackup_core::restore::Outcome;
use k8s_openapi::api::core::v1 as core;
use kube::ResourceExt as _;
use tokio::time::Instant;

use super::{GRACE, Run, Seen, Stage};
use crate::leader::error::DriveError;
use crate::leader::events::Reason;
use crate::leader::plan::read;
use crate::leader::restores::hooks::order;
use crate::leader::restores::hooks::outcome::{self, PodOutcome};
use crate::leader::tasks::Known;

/// A clock of another API server may be behind by so much.
const SKEW: Duration = Duration::from_mins(1);
/// So many pods whose hooks failed are told of by an event each.
const TOLD: usize = 10;

impl Run<'_> {
    /// A pod is there, or has changed.
    pub(super) async fn see(&mut self, pod: core::Pod) -> Result<(), DriveError> {
        let namespace = pod.namespace().unwrap_or_default();
        if !self.asked.namespaces.contains(&namespace) || self.is_older(&pod) {
            return Ok(());
        }
        let uid = pod.uid().unwrap_or_default();
        let metadata = pod.metadata.clone();
        let pod = read::pod(pod);
        let going = pod.deleting;
        if let Some(seen) = self.seen.get_mut(&uid) {
            seen.pod = pod;
        } else {
            let controllers = self.controllers.of(&metadata).await?;
            let stage = Stage::Foreign;
            self.seen.insert(uid.clone(), Seen { pod, stage });
            if self.lineage.see(&uid, &controllers) {
                self.take(&uid).await?;
            }
        }
        if going {
            self.lose(&uid).await;
            return Ok(());
        }
        self.hand_over(&uid).await
    }

    /// Whether a pod was there before the restore was asked for. By the clock of the API server; the uids decide.
    fn is_older(&self, pod: &core::Pod) -> bool {
        let asked = self.restore.creation_timestamp();
        let made = pod.creation_timestamp();
        let lead = asked
            .zip(made)
            .map(|(asked, made)| asked.0.duration_since(made.0));
        lead.and_then(|lead| Duration::try_from(lead).ok())
            .is_some_and(|lead| lead > SKEW)
    }

    /// A pod is new by this restore.
    pub(super) async fn take(&mut self, uid: &str) -> Result<(), DriveError> {
        let name = order::name(self.restore, uid);
        let handed = self.tasks.get(&name).map(longest);
        let Some(seen) = self.seen.get_mut(uid) else {
            return Ok(());
        };
        if let Some(longest) = handed {
            seen.stage = Stage::Handed {
                until: Instant::now() + longest,
            };
            return Ok(());
        }
        match resolve(&self.asked.hooks, &seen.pod) {
            Ok(commands) if commands.is_empty() => seen.stage = Stage::Ended(HookCounts::default()),
            Ok(commands) => {
                let wait = commands.iter().map(|command| command.wait.duration()).max();
                let until = Instant::now() + wait.unwrap_or_default();
                seen.stage = Stage::Unbound { commands, until };
            }
            Err(problem) => {
                let hooks = self
                    .asked
                    .hooks
                    .iter()
                    .filter(|hook| hook.pods.include(&seen.pod));
                let commands = hooks.map(|hook| hook.post.len() as u64).sum();
                let outcome = PodOutcome::not_run(commands, problem.to_string(), problem.on_error);
                self.end(uid, outcome).await;
            }
        }
        self.hand_over(uid).await
    }

    /// Hands a pod to its node, if it is bound to one.
    async fn hand_over(&mut self, uid: &str) -> Result<(), DriveError> {
        let Some(Seen { pod, stage }) = self.seen.get_mut(uid) else {
            return Ok(());
        };
        let (Stage::Unbound { commands, .. }, Some(node)) = (&*stage, &pod.node) else {
            return Ok(());
        };
        let task = order::order(self.restore, self.world.epoch, (pod, node), commands);
        let longest: Duration = commands.iter().map(RestoreCommand::longest).sum();
        match self.tasks.create(&task).await {
            Err(error) if error.is_conflict() => {}
            Err(error) if error.is_final() => {
                let problem = format!("its restore hooks could not be handed to the node: {error}");
                let outcome = PodOutcome::not_run(commands.len() as u64, problem, worst(commands));
                self.end(uid, outcome).await;
                return Ok(());
            }
            created => created?,
        }
        *stage = Stage::Handed {
            until: Instant::now() + longest + GRACE,
        };
        Ok(())
    }

    /// A pod is gone, or about to go.
    pub(super) async fn lose(&mut self, uid: &str) {
        let outcome = match self.seen.get(uid).map(|seen| &seen.stage) {
            Some(Stage::Unbound { commands, .. }) => {
                let problem = "its restore hooks did not run: it was deleted before it ran".to_owned();
                PodOutcome::not_run(commands.len() as u64, problem, worst(commands))
            }
            _ => return,
        };
        self.end(uid, outcome).await;
    }

    /// Nothing more comes of a pod.
    pub(super) async fn end(&mut self, uid: &str, outcome: PodOutcome) {
        let Some(seen) = self.seen.get_mut(uid) else {
            return;
        };
        seen.stage = Stage::Ended(outcome.counts);
        let pod = outcome::object(&seen.pod.name);
        for problem in &outcome.problems {
            self.progress.warn(&pod, Outcome::Created, problem);
        }
        if let (Some(first), true) = (outcome.problems.first(), self.told < TOLD) {
            self.told += 1;
            let note = format!("pod {}: {first}", seen.pod.name);
            let events = &self.world.events;
            events.tell(self.restore, Reason::HookFailed, note).await;
        }
        if let Some(fatal) = outcome.fatal {
            let name = &seen.pod.name;
            self.fatal
                .get_or_insert_with(|| format!("in pod {name}, {fatal}"));
        }
    }
}

/// How long the commands of a task may take.
fn longest(known: &Known) -> Duration {
    let commands = known.task.spec.restored.iter().flat_map(|pod| &pod.commands);
    let longest = commands.map(|command| command.wait.duration() + command.exec.timeout.duration());
    longest.sum::<Duration>() + GRACE
}

/// What it means that none of these ran.
pub(super) fn worst(commands: &[RestoreCommand]) -> OnError {
    let mut commands = commands.iter();
    if commands.any(|command| command.command.on_error == OnError::Fail) {
        OnError::Fail
    } else {
        OnError::Continue
    }
}
