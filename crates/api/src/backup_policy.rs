//! `BackupPolicy`: when instances are backed up, and for how long their recovery points are kept.

use std::collections::BTreeMap;

use clusterbackup_core::retention::{Limits, Period, Rules, Tier, WrongRules};
use clusterbackup_core::schedule::{Interval, NoCron, NoTimeOfDay, Schedule, TimeOfDay};
use clusterbackup_core::zone::{NoZone, Zone};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::conditions;

/// When instances are backed up, and for how long their recovery points are kept.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "clusterbackup.io",
    version = "v1alpha1",
    kind = "BackupPolicy",
    namespaced,
    derive = "PartialEq",
    status = "BackupPolicyStatus",
    shortname = "bpol",
    category = "clusterbackup",
    doc = "When instances are backed up, and for how long their recovery points are kept.",
    printcolumn(name = "Every", type_ = "string", json_path = ".spec.schedule.every"),
    printcolumn(name = "Cron", type_ = "string", json_path = ".spec.schedule.cron"),
    printcolumn(
        name = "Days",
        type_ = "integer",
        json_path = ".spec.retention.operational.days"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
pub struct BackupPolicySpec {
    /// When backups run.
    #[x_kube(
        validation = Rule::new("has(self.every) != has(self.cron)")
            .message("write exactly one of every and cron"),
        validation = Rule::new("!has(self.at) || has(self.every)")
            .message("at belongs to every: a cron text says the time of the day itself")
    )]
    pub schedule: ScheduleSpec,
    /// For how long recovery points are kept.
    pub retention: Retention,
}

/// When backups run; a run that was missed is made up for once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleSpec {
    /// Every so many hours: 4h, 6h, 8h, 12h or 24h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<Interval>,
    /// With every: one of the times of the day, as 02:30. Default: 00:00.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(equal = 5), regex(pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]$"))]
    pub at: Option<String>,
    /// A cron text of five fields, for example 30 2 * * 1-5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 9, max = 256))]
    pub cron: Option<String>,
    /// The time zone, by its name in the IANA database, for example Europe/Berlin. Also days, weeks, months and years of
    /// retention begin by it. Default: UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub time_zone: Option<String>,
}

/// For how long recovery points are kept. The newest complete one of each rule is kept at any age.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Retention {
    /// Where they are made.
    pub operational: Keep,
    /// Which of them are copied into the vault tier of their vault, and for how long they are kept there. Volume data is not
    /// copied: it stays in the snapshots. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(
        validation = Rule::new("has(self.firstOfDay) || has(self.firstOfWeek) || has(self.firstOfMonth) || has(self.firstOfYear)")
            .message("name at least one of firstOfDay, firstOfWeek, firstOfMonth and firstOfYear")
    )]
    pub vault_tier: Option<Copies>,
}

/// Days, by rule. A point falls to the first of these that it is: the first complete one of its year, month, week, day;
/// else to `days`. None may be shorter than one behind it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Keep {
    /// What no other rule keeps, in days. 1 to 360.
    #[schemars(range(min = 1, max = 36_500))]
    pub days: u32,
    /// The first complete point of a day. Default: as the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 36_500))]
    pub first_of_day: Option<u32>,
    /// The first of a week, which begins on Sunday. Default: as the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 36_500))]
    pub first_of_week: Option<u32>,
    /// The first of a month. Default: as the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 36_500))]
    pub first_of_month: Option<u32>,
    /// The first of a year. Default: as the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 36_500))]
    pub first_of_year: Option<u32>,
}

/// Days, by rule. A point that is the first complete one of a period is copied where the period has a rule here; the longest
/// one counts. None may be shorter than one before it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[allow(clippy::struct_field_names, reason = "the same words as in Keep")]
pub struct Copies {
    /// The first complete point of a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 36_500))]
    pub first_of_day: Option<u32>,
    /// The first of a week, which begins on Sunday.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 36_500))]
    pub first_of_week: Option<u32>,
    /// The first of a month.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 36_500))]
    pub first_of_month: Option<u32>,
    /// The first of a year.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 36_500))]
    pub first_of_year: Option<u32>,
}

/// What the leader knows of a policy.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackupPolicyStatus {
    /// The generation that the conditions are about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready: whether the policy can be followed as it stands.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions::schema")]
    pub conditions: Vec<Condition>,
}

