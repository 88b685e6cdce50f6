//! The rule sets in a file: a rule text by itself, or ConfigMaps among other objects.

use clusterbackup_api::labels;
use clusterbackup_api::rule_config_map::only_entry;
use clusterbackup_core::modifier::{Problem, RuleSet};
use clusterbackup_core::yaml::{self, Content, Entry, Limits, Node, Position};

use crate::Error;
use crate::input::{Input, shown};
use crate::origin::Origin;
use crate::words::counted;

/// A rule text in a file.
#[derive(Debug)]
pub(crate) struct RuleText<'i> {
    pub(crate) input: &'i Input,
    /// What it is called: the ConfigMap, if it is in one.
    pub(crate) name: Option<String>,
    pub(crate) text: String,
    pub(crate) origin: Origin,
}

/// Why a file, or an object in it, has no rule text.
#[derive(Debug)]
pub(crate) struct NoRules {
    pub(crate) at: Position,
    pub(crate) message: String,
    pub(crate) hint: &'static str,
}

/// What a rule set can't do without, and hardly anything else has.
const TELLTALE: &str = "resourcemodifierrules";

impl<'i> RuleText<'i> {
    /// The rule sets of a file in their order, each of them or what is wrong with its object; at least one.
    pub(crate) fn all(input: &'i Input) -> Vec<Result<Self, NoRules>> {
        let documents = match yaml::documents_within(&input.text, &Limits::MANIFEST) {
            Ok(documents) => documents,
            // Reading it as rules may mend it, and says best what is wrong with it.
            Err(_) if input.text.len() <= Limits::CONFIG_MAP.bytes => return vec![Ok(Self::bare(input))],
            Err(error) => {
                return vec![Err(NoRules {
                    at: error.at,
                    message: error.kind.to_string(),
                    hint: "",
                })];
            }
        };
        let is_object = |document: &&Node| member(document, "kind").is_some();
        if !documents.iter().any(|document| is_object(&document)) {
            return vec![Ok(Self::bare(input))];
        }
        if let Some(stray) = documents.iter().find(|document| !is_object(document)) {
            return vec![Err(NoRules {
                at: stray.at,
                message: "this document is no Kubernetes object, but others in the file are".to_owned(),
                hint: "put rules into a ConfigMap, or into a file of their own",
            })];
        }
        let objects: Vec<&Node> = documents.iter().flat_map(items).collect();
        let config_maps = with_rules(&objects);
        if config_maps.is_empty() {
            return vec![Err(nothing_found(&objects))];
        }
        config_maps
            .into_iter()
            .map(|config_map| Self::of_config_map(input, config_map))
            .collect()
    }

    /// Compiles it; problems have their places in the text.
    pub(crate) fn parse(&self) -> Result<RuleSet, Vec<Problem>> {
        RuleSet::parse(&self.text).map_err(|problems| problems.iter().cloned().collect())
    }

    fn bare(input: &'i Input) -> Self {
        Self {
            input,
            name: None,
            text: input.text.clone(),
            origin: Origin::File,
        }
    }

    fn of_config_map(input: &'i Input, config_map: &Node) -> Result<Self, NoRules> {
        let name = text_at(config_map, &["metadata", "name"]).unwrap_or("without a name");
        let entries = data(config_map);
        let at = entries.first().map_or(config_map.at, |entry| entry.at);
        let refused = |at, reason| NoRules {
            at,
            message: format!("ConfigMap {name} can't be used: {reason}"),
            hint: "",
        };
        let value = only_entry(entries.iter().map(|entry| (entry.name.as_str(), &entry.value)))
            .map_err(|reason| refused(at, reason))?;
        let text = string(value).ok_or_else(|| {
            refused(
                value.at,
                "the value is no text; write `|` after its key".to_owned(),
            )
        })?;
        Ok(Self {
            input,
            name: Some(format!("ConfigMap {name}")),
            text: text.to_owned(),
            origin: Origin::find(&input.text, value.at, text),
        })
    }
}

/// The rules of a file that has one set, valid.
pub(crate) fn only(file: &str) -> Result<RuleSet, Error> {
    let input = Input::read(file)?;
    let mut found = RuleText::all(&input).into_iter();
    let (first, second) = (found.next(), found.next());
    let unusable = |cause: String| Error::Rules {
        file: shown(file).to_owned(),
        cause,
    };
    match (first, second) {
        (Some(Ok(rules)), None) => rules.parse().map_err(|problems| {
            unusable(format!(
                "the rules are not valid ({}); see `kubectl clusterbackup rules check {file}`",
                counted(problems.len(), "problem")
            ))
        }),
        (Some(Err(missing)), None) => Err(unusable(format!("{}: {}", missing.at, missing.message))),
        (_, Some(_)) => Err(unusable(format!(
            "there are {} rule sets in it; give a file with the one to be tried",
            found.count() + 2
        ))),
        (None, None) => Err(unusable("there are no rules in it".to_owned())),
    }
}

/// The items of a List, else the object itself.
fn items(document: &Node) -> Vec<&Node> {
    let is_list = text_at(document, &["kind"]).is_some_and(|kind| kind.ends_with("List"));
    match member(document, "items").map(|items| &items.content) {
        Some(Content::Sequence(items)) if is_list => items.iter().collect(),
        _ => vec![document],
    }
}

/// The ConfigMaps that are meant to hold rules. One that is alone is taken at its word.
fn with_rules<'n>(objects: &[&'n Node]) -> Vec<&'n Node> {
    let is_config_map = |object: &&Node| text_at(object, &["kind"]) == Some("ConfigMap");
    let config_maps: Vec<&Node> = objects.iter().copied().filter(is_config_map).collect();
    let meant: Vec<&Node> = config_maps
        .iter()
        .copied()
        .filter(|object| is_meant(object))
        .collect();
    if meant.is_empty() && config_maps.len() == 1 {
        return config_maps;
    }
    meant
}

fn is_meant(config_map: &Node) -> bool {
    let label = text_at(config_map, &["metadata", "labels", labels::RESOURCE_MODIFIER]);
    let says_so =
        |entry: &Entry| string(&entry.value).is_some_and(|text| text.to_ascii_lowercase().contains(TELLTALE));
    label == Some(labels::ENABLED) || data(config_map).iter().any(says_so)
}

fn nothing_found(objects: &[&Node]) -> NoRules {
    let mut kinds: Vec<_> = objects
        .iter()
        .filter_map(|object| text_at(object, &["kind"]))
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    NoRules {
        at: objects
            .first()
            .map_or(Position { line: 1, column: 1 }, |object| object.at),
        message: format!(
            "there are no rules in here, only objects of kind {}",
            kinds.join(", ")
        ),
        hint: "name a file with a ConfigMap that holds rules, or with a rule text",
    }
}

fn data(config_map: &Node) -> &[Entry] {
    match member(config_map, "data").map(|data| &data.content) {
        Some(Content::Mapping(entries)) => entries,
        _ => &[],
    }
}

fn member<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    let Content::Mapping(entries) = &node.content else {
        return None;
    };
    entries
        .iter()
        .find(|entry| entry.name == name)
        .map(|entry| &entry.value)
}

fn text_at<'n>(node: &'n Node, path: &[&str]) -> Option<&'n str> {
    path.iter()
        .try_fold(node, |node, name| member(node, name))
        .and_then(string)
}

/// The text of a scalar that is one.
fn string(node: &Node) -> Option<&str> {
    match &node.content {
        Content::Scalar(scalar) => match scalar.resolve() {
            yaml::Resolved::Text(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
}
