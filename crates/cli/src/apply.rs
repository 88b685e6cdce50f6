//! `rules apply`: what the rules make of objects, decided by what the webhook decides by.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use clusterbackup_core::interception::{
    self, Case, Concerned, CustomResourceStrategy, Interception, Matches, NamespaceMappings, OnModifierError,
    Scope, preview,
};
use clusterbackup_core::modifier::{Rename, RuleSet};

use crate::Error;
use crate::arguments::{Apply, ApplyOutput, ConflictPolicy};
use crate::input::{Input, STDIN};
use crate::mask::Mask;
use crate::object::Object;
use crate::outcome::Outcome;
use crate::{print, rule_text};

/// A rule failed on an object.
const RULE_FAILED: u8 = 3;

pub(crate) fn run(arguments: &Apply, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let Apply {
        rules,
        object,
        trial,
        live,
        conflict_policy,
        output,
    } = arguments;
    let stdin = [Some(rules), Some(object), live.as_ref()];
    if stdin.into_iter().flatten().filter(|file| *file == STDIN).count() > 1 {
        return Err(Error::StdinTwice);
    }
    let attempt = Attempt {
        rules: Arc::new(rule_text::only(rules)?),
        name: rules,
        original: trial.namespace.as_deref(),
        policy: *conflict_policy,
    };
    let read = |file: &String| Ok::<_, Error>(Object::all(&Input::read(file)?, trial.resource.as_ref())?);
    let objects = read(object)?;
    let live = live.as_ref().map_or_else(|| Ok(Vec::new()), read)?;
    let mut failed = false;
    for (number, object) in objects.iter().enumerate() {
        let existing = live.iter().find(|live| live.is_same_as(object));
        let mut outcome = attempt.outcome(object, existing);
        failed |= outcome.has_failed();
        if !trial.show_secrets {
            outcome.mask = outcome.secrets();
        }
        match output {
            ApplyOutput::Json => print::json(&outcome, out)?,
            ApplyOutput::Yaml => print::yaml(&outcome, number > 0, out)?,
            ApplyOutput::Diff => print::diff(&outcome, out)?,
        }
    }
    Ok(if failed {
        ExitCode::from(RULE_FAILED)
    } else {
        ExitCode::SUCCESS
    })
}

/// The rules, and under which circumstances they are tried.
struct Attempt<'a> {
    rules: Arc<RuleSet>,
    /// What messages call them.
    name: &'a str,
    original: Option<&'a str>,
    policy: ConflictPolicy,
}

impl Attempt<'_> {
    fn outcome<'o>(&'o self, object: &'o Object, existing: Option<&'o Object>) -> Outcome<'o> {
        let interception = self.interception(object);
        let case = Case {
            subject: object.subject(),
            rename: Rename::Allowed,
            object: object.value.clone(),
            existing: existing.map(|existing| existing.value.clone()),
            custom: None,
        };
        let verdict = preview(&[Concerned::from(&interception)], case);
        Outcome {
            rules: &self.rules,
            object,
            existing,
            original: self.original,
            verdict,
            mask: Mask::none(),
        }
    }

    /// An interception by the administrators for this object alone. Where a rule fails, the others are tried all the
    /// same: all that fail are to be seen at once.
    fn interception(&self, object: &Object) -> Interception {
        let mapping = self.original.zip(object.namespace.as_deref());
        Interception {
            name: self.name.to_owned(),
            priority: 0,
            matches: Matches::default(),
            scope: Scope::Unlimited,
            on_error: OnModifierError::Warn,
            conflict_policy: match self.policy {
                ConflictPolicy::Patch => interception::ConflictPolicy::Patch,
                ConflictPolicy::Skip => interception::ConflictPolicy::Skip(interception::SkipAs::Deny),
            },
            custom_resources: CustomResourceStrategy::Refuse,
            mappings: NamespaceMappings::invert(mapping),
            velero_namespaces: std::collections::BTreeSet::new(),
            rules: Ok(self.rules.clone()),
        }
    }
}