/// Why a policy can't be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WrongPolicy {
    /// Two ways to say when, or none.
    #[error("spec.schedule: write exactly one of every and cron")]
    Ambiguous,
    /// No time of the day.
    #[error("spec.schedule.at: {0}")]
    At(#[from] NoTimeOfDay),
    /// No cron text.
    #[error("spec.schedule.cron: {0}")]
    Cron(#[from] NoCron),
    /// No time zone.
    #[error("spec.schedule.timeZone: {0}")]
    Zone(#[from] NoZone),
    /// Days that contradict each other.
    #[error("spec.retention.operational: {0}")]
    Rules(#[from] WrongRules),
    /// The same of the copies.
    #[error("spec.retention.vaultTier: {0}")]
    Copies(WrongRules),
}

impl BackupPolicySpec {
    /// Whether it can be followed.
    pub fn check(&self) -> Result<(), WrongPolicy> {
        self.schedule()?;
        self.operational()?;
        self.vault_tier()?;
        Ok(())
    }

    /// When backups run.
    pub fn schedule(&self) -> Result<Schedule, WrongPolicy> {
        let ScheduleSpec { every, at, cron, .. } = &self.schedule;
        match (every, cron) {
            (Some(interval), None) => {
                let start: TimeOfDay = at.as_deref().unwrap_or("00:00").parse()?;
                Ok(Schedule::every(*interval, start, self.zone()?))
            }
            (None, Some(text)) => Ok(Schedule::cron(text, self.zone()?)?),
            _ => Err(WrongPolicy::Ambiguous),
        }
    }

    /// By whose clock.
    pub fn zone(&self) -> Result<Zone, WrongPolicy> {
        let named = self.schedule.time_zone.as_deref();
        Ok(named.map_or(Ok(Zone::UTC), str::parse)?)
    }

    /// For how long points are kept where they are made.
    pub fn operational(&self) -> Result<Rules, WrongPolicy> {
        let keep = &self.retention.operational;
        Ok(Rules::new(
            Tier::Operational,
            keep.days,
            keep.first_of(),
            Limits::default(),
        )?)
    }

    /// Which points are copied into the vault tier, and for how long they are kept there; none: none are. A copy that was made
    /// by a rule that is gone is kept by the shortest of the others.
    pub fn vault_tier(&self) -> Result<Option<Rules>, WrongPolicy> {
        let Some(copies) = &self.retention.vault_tier else {
            return Ok(None);
        };
        let first_of = copies.first_of();
        let shortest = first_of.values().copied().min().unwrap_or_default();
        let rules = Rules::new(Tier::Vault, shortest, first_of, Limits::default());
        rules.map(Some).map_err(WrongPolicy::Copies)
    }
}

impl Keep {
    /// The days of the rules beside the default one.
    fn first_of(&self) -> BTreeMap<Period, u32> {
        let Self {
            first_of_day: day,
            first_of_week: week,
            first_of_month: month,
            first_of_year: year,
            days: _,
        } = *self;
        by_period([day, week, month, year])
    }
}

impl Copies {
    fn first_of(&self) -> BTreeMap<Period, u32> {
        by_period([
            self.first_of_day,
            self.first_of_week,
            self.first_of_month,
            self.first_of_year,
        ])
    }
}

/// Of a day, a week, a month and a year, those that have a rule.
fn by_period(days: [Option<u32>; 4]) -> BTreeMap<Period, u32> {
    let periods = [Period::Day, Period::Week, Period::Month, Period::Year];
    let rules = periods.into_iter().zip(days);
    rules.filter_map(|(period, days)| Some((period, days?))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn policy(schedule: &Value, keep: &Value) -> BackupPolicySpec {
        let spec = json!({ "schedule": schedule, "retention": { "operational": keep } });
        serde_json::from_value(spec).unwrap()
    }

    #[test]
    fn a_policy_that_can_be_followed_says_when_and_for_how_long() {
        for schedule in [
            json!({ "every": "4h" }),
            json!({ "every": "24h", "at": "02:30", "timeZone": "Europe/Berlin" }),
            json!({ "cron": "30 2 * * 1-5", "timeZone": "UTC" }),
        ] {
            let spec = policy(
                &schedule,
                &json!({ "days": 7, "firstOfWeek": 30, "firstOfYear": 360 }),
            );
            assert!(spec.check().is_ok(), "{spec:?}");
        }
    }

    #[test]
    fn one_that_can_not_be_followed_says_which_field() {
        let daily = json!({ "every": "24h" });
        let week = json!({ "days": 7 });
        for (schedule, keep, field) in [
            (json!({}), week.clone(), "spec.schedule:"),
            (
                json!({ "every": "24h", "cron": "0 1 * * *" }),
                week.clone(),
                "spec.schedule:",
            ),
            (
                json!({ "every": "24h", "at": "2:30" }),
                week.clone(),
                "spec.schedule.at:",
            ),
            (
                json!({ "cron": "0 1 30 2 *" }),
                week.clone(),
                "spec.schedule.cron:",
            ),
            (
                json!({ "every": "24h", "timeZone": "Europa" }),
                week,
                "spec.schedule.timeZone:",
            ),
            (
                daily.clone(),
                json!({ "days": 361 }),
                "spec.retention.operational:",
            ),
            (
                daily,
                json!({ "days": 7, "firstOfDay": 3 }),
                "spec.retention.operational:",
            ),
        ] {
            let spec = policy(&schedule, &keep);
            let message = spec.check().unwrap_err().to_string();
            assert!(message.starts_with(field), "{message}");
        }
    }
}
