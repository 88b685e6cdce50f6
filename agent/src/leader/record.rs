//! The object that is driven: its status is written at most once a second, changes of the phase at once, and only
//! as long as nobody else writes it.

use std::time::Duration;

use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;
use tokio::time::Instant;

use super::error::{Doing as _, DriveError, OrGone as _};
use super::fleet::Driven;

/// Between two writes that change no phase.
const PAUSE: Duration = Duration::from_secs(1);
/// Someone else changes spec or metadata meanwhile now and then, never without end.
const ATTEMPTS: u32 = 10;

/// An object, and when its status was written.
pub(super) struct Record<K> {
    api: Api<K>,
    object: K,
    written: Option<Instant>,
}

impl<K: Driven> Record<K> {
    /// The object as it stands in the cluster; none if it is gone, or another one has its name.
    pub(super) async fn read(
        client: Client,
        namespace: &str,
        name: &str,
        uid: &str,
    ) -> Result<Option<Self>, DriveError> {
        let api = Api::<K>::namespaced(client, namespace);
        let object = api
            .get_opt(name)
            .await
            .doing(format!("read the {}", K::kind(&())))?;
        Ok(object
            .filter(|object| object.uid().as_deref() == Some(uid))
            .map(|object| Self {
                api,
                object,
                written: None,
            }))
    }

    /// The object as last read or written.
    pub(super) fn object(&self) -> &K {
        &self.object
    }

    /// Its status.
    pub(super) fn status(&self) -> K::Status {
        self.object.status().cloned().unwrap_or_default()
    }

    /// When `status` may be written, `now` at the earliest: `None` when there is nothing to write.
    pub(super) fn due(&self, status: &K::Status, now: Instant) -> Option<Instant> {
        let current = self.object.status();
        if current == Some(status) {
            return None;
        }
        let same_phase = current.and_then(K::phase) == K::phase(status);
        Some(match self.written {
            Some(written) if same_phase => now.max(written + PAUSE),
            _ => now,
        })
    }

    /// Writes the status.
    pub(super) async fn write(&mut self, status: K::Status) -> Result<(), DriveError> {
        let name = self.object.name_any();
        for _ in 0..ATTEMPTS {
            let mut wanted = self.object.clone();
            *wanted.status_mut() = Some(status.clone());
            match self
                .api
                .replace_status(&name, &PostParams::default(), &wanted)
                .await
            {
                Ok(object) => {
                    self.object = object;
                    self.written = Some(Instant::now());
                    return Ok(());
                }
                Err(kube::Error::Api(answer)) if answer.code == 409 => self.read_again().await?,
                Err(error) => return Err(error).doing(format!("write the status of the {}", K::kind(&()))),
            }
        }
        Err(DriveError::Superseded)
    }

    /// Reads what changed: spec and metadata are other people's, the status is ours alone.
    async fn read_again(&mut self) -> Result<(), DriveError> {
        let name = self.object.name_any();
        let current = self
            .api
            .get(&name)
            .await
            .doing(format!("read the {}", K::kind(&())))?;
        if current.uid() != self.object.uid() || current.status() != self.object.status() {
            return Err(DriveError::Superseded);
        }
        self.object = current;
        Ok(())
    }

    /// Puts the finalizer on, or takes it off.
    pub(super) async fn set_finalizer(&mut self, finalizer: &str, wanted: bool) -> Result<(), DriveError> {
        for _ in 0..ATTEMPTS {
            let present = self.object.finalizers().iter().any(|known| known == finalizer);
            if present == wanted {
                return Ok(());
            }
            let mut finalizers = self.object.finalizers().to_vec();
            finalizers.retain(|known| known != finalizer);
            if wanted {
                finalizers.push(finalizer.to_owned());
            }
            let metadata =
                json!({ "resourceVersion": self.object.resource_version(), "finalizers": finalizers });
            let patch = Patch::Merge(json!({ "metadata": metadata }));
            let name = self.object.name_any();
            match self
                .api
                .patch(&name, &PatchParams::default(), &patch)
                .await
                .or_gone()
            {
                Ok(Some(object)) => self.object = object,
                Ok(None) => return Ok(()),
                Err(kube::Error::Api(answer)) if answer.code == 409 => self.read_again().await?,
                Err(error) => return Err(error).doing(format!("set the finalizer of the {}", K::kind(&()))),
            }
        }
        Err(DriveError::Superseded)
    }
}
