//! Which rights a hook, an instance and a restore ask of their requester, so that nobody gains any through us. The webhook
//! asks when they are written, the leader once more when they are carried out: both by what is here.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use clusterbackup_core::object::GroupResource;
use clusterbackup_core::selection::Namespaces;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};

use crate::GROUP;
use crate::requester::Requester;

/// What somebody has to be allowed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Right {
    /// A hook runs commands in pods.
    ExecIntoPods,
    /// An instance selects pods.
    ListPods,
    /// An instance selects claims.
    ListClaims,
    /// Every kind is read.
    ReadAll(Read),
    /// Objects of this kind are read.
    Read(Read, GroupResource),
    /// All that recovery points of this instance hold is read.
    Restore(String),
    /// What volumes hold is read: whoever may create pods may have them mount any claim of their namespace.
    CreatePods,
    /// Claims are created.
    CreateClaims,
}

/// How objects are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Read {
    /// A vault gets all that there are of a kind.
    List,
    /// A restore gives back one that was there.
    Get,
}

/// Where somebody has to be allowed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// In every namespace, those included that don't exist yet.
    Everywhere,
    /// In these.
    In(BTreeSet<String>),
}

/// A right in one place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Access {
    /// What.
    pub right: Right,
    /// Where; none: in every namespace.
    pub namespace: Option<String>,
}

/// Everything that one object asks of its requester.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand {
    /// What.
    pub rights: Cow<'static, [Right]>,
    /// Where.
    pub reach: Reach,
}

impl Demand {
    /// What hooks for pods in these namespaces ask for, together.
    pub fn of_hooks<'a>(namespaces: impl IntoIterator<Item = &'a Namespaces>) -> Self {
        Self {
            rights: Cow::Borrowed(&[Right::ExecIntoPods]),
            reach: Reach::over(namespaces),
        }
    }

    /// What an instance of these namespaces asks for.
    pub fn of_instance(namespaces: &Namespaces) -> Self {
        Self {
            rights: Cow::Borrowed(&[Right::ListPods, Right::ListClaims]),
            reach: Reach::over([namespaces]),
        }
    }

    /// What reading everything asks for: who has that needs nothing else.
    pub fn of_everything(read: Read) -> Self {
        Self {
            rights: Cow::Owned(vec![Right::ReadAll(read)]),
            reach: Reach::Everywhere,
        }
    }

    /// What reading objects of these kinds asks for.
    pub fn of_kinds(read: Read, kinds: impl IntoIterator<Item = GroupResource>, reach: Reach) -> Self {
        let rights = kinds.into_iter().map(|kind| Right::Read(read, kind));
        Self {
            rights: rights.collect(),
            reach,
        }
    }

    /// What restoring whatever recovery points of an instance hold asks for: no right on the kinds themselves is needed then.
    pub fn of_points(instance: &str, reach: Reach) -> Self {
        Self {
            rights: Cow::Owned(vec![Right::Restore(instance.to_owned())]),
            reach,
        }
    }

    /// What reading the data of volumes asks for.
    pub const fn of_data(namespaces: BTreeSet<String>) -> Self {
        Self {
            rights: Cow::Borrowed(&[Right::CreatePods]),
            reach: Reach::In(namespaces),
        }
    }

    /// What making claims asks for, with all that stands behind them.
    pub const fn of_claims(namespaces: BTreeSet<String>) -> Self {
        Self {
            rights: Cow::Borrowed(&[Right::CreateClaims]),
            reach: Reach::In(namespaces),
        }
    }

    /// The rights in every namespace: who has these needs no others.
    pub fn everywhere(&self) -> impl Iterator<Item = Access> {
        let everywhere = |right: &Right| Access {
            right: right.clone(),
            namespace: None,
        };
        self.rights.iter().map(everywhere)
    }
}

impl Reach {
    /// Over the namespaces that are named; everywhere if others can be among them.
    fn over<'a>(namespaces: impl IntoIterator<Item = &'a Namespaces>) -> Self {
        let mut named = BTreeSet::new();
        for namespaces in namespaces {
            if namespaces.open() {
                return Self::Everywhere;
            }
            named.extend(namespaces.exact().map(str::to_owned));
        }
        Self::In(named)
    }
}

