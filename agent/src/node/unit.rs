//! One freeze unit on this node: freeze, cut, thaw. Whatever happens on the way gives the signal to thaw, and from there
//! all ways are one.

use std::future::pending;

use clusterbackup_api::node_task::{
    Consistency, CutOutcome, CutReport, FreezeUnit, NodeTaskStatus, PodReport, Step, Thaw, UnitPhase,
    UnitReport,
};
use clusterbackup_core::hook::{OnError, Quiescence};
use futures::future::{join_all, try_join_all};
use tokio::sync::oneshot;

use super::cut::Cuts;
use super::going::Going;
use super::incarnations::Incarnations;
use super::orders::Orders;
use super::pod::{Frozen, Pod};
use super::signal::{Cause, ThawSignal};
use super::work::Work;
use super::{freeze, members, status};
use crate::journal::Opened;

/// One unit, as it is carried out.
pub(super) struct Unit<'a> {
    pub(super) work: &'a Work,
    pub(super) order: &'a FreezeUnit,
    pub(super) orders: &'a Orders,
    pub(super) going: &'a Going,
}

impl Unit<'_> {
    /// Carries the unit out. It never fails: what came of it stands in the report.
    pub(super) async fn run(&self) {
        self.work
            .reporter
            .announce(|status| status.units.push(begun(self.order)));
        // An agent that takes over finds by this what may be frozen.
        let prepared = match self.work.reporter.written().await {
            Ok(()) => Cuts::prepare(self.work, self.order)
                .await
                .map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match prepared {
            Ok(cuts) => {
                let thaw = ThawSignal::default();
                let conducted = self.conduct(&cuts, &thaw);
                tokio::pin!(conducted);
                tokio::select! {
                    () = &mut conducted => {}
                    cause = self.interrupted() => {
                        thaw.give(cause);
                        conducted.await;
                    }
                }
            }
            Err(problem) => self.give_up(problem),
        }
        self.end();
    }

    /// Returns why the unit has to thaw before its time, if ever.
    async fn interrupted(&self) -> Cause {
        let frozen = self.order.pods.iter().filter(|pod| freeze::is_frozen(pod));
        tokio::select! {
            cause = self.orders.ended() => cause,
            pod = self.going.any(frozen) => Cause::PodDeleted(pod),
        }
    }

    async fn conduct(&self, cuts: &Cuts<'_>, thaw: &ThawSignal) {
        let entries = match freeze::entries(self.work, self.order, thaw).await {
            Ok(entries) => Some(entries),
            Err(error) if self.must_freeze() => {
                return self.give_up(Cause::Journal(error.to_string()).to_string());
            }
            Err(error) => {
                self.say(format!("{error}; the volumes are cut without freezing"));
                None
            }
        };
        let frozen = entries
            .as_ref()
            .is_some_and(|entries| entries.iter().any(Option::is_some));
        let containers = Incarnations::of(self.work, self.order).await;
        let due = self.work.means.clock.uptime() + self.order.max_freeze.duration();
        let (said, awaited): (Vec<_>, Vec<_>) = self.order.pods.iter().map(|_| oneshot::channel()).unzip();
        let led = self.lead(cuts, thaw, awaited, entries.is_some(), &containers);
        let led_in_time = async {
            tokio::pin!(led);
            let too_long = async {
                if frozen {
                    self.work.means.clock.until(due).await;
                } else {
                    pending::<()>().await;
                }
            };
            tokio::select! {
                () = &mut led => {}
                () = too_long => {
                    thaw.give(Cause::MaxFreeze(self.order.max_freeze));
                    led.await;
                }
            }
        };
        tokio::join!(self.pods(entries, thaw, said), led_in_time, self.thawing(thaw));
    }

    /// All pods at once, each at its own pace until the signal.
    async fn pods(
        &self,
        entries: Option<Vec<Option<Opened>>>,
        thaw: &ThawSignal,
        said: Vec<oneshot::Sender<Frozen>>,
    ) {
        let Some(entries) = entries else {
            drop(said);
            return;
        };
        let pods = self.order.pods.iter().zip(entries).zip(said);
        join_all(pods.map(|((order, entry), said)| async move {
            let pod = Pod {
                work: self.work,
                unit: &self.order.name,
                order,
                max_freeze: self.order.max_freeze.duration(),
            };
            pod.run(entry, thaw, said).await;
        }))
        .await;
    }

    /// Leads the unit from frozen over cut to the signal.
    async fn lead(
        &self,
        cuts: &Cuts<'_>,
        thaw: &ThawSignal,
        awaited: Vec<oneshot::Receiver<Frozen>>,
        freezes: bool,
        containers: &Incarnations,
    ) {
        let all_cut = tokio::select! {
            biased;
            all_cut = self.freeze_and_cut(cuts, thaw, awaited, freezes) => all_cut,
            () = thaw.given() => false,
        };
        thaw.give(Cause::Done);
        containers.judge(self.work, self.order).await;
        if all_cut {
            members::find(self.work, self.order).await;
        }
    }

    /// Whether everything was cut, and the barrier held as far as it is known here.
    async fn freeze_and_cut(
        &self,
        cuts: &Cuts<'_>,
        thaw: &ThawSignal,
        awaited: Vec<oneshot::Receiver<Frozen>>,
        freezes: bool,
    ) -> bool {
        let quiescence = match try_join_all(awaited).await {
            // The unit's other parts freeze its pods: the barrier waits for them.
            Ok(none) if none.is_empty() && self.order.released.is_some() => Quiescence::Held,
            Ok(frozen) if freezes => Quiescence::of(frozen),
            // The pods were left alone.
            Ok(_) | Err(_) => Quiescence::Open,
        };
        if quiescence == Quiescence::Failed {
            return false;
        }
        self.phase(UnitPhase::Frozen);
        if self.orders.released(self.order, Step::Cut).await == Some(Step::Thaw) {
            thaw.give(Cause::Barrier);
            return false;
        }
        self.phase(UnitPhase::Cutting);
        if !cuts.take(self.consistency(quiescence), thaw).await {
            return false;
        }
        self.phase(UnitPhase::Cut);
        self.orders.released(self.order, Step::Thaw).await;
        true
    }

    fn consistency(&self, quiescence: Quiescence) -> Consistency {
        let hooked = self.order.pods.iter().all(|pod| !pod.pre.is_empty());
        if quiescence == Quiescence::Held && hooked {
            Consistency::ApplicationConsistent
        } else {
            Consistency::CrashConsistent
        }
    }

    /// Says so once the signal is there.
    async fn thawing(&self, thaw: &ThawSignal) {
        thaw.given().await;
        let early = self.order.released.is_some() && self.orders.step(self.order) < Some(Step::Thaw);
        let message = thaw
            .cause()
            .filter(|cause| **cause != Cause::Done)
            .map(ToString::to_string);
        self.work.reporter.announce(|status| {
            if let Some(unit) = status::unit(status, &self.order.name) {
                unit.phase = UnitPhase::Thawing;
                unit.early = early;
                if message.is_some() {
                    unit.message = message;
                }
            }
        });
    }

    /// Whether a failure to freeze keeps the volumes from being cut.
    fn must_freeze(&self) -> bool {
        let mut commands = self.order.pods.iter().flat_map(|pod| &pod.pre);
        commands.any(|command| command.on_error == OnError::Fail)
    }

    /// Ends before anything was frozen.
    fn give_up(&self, problem: String) {
        self.say(problem);
        self.work.reporter.note(|status| {
            if let Some(unit) = status::unit(status, &self.order.name) {
                unit.early = self.order.released.is_some();
                for pod in &mut unit.pods {
                    pod.thaw = Thaw::NotNeeded;
                }
            }
        });
    }

    fn end(&self) {
        let not_begun = |cut: &&mut CutReport| cut.outcome == CutOutcome::Pending;
        self.work.reporter.announce(|status| {
            if let Some(unit) = status::unit(status, &self.order.name) {
                unit.phase = UnitPhase::Thawed;
                for cut in unit.cuts.iter_mut().filter(not_begun) {
                    cut.outcome = CutOutcome::NotBegun;
                    cut.message.clone_from(&unit.message);
                }
            }
        });
    }

    /// Says so at once if others wait for it. Who is frozen should not share the API server with a report in no hurry.
    fn phase(&self, phase: UnitPhase) {
        let change = |status: &mut NodeTaskStatus| {
            if let Some(unit) = status::unit(status, &self.order.name) {
                unit.phase = phase;
            }
        };
        match self.order.released {
            Some(_) => self.work.reporter.announce(change),
            None => self.work.reporter.note(change),
        }
    }

    fn say(&self, message: String) {
        self.work.reporter.note(|status| {
            if let Some(unit) = status::unit(status, &self.order.name) {
                unit.message = Some(message);
            }
        });
    }
}

/// What is reported of a unit that begins.
fn begun(order: &FreezeUnit) -> UnitReport {
    let pods = order.pods.iter().map(|pod| PodReport {
        namespace: pod.namespace.clone(),
        name: pod.name.clone(),
        uid: pod.uid.clone(),
        thaw: if freeze::is_frozen(pod) {
            Thaw::Pending
        } else {
            Thaw::NotNeeded
        },
        frozen_millis: None,
        execs: Vec::new(),
    });
    let claims = order.cuts.iter();
    let claims = claims.flat_map(|cut| cut.claims.iter().map(|claim| (&cut.namespace, claim)));
    let cuts = claims.map(|(namespace, claim)| CutReport {
        namespace: namespace.clone(),
        claim: claim.clone(),
        outcome: CutOutcome::Pending,
        snapshot: None,
        consistency: None,
        started_at: None,
        millis: None,
        message: None,
    });
    UnitReport {
        name: order.name.clone(),
        phase: UnitPhase::Freezing,
        message: None,
        early: false,
        disturbed: false,
        pods: pods.collect(),
        cuts: cuts.collect(),
    }
}
