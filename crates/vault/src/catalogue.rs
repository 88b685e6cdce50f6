//! Which points a vault has: its manifests, and nothing else, say so.
//!
//! - `leftover`: what is there of attempts that have no manifest

mod leftover;

use futures::future;
use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};

pub use self::leftover::{Leftover, discard, leftovers, remove};
use crate::point::{Manifest, PointError, PointId, layout};
use crate::store::{Blob, Store, StoreError};

/// How many manifests are read at a time.
const AT_A_TIME: usize = 8;

/// The manifest of a point; nothing where there is no such point.
pub async fn find(store: &Store, id: &PointId) -> Result<Option<Manifest>, PointError> {
    match Manifest::load(store, id).await {
        Err(PointError::NoSuchPoint(_)) => Ok(None),
        loaded => loaded.map(Some),
    }
}

/// The names of all points, in their order, without a look at their manifests. Files that are none are left out.
pub fn names(store: &Store) -> BoxStream<'_, Result<PointId, PointError>> {
    let folder = match layout::catalogue() {
        Ok(folder) => folder,
        Err(error) => return stream::once(future::ready(Err(error.into()))).boxed(),
    };
    let blobs = store
        .list(Some(folder))
        .map_err(|source| PointError::store(folder, source));
    blobs
        .try_filter_map(async |blob| Ok(layout::point_of_manifest(&blob.key)))
        .boxed()
}

/// All points, in the order of their names. A manifest that is damaged is an error of its own among them.
pub fn list(store: &Store) -> BoxStream<'_, Result<Manifest, PointError>> {
    let folder = match layout::catalogue() {
        Ok(folder) => folder,
        Err(error) => return stream::once(future::ready(Err(error.into()))).boxed(),
    };
    let listed = store.list(Some(folder));
    let loaded = listed.map(async |blob| {
        let blob: Result<Blob, StoreError> = blob;
        let Blob { key, .. } = blob.map_err(|source| PointError::store(folder, source))?;
        let id = layout::point_of_manifest(&key);
        let id = id.ok_or_else(|| PointError::unreadable(&key, "its name is not that of a manifest"))?;
        find(store, &id).await
    });
    // A point that is removed while it is listed isn't one any more.
    loaded
        .buffered(AT_A_TIME)
        .filter_map(async |found| found.transpose())
        .boxed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::point::{Damage, sample};
    use crate::seal::Seal;
    use crate::store::Key;

    #[tokio::test]
    async fn a_damaged_manifest_hides_no_other_point() {
        let store = sample::store();
        for number in 0..3 {
            sample::write(&store, sample::begin(number, "a"), Seal::Clear, [])
                .await
                .unwrap();
        }
        let manifests: Vec<_> = list(&store).try_collect().await.unwrap();
        assert_eq!(
            manifests
                .iter()
                .map(|manifest| &manifest.begin.id)
                .collect::<Vec<_>>(),
            [&sample::id(0), &sample::id(1), &sample::id(2)]
        );
        let key = layout::manifest(&sample::id(1)).unwrap();
        store.put(&key, "{}".into()).await.unwrap();
        store
            .put(&Key::new("catalogue/notes.txt").unwrap(), "mine".into())
            .await
            .unwrap();
        let listed: Vec<_> = list(&store).collect().await;
        let whole: Vec<_> = listed.iter().map(Result::is_ok).collect();
        assert_eq!(whole, [true, false, true, false]);
        let named: Vec<_> = names(&store).try_collect().await.unwrap();
        assert_eq!(named, [sample::id(0), sample::id(1), sample::id(2)]);
    }

    #[tokio::test]
    async fn a_manifest_under_another_points_name_is_no_point() {
        let store = sample::store();
        sample::write(&store, sample::begin(0, "a"), Seal::Clear, [])
            .await
            .unwrap();
        let [from, to] = [0, 1].map(|number| layout::manifest(&sample::id(number)).unwrap());
        let body = store.get_range(&from, 0..u64::MAX).await.unwrap();
        store.put(&to, body).await.unwrap();
        let found = find(&store, &sample::id(1)).await;
        assert!(
            matches!(
                found,
                Err(PointError::Damaged {
                    damage: Damage::Unreadable(_),
                    ..
                })
            ),
            "{found:?}"
        );
        assert_eq!(find(&store, &sample::id(2)).await, Ok(None));
    }
}
