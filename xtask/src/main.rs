//! Tasks of this workspace, one file each: `cargo xtask <task>`.

mod bench;
mod cluster;
mod demo;
mod deny;
mod foreground;
mod image;
mod manifests;
mod schemas;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Tasks of this workspace")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Check everything: format, lints, generated files, unit and property tests, scenarios on a real cluster.
    Test(test::Arguments),
    /// Measure rules, reviews, the built webhook under load, and what it costs others.
    Bench(bench::Arguments),
    /// Start a cluster with the webhook installed, to look around in; Ctrl-C ends it.
    Cluster(cluster::Arguments),
    /// Restore an application into another namespace and see what each rule does to it.
    Demo(demo::Arguments),
    /// Check the licences, the sources and the bans of all dependencies.
    Deny,
    /// Build the container images: static programs in OCI archives, made without Docker.
    Image,
    /// Write the generated manifests, and the reference of the plugin's commands.
    Manifests {
        /// Only say whether they are current.
        #[arg(long)]
        check: bool,
    },
    /// Write the table of built-in kinds, from what a real API server says of them.
    Schemas {
        /// Only say whether it is current.
        #[arg(long)]
        check: bool,
    },
}

fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Test(arguments) => test::run(&arguments),
        Task::Bench(arguments) => bench::run(&arguments),
        Task::Cluster(arguments) => cluster::run(&arguments).map(|()| ExitCode::SUCCESS),
        Task::Demo(arguments) => demo::run(&arguments).map(|()| ExitCode::SUCCESS),
        Task::Deny => deny::run().map(|()| ExitCode::SUCCESS),
        Task::Image => image::run().map(|()| ExitCode::SUCCESS),
        Task::Manifests { check } => manifests::run(check).map(|()| ExitCode::SUCCESS),
        Task::Schemas { check } => schemas::run(check).map(|()| ExitCode::SUCCESS),
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
