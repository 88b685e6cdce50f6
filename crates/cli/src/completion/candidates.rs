//! What may stand at the end of a command that is being typed. It asks nobody.

use std::collections::BTreeMap;

use clap::{Arg, ArgAction, Command, ValueHint};

const POINT_NAMESPACE: &str = "point-namespace";

/// A word, with one of explanation, if there is one.
pub(super) type Word = (String, String);

/// What may stand at the end of a command.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Candidates {
    /// One of these.
    pub(super) words: Vec<Word>,
    /// A file.
    pub(super) files: bool,
    /// An object of the cluster.
    pub(super) objects: Option<Objects>,
}

/// Objects, one of which is to be named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Objects {
    /// Of which kind.
    pub(super) kind: Named,
    /// In which namespace; none: that of the current context.
    pub(super) namespace: Option<String>,
}

/// Kinds whose objects commands name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    Vault,
    Policy,
    Instance,
    Backup,
    Restore,
    Point,
    Namespace,
}

impl Named {
    /// As `--help` calls what is to be typed.
    fn called(text: &str) -> Option<Self> {
        Some(match text {
            "VAULT" => Self::Vault,
            "POLICY" => Self::Policy,
            "INSTANCE" => Self::Instance,
            "BACKUP" => Self::Backup,
            "RESTORE" => Self::Restore,
            "POINT" => Self::Point,
            "NAMESPACE" => Self::Namespace,
            _ => return None,
        })
    }
}

/// What may stand behind `before`, where `last` is typed already.
pub(super) fn candidates(root: &Command, before: &[String], last: &str) -> Candidates {
    let typed = Typed::of(root, before);
    let mut found = if let Some(option) = typed.option {
        typed.values(option)
    } else if last.starts_with('-') {
        of_words(options(typed.command))
    } else if typed.command.has_subcommands() {
        of_words(subcommands(typed.command))
    } else {
        typed
            .positional()
            .map_or_else(Default::default, |arg| typed.values(arg))
    };
    found.words.retain(|(word, _)| word.starts_with(last));
    found
}

fn of_words(words: Vec<Word>) -> Candidates {
    Candidates {
        words,
        ..Candidates::default()
    }
}

/// What is typed so far.
struct Typed<'c> {
    command: &'c Command,
    /// It waits for its value.
    option: Option<&'c Arg>,
    /// How many words stand for themselves.
    positionals: usize,
    /// The values of options, by their long names.
    given: BTreeMap<&'c str, &'c str>,
}

impl<'c> Typed<'c> {
    fn of(root: &'c Command, before: &'c [String]) -> Self {
        let mut typed = Self {
            command: root,
            option: None,
            positionals: 0,
            given: BTreeMap::new(),
        };
        for word in before {
            typed.read(word);
        }
        typed
    }

    fn read(&mut self, word: &'c str) {
        if let Some(option) = self.option.take() {
            self.give(option, word);
        } else if let Some((option, value)) = word.split_once('=').filter(|_| word.starts_with("--")) {
            if let Some(option) = option_of(self.command, option) {
                self.give(option, value);
            }
        } else if word.starts_with('-') {
            self.option = option_of(self.command, word);
        } else if let Some(command) = self.command.find_subcommand(word) {
            self.command = command;
        } else {
            self.positionals += 1;
        }
    }

    fn give(&mut self, option: &'c Arg, value: &'c str) {
        if let Some(name) = option.get_long() {
            self.given.insert(name, value);
        }
    }

    /// What the next word that stands for itself is.
    fn positional(&self) -> Option<&'c Arg> {
        let mut all = self.command.get_positionals();
        let next = all.nth(self.positionals);
        let repeated = |arg: &&Arg| matches!(arg.get_action(), ArgAction::Append);
        next.or_else(|| self.command.get_positionals().last().filter(repeated))
    }

    fn values(&self, arg: &Arg) -> Candidates {
        let words = arg.get_possible_values();
        let words = words.iter().map(|value| {
            let help = value.get_help().map(ToString::to_string).unwrap_or_default();
            (value.get_name().to_owned(), help)
        });
        let called = arg.get_value_names().and_then(<[_]>::first);
        let kind = called.and_then(|called| Named::called(called));
        Candidates {
            words: words.collect(),
            files: matches!(arg.get_value_hint(), ValueHint::FilePath | ValueHint::DirPath),
            objects: kind.map(|kind| Objects {
                kind,
                namespace: self.namespace(),
            }),
        }
    }

    /// Where the objects are that the command names.
    fn namespace(&self) -> Option<String> {
        // One that shows an object of a point has a namespace for each.
        let apart = self
            .command
            .get_opts()
            .any(|arg| arg.get_long() == Some(POINT_NAMESPACE));
        let option = if apart { POINT_NAMESPACE } else { "namespace" };
        self.given.get(option).map(|namespace| (*namespace).to_owned())
    }
}

