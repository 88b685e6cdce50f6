//! A realistic application: objects of about thirty kinds in a namespace, what they need outside of it, and what is to be
//! left out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clusterbackup_core::yaml;
use clusterbackup_tests::eventually;
use kube::core::discovery::v2::APIGroupDiscoveryList;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::contents::Path;
use crate::leader::stage::{Ground, LIMIT};
use crate::steps::{create, kind_of};
use crate::widgets::Widgets;

/// Its objects, for a namespace SHOP.
const OBJECTS: &str = include_str!("application.yaml");
/// What stands still for so long stands.
const STILL: Duration = Duration::from_secs(2);
/// Kinds that go into no point.
const LEFT_OUT: [&str; 2] = ["events", "events.events.k8s.io"];

/// What was created.
pub(in crate::leader) struct Application {
    /// The objects outside of namespaces that belong to it.
    outside: BTreeSet<Path>,
    /// Kinds in namespaces: plural name with group, and the path of their lists before the namespace.
    kinds: Vec<(String, String)>,
}

impl Application {
    /// Creates it in the shop.
    pub(in crate::leader) async fn create(ground: &Ground) -> Result<Self> {
        let (admin, shop) = (ground.cluster.admin(), ground.shop.name());
        let text = json!({ "colour": { "type": "string" } });
        let widgets = Widgets::served(admin.clone(), shop, &text).await?;
        create(
            &admin,
            Some(shop),
            &widgets.widget("gear", &json!({ "colour": "red" })),
        )
        .await?;
        for object in yaml::to_json_documents(&OBJECTS.replace("SHOP", shop))? {
            let namespace = object["metadata"]["namespace"].as_str();
            let created = eventually("the object is admitted", LIMIT, || async {
                Ok(create(&admin, namespace, &object).await?)
            });
            created.await?;
        }
        let definition = format!("widgets.{}", widgets.group);
        let rbac = "rbac.authorization.k8s.io";
        let outside = [
            ("namespaces".to_owned(), shop.to_owned()),
            ("persistentvolumes".to_owned(), format!("{shop}-data")),
            (
                "priorityclasses.scheduling.k8s.io".to_owned(),
                format!("{shop}-first"),
            ),
            (format!("clusterroles.{rbac}"), format!("{shop}-reads")),
            (format!("clusterrolebindings.{rbac}"), format!("{shop}-reads")),
            (
                "customresourcedefinitions.apiextensions.k8s.io".to_owned(),
                definition,
            ),
        ];
        Ok(Self {
            outside: outside
                .into_iter()
                .map(|(kind, name)| Path::new(&kind, None, &name))
                .collect(),
            kinds: kinds(ground).await?,
        })
    }

    /// Adds objects to it, for a namespace SHOP.
    pub(in crate::leader) async fn add(&mut self, ground: &Ground, objects: &str) -> Result<()> {
        let (admin, shop) = (ground.cluster.admin(), ground.shop.name());
        for object in yaml::to_json_documents(&objects.replace("SHOP", shop))? {
            let namespace = object["metadata"]["namespace"].as_str();
            // Of a kind that is new, until it is served.
            eventually("the object is admitted", LIMIT, || async {
                Ok(create(&admin, namespace, &object).await?)
            })
            .await?;
            if namespace.is_none() {
                let name = object["metadata"]["name"].as_str().context("no name")?;
                self.outside
                    .insert(Path::new(kind_of(&object)?.as_str(), None, name));
            }
        }
        Ok(())
    }

    /// Whether an object is one of it.
    pub(in crate::leader) fn has(&self, path: &Path) -> bool {
        path.namespace.is_some() || self.outside.contains(path)
    }

    /// What is there of it, once nothing changes any more. Found by listing every kind, without the code under test.
    pub(in crate::leader) async fn settled(&self, ground: &Ground) -> Result<BTreeSet<Path>> {
        let before = self.versions(ground).await?;
        sleep(STILL).await;
        let after = self.versions(ground).await?;
        if before != after {
            return Box::pin(self.settled(ground)).await;
        }
        let inside = after.into_iter().map(|(path, _)| path);
        Ok(inside.chain(self.outside.iter().cloned()).collect())
    }

