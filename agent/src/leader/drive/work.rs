//! The time in which the nodes are at work: they are told to begin, barriers are released, what they report is added
//! up, what they have cut is kept, and who doesn't answer is not waited for without end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clusterbackup_api::backup::BarrierReport;
use clusterbackup_api::node_task::{CutOutcome, NodeTaskStatus, TaskPhase, TaskState, UnitPhase};
use clusterbackup_core::selection::Name;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};

use super::Drive;
use super::base::Base;
use super::end::Outcome;
use crate::leader::barrier::{Barriers, Move};
use crate::leader::contents::Purpose;
use crate::leader::error::DriveError;
use crate::leader::fleet::Orders;
use crate::leader::metrics::Part;
use crate::leader::news;
use crate::leader::own_cuts;
use crate::leader::retain::{self, Attempt};
use crate::leader::silence::{Patience, patience};
use crate::leader::tasks::Known;

/// Nothing is due for longer than this without a look.
const LONGEST_WAIT: Duration = Duration::from_mins(1);
/// Snapshots that are being kept at one time.
const KEEPING: usize = 16;

/// A backup whose nodes are at work.
pub(super) struct Work<'a> {
    drive: &'a mut Drive,
    base: Base,
    barriers: Barriers,
    /// What is known of barriers, as it stands in the status.
    recorded: Vec<BarrierReport>,
    /// The state of each task, and since when this leader knows of it.
    states: BTreeMap<String, (TaskState, Instant)>,
    /// Tasks whose agents don't answer: cancelled for that.
    silent: BTreeSet<String>,
    /// Of these, those that nobody waits for any longer.
    abandoned: BTreeSet<String>,
    purpose: Purpose,
    keeping: JoinSet<(Name, Result<Attempt, DriveError>)>,
    begun: BTreeSet<Name>,
    kept: BTreeMap<Name, Attempt>,
    cutting: JoinSet<(String, NodeTaskStatus)>,
    own: BTreeSet<String>,
    told: BTreeSet<String>,
    open_tasks: Part,
    silent_nodes: Part,
}

impl<'a> Work<'a> {
    /// The work on a backup whose tasks are made.
    pub(super) fn new(drive: &'a mut Drive, base: Base, purpose: Purpose) -> Self {
        Self {
            open_tasks: drive.world.metrics.tasks(),
            silent_nodes: drive.world.metrics.silent(),
            recorded: drive.record.status().barriers,
            drive,
            base,
            barriers: Barriers::default(),
            states: BTreeMap::new(),
            silent: BTreeSet::new(),
            abandoned: BTreeSet::new(),
            purpose,
            keeping: JoinSet::new(),
            begun: BTreeSet::new(),
            kept: BTreeMap::new(),
            cutting: JoinSet::new(),
            own: BTreeSet::new(),
            told: BTreeSet::new(),
        }
    }

    /// Works until every task is at its end and everything that was cut is kept.
    pub(super) async fn run(mut self) -> Result<Outcome, DriveError> {
        loop {
            let wake = self.step().await?;
            if self.is_over() {
                return Ok(Outcome {
                    cancelled: self.is_cancelled(),
                    base: self.base,
                    recorded: self.recorded,
                    kept: self.kept,
                    abandoned: self.abandoned,
                });
            }
            tokio::select! {
                changed = self.drive.tasks.changed() => changed?,
                changed = self.drive.orders.changed() => changed.map_err(|_| DriveError::Ended("the watch of Backups"))?,
                Some(done) = self.keeping.join_next() => self.note_kept(done)?,
                Some(done) = self.cutting.join_next() => self.note_cut(done).await?,
                () = sleep_until(wake) => {}
            }
        }
    }

    /// Does all that is due, and says when something is due again.
    async fn step(&mut self) -> Result<Instant, DriveError> {
        let mut wake = Instant::now() + LONGEST_WAIT;
        wake = wake.min(self.judge_agents());
        self.set_states().await?;
        wake = wake.min(self.move_barriers().await?);
        self.cut_own().await?;
        self.keep();
        self.tell_news().await;
        self.count();
        Ok(wake.min(self.write().await?))
    }

    fn is_cancelled(&self) -> bool {
        self.drive.wanted() != Orders::Run
    }

    fn is_over(&self) -> bool {
        let ended = |known: &Known| known.is_over() || self.abandoned.contains(&known.name());
        self.drive.tasks.iter().all(ended) && self.keeping.is_empty()
    }

    /// Finds the agents that don't answer, and says when the next one will have been silent for too long.
    fn judge_agents(&mut self) -> Instant {
        let now = Instant::now();
        let mut wake = now + LONGEST_WAIT;
        for known in self
            .drive
            .tasks
            .iter()
            .filter(|known| !known.is_over() && !known.is_own())
        {
            let (name, state) = (known.name(), known.task.spec.state);
            let since = self.states.entry(name.clone()).or_insert((state, now));
            if since.0 != state {
                *since = (state, now);
            }
            match patience(known, since.1, now) {
                Patience::Until(moment) => wake = wake.min(moment),
                Patience::Silent => drop(self.silent.insert(name)),
                Patience::Abandoned => drop(self.abandoned.insert(name)),
            }
        }
        wake
    }

    async fn set_states(&mut self) -> Result<(), DriveError> {
        let cancelled = self.is_cancelled();
        let state = |known: &Known| {
            let name = known.name();
            let stopped = cancelled || self.silent.contains(&name);
            let state = if stopped {
                TaskState::Cancelled
            } else {
                TaskState::Running
            };
            // A cancelled task stays so, whoever cancelled it.
            let kept = known.task.spec.state == TaskState::Cancelled;
            (name, if kept { TaskState::Cancelled } else { state })
        };
        let open = self.drive.tasks.iter().filter(|known| !known.is_over());
        let wanted: BTreeMap<_, _> = open.map(state).collect();
        self.drive.tasks.set_states(&wanted).await
    }

