//! The commands under `restore`.

use clap::{Args, Subcommand, ValueEnum, ValueHint};
use clusterbackup_core::duration::Span;

use super::backup::{Output, Place};
use super::instance::{Hook, hook};
use super::store::{Reading, rights_of_readers};

#[derive(Debug, Subcommand)]
pub(crate) enum Restore {
    Create(Box<Create>),
    Preview(Box<Preview>),
    Describe(Describe),
    Report(Report),
    Cancel(Cancel),
}

/// Bring a recovery point back, or a part of it.
///
/// Makes a Restore, which the leader of the cluster carries out in your name: it creates what you may create, from what you
/// may read. With --wait, shows how it goes on until it has ended: on a terminal as bars, else a line for each change, both
/// on standard error. To stop watching stops nothing.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  # What is missing comes back; what is there stays as it is
  kubectl clusterbackup restore create 0b0e0f5e-6b1c-4a2f-9d0c-0a9b8c7d6e5f --wait

  # Beside the original
  kubectl clusterbackup restore create 0b0e0f5e-6b1c-4a2f-9d0c-0a9b8c7d6e5f \\
    --include-namespaces shop --namespace-mapping shop=shop-again --wait

  # With commands that run in the new pods
  kubectl clusterbackup restore create 0b0e0f5e-6b1c-4a2f-9d0c-0a9b8c7d6e5f --hook shop/load --wait

  # One object that somebody has deleted
  kubectl clusterbackup restore create 0b0e0f5e-6b1c-4a2f-9d0c-0a9b8c7d6e5f \\
    --object deployments.apps/shop/web --wait

  # By rules, for example with another storage class
  kubectl clusterbackup restore create 0b0e0f5e-6b1c-4a2f-9d0c-0a9b8c7d6e5f \\
    --resource-modifier storage-class --wait

  # What somebody has broken, put right field by field; Jobs, of which little can change, deleted and created anew
  kubectl clusterbackup restore create 0b0e0f5e-6b1c-4a2f-9d0c-0a9b8c7d6e5f --include-namespaces shop \\
    --conflict-policy replace --replace-kinds jobs.batch --wait

  # In a script: what came of it, as an object
  kubectl clusterbackup restore create 0b0e0f5e-6b1c-4a2f-9d0c-0a9b8c7d6e5f --wait -o json | jq .status.counts

Exit codes:
  0  created; with --wait: completed
  1  it can't be created; with --wait: it failed, was cancelled, or hasn't ended in time
  2  with --wait: completed with warnings; or the command was typed wrongly

Rights that it uses:
  create restores.clusterbackup.io; with --wait list and watch restores.clusterbackup.io;
  the leader, in your name: create what is restored, get it where it was or `restore` the BackupInstance;
  get the ConfigMap of --resource-modifier; with --conflict-policy patch also patch, with replace also delete;
  with --hook get restorehooks.clusterbackup.dataprotection.microsoft.com, and create pods/exec where they run")]
pub(crate) struct Create {
    /// The RecoveryPoint.
    pub(crate) point: String,
    /// What the Restore is called. Default: `restore-` with something behind it that makes it unique.
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) asked: Asked,
    #[command(flatten)]
    pub(crate) manner: Manner,
    /// The Secret with the private key of an encrypted point, in its entry `identity`.
    #[arg(long, value_name = "SECRET")]
    pub(crate) identity: Option<String>,
    /// Wait until it has ended.
    #[arg(long)]
    pub(crate) wait: bool,
    /// How long to wait; the restore goes on all the same.
    #[arg(long, value_name = "DURATION", default_value = "1h", requires = "wait")]
    pub(crate) timeout: Span,
    /// How the Restore is shown in the end.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: Output,
}

