//! All objects of a list, page by page.

use std::fmt::Debug;

use kube::api::ListParams;
use kube::{Api, Resource};
use serde::de::DeserializeOwned;

use super::error::{Doing as _, DriveError, OrGone as _};

/// Objects a page: the API server's own clients take as many.
pub(super) const PAGE: u32 = 500;

/// Everything that is selected.
pub(super) async fn all<K>(objects: &Api<K>, selected: ListParams) -> kube::Result<Vec<K>>
where
    K: Clone + Debug + DeserializeOwned,
{
    taken(objects, selected.limit(PAGE), |object| object).await
}

/// What `take` makes of each object that is selected.
pub(super) async fn taken<K, T>(
    objects: &Api<K>,
    mut page: ListParams,
    take: impl Fn(K) -> T,
) -> kube::Result<Vec<T>>
where
    K: Clone + Debug + DeserializeOwned,
{
    let mut found = Vec::new();
    loop {
        let list = objects.list(&page).await?;
        found.extend(list.items.into_iter().map(&take));
        match list.metadata.continue_ {
            Some(token) if !token.is_empty() => page = page.continue_token(&token),
            _ => return Ok(found),
        }
    }
}

/// What `take` makes of each object, so many a page; `None` where the kind isn't installed.
pub(super) async fn installed<K, T>(
    objects: &Api<K>,
    page: u32,
    take: impl Fn(K) -> T,
) -> Result<Option<Vec<T>>, DriveError>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    taken(objects, ListParams::default().limit(page), take)
        .await
        .or_gone()
        .doing(format!("list objects of the kind {}", K::kind(&())))
}
