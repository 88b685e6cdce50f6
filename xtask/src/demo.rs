//! `cargo xtask demo`: what this is about, told on a real cluster to somebody who hasn't read any code.
//!
//! - `story`: the chapters, in order
//! - `stage`: the cluster, the webhook and kubectl, on which it plays
//! - `facts`: what has to be true of the restored application
//! - `rules`, `change`: which rule did what, in words and as before and after
//! - `page`: how it looks
//!
//! The application and its rules are plain files in `demo/`. The story checks itself: it ends with an error where
//! something isn't as it says.

mod change;
mod facts;
mod page;
mod rules;
mod stage;
mod story;

use std::cell::Cell;

use anyhow::{Result, bail};
use clap::Args;
use clusterbackup_tests::tools::Tools;

use self::stage::Stage;
use crate::foreground::{self, End, Kubeconfig};

/// The demo's options.
#[derive(Args, Default)]
pub(crate) struct Arguments {
    /// Leave the cluster running afterwards, to look around in; Ctrl-C ends it.
    #[arg(long)]
    keep: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if let Some(remedy) = Tools::obstacle() {
        bail!(remedy);
    }
    let told = Cell::new(false);
    let end = foreground::run(async {
        let stage = story::tell().await?;
        told.set(true);
        if arguments.keep {
            hold(&stage).await
        } else {
            Ok(())
        }
    })?;
    match end {
        End::Stopped if !told.get() => bail!("stopped before the end of the story; nothing is left running"),
        End::Done | End::Stopped => page::say("Everything is stopped and removed."),
    }
    Ok(())
}

/// Never ends by itself, unless the webhook does.
async fn hold(stage: &Stage) -> Result<()> {
    let kubeconfig = Kubeconfig::publish(stage.cluster(), "demo")?;
    page::chapter("The cluster is yours");
    page::say("In another terminal, at the root of this repository:");
    page::text(&format!(
        "\
export KUBECONFIG={kubeconfig}
alias kubectl={kubectl}

kubectl describe restoreinterception shop-to-staging
kubectl edit configmap shop-to-staging -n clusterbackup-system
kubectl replace --force -f demo/restored/6-payments.yaml -o yaml",
        kubeconfig = kubeconfig.path().display(),
        kubectl = stage.cluster().tools().kubectl.display(),
    ));
    page::say(
        "The last two change a rule, and restore the custom resource once more to see what it does now.",
    );
    page::say("Ctrl-C ends it and leaves nothing behind.");
    stage.while_running(std::future::pending()).await
}
