//! `agents status`: how the nodes' agents and their leader stand, and which applications wait to be thawed.
//!
//! `report` is what is told. What can't be read is told, and doesn't keep the rest from being shown.

mod report;

use std::io::Write;
use std::process::ExitCode;

use clusterbackup_api::{NodeTask, namespaces};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Node, Pod};
use kube::api::ListParams;
use kube::{Api, Client};

use crate::Error;
use crate::arguments::agents::Agents;
use crate::arguments::backup::Output;
use crate::cluster::{self, answer};
use crate::output;
use report::{Found, Report};

const PODS: &str = "app.kubernetes.io/name=clusterbackup,app.kubernetes.io/component=agent";
const LEASE: &str = "clusterbackup-leader";
const EPOCH: &str = "clusterbackup-leader-epoch";

pub(crate) fn run(command: &Agents, out: &mut dyn Write) -> Result<ExitCode, Error> {
    let Agents::Status(arguments) = command;
    let report = cluster::run(report)?;
    match arguments.output {
        Output::Text => report.print(out)?,
        Output::Json => output::json(&report, out)?,
        Output::Yaml => output::yaml(&report, out)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Fails only if nothing at all can be told.
async fn report(client: Client) -> Result<Report, Error> {
    let (all, agents) = (ListParams::default(), ListParams::default().labels(PODS));
    let nodes = Api::<Node>::all(client.clone());
    let pods = Api::<Pod>::namespaced(client.clone(), namespaces::AGENTS);
    let tasks = Api::<NodeTask>::namespaced(client.clone(), namespaces::AGENTS);
    let leases = Api::<Lease>::namespaced(client.clone(), namespaces::OWN);
    let config_maps = Api::<ConfigMap>::namespaced(client, namespaces::OWN);
    let mut unknown = Vec::new();
    let found = Found {
        nodes: known(answer("list nodes", "", nodes.list(&all)).await, &mut unknown),
        agents: known(
            answer("list pods", namespaces::AGENTS, pods.list(&agents)).await,
            &mut unknown,
        ),
        tasks: known(
            answer(
                "list nodetasks.clusterbackup.io",
                namespaces::AGENTS,
                tasks.list(&all),
            )
            .await,
            &mut unknown,
        ),
        lease: known(
            answer(
                "get leases.coordination.k8s.io",
                namespaces::OWN,
                leases.get_opt(LEASE),
            )
            .await,
            &mut unknown,
        )
        .flatten(),
        epoch: known(
            answer("get configmaps", namespaces::OWN, config_maps.get_opt(EPOCH)).await,
            &mut unknown,
        )
        .flatten(),
    };
    if found.is_nothing() {
        return Err(Error::Cluster(unknown.join("\nerror: ")));
    }
    Ok(Report::of(found, unknown))
}

/// What could be read; else the reason is among the `unknown`.
fn known<T>(answered: Result<T, String>, unknown: &mut Vec<String>) -> Option<T> {
    answered.map_err(|reason| unknown.push(reason)).ok()
}