    /// Releases what is to be released. What breaks a barrier is stored first: the undo must not hide it.
    async fn move_barriers(&mut self) -> Result<Instant, DriveError> {
        let mut wake = Instant::now() + LONGEST_WAIT;
        if self.is_cancelled() {
            return Ok(wake);
        }
        for (unit, next) in self.barriers.moves(self.drive.tasks.iter()) {
            match next {
                Move::Wait(moment) => wake = wake.min(moment),
                Move::Release(step, report) => {
                    let broken = report.as_ref().is_some_and(|report| !report.met);
                    self.recorded.extend(report);
                    if broken {
                        let status = self.status();
                        self.drive.record.write(status).await?;
                    }
                    self.drive.tasks.release(&unit, step).await?;
                    self.barriers.released(&unit, step);
                    wake = Instant::now();
                }
            }
        }
        Ok(wake)
    }

    /// Begins the leader's own tasks; of a cancelled one nothing more is waited for.
    async fn cut_own(&mut self) -> Result<(), DriveError> {
        let open = self
            .drive
            .tasks
            .iter()
            .filter(|known| known.is_own() && !known.is_over());
        let open: Vec<_> = open.map(|known| known.task.clone()).collect();
        for task in open {
            let name = task.metadata.name.clone().unwrap_or_default();
            if self.is_cancelled() {
                self.cutting.abort_all();
                let refused = NodeTaskStatus {
                    phase: Some(TaskPhase::Refused),
                    ..NodeTaskStatus::default()
                };
                self.drive.tasks.report(&name, &refused).await?;
            } else if self.own.insert(name.clone()) {
                let client = self.drive.world.client.clone();
                self.cutting
                    .spawn(async move { (name, own_cuts::run(&client, &task).await) });
            }
        }
        Ok(())
    }

    async fn note_cut(
        &mut self,
        done: Result<(String, NodeTaskStatus), JoinError>,
    ) -> Result<(), DriveError> {
        match done {
            Ok((name, status)) => self.drive.tasks.report(&name, &status).await,
            Err(error) if error.is_cancelled() => Ok(()),
            Err(_) => Err(DriveError::Ended("a cut of the leader's own")),
        }
    }

    /// Begins to keep what is cut; before the undo has begun the node has more urgent things to do.
    fn keep(&mut self) {
        let mut found = Vec::new();
        for known in self.drive.tasks.iter() {
            for report in known.task.status.iter().flat_map(|status| &status.units) {
                if report.phase < UnitPhase::Thawing && !known.is_over() {
                    continue;
                }
                let taken = report.cuts.iter().filter(|cut| cut.outcome == CutOutcome::Taken);
                found.extend(
                    taken.filter_map(|cut| {
                        Some((Name::new(&cut.namespace, &cut.claim), cut.snapshot.clone()?))
                    }),
                );
            }
        }
        for (claim, snapshot) in found {
            if self.keeping.len() < KEEPING && self.begun.insert(claim.clone()) {
                let (client, purpose) = (self.drive.world.client.clone(), self.purpose.clone());
                self.keeping.spawn(async move {
                    let kept = retain::retain(&client, &claim, &snapshot, &purpose).await;
                    (claim, kept)
                });
            }
        }
    }

    fn note_kept(
        &mut self,
        done: Result<(Name, Result<Attempt, DriveError>), JoinError>,
    ) -> Result<(), DriveError> {
        let (claim, kept) = done.map_err(|_| DriveError::Ended("the keeping of a snapshot"))?;
        self.kept.insert(claim, kept?);
        Ok(())
    }

    fn count(&mut self) {
        let open = self.drive.tasks.iter().filter(|known| !known.is_over());
        self.open_tasks.set(open.count());
        let silent = self.silent.iter().filter_map(|name| self.drive.tasks.get(name));
        let nodes: BTreeSet<_> = silent.map(|known| &known.task.spec.node_name).collect();
        self.silent_nodes.set(nodes.len());
    }

    /// Tells people what they would look for, each once.
    async fn tell_news(&mut self) {
        let silent = self.silent.iter().filter_map(|name| self.drive.tasks.get(name));
        let mut news: Vec<_> = silent.map(|known| news::silent(&known.task)).collect();
        news.extend(self.recorded.iter().filter_map(news::broken));
        news.extend(self.drive.tasks.iter().flat_map(|known| news::of(&known.task)));
        for (reason, note) in news {
            if self.told.insert(note.clone()) {
                self.drive.tell(reason, note).await;
            }
        }
    }

    /// Writes the status if it is time, and says when it is time otherwise.
    async fn write(&mut self) -> Result<Instant, DriveError> {
        let status = self.status();
        let now = Instant::now();
        match self.drive.record.due(&status, now) {
            Some(due) if due <= now => self.drive.record.write(status).await.map(|()| now + LONGEST_WAIT),
            Some(due) => Ok(due),
            None => Ok(now + LONGEST_WAIT),
        }
    }

    fn status(&self) -> clusterbackup_api::BackupStatus {
        let tasks = self
            .drive
            .tasks
            .iter()
            .map(|known| (&known.task, self.abandoned.contains(&known.name())));
        self.base
            .running(self.drive.record.status(), tasks, &self.kept, &self.recorded)
    }
}