/// What of a recovery point, and where to.
#[derive(Debug, Args)]
pub(crate) struct Asked {
    /// The namespaces, by the names that they had, as names or globs. Default: all.
    #[arg(long, value_name = "NAMESPACE", value_delimiter = ',')]
    pub(crate) include_namespaces: Vec<String>,
    /// Namespaces that are left out, as names or globs.
    #[arg(long, value_name = "NAMESPACE", value_delimiter = ',')]
    pub(crate) exclude_namespaces: Vec<String>,
    /// The kinds, as plural names with or without their group, or globs. Default: all.
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    pub(crate) include_kinds: Vec<String>,
    /// Kinds that are left out, in the same words.
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    pub(crate) exclude_kinds: Vec<String>,
    /// A single object, as kind/namespace/name, or kind/name for one outside of namespaces; several times for several. Default: all.
    #[arg(long = "object", value_name = "OBJECT", value_parser = object)]
    pub(crate) objects: Vec<Object>,
    /// Into which namespace the objects of another go; several times for several.
    #[arg(long = "namespace-mapping", value_name = "FROM=TO", value_parser = mapping)]
    pub(crate) mappings: Vec<Mapping>,
    /// What becomes of volumes.
    #[arg(long, value_name = "MODE", default_value = "with-data")]
    pub(crate) volume_mode: VolumeMode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum VolumeMode {
    /// Claims come back with what their snapshots hold.
    WithData,
    /// Claims get empty volumes.
    WithoutData,
}

/// How it is brought back.
#[derive(Debug, Args)]
pub(crate) struct Manner {
    /// What becomes of objects that exist already and are different.
    #[arg(long, value_name = "POLICY", default_value = "skip")]
    pub(crate) conflict_policy: Conflicts,
    /// With replace: the kinds whose objects may be deleted and created anew, as plural names with their group.
    #[arg(
        long,
        value_name = "KIND",
        value_delimiter = ',',
        required_if_eq("conflict_policy", "replace")
    )]
    pub(crate) replace_kinds: Vec<String>,
    /// The ConfigMap with the rules that change objects on their way into the cluster, as name, or as namespace/name.
    #[arg(long, value_name = "CONFIGMAP", value_parser = modifier)]
    pub(crate) resource_modifier: Option<Modifier>,
    /// How long the restore waits at its end until what it created is ready; 0s: not at all.
    #[arg(long, value_name = "DURATION", default_value = "5m")]
    pub(crate) readiness_timeout: Span,
    /// A RestoreHook whose commands run in new pods, as NAMESPACE/NAME; may be given several times.
    #[arg(long = "hook", value_name = "HOOK", value_parser = hook)]
    pub(crate) hooks: Vec<Hook>,
}

/// Show what a restore would make of each object, before anything is done.
///
/// Makes a Restore that only previews, waits for its end, shows its report, and deletes it. The leader sends each object as a
/// restore would, in your name, as a dry run: what may not be created, is refused or exists already is found out, and nothing
/// is written. Of each object it says how sure that is: what depends on something that the restore itself creates first, or on
/// a webhook that takes no dry runs, is never called certain.
///
/// Offline, from the recovery point alone: in which order objects are created, what each becomes on its way, what rules
/// make of it, and what is not created, and why. It is decided by the code that restores. What exists in the cluster
/// already, what you may do there and what it refuses isn't known. What Secrets hold is shown as `***`.
#[derive(Debug, Args)]
#[command(after_help = concat!(
    "\
Examples:
  # Beside the original, as a page to read and to send on
  kubectl clusterbackup restore preview 0b0e0f5e-6b1c-4a2f-9d0c-0a9b8c7d6e5f \\
    --namespace-mapping shop=shop-again -o html > preview.html

  # What is not certain
  kubectl clusterbackup restore preview 0b0e0f5e-6b1c-4a2f-9d0c-0a9b8c7d6e5f -o json \\
    | jq -r 'select(.certainty != \"Certain\") | [.target.groupResource, .target.name, .outcome, .certainty, .doubt] | @tsv'

  # Without a cluster, beside the original, with the rules that are to act
  kubectl clusterbackup restore preview 0b0e0f5e-6b1c-4a2f-9d0c-0a9b8c7d6e5f --offline \\
    --file-system /mnt/vaults/shop --namespace-mapping shop=shop-again --rules rules.yaml

  # In a script: what is not created, and why; a line of JSON for each object
  kubectl clusterbackup restore preview 0b0e0f5e-6b1c-4a2f-9d0c-0a9b8c7d6e5f --offline -n shop -o json \\
    | jq -r 'select(.action == \"LeftOut\") | [.kind, .namespace, .name, .reason] | @tsv'

Exit codes:
  0  shown; the restore would complete
  1  the restore would fail or be refused; or the point isn't there, is damaged, or can't be read
  2  the restore would complete with warnings; or the command was typed wrongly
  3  offline: a rule fails on an object

Rights that it uses:
  create, list, watch and delete restores.clusterbackup.io; the leader, in your name, those of the restore itself;
  get recoverypoints.clusterbackup.io; ",
    rights_of_readers!()
))]
pub(crate) struct Preview {
    /// The recovery point.
    pub(crate) point: String,
    /// Ask no cluster what is in it.
    #[arg(long, conflicts_with_all = ["conflict_policy", "replace_kinds", "resource_modifier", "readiness_timeout", "identity_secret"])]
    pub(crate) offline: bool,
    #[command(flatten)]
    pub(crate) asked: Asked,
    #[command(flatten)]
    pub(crate) manner: Manner,
    /// The Secret with the private key of an encrypted point, in its entry `identity`; the file of `--identity` is for the
    /// report.
    #[arg(long, value_name = "SECRET")]
    pub(crate) identity_secret: Option<String>,
    /// How long to wait for its end.
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "1h",
        conflicts_with = "offline"
    )]
    pub(crate) timeout: Span,
    /// A file with resource modifier rules that are to act; several times for several, which act in this order.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "offline")]
    pub(crate) rules: Vec<String>,
    /// Show what Secrets hold.
    #[arg(long)]
    pub(crate) show_secrets: bool,
    /// How it is shown.
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub(crate) output: PreviewOutput,
    #[command(flatten)]
    pub(crate) reading: Reading,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PreviewOutput {
    /// For people, wave by wave.
    Table,
    /// A line of JSON for each object.
    Json,
    /// A page for people, in one file; not offline.
    Html,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Conflicts {
    /// They stay as they are, and the others are restored.
    Skip,
    /// Nothing is restored at all.
    Fail,
    /// They get what the point says of them, field by field, as far as the API server lets fields change.
    Patch,
    /// Those of the kinds in --replace-kinds are deleted and created anew, the others patched.
    Replace,
}

/// `shop=shop-again`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mapping {
    pub(crate) from: String,
    pub(crate) to: String,
}