    /// Whether everything that is wanted is stored as the API server has it, and nothing else.
    pub(in crate::leader) async fn is(
        &self,
        ground: &Ground,
        wanted: &BTreeSet<Path>,
        stored: &BTreeMap<Path, Value>,
    ) -> Result<()> {
        let found: BTreeSet<Path> = stored.keys().cloned().collect();
        let (missing, needless) = (wanted.difference(&found), found.difference(wanted));
        let (missing, needless): (Vec<_>, Vec<_>) = (missing.collect(), needless.collect());
        ensure!(
            missing.is_empty() && needless.is_empty(),
            "missing {missing:#?}, needless {needless:#?}"
        );
        for (path, object) in stored {
            let live = self.live(ground, path).await?;
            ensure!(
                *object == live,
                "{path:?} is stored as {object:#} and is {live:#}"
            );
        }
        Ok(())
    }

    /// Deletes all of it, and waits until it is gone.
    pub(in crate::leader) async fn delete(&self, ground: &Ground) -> Result<()> {
        let shop = ground.shop.name();
        ground.delete_namespace(shop).await?;
        let outside = self.outside.iter().filter(|path| path.kind != "namespaces");
        // Backwards: what is of a kind goes before its definition.
        for path in outside.rev() {
            let arguments = ["delete", &path.kind, &path.name, "--wait"];
            ground.cluster.kubectl(&arguments).await?.success()?;
        }
        Ok(())
    }

    /// An object as the API server has it.
    async fn live(&self, ground: &Ground, path: &Path) -> Result<Value> {
        ground.ask_for(&self.place(path)?).await
    }

    /// The same, where it may not be there.
    pub(in crate::leader) async fn find(&self, ground: &Ground, path: &Path) -> Result<Option<Value>> {
        let request = http::Request::get(self.place(path)?).body(Vec::new())?;
        match ground.cluster.admin().request(request).await {
            Ok(object) => Ok(Some(object)),
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The path that the API server has it by.
    fn place(&self, path: &Path) -> Result<String> {
        let place = match &path.namespace {
            Some(namespace) => {
                let mut kinds = self.kinds.iter();
                let (_, root) = kinds
                    .find(|(kind, _)| *kind == path.kind)
                    .context("no such kind")?;
                let (resource, _) = path.kind.split_once('.').unwrap_or((&path.kind, ""));
                format!("{root}/namespaces/{namespace}/{resource}")
            }
            None => match path.kind.split_once('.') {
                Some((resource, group)) => format!("/apis/{group}/v1/{resource}"),
                None => format!("/api/v1/{}", path.kind),
            },
        };
        Ok(format!("{place}/{}", path.name))
    }

    async fn versions(&self, ground: &Ground) -> Result<BTreeSet<(Path, String)>> {
        let shop = ground.shop.name();
        let mut found = BTreeSet::new();
        for (kind, root) in &self.kinds {
            let (resource, _) = kind.split_once('.').unwrap_or((kind, ""));
            let list = ground
                .ask_for(&format!("{root}/namespaces/{shop}/{resource}"))
                .await?;
            for object in list["items"].as_array().context("no list")? {
                let metadata = &object["metadata"];
                let excluded = metadata["labels"]["velero.io/exclude-from-backup"] == "true";
                let name = metadata["name"].as_str().context("no name")?;
                let version = metadata["resourceVersion"].as_str().context("no version")?;
                if !excluded {
                    found.insert((Path::new(kind, Some(shop), name), version.to_owned()));
                }
            }
        }
        ensure!(found.len() > 30, "only {found:#?}");
        Ok(found)
    }
}

/// Every kind in namespaces of which there can be objects.
async fn kinds(ground: &Ground) -> Result<Vec<(String, String)>> {
    let admin = ground.cluster.admin();
    let core = admin.list_core_api_versions_aggregated().await?;
    let groups = admin.list_api_groups_aggregated().await?;
    let mut kinds = Vec::new();
    let lists: [APIGroupDiscoveryList; 2] = [core, groups];
    for group in lists.into_iter().flat_map(|list| list.items) {
        let name = group
            .metadata
            .and_then(|metadata| metadata.name)
            .unwrap_or_default();
        let version = group
            .versions
            .into_iter()
            .next()
            .context("a group without versions")?;
        let number = version.version.context("a version without a name")?;
        for resource in version.resources {
            let plural = resource.resource.context("a kind without a name")?;
            let can = |verb: &str| resource.verbs.iter().any(|served| served == verb);
            let (kind, root) = match name.as_str() {
                "" => (plural, format!("/api/{number}")),
                name => (format!("{plural}.{name}"), format!("/apis/{name}/{number}")),
            };
            let inside = resource.scope.as_deref() == Some("Namespaced");
            if inside && can("list") && can("create") && !LEFT_OUT.contains(&kind.as_str()) {
                kinds.push((kind, root));
            }
        }
    }
    Ok(kinds)
}
