//! Whether somebody has the rights that are asked of him.

use clusterbackup_api::access::{Access, Demand, Reach};
use clusterbackup_api::requester::Requester;
use futures::{StreamExt as _, TryStreamExt as _, future, stream};
use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use kube::api::PostParams;
use kube::{Api, Client};

/// An instance may name hundreds of namespaces; nobody else is to wait for us.
const AT_A_TIME: usize = 16;

/// What `requester` lacks of what is demanded. Who has a right everywhere is not asked about each namespace.
pub async fn missing(client: &Client, requester: &Requester, demand: &Demand) -> kube::Result<Vec<Access>> {
    let reviews = Api::all(client.clone());
    let everywhere = lacking(&reviews, requester, demand.everywhere().collect()).await?;
    let Reach::In(namespaces) = &demand.reach else {
        return Ok(everywhere);
    };
    let each = everywhere.iter().flat_map(|lacked| {
        namespaces.iter().map(|namespace| Access {
            right: lacked.right.clone(),
            namespace: Some(namespace.clone()),
        })
    });
    lacking(&reviews, requester, each.collect()).await
}

async fn lacking(
    reviews: &Api<SubjectAccessReview>,
    requester: &Requester,
    accesses: Vec<Access>,
) -> kube::Result<Vec<Access>> {
    stream::iter(accesses)
        .map(|access| async move {
            let params = PostParams::default();
            let answer = reviews.create(&params, &access.review(requester)).await?;
            let allowed = answer.status.is_some_and(|status| status.allowed);
            Ok((!allowed).then_some(access))
        })
        .buffered(AT_A_TIME)
        .try_filter_map(future::ok)
        .try_collect()
        .await
}