/// The option that a word names and that waits for its value.
fn option_of<'c>(command: &'c Command, word: &str) -> Option<&'c Arg> {
    let takes_value = |arg: &&Arg| arg.get_action().takes_values();
    let is_named = |arg: &&Arg| {
        let long = word.strip_prefix("--");
        let short = word.strip_prefix('-').and_then(|name| name.chars().next());
        match long {
            Some(long) => arg.get_long() == Some(long),
            None => short.is_some() && arg.get_short() == short && word.len() == 2,
        }
    };
    command.get_opts().filter(takes_value).find(is_named)
}

fn options(command: &Command) -> Vec<Word> {
    let shown = command.get_opts().filter(|arg| !arg.is_hide_set());
    shown
        .filter_map(|arg| {
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            Some((format!("--{}", arg.get_long()?), help))
        })
        .collect()
}

fn subcommands(command: &Command) -> Vec<Word> {
    let shown = command.get_subcommands().filter(|command| !command.is_hide_set());
    shown
        .map(|command| {
            let help = command.get_about().map(ToString::to_string).unwrap_or_default();
            (command.get_name().to_owned(), help)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::command;

    #[test]
    fn kubectl_is_told_what_may_come_next() {
        for (line, words, files) in [
            (
                "",
                &[
                    "rules",
                    "hooks",
                    "intercept",
                    "instance",
                    "policy",
                    "backup",
                    "restore",
                    "rp",
                    "vault",
                    "coverage",
                    "agents",
                    "completion",
                ][..],
                false,
            ),
            ("in", &["intercept", "instance"], false),
            ("rules ", &["check", "apply", "explain"], false),
            ("rules check ", &[], true),
            ("rules check -o ", &["text", "json"], false),
            ("rules apply --output d", &["diff"], false),
            ("rules apply --rules ", &[], true),
            (
                "rules apply --rules x --conflict-policy ",
                &["Skip", "Patch"],
                false,
            ),
            ("rules explain --n", &["--namespace"], false),
            ("rules explain --namespace ", &[], false),
            ("instance ", &["create", "describe"], false),
            ("policy ", &["explain"], false),
            ("backup ", &["create", "describe", "logs", "cancel"], false),
            (
                "restore ",
                &["create", "preview", "describe", "report", "cancel"],
                false,
            ),
            ("backup create ", &[], false),
            ("backup describe -o ", &["text", "json", "yaml"], false),
            (
                "rp ",
                &[
                    "list", "describe", "get", "diff", "verify", "export", "delete", "undelete",
                ],
                false,
            ),
            (
                "vault ",
                &["create", "check", "verify", "restore-config", "adopt", "keygen"],
                false,
            ),
            ("vault verify --file-system ", &[], true),
            ("rules apply --rules rules --object ", &[], true),
            ("rp list --instance backup ", &[], false),
            ("coverage -o ", &["text", "json", "yaml"], false),
            ("agents ", &["status"], false),
            ("completion p", &["powershell"], false),
        ] {
            let typed: Vec<_> = line.split(' ').map(str::to_owned).collect();
            let (last, before) = typed.split_last().unwrap();
            let Candidates {
                words: found,
                files: found_files,
                ..
            } = candidates(&command(), before, last);
            let found: Vec<_> = found.iter().map(|(word, _)| word.as_str()).collect();
            assert_eq!((found.as_slice(), found_files), (words, files), "{line:?}");
        }
    }

    #[test]
    fn names_of_objects_are_asked_for_where_one_is_to_be_typed() {
        let objects = |kind, namespace: Option<&str>| {
            Some(Objects {
                kind,
                namespace: namespace.map(str::to_owned),
            })
        };
        for (line, expected) in [
            ("vault check ", objects(Named::Vault, None)),
            ("vault check -n shop ", objects(Named::Vault, Some("shop"))),
            (
                "vault check --namespace=shop o",
                objects(Named::Vault, Some("shop")),
            ),
            ("vault check offsite ", None),
            ("vault create ", None),
            ("vault check -n ", objects(Named::Namespace, None)),
            ("instance create shop --policy ", objects(Named::Policy, None)),
            ("backup create ", objects(Named::Instance, None)),
            ("backup logs ", objects(Named::Backup, None)),
            ("restore create ", objects(Named::Point, None)),
            ("restore cancel ", objects(Named::Restore, None)),
            ("rp diff ", objects(Named::Point, None)),
            ("rp diff a ", objects(Named::Point, None)),
            ("rp diff a b ", None),
            ("rp get -n shop ", objects(Named::Point, None)),
            (
                "rp get --point-namespace home ",
                objects(Named::Point, Some("home")),
            ),
            ("rp list --instance ", objects(Named::Instance, None)),
            ("rules check ", None),
        ] {
            let typed: Vec<_> = line.split(' ').map(str::to_owned).collect();
            let (last, before) = typed.split_last().unwrap();
            let found = candidates(&command(), before, last);
            assert_eq!(found.objects, expected, "{line:?}");
        }
    }
}
