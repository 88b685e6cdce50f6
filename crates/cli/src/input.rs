//! What is read: a file or standard input, as text, within a limit.

use std::fs::File;
use std::io::{self, Read};

use clusterbackup_core::yaml::Limits;
use thiserror::Error;

/// How standard input is named among files.
pub(crate) const STDIN: &str = "-";

/// A text and where it came from.
#[derive(Debug)]
pub(crate) struct Input {
    /// As it was given.
    pub(crate) file: String,
    pub(crate) text: String,
}

/// Why a file can't be used.
#[derive(Debug, Error)]
#[error("{}: {cause}", shown(.file))]
pub(crate) struct InputError {
    pub(crate) file: String,
    pub(crate) cause: InputCause,
}

#[derive(Debug, Error)]
pub(crate) enum InputCause {
    #[error("it can't be read: {0}")]
    Unreadable(#[from] io::Error),
    #[error("it is a directory; name the files in it")]
    Directory,
    #[error("it has more than {} MiB; split it", Limits::MANIFEST.bytes >> 20)]
    TooLong,
    #[error("it is no text (byte {at} is {what}); give a YAML or JSON file")]
    NotText { at: usize, what: &'static str },
}

impl Input {
    /// Reads a file, or standard input for `-`.
    pub(crate) fn read(file: &str) -> Result<Self, InputError> {
        let text = if file == STDIN {
            text_of(io::stdin().lock())
        } else {
            open(file).and_then(text_of)
        };
        match text {
            Ok(text) => Ok(Self {
                file: file.to_owned(),
                text,
            }),
            Err(cause) => Err(InputError {
                file: file.to_owned(),
                cause,
            }),
        }
    }
}

/// A file's name for people.
pub(crate) fn shown(file: &str) -> &str {
    if file == STDIN { "<stdin>" } else { file }
}

fn open(file: &str) -> Result<File, InputCause> {
    let file = File::open(file)?;
    if file.metadata()?.is_dir() {
        return Err(InputCause::Directory);
    }
    Ok(file)
}

fn text_of(source: impl Read) -> Result<String, InputCause> {
    let limit = Limits::MANIFEST.bytes;
    let mut bytes = Vec::new();
    source.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > limit {
        return Err(InputCause::TooLong);
    }
    let text = String::from_utf8(bytes).map_err(|error| InputCause::NotText {
        at: error.utf8_error().valid_up_to(),
        what: "not UTF-8",
    })?;
    match text.find('\0') {
        None => Ok(text),
        Some(at) => Err(InputCause::NotText {
            at,
            what: "a control character",
        }),
    }
}