impl Access {
    /// The question whether `requester` has it.
    pub fn review(&self, requester: &Requester) -> SubjectAccessReview {
        let (verb, group, resource, subresource) = self.right.parts();
        let name = match &self.right {
            Right::Restore(instance) => Some(instance.clone()),
            _ => None,
        };
        let attributes = ResourceAttributes {
            namespace: self.namespace.clone(),
            verb: Some(verb.to_owned()),
            group: Some(group.to_owned()),
            resource: Some(resource.to_owned()),
            subresource: subresource.map(str::to_owned),
            name,
            ..ResourceAttributes::default()
        };
        let Requester {
            username,
            uid,
            groups,
            extra,
        } = requester.clone();
        SubjectAccessReview {
            spec: SubjectAccessReviewSpec {
                user: Some(username),
                uid,
                groups: Some(groups),
                extra: Some(extra),
                resource_attributes: Some(attributes),
                non_resource_attributes: None,
            },
            ..SubjectAccessReview::default()
        }
    }
}

impl Right {
    /// Verb, group, resource and subresource.
    fn parts(&self) -> (&'static str, &str, &str, Option<&'static str>) {
        match self {
            Self::ExecIntoPods => ("create", "", "pods", Some("exec")),
            Self::ListPods => ("list", "", "pods", None),
            Self::ListClaims => ("list", "", "persistentvolumeclaims", None),
            Self::ReadAll(read) => (read.verb(), "*", "*", None),
            Self::Read(read, kind) => (read.verb(), kind.group(), kind.resource(), None),
            Self::Restore(_) => ("restore", GROUP, "backupinstances", None),
            Self::CreatePods => ("create", "", "pods", None),
            Self::CreateClaims => ("create", "", "persistentvolumeclaims", None),
        }
    }
}

impl Read {
    /// The verb of a right.
    pub const fn verb(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Get => "get",
        }
    }
}

/// For people: `create pods/exec in namespace shop`.
impl fmt::Display for Access {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (verb, group, resource, subresource) = self.right.parts();
        write!(formatter, "{verb} {resource}")?;
        if !group.is_empty() {
            write!(formatter, ".{group}")?;
        }
        if let Some(subresource) = subresource {
            write!(formatter, "/{subresource}")?;
        }
        match &self.namespace {
            Some(namespace) => write!(formatter, " in namespace {namespace}"),
            None => formatter.write_str(" in every namespace"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(included: &[&str]) -> Namespaces {
        let included: Vec<_> = included.iter().map(ToString::to_string).collect();
        Namespaces::parse(&included, &[]).unwrap()
    }

    #[test]
    fn a_glob_or_no_name_at_all_asks_for_the_right_everywhere() {
        let shop_and_bank = Reach::In(["bank", "shop"].map(str::to_owned).into());
        for (hooks, reach) in [
            (vec![named(&["shop"]), named(&["bank", "shop"])], shop_and_bank),
            (vec![named(&["shop"]), named(&[])], Reach::Everywhere),
            (vec![named(&["shop", "team-*"])], Reach::Everywhere),
        ] {
            assert_eq!(Demand::of_hooks(&hooks).reach, reach, "{hooks:?}");
        }
    }

    #[test]
    fn the_question_names_the_user_with_groups_and_the_right() {
        let requester = Requester {
            username: "jane".to_owned(),
            groups: vec!["team".to_owned()],
            ..Requester::default()
        };
        let access = Access {
            right: Right::ExecIntoPods,
            namespace: Some("shop".to_owned()),
        };
        assert_eq!(access.to_string(), "create pods/exec in namespace shop");
        let asked = access.review(&requester).spec;
        assert_eq!(
            (asked.user.as_deref(), asked.groups),
            (Some("jane"), Some(requester.groups))
        );
        let attributes = asked.resource_attributes.unwrap();
        assert_eq!(attributes.verb.as_deref(), Some("create"));
        assert_eq!(attributes.subresource.as_deref(), Some("exec"));
        assert_eq!(attributes.namespace.as_deref(), Some("shop"));
        assert_eq!(attributes.name, None);
    }

    #[test]
    fn the_right_to_restore_is_asked_for_by_the_name_of_the_instance() {
        let access = Access {
            right: Right::Restore("nightly".to_owned()),
            namespace: Some("shop".to_owned()),
        };
        assert_eq!(
            access.to_string(),
            "restore backupinstances.clusterbackup.io in namespace shop"
        );
        let asked = access
            .review(&Requester::default())
            .spec
            .resource_attributes
            .unwrap();
        assert_eq!(
            (asked.verb.as_deref(), asked.name.as_deref()),
            (Some("restore"), Some("nightly"))
        );
    }
}
