//! Whether what was frozen is what was cut: a container that starts again in between has run, and maybe written, without
//! anybody's asking.

use clusterbackup_api::node_task::{Consistency, FreezeUnit};
use futures::future::join_all;

use super::status;
use super::work::Work;
use crate::command;

/// The containers of a unit that pre hooks freeze, as they ran before.
pub(super) struct Incarnations(Vec<Option<String>>);

impl Incarnations {
    /// As they run now; nothing is known where the runtime doesn't answer.
    pub(super) async fn of(work: &Work, unit: &FreezeUnit) -> Self {
        let commands = unit
            .pods
            .iter()
            .flat_map(|pod| pod.pre.iter().map(move |command| (pod, command)));
        let each = commands.map(|(pod, command)| async {
            let target = command::target(pod, command);
            work.means.runtime.incarnation(&target).await.ok().flatten()
        });
        Self(join_all(each).await)
    }

    /// Takes back what was said of the cuts unless the same containers run now. Once the thaw has begun: a look costs
    /// no frozen time then.
    pub(super) async fn judge(&self, work: &Work, unit: &FreezeUnit) {
        let now = Self::of(work, unit).await;
        if self.0.iter().all(Option::is_some) && self.0 == now.0 {
            return;
        }
        work.reporter.note(|status| {
            let Some(report) = status::unit(status, &unit.name) else {
                return;
            };
            report.disturbed = true;
            let taken = report.cuts.iter_mut();
            for cut in taken.filter(|cut| cut.consistency == Some(Consistency::ApplicationConsistent)) {
                cut.consistency = Some(Consistency::CrashConsistent);
                cut.message =
                    Some("a frozen container started again before it was sure to be cut".to_owned());
            }
        });
    }
}