/// `shop/rules`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Modifier {
    pub(crate) namespace: Option<String>,
    pub(crate) name: String,
}

/// `deployments.apps/shop/web`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) kind: String,
    pub(crate) namespace: Option<String>,
    pub(crate) name: String,
}

fn mapping(text: &str) -> Result<Mapping, String> {
    match text.split_once('=') {
        Some((from, to)) if !from.is_empty() && !to.is_empty() => Ok(Mapping {
            from: from.to_owned(),
            to: to.to_owned(),
        }),
        _ => Err("write it as FROM=TO, for example shop=shop-again".to_owned()),
    }
}

fn modifier(text: &str) -> Result<Modifier, String> {
    let (namespace, name) = match text.split_once('/') {
        Some((namespace, name)) => (Some(namespace.to_owned()), name),
        None => (None, text),
    };
    if name.is_empty() || name.contains('/') || namespace.as_ref().is_some_and(String::is_empty) {
        return Err("write it as the name of a ConfigMap, or as namespace/name".to_owned());
    }
    Ok(Modifier {
        namespace,
        name: name.to_owned(),
    })
}

fn object(text: &str) -> Result<Object, String> {
    let parts: Vec<_> = text.split('/').collect();
    let (kind, namespace, name) = match parts.as_slice() {
        [kind, name] => (kind, None, name),
        [kind, namespace, name] => (kind, Some((*namespace).to_owned()), name),
        _ => (&"", None, &""),
    };
    if kind.is_empty() || name.is_empty() {
        return Err("write it as kind/namespace/name, for example deployments.apps/shop/web".to_owned());
    }
    Ok(Object {
        kind: (*kind).to_owned(),
        namespace,
        name: (*name).to_owned(),
    })
}

/// Say what became of a restore: how many objects are created, and which are not, and why.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kubectl clusterbackup restore describe restore-x7k2p

  # What failed
  kubectl clusterbackup restore describe restore-x7k2p -o json \\
    | jq -r '.status.problems[] | select(.action == \"Failed\") | [.groupResource, .namespace, .name, .message] | @tsv'

Rights that it uses:
  get restores.clusterbackup.io")]
pub(crate) struct Describe {
    /// The Restore.
    #[arg(value_name = "RESTORE")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) place: Place,
    /// How the result is shown.
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: Output,
}

/// Say what became of each object of a restore.
///
/// The report is in the vault of the recovery point, and goes with the point. It is read from there, so that who may read the
/// vault may read it; what is encrypted takes the private key. What Secrets hold is shown as `***`.
#[derive(Debug, Args)]
#[command(after_help = concat!(
    "\
Examples:
  kubectl clusterbackup restore report restore-x7k2p

  # One page to read and to send on
  kubectl clusterbackup restore report restore-x7k2p -o html > restore.html

  # What failed, and why; a line of JSON for each object
  kubectl clusterbackup restore report restore-x7k2p -o json \\
    | jq -r 'select(.outcome == \"Failed\") | [.target.groupResource, .target.namespace, .target.name, .message] | @tsv'

Rights that it uses:
  get restores.clusterbackup.io and recoverypoints.clusterbackup.io; ",
    rights_of_readers!()
))]
pub(crate) struct Report {
    /// The Restore.
    #[arg(value_name = "RESTORE")]
    pub(crate) name: String,
    /// Show what Secrets hold.
    #[arg(long)]
    pub(crate) show_secrets: bool,
    /// How it is shown.
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub(crate) output: ReportOutput,
    #[command(flatten)]
    pub(crate) reading: Reading,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportOutput {
    /// For people, a line for each object.
    Table,
    /// A line of JSON for each object.
    Json,
    /// A page for people, in one file.
    Html,
}

/// Stop a restore: nothing more is created. What is created stays.
#[derive(Debug, Args)]
#[command(after_help = "\
Rights that it uses:
  get and patch restores.clusterbackup.io")]
pub(crate) struct Cancel {
    /// The Restore.
    #[arg(value_name = "RESTORE")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) place: Place,
}
