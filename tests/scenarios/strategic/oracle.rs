//! The API server's own strategic merge, asked by a dry run.

use anyhow::{Context as _, Result};
use clusterbackup_core::patch::Draft;
use clusterbackup_core::patch::strategic::{self, Metadata};
use clusterbackup_core::schema::Kind;
use kube::Client;
use kube::api::{GetParams, Patch, PatchParams, PostParams, Request as Requests};
use serde_json::Value;

/// The name of every specimen.
const NAME: &str = "specimen";

/// What becomes of an object by a patch.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It is this.
    Stored(Box<Value>),
    /// Nothing: the patch or the object it makes is refused.
    Refused(String),
}

/// Both answers to one patch.
#[derive(Debug)]
pub(super) struct Answers {
    /// Of the API server.
    pub(super) theirs: Outcome,
    /// Ours, taken as far as the API server takes the merged object.
    pub(super) ours: Outcome,
}

/// Asks both of one object. `None` where it changed in between.
pub(super) async fn ask(
    client: &Client,
    url: &str,
    kind: &'static Kind,
    patch: &Value,
) -> Result<Option<Answers>> {
    let requests = Requests::new(url);
    let live: Value = client.request(requests.get(NAME, &GetParams::default())?).await?;
    let dry_run = PatchParams {
        dry_run: true,
        ..PatchParams::default()
    };
    let theirs = client
        .request(requests.patch(NAME, &dry_run, &Patch::Strategic(patch))?)
        .await;
    let ours = match merged(kind, live.clone(), patch)? {
        Err(refusal) => Outcome::Refused(refusal),
        Ok(merged) => {
            let dry_run = PostParams {
                dry_run: true,
                ..PostParams::default()
            };
            let replace = requests.replace(NAME, &dry_run, merged.to_string().into_bytes())?;
            outcome(client.request(replace).await)
        }
    };
    let now: Value = client.request(requests.get(NAME, &GetParams::default())?).await?;
    let version = |object: &Value| object["metadata"]["resourceVersion"].clone();
    Ok((version(&live) == version(&now)).then_some(Answers {
        theirs: outcome(theirs),
        ours,
    }))
}

/// The object after our merge, or why there is none.
fn merged(kind: &'static Kind, object: Value, patch: &Value) -> Result<Result<Value, String>> {
    let mut draft = Draft::new(object);
    let patch = patch.as_object().context("the patch is no object")?;
    let merged = strategic::apply(patch, &mut draft, Metadata::BuiltIn(kind.root()));
    Ok(merged
        .map(|()| draft.into_parts().0)
        .map_err(|error| error.to_string()))
}

fn outcome(answer: kube::Result<Value>) -> Outcome {
    match answer {
        Err(error) => Outcome::Refused(error.to_string()),
        Ok(mut object) => {
            if let Some(metadata) = object["metadata"].as_object_mut() {
                metadata.retain(|name, _| {
                    !matches!(name.as_str(), "managedFields" | "resourceVersion" | "generation")
                });
            }
            Outcome::Stored(Box::new(object))
        }
    }
}

impl Answers {
    /// What differs, if anything does.
    pub(super) fn difference(&self) -> Option<String> {
        match (&self.theirs, &self.ours) {
            (Outcome::Stored(theirs), Outcome::Stored(ours)) if theirs == ours => None,
            (Outcome::Refused(_), Outcome::Refused(_)) => None,
            (theirs, ours) => Some(format!("theirs: {theirs}\nours: {ours}")),
        }
    }

    /// Whether the API server takes the patch.
    pub(super) const fn is_stored(&self) -> bool {
        matches!(self.theirs, Outcome::Stored(_))
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stored(object) => write!(f, "{object}"),
            Self::Refused(why) => write!(f, "refused: {why}"),
        }
    }
}
