//! `hooks check`: what is wrong with hooks, and what they come to.
//!
//! - `shape`: whether an object has the shape of its kind
//! - `effect`: what valid hooks come to

mod effect;
mod shape;

use std::io::Write;
use std::process::ExitCode;

use clusterbackup_api::{BackupHook, HOOK_GROUP, Problem, RestoreHook, hook_crds};
use clusterbackup_core::yaml::{self, Content, Limits, Node, Position};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use serde::Serialize;
use serde::de::DeserializeOwned;

use self::effect::Effect;
use self::shape::{Flaw, flaws, place};
use crate::Error;
use crate::arguments::hooks::Check;
use crate::checked::{self, Findings};
use crate::input::{Input, InputError, shown};
use crate::picture::{Picture, Severity};
use crate::words::counted;

/// What was found in all files.
#[derive(Debug, Default, Serialize)]
struct Report {
    problems: Vec<Finding>,
    warnings: Vec<String>,
    hooks: Vec<Effect>,
    #[serde(skip)]
    pictures: Vec<String>,
}

/// Something that is wrong.
#[derive(Debug, Serialize)]
struct Finding {
    file: String,
    /// In the file; none where the file as a whole can't be used.
    line: Option<usize>,
    column: Option<usize>,
    field: String,
    message: String,
}

pub(crate) fn run(arguments: &Check, out: &mut dyn Write) -> Result<ExitCode, Error> {
    checked::run::<Report>(&arguments.files, arguments.output, out)
}

impl Findings for Report {
    fn add_file(&mut self, input: &Input) {
        let documents = match yaml::documents_within(&input.text, &Limits::MANIFEST) {
            Ok(documents) => documents,
            Err(error) => return self.add(input, error.at, "", &error.kind.to_string()),
        };
        let mut found = false;
        for object in documents.iter().flat_map(objects) {
            let text = |field| member(object, field).and_then(text).unwrap_or_default();
            let Some((HOOK_GROUP, _)) = text("apiVersion").split_once('/') else {
                continue;
            };
            found = true;
            match text("kind") {
                "BackupHook" => self.add_object(input, object, "BackupHook", |hook: &BackupHook| {
                    Ok(effect::of_backup(&hook.hooks()?))
                }),
                "RestoreHook" => self.add_object(input, object, "RestoreHook", |hook: &RestoreHook| {
                    Ok(effect::of_restore(&hook.hooks()?))
                }),
                other => {
                    let message = format!("there is no kind `{other}`: BackupHook and RestoreHook are");
                    self.add(input, place(object, "kind"), "kind", &message);
                }
            }
        }
        if !found {
            let message = format!("there is no hook: no object has the apiVersion {HOOK_GROUP}/v1alpha1");
            self.add(input, Position { line: 1, column: 1 }, "", &message);
        }
    }

    fn add_unusable(&mut self, error: InputError) {
        let picture = Picture::of_whole(&error.to_string()).draw(Severity::Error);
        self.pictures.push(picture);
        self.problems.push(Finding {
            message: error.cause.to_string(),
            file: shown(&error.file).to_owned(),
            line: None,
            column: None,
            field: String::new(),
        });
    }

    fn is_valid(&self) -> bool {
        self.problems.is_empty()
    }

    fn print(&self, out: &mut dyn Write) -> std::io::Result<()> {
        for picture in &self.pictures {
            writeln!(out, "{picture}\n")?;
        }
        for warning in &self.warnings {
            let picture = Picture::of_whole(warning).draw(Severity::Warning);
            writeln!(out, "{picture}\n")?;
        }
        for hook in &self.hooks {
            write!(out, "{hook}")?;
        }
        if !self.is_valid() {
            writeln!(out, "not valid: {}", counted(self.problems.len(), "problem"))?;
        }
        Ok(())
    }
}

impl Report {
    /// Adds what is wrong with an object, or what it comes to.
    fn add_object<K: DeserializeOwned>(
        &mut self,
        input: &Input,
        object: &Node,
        kind: &str,
        decide: impl FnOnce(&K) -> Result<(Vec<Effect>, Vec<String>), Vec<Problem>>,
    ) {
        let spec = member(object, "spec").filter(|spec| !spec.is_null());
        let (Some(spec), Some(schema)) = (spec, spec_of(kind)) else {
            return self.add(input, place(object, "spec"), "spec", "there is no spec");
        };
        let flaws = flaws(spec, &schema, "spec");
        if !flaws.is_empty() {
            for Flaw { at, field, message } in flaws {
                self.add(input, at, &field, &message);
            }
            return;
        }
        let read = object
            .to_json()
            .map_err(|error| (error.at, error.kind.to_string()));
        let read = read.and_then(|json| {
            serde_json::from_value::<K>(json).map_err(|error| (object.at, error.to_string()))
        });
        match read {
            Err((at, message)) => self.add(input, at, "", &message),
            Ok(hook) => match decide(&hook) {
                Ok((effects, warnings)) => {
                    self.hooks.extend(effects);
                    self.warnings.extend(warnings);
                }
                Err(problems) => {
                    for Problem { field, message } in problems {
                        self.add(input, place(object, &field), &field, &message);
                    }
                }
            },
        }
    }

    fn add(&mut self, input: &Input, at: Position, field: &str, message: &str) {
        let picture = Picture::of_field(input, at, field, message);
        self.pictures.push(picture.draw(Severity::Error));
        self.problems.push(Finding {
            file: input.file.clone(),
            line: Some(at.line),
            column: Some(at.column),
            field: field.to_owned(),
            message: message.to_owned(),
        });
    }
}

/// The objects of a document: itself, or what a List holds.
fn objects(document: &Node) -> Vec<&Node> {
    match member(document, "items").map(|items| &items.content) {
        Some(Content::Sequence(items)) => items.iter().collect(),
        _ => vec![document],
    }
}

fn member<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    let Content::Mapping(entries) = &node.content else {
        return None;
    };
    let entry = entries.iter().find(|entry| entry.name == name)?;
    Some(&entry.value)
}

fn text(node: &Node) -> Option<&str> {
    match &node.content {
        Content::Scalar(scalar) => Some(scalar.text()),
        _ => None,
    }
}

/// The schema of the spec of a kind.
fn spec_of(kind: &str) -> Option<JSONSchemaProps> {
    let mut definitions = hook_crds().into_iter();
    let definition = definitions.find(|definition| definition.spec.names.kind == kind)?;
    let version = definition.spec.versions.into_iter().next()?;
    let mut properties = version.schema?.open_api_v3_schema?.properties?;
    properties.remove("spec")
}
