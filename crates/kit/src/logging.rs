//! Flags and format of the log. It goes to standard error: standard output belongs to what a command prints.

use std::io::IsTerminal as _;

use clap::{Args, ValueEnum};
use tracing_subscriber::{EnvFilter, Registry, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// The flags of the log, to be flattened into a binary's own.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Logging")]
pub struct LogArgs {
    /// What is logged: a level, or levels by module (`info,kube=debug`).
    #[arg(long, env = "LOG_FILTER", default_value = "info", value_name = "FILTER")]
    pub log_filter: String,
    /// How a line looks.
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t = LogFormat::Json, value_name = "FORMAT")]
    pub log_format: LogFormat,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line, for collectors.
    Json,
    /// For people.
    Text,
}

/// The log can't be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The filter isn't one.
    #[error(
        "--log-filter `{filter}` is not a filter ({source}); use a level (info) or levels by module (info,kube=debug)"
    )]
    Filter {
        /// What was given.
        filter: String,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
    /// Somebody else has started a log in this process.
    #[error("failed to start the log")]
    Init(#[from] tracing_subscriber::util::TryInitError),
}

impl LogArgs {
    /// Starts the log of the process.
    pub fn init(&self) -> Result<(), LogError> {
        let filter = EnvFilter::try_new(&self.log_filter).map_err(|source| LogError::Filter {
            filter: self.log_filter.clone(),
            source,
        })?;
        let lines = Registry::default().with(filter);
        match self.log_format {
            LogFormat::Json => lines
                .with(
                    fmt::layer()
                        .json()
                        .flatten_event(true)
                        .with_writer(std::io::stderr),
                )
                .try_init()?,
            LogFormat::Text => {
                let colours = std::io::stderr().is_terminal();
                lines
                    .with(fmt::layer().with_ansi(colours).with_writer(std::io::stderr))
                    .try_init()?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_filter_is_named_with_the_way_out() {
        let args = LogArgs {
            log_filter: "kube=loud".to_owned(),
            log_format: LogFormat::Text,
        };
        let error = args.init().unwrap_err().to_string();
        assert!(error.contains("kube=loud") && error.contains("info"), "{error}");
    }
}
