//! Scenarios on a real API server, one file per subject; each says what it needs in its `scenarios!` list.

mod agents;
mod bad_input;
mod certificates;
mod conditions;
mod csi;
mod direct;
mod door;
mod drills;
mod gate;
mod harness;
mod hooks;
mod install;
mod leader;
mod load;
mod monitoring;
mod mutability;
mod origin;
mod patches;
mod plugin;
mod precedence;
mod prepared;
mod promises;
mod published_samples;
mod replicas;
mod requests;
mod rules;
mod samples;
mod scope;
mod secrecy;
mod stores;
mod strategic;
mod thaw;
mod update;
mod velero_origin;
mod widgets;

use std::process::ExitCode;

use clusterbackup_tests::runner::Scenario;
use clusterbackup_tests::{runner, steps};

/// All there are, file by file.
const FILES: &[&[Scenario]] = &[
    agents::SCENARIOS,
    bad_input::SCENARIOS,
    certificates::SCENARIOS,
    conditions::SCENARIOS,
    csi::conformance::SCENARIOS,
    csi::consistency::SCENARIOS,
    csi::cuts::SCENARIOS,
    csi::deletion::SCENARIOS,
    csi::drills::SCENARIOS,
    csi::groups::SCENARIOS,
    door::SCENARIOS,
    drills::cluster::SCENARIOS,
    drills::flood::SCENARIOS,
    drills::replica::SCENARIOS,
    drills::rules::SCENARIOS,
    drills::trust::SCENARIOS,
    harness::SCENARIOS,
    hooks::kinds::SCENARIOS,
    hooks::reports::SCENARIOS,
    hooks::requester::SCENARIOS,
    install::SCENARIOS,
    install::rights::SCENARIOS,
    leader::admission::SCENARIOS,
    leader::backups::SCENARIOS,
    leader::barriers::SCENARIOS,
    leader::catalogue::SCENARIOS,
    leader::changes::SCENARIOS,
    leader::deaths::SCENARIOS,
    leader::expired::SCENARIOS,
    leader::hooks::SCENARIOS,
    leader::readiness::SCENARIOS,
    leader::requesters::SCENARIOS,
    leader::restores::by_plugin::SCENARIOS,
    leader::restores::clash::SCENARIOS,
    leader::restores::drills::SCENARIOS,
    leader::restores::hooks::SCENARIOS,
    leader::restores::interrupted::SCENARIOS,
    leader::restores::modifiers::SCENARIOS,
    leader::restores::places::SCENARIOS,
    leader::restores::previews::SCENARIOS,
    leader::restores::readiness::SCENARIOS,
    leader::restores::refused::SCENARIOS,
    leader::restores::rights::SCENARIOS,
    leader::restores::round_trip::SCENARIOS,
    leader::restores::velero::SCENARIOS,
    leader::restores::volumes::SCENARIOS,
    leader::retention::SCENARIOS,
    leader::retention::leaks::SCENARIOS,
    leader::schedules::SCENARIOS,
    leader::schedules::limits::SCENARIOS,
    leader::shared::SCENARIOS,
    leader::shared::adoption::SCENARIOS,
    leader::shared::clusters::SCENARIOS,
    leader::tiers::SCENARIOS,
    leader::troubles::SCENARIOS,
    leader::uninstalled::SCENARIOS,
    leader::vault::SCENARIOS,
    leader::vault::by_plugin::SCENARIOS,
    leader::vault::configuration::SCENARIOS,
    leader::vault::credentials::SCENARIOS,
    leader::vault::outages::SCENARIOS,
    leader::vault::places::SCENARIOS,
    leader::vault::stored::SCENARIOS,
    leader::watched::SCENARIOS,
    monitoring::SCENARIOS,
    mutability::SCENARIOS,
    origin::SCENARIOS,
    patches::SCENARIOS,
    plugin::SCENARIOS,
    plugin::agents::SCENARIOS,
    plugin::backups::SCENARIOS,
    plugin::completion::SCENARIOS,
    plugin::coverage::SCENARIOS,
    plugin::instances::SCENARIOS,
    precedence::SCENARIOS,
    prepared::SCENARIOS,
    prepared::claims::SCENARIOS,
    promises::SCENARIOS,
    published_samples::SCENARIOS,
    replicas::SCENARIOS,
    requests::SCENARIOS,
    rules::SCENARIOS,
    samples::SCENARIOS,
    scope::SCENARIOS,
    secrecy::SCENARIOS,
    stores::SCENARIOS,
    stores::faults::SCENARIOS,
    strategic::SCENARIOS,
    thaw::deaths::SCENARIOS,
    thaw::epochs::SCENARIOS,
    thaw::happy::SCENARIOS,
    thaw::hooks::SCENARIOS,
    thaw::journal::SCENARIOS,
    thaw::outages::SCENARIOS,
    thaw::undo::SCENARIOS,
    update::door::SCENARIOS,
    update::forms::SCENARIOS,
    update::patch::SCENARIOS,
    update::rules::SCENARIOS,
    update::skip::SCENARIOS,
    velero_origin::SCENARIOS,
];

fn main() -> ExitCode {
    runner::run(FILES)
}
