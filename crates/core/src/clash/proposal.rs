//! The changes of an update, proposed to the API server: all of them at first, and after a refusal as many as it takes.
//! Whoever asks it tells the answers; what is asked next follows from them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::cause::Cause;
use super::difference::differing;
use super::existing::Existing;
use super::partial::partial;
use super::{Field, Outcome, Reason};
use crate::patch::{Pointer, merge};

/// Changes to an object in the cluster, as far as the API server has been asked about them.
#[derive(Debug)]
pub struct Proposal<'a> {
    existing: Existing<'a>,
    wanted: Value,
    units: Vec<Unit>,
    /// It takes these, all of them together.
    taken: Vec<usize>,
    /// With those that are taken, it is asked about these.
    asked: Vec<usize>,
    /// It is asked about these when it has answered, the last first.
    later: Vec<Vec<usize>>,
}

/// Places that change together or not at all.
type Unit = Vec<Pointer>;

/// What comes of a proposal.
#[derive(Debug, PartialEq, Eq)]
pub struct Settled {
    /// What makes the object in the cluster what it becomes, as a merge patch; none where nothing changes.
    pub patch: Option<Value>,
    /// What becomes of each field that was to change.
    pub fields: Vec<Field>,
}

impl<'a> Proposal<'a> {
    pub(super) fn new(existing: Existing<'a>, wanted: Value) -> Self {
        let mut units: BTreeMap<String, Unit> = BTreeMap::new();
        for place in existing.places(&wanted) {
            units
                .entry(existing.unit(&wanted, &place))
                .or_default()
                .push(place);
        }
        let units: Vec<Unit> = units.into_values().collect();
        Self {
            asked: (0..units.len()).collect(),
            existing,
            wanted,
            units,
            taken: Vec::new(),
            later: Vec::new(),
        }
    }

    /// What the API server is to be asked next, as a merge patch; none when there is nothing left to ask.
    pub fn question(&self) -> Option<Value> {
        let together = self.taken.iter().chain(&self.asked);
        (!self.asked.is_empty()).then(|| self.patch(together).into())
    }

    /// The object with everything that is proposed.
    pub const fn wanted(&self) -> &Value {
        &self.wanted
    }

    /// It would take that.
    pub fn accept(&mut self) {
        self.taken.append(&mut self.asked);
        self.asked = self.later.pop().unwrap_or_default();
    }

    /// It refuses that, since something is wrong with these fields, as it calls them. What it names alone is given up; else the
    /// suspects are asked about by halves.
    pub fn refuse<'f>(&mut self, fields: impl IntoIterator<Item = &'f str>) {
        let causes = fields.into_iter().map(Cause::parse);
        let suspects: Vec<BTreeSet<usize>> = causes.map(|cause| self.concerned(&cause)).collect();
        let named: BTreeSet<usize> = suspects
            .iter()
            .filter(|units| units.len() == 1)
            .flatten()
            .copied()
            .collect();
        let suspects: BTreeSet<usize> = suspects.into_iter().flatten().collect();
        let asked = std::mem::take(&mut self.asked);
        if named.is_empty() {
            let (suspects, others): (Vec<_>, Vec<_>) = asked
                .into_iter()
                .partition(|unit| suspects.is_empty() || suspects.contains(unit));
            // One alone is given up.
            if suspects.len() > 1 {
                let (first, second) = suspects.split_at(suspects.len() / 2);
                self.later.extend([second.to_vec(), first.to_vec()]);
            }
            self.later.push(others);
        } else {
            self.later
                .push(asked.into_iter().filter(|unit| !named.contains(unit)).collect());
        }
        self.later.retain(|units| !units.is_empty());
        self.asked = self.later.pop().unwrap_or_default();
    }

    /// Gives up whatever the API server hasn't been asked about.
    pub fn give_up(&mut self) {
        self.asked.clear();
        self.later.clear();
    }

    /// What comes of it; `stored` is the object as the API server would store it with what it takes. A field that it takes and
    /// doesn't change is its own, or a controller's.
    pub fn settle(self, stored: &Value) -> Settled {
        let still = differing(Some(self.existing.object), Some(stored), self.existing.root);
        let changes = |place: &Pointer| {
            still
                .iter()
                .any(|other| other.contains(place) || place.contains(other))
        };
        let outcome = |unit: usize, place: &Pointer| match (self.taken.contains(&unit), changes(place)) {
            (false, _) => Outcome::Kept(Reason::Refused),
            (true, false) => Outcome::Kept(Reason::Allocated),
            (true, true) => Outcome::Changed,
        };
        let places = self.units.iter().enumerate();
        let fields: Vec<_> = places
            .flat_map(|(unit, places)| places.iter().map(move |place| (unit, place)))
            .map(|(unit, place)| Field {
                path: place.to_string(),
                outcome: outcome(unit, place),
            })
            .collect();
        let is_changed = fields.iter().any(|field| field.outcome == Outcome::Changed);
        Settled {
            patch: is_changed.then(|| self.patch(&self.taken).into()),
            fields,
        }
    }

    /// The units that a cause concerns, of those that are asked about.
    fn concerned(&self, cause: &Cause) -> BTreeSet<usize> {
        let asked = self.asked.iter().copied();
        asked
            .filter(|unit| self.units[*unit].iter().any(|place| cause.concerns(place)))
            .collect()
    }

    fn patch<'u>(&self, units: impl IntoIterator<Item = &'u usize>) -> Map<String, Value> {
        let places = units.into_iter().flat_map(|unit| &self.units[*unit]);
        let taken: BTreeSet<&str> = places.map(Pointer::as_str).collect();
        let Existing { object, root } = self.existing;
        let members = |value: &Value| value.as_object().cloned().unwrap_or_default();
        merge::between(
            &members(object),
            &members(&partial(object, &self.wanted, root, &taken)),
        )
    }
}
