//! Reads the objects of a backup, as they come: memory is bounded by a few objects, and what is remembered of their names.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::backup::{self, Backup, check_format};
use super::error::{ArchiveError, Refusal};
use super::files;
use super::limits::Limits;
use super::object::Seen;
use super::opened::Fault;
use super::place::Place;
use super::source::Source;
use super::{counts, layout};
use crate::point::Entry;
use crate::store::{Key, Store};

/// How many objects are read ahead. Each of them may be large.
const AHEAD: usize = 2;

/// The archive of one backup.
#[derive(Clone, Debug)]
pub struct Archive {
    store: Store,
    backup: Backup,
    key: Key,
    limits: Limits,
}

impl Archive {
    /// Reads the backup's description.
    pub async fn open(store: Store, name: &str) -> Result<Self, ArchiveError> {
        let backup = backup::find(&store, name).await?;
        let backup = backup.ok_or_else(|| ArchiveError::NoSuchBackup(name.to_owned()))?;
        let key = backup.archive()?;
        Ok(Self {
            store,
            backup,
            key,
            limits: Limits::DEFAULT,
        })
    }

    #[cfg(test)]
    pub(super) fn within(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The backup.
    pub const fn backup(&self) -> &Backup {
        &self.backup
    }

    /// All objects, in the order in which they were written. The last files can show that the archive is damaged or forged:
    /// use what came before only if the stream ends without an error, or [`count`](Self::count) first.
    pub fn objects(&self) -> BoxStream<'_, Result<Entry, ArchiveError>> {
        let begun = async move {
            let source = self.source(&self.key).await?;
            let (key, limits) = (self.key.clone(), self.limits);
            let (sender, mut receiver) = mpsc::channel(AHEAD);
            let work = spawn_blocking(move || {
                let send = |entry| match sender.blocking_send(Ok(entry)) {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(_) => ControlFlow::Break(()),
                };
                if let Err(fault) = read(source, limits, send) {
                    drop(sender.blocking_send(Err(fault.of(&key))));
                }
            });
            let sent = stream::poll_fn(move |context| receiver.poll_recv(context));
            // A runtime that ends drops the work half done: that must not look like the end of the archive.
            let done = async move { work.await.err().map(|_| Err(ArchiveError::Interrupted)) };
            Ok::<_, ArchiveError>(sent.chain(stream::once(done).filter_map(async |error| error)))
        };
        stream::once(begun).try_flatten().boxed()
    }

    /// One object as JSON; nothing if the backup hasn't got it. Reads the whole archive, so that nothing comes out of one that
    /// is damaged.
    pub async fn get(
        &self,
        group_resource: &str,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Option<Bytes>, ArchiveError> {
        let mut found = None;
        let mut objects = self.objects();
        while let Some(entry) = objects.try_next().await? {
            if (&*entry.group_resource, entry.namespace.as_deref(), &*entry.name)
                == (group_resource, namespace, name)
            {
                found = Some(entry.json);
            }
        }
        Ok(found)
    }

    /// Reads the whole archive, and says how many objects of each kind there are, by `<plural>.<group>`.
    pub async fn count(&self) -> Result<BTreeMap<String, u64>, ArchiveError> {
        let counts = self
            .objects()
            .try_fold(BTreeMap::new(), async |mut counts, entry| {
                *counts.entry(entry.group_resource).or_default() += 1;
                Ok(counts)
            });
        counts.await
    }

    /// How many objects of each kind Velero says it wrote, by `<group>/<version>/<Kind>`. Of a Pod whose hook failed it says so
    /// too, without having written it.
    pub async fn resource_list(&self) -> Result<BTreeMap<String, u64>, ArchiveError> {
        let key = layout::resource_list(&self.backup.name)?;
        let source = self.source(&key).await?;
        let read = spawn_blocking(move || counts::read(source).map_err(|fault| fault.of(&key)));
        read.await.map_err(|_| ArchiveError::Interrupted)?
    }

    async fn source(&self, key: &Key) -> Result<Source, ArchiveError> {
        let stream = self.store.stream(key).await;
        stream
            .map(Source::new)
            .map_err(|error| ArchiveError::store(key, error))
    }
}

/// Shows each object to `send`, until it wants no more.
fn read(source: Source, limits: Limits, mut send: impl FnMut(Entry) -> ControlFlow<()>) -> Result<(), Fault> {
    let mut seen = Seen::new(limits);
    let (mut formats, mut wanted) = (0, true);
    files::walk(source, limits, |place, content| match place {
        Place::Version => {
            formats += 1;
            check_format(&String::from_utf8_lossy(&content))?;
            if formats > 1 {
                return Err(Refusal::Twice);
            }
            Ok(ControlFlow::Continue(()))
        }
        Place::Object(path) => {
            let flow = send(seen.object(path, content)?);
            wanted = flow.is_continue();
            Ok(flow)
        }
        Place::OtherVersion => Ok(ControlFlow::Continue(())),
    })?;
    if wanted && formats == 0 {
        return Err(Refusal::NoFormat.into());
    }
    Ok(())
}

impl Fault {
    fn of(self, key: &Key) -> ArchiveError {
        match self {
            Self::Store(error) => ArchiveError::store(key, error),
            Self::Refused { file, refusal } => ArchiveError::Refused {
                key: key.clone(),
                file,
                refusal,
            },
        }
    }
}
