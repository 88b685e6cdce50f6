//! All objects of a list, page by page.

use std::fmt::Debug;

use kube::Api;
use kube::api::ListParams;
use serde::de::DeserializeOwned;

/// Objects a page.
const PAGE: u32 = 500;

/// Everything that is selected.
pub(super) async fn all<K>(objects: &Api<K>, selected: ListParams) -> kube::Result<Vec<K>>
where
    K: Clone + Debug + DeserializeOwned,
{
    let mut page = selected.limit(PAGE);
    let mut found = Vec::new();
    loop {
        let list = objects.list(&page).await?;
        found.extend(list.items);
        match list.metadata.continue_ {
            Some(token) if !token.is_empty() => page = page.continue_token(&token),
            _ => return Ok(found),
        }
    }
}
