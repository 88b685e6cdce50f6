//! All objects of an instance, read from the API server and written into a point.
//!
//! | module | concern |
//! |---|---|
//! | `discovery` | which kinds the cluster serves |
//! | `page`, `listing` | a list, page by page, within bounded memory |
//! | `sink` | where objects go, and what is counted |
//! | `related` | objects that others need, and the Namespaces |

mod discovery;
mod listing;
mod page;
mod related;
mod sink;

use std::collections::BTreeSet;

use clusterbackup_api::access::Read;
use clusterbackup_api::backup::ObjectCounts;
use clusterbackup_api::requester::Requester;
use clusterbackup_core::inclusion::{Inclusion, Kind};
use clusterbackup_vault::point::PointWriter;
use futures::future::join;
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use kube::Client;
use tokio::sync::watch;

pub(super) use self::sink::{Sink, Stored};

use self::listing::{ListError, Listing, Span};
use self::page::{Object, Page};
use super::point_failure::PointFailure;
use super::reach::{Reachable, Wanted};

/// Kinds that are read at a time. Each takes two pages of memory, and one request of the API server.
const AT_ONCE: usize = 4;
/// More namespaces than this are read by one listing over all.
const SINGLY: usize = 20;

/// What is to be read, and for whom.
pub(super) struct Task<'a> {
    /// The way to the API server.
    pub(super) client: &'a Client,
    /// Which objects.
    pub(super) inclusion: &'a Inclusion,
    /// Whose rights count.
    pub(super) requester: &'a Requester,
}

/// Reads everything into the point. What can't be read is told in what comes back; an error means that nothing can be
/// read at all, or written.
pub(super) async fn store(
    task: &Task<'_>,
    writer: PointWriter,
    progress: watch::Sender<ObjectCounts>,
) -> Result<Stored, PointFailure> {
    let sink = Sink::new(writer, progress);
    let found = discovery::run(task.client).await?;
    for (group, reason) in &found.unread {
        sink.unread(&format!("*.{group}"), reason).await;
    }
    for text in task.inclusion.idle_types(&found.kinds) {
        let remark = format!("the cluster has no kind {text}, which the instance names");
        sink.remark(remark).await;
    }
    let cluster = related::namespaces(task.client).await?;
    let namespaces: BTreeSet<&str> = task.inclusion.filter.namespaces(&cluster).into_iter().collect();
    let wanted = wanted(&found.kinds, &namespaces);
    let reachable = Reachable::ask(task.client, task.requester, Read::List, wanted).await?;
    let reading = Reading {
        task,
        namespaces,
        reachable,
        sink: &sink,
    };
    let kinds = task.inclusion.kinds(&found.kinds);
    sink.expect(kinds.len());
    let reads: Vec<_> = kinds.into_iter().map(|kind| reading.kind(kind).boxed()).collect();
    stream::iter(reads)
        .buffer_unordered(AT_ONCE)
        .try_collect::<()>()
        .await?;
    related::store(&reading, &found.kinds).await?;
    related::store_namespaces(&reading).await?;
    Ok(sink.done())
}

fn wanted(kinds: &[Kind], namespaces: &BTreeSet<&str>) -> Wanted {
    let mut wanted = Wanted {
        namespaces: namespaces.iter().map(|&namespace| namespace.to_owned()).collect(),
        ..Wanted::default()
    };
    for kind in kinds.iter().filter(|kind| kind.is_whole) {
        let is_inside = kind.namespaced || kind.group_resource == Kind::namespaces();
        let kinds = if is_inside {
            &mut wanted.inside
        } else {
            &mut wanted.outside
        };
        kinds.insert(kind.group_resource.clone());
    }
    wanted
}

/// A cluster that is being read.
struct Reading<'a> {
    task: &'a Task<'a>,
    /// The namespaces that are taken.
    namespaces: BTreeSet<&'a str>,
    reachable: Reachable,
    sink: &'a Sink,
}

impl Reading<'_> {
    /// Stores the objects of a kind that are taken.
    async fn kind(&self, kind: &Kind) -> Result<(), PointFailure> {
        let inclusion = self.task.inclusion;
        let labels = &inclusion.filter.labels;
        let selector = (!labels.is_everything()).then(|| labels.to_string());
        for span in self.spans(kind) {
            let listing = Listing::new(kind, &span, selector.clone());
            let takes = |object: &Object<'_>| inclusion.takes(object.facts(), &self.namespaces);
            self.pour(kind, &span, listing, takes).await?;
        }
        self.sink.kind_done();
        Ok(())
    }

    /// By which lists a kind is read.
    fn spans(&self, kind: &Kind) -> Vec<Span> {
        let everywhere = self.reachable.allows(&kind.group_resource, None);
        if !kind.namespaced || (everywhere && self.namespaces.len() > SINGLY) {
            return vec![Span::All];
        }
        let names = self.namespaces.iter();
        names.map(|&name| Span::Namespace(name.to_owned())).collect()
    }

    /// Stores those objects of a list that `takes` takes, if the requester may read it.
    async fn pour(
        &self,
        kind: &Kind,
        span: &Span,
        mut listing: Listing,
        takes: impl Fn(&Object<'_>) -> bool,
    ) -> Result<(), PointFailure> {
        let name = kind.group_resource.as_str();
        if !self.reachable.allows(&kind.group_resource, span.namespace()) {
            let refusal = self.reachable.refusal(span.namespace());
            self.sink.unread(name, &refusal).await;
            return Ok(());
        }
        let store = async |page: Page| {
            for object in page.objects().map_err(ListError::from)? {
                if takes(&object) {
                    self.sink.add(kind, object).await?;
                }
            }
            Ok::<_, Failure>(())
        };
        let read = async {
            let mut next = listing.next(self.task.client).await?;
            while let Some(page) = next {
                let (following, stored) = join(listing.next(self.task.client), store(page)).await;
                stored?;
                next = following?;
            }
            Ok(())
        };
        let done = read.await;
        if listing.is_inconsistent() {
            self.sink.inconsistent(name).await;
        }
        match done {
            Ok(()) => Ok(()),
            Err(Failure::List(error)) => {
                let reason = error.settle(self.task.client).await?;
                self.sink.unread(name, &reason).await;
                Ok(())
            }
            Err(Failure::Point(failure)) => Err(failure),
        }
    }
}

/// What stops a list.
enum Failure {
    /// It can't be read.
    List(ListError),
    /// It can't be written.
    Point(PointFailure),
}

impl From<ListError> for Failure {
    fn from(error: ListError) -> Self {
        Self::List(error)
    }
}

impl From<PointFailure> for Failure {
    fn from(failure: PointFailure) -> Self {
        Self::Point(failure)
    }
}
