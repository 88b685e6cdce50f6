//! What can be typed, and what `--help` says about it.

pub(crate) mod agents;
pub(crate) mod backup;
pub(crate) mod coverage;
pub(crate) mod hooks;
pub(crate) mod instance;
pub(crate) mod points;
pub(crate) mod policy;
pub(crate) mod restore;
pub(crate) mod store;
pub(crate) mod vault;

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum, ValueHint};
use clusterbackup_core::object::GroupResource;

/// Try resource modifier rules without a cluster; back applications up, and look at what protects them.
///
/// Rules change Kubernetes objects while they are restored. They are in the format of Velero's and AKS Backup's
/// resource modifiers, and are applied by an admission webhook. The commands under `rules` do offline what the webhook
/// does: they need files, and no cluster.
#[derive(Debug, Parser)]
#[command(
    name = "kubectl-clusterbackup",
    bin_name = "kubectl clusterbackup",
    version,
    after_help = EXIT_CODES,
    disable_help_subcommand = true
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  the rules are not valid, or a file can't be used
  2  the command was typed wrongly
  3  a rule failed on an object
`backup create --wait` and `restore create --wait` have others: see there";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check rules and try them on objects; needs no cluster.
    #[command(subcommand)]
    Rules(Rules),
    /// Check hooks; needs no cluster.
    #[command(subcommand)]
    Hooks(hooks::Hooks),
    /// Look at the interceptions of a cluster.
    #[command(subcommand)]
    Intercept(Intercept),
    /// Say what is protected, and see how that goes.
    #[command(subcommand)]
    Instance(instance::Instance),
    /// See what policies come to.
    #[command(subcommand)]
    Policy(policy::Policy),
    /// Back applications up, and see what became of it.
    #[command(subcommand)]
    Backup(backup::Backup),
    /// Bring recovery points back.
    #[command(subcommand)]
    Restore(restore::Restore),
    /// Look at recovery points, and at what is in them.
    #[command(subcommand)]
    Rp(points::Points),
    /// Look at vaults and what is in them, and make keys for them.
    #[command(subcommand)]
    Vault(vault::Vault),
    Coverage(coverage::Coverage),
    /// Look at the nodes' agents and their leader.
    #[command(subcommand)]
    Agents(agents::Agents),
    Completion(Completion),
    #[command(hide = true)]
    Complete(Complete),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Rules {
    Check(Check),
    Apply(Apply),
    Explain(Explain),
}

/// Say everything that is wrong with rules, each at its place.
///
/// A file holds a ConfigMap with rules, alone or among other objects (several YAML documents, or a List), or a rule text
/// by itself. What is valid but hardly meant is shown as a warning, and doesn't count.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  # What a set of manifests says
  kubectl clusterbackup rules check rules.yaml more-rules.yaml

  # Rules that are in a cluster
  kubectl -n clusterbackup-system get configmap shop-rules -o yaml \\
    | kubectl clusterbackup rules check -

  # In a pipeline: every problem as an object with file, line, column, rule, message and hint
  kubectl clusterbackup rules check rules.yaml -o json

Exit codes:
  0  all rules are valid
  1  some are not, or a file can't be used")]
pub(crate) struct Check {
    /// Files with rules; `-` is standard input.
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) files: Vec<String>,
    /// How the result is shown: for people, or for programs.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: CheckOutput,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckOutput {
    /// Each problem as a picture of its place.
    Text,
    /// `{"valid": …, "problems": […], "warnings": […]}`
    Json,
}

/// Show what rules make of objects.
///
/// Decides what the webhook would decide, by the same code. Only the mark is left out that the webhook writes onto every
/// object: it names the interception, and there is none. What Secrets hold is shown as `***`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  # The objects as the rules make them
  kubectl clusterbackup rules apply --rules rules.yaml --object shop.yaml

  # Only what changes, for objects that are restored from another namespace
  kubectl clusterbackup rules apply --rules rules.yaml --object shop.yaml --namespace shop -o diff

  # What a restore would do to objects that are there already
  kubectl -n shop get deployments -o yaml > live.yaml
  kubectl clusterbackup rules apply --rules rules.yaml --object shop.yaml -o diff \\
    --live live.yaml --conflict-policy Patch

  # In a script: a line of JSON for each object, with what each rule did
  kubectl clusterbackup rules apply --rules rules.yaml --object - -o json < shop.yaml

Exit codes:
  0  every rule that concerns an object was applied to it, or dropped by a test of its own
  1  the rules are not valid, or a file can't be used
  3  a rule failed on an object; a cluster refuses it, unless its interception says
     onModifierError: Warn")]
pub(crate) struct Apply {
    /// The file with the rules: a ConfigMap or a rule text.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) rules: String,
    /// The file with the objects, as they are restored; `-` is standard input.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) object: String,
    #[command(flatten)]
    pub(crate) trial: Trial,
    /// The file with the objects that are in the cluster already; those with the same names are updated.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) live: Option<String>,
    /// What becomes of objects that are in the cluster already.
    #[arg(long, value_name = "POLICY", default_value = "Skip", requires = "live")]
    pub(crate) conflict_policy: ConflictPolicy,
    /// How the result is shown.
    #[arg(short, long, value_name = "FORMAT", default_value = "yaml")]
    pub(crate) output: ApplyOutput,
}

/// As in an interception's `conflictPolicy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ConflictPolicy {
    /// They stay as they are.
    #[value(name = "Skip")]
    Skip,
    /// They are changed field by field, as far as that is possible.
    #[value(name = "Patch")]
    Patch,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ApplyOutput {
    /// The objects as they become.
    Yaml,
    /// For each object a line: `{"object": …, "rules": […], "fields": […], "warnings": […]}`
    Json,
    /// What changes in them.
    Diff,
}

/// Say why each rule concerns an object or doesn't, condition by condition.
///
/// All conditions are judged on the object as it is given, before any rule has changed it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  # Why doesn't my rule match?
  kubectl clusterbackup rules explain rules.yaml claim.yaml

  # An object of a cluster that is to be restored from another namespace
  kubectl -n staging get deployment web -o yaml \\
    | kubectl clusterbackup rules explain rules.yaml - --namespace shop")]
pub(crate) struct Explain {
    /// The file with the rules: a ConfigMap or a rule text.
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) rules: String,
    /// The file with the objects; `-` is standard input.
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) object: String,
    #[command(flatten)]
    pub(crate) trial: Trial,
}

/// What can't be read from an object, and what may be shown of it.
#[derive(Debug, Args)]
pub(crate) struct Trial {
    /// What the objects are called in URLs, as in `deployments.apps`, where their kind doesn't tell.
    #[arg(long, value_name = "RESOURCE", value_parser = resource)]
    pub(crate) resource: Option<GroupResource>,
    /// The original namespace: where the objects were backed up, if not where they are now.
    #[arg(short, long, value_name = "ORIGINAL")]
    pub(crate) namespace: Option<String>,
    /// Show what Secrets hold.
    #[arg(long)]
    pub(crate) show_secrets: bool,
}

/// `deployments.apps`, `configmaps`.
fn resource(text: &str) -> Result<GroupResource, String> {
    let (resource, group) = text.split_once('.').unwrap_or((text, ""));
    let is_name = |part: &str| {
        part.bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte))
    };
    if resource.is_empty() || !is_name(text) || text.ends_with('.') {
        return Err("write the plural and its group, as in deployments.apps or configmaps".to_owned());
    }
    Ok(GroupResource::new(group, resource))
}

#[derive(Debug, Subcommand)]
pub(crate) enum Intercept {
    Status(Status),
}

/// Say how the interceptions stand, whether the webhook is up, and what it did.
///
/// The cluster is the one of the current context of KUBECONFIG, as with kubectl. What the webhook counted is read
/// through the API server from each of its pods. What you have no rights to read is told, and the rest is shown.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  # Are the rules in force?
  kubectl clusterbackup intercept status

  # With priorities, ConfigMaps and hashes
  kubectl clusterbackup intercept status -o wide

  # Which interceptions are not ready?
  kubectl clusterbackup intercept status -o json \\
    | jq -r '.interceptions[] | select(.ready != \"True\") | .name'

Rights that it uses:
  list restoreinterceptions.clusterbackup.io;
  in the webhook's namespace get deployments.apps, list pods, get pods/proxy")]
pub(crate) struct Status {
    /// Where the webhook is.
    #[arg(short, long, value_name = "NAMESPACE", default_value = "clusterbackup-system")]
    pub(crate) namespace: String,
    /// How the result is shown.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: StatusOutput,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StatusOutput {
    /// A table.
    Text,
    /// A table with everything.
    Wide,
    /// `{"interceptions": […], "webhook": …, "notes": […]}`
    Json,
}

/// Write the completion of commands for a shell.
///
/// It completes commands and options, and the names of vaults, policies, instances, backups and recovery points: for these it asks
/// the cluster, for 2 seconds at the most. In PowerShell it completes commands and options alone.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  # For `kubectl-clusterbackup …` in this session
  source <(kubectl-clusterbackup completion bash)

  # For `kubectl clusterbackup …`: kubectl asks a program of this name on the PATH
  kubectl-clusterbackup completion kubectl > ~/.local/bin/kubectl_complete-clusterbackup
  chmod +x ~/.local/bin/kubectl_complete-clusterbackup")]
pub(crate) struct Completion {
    /// For which shell; `kubectl` for the program by which kubectl completes plugins in any of them.
    pub(crate) shell: CompletionShell,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CompletionShell {
    Bash,
    Zsh,
    Fish,
    #[value(name = "powershell")]
    PowerShell,
    Kubectl,
}

/// Answer the program by which kubectl completes plugins.
#[derive(Debug, Args)]
pub(crate) struct Complete {
    /// What is typed so far; the last one is to be completed.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) words: Vec<String>,
}

/// The tree of commands, for completion and documentation.
pub(crate) fn command() -> clap::Command {
    Arguments::command()
}
