//! All that is stored of certificates, and how each [`Step`] changes it.

use jiff::Timestamp;

use crate::{
    authority::{Authority, AuthorityError, Certificate, Leaf, ServiceNames, bundle},
    lifetimes::Lifetimes,
    step::Step,
};

/// Authorities that are no longer used but still trusted; more than these are forgotten, oldest first.
const PREVIOUS: usize = 2;

/// The certificates and keys of a webhook.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Material {
    /// Signs leaves.
    pub issuer: Authority,
    /// Will sign leaves once it is trusted everywhere.
    pub next: Option<Authority>,
    /// Signed leaves that somebody may still serve. Newest first.
    pub previous: Vec<Certificate>,
    /// What is served; `None` if what was stored is of no use.
    pub leaf: Option<Leaf>,
}

impl Material {
    /// Everything anew.
    pub fn begin(
        now: Timestamp,
        lifetimes: &Lifetimes,
        names: &ServiceNames,
    ) -> Result<Self, AuthorityError> {
        let issuer = Authority::create(now, lifetimes.authority())?;
        let leaf = Some(issuer.issue(now, lifetimes.leaf(), names)?);
        Ok(Self {
            issuer,
            next: None,
            previous: Vec::new(),
            leaf,
        })
    }

    /// What clients have to trust, in PEM: every authority whose leaves are or will be served. Oldest first, so that
    /// switching to the next one leaves the bundle as it is.
    pub fn bundle(&self) -> String {
        let next = self.next.as_ref().map(Authority::certificate);
        bundle(
            self.previous
                .iter()
                .rev()
                .chain([self.issuer.certificate()])
                .chain(next),
        )
    }

    /// The same after a step. `None` if the step is to change nothing.
    pub fn after(
        self,
        step: Step,
        now: Timestamp,
        lifetimes: &Lifetimes,
        names: &ServiceNames,
    ) -> Result<Option<Self>, AuthorityError> {
        Ok(Some(match step {
            Step::Wait { .. } => return Ok(None),
            Step::Begin => Self::begin(now, lifetimes, names)?,
            Step::PublishNext => Self {
                next: Some(Authority::create(now, lifetimes.authority())?),
                ..self
            },
            Step::SwitchToNext => match self.next {
                Some(issuer) => {
                    let leaf = Some(issuer.issue(now, lifetimes.leaf(), names)?);
                    let mut previous = self.previous;
                    previous.insert(0, self.issuer.certificate().clone());
                    previous.truncate(PREVIOUS);
                    Self {
                        issuer,
                        next: None,
                        previous,
                        leaf,
                    }
                }
                None => return Ok(None),
            },
            Step::RenewLeaf => Self {
                leaf: Some(self.issuer.issue(now, lifetimes.leaf(), names)?),
                ..self
            },
            Step::DropPrevious => {
                let previous = self
                    .previous
                    .into_iter()
                    .filter(|old| old.not_after() > now)
                    .collect();
                Self { previous, ..self }
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    fn after(material: Material, step: Step) -> Material {
        let names = ServiceNames::new("webhook", "system");
        material
            .after(step, now(), &Lifetimes::default(), &names)
            .unwrap()
            .unwrap()
    }

    fn fresh() -> Material {
        Material::begin(
            now(),
            &Lifetimes::default(),
            &ServiceNames::new("webhook", "system"),
        )
        .unwrap()
    }

    #[test]
    fn what_has_to_be_trusted_is_published_before_it_is_used() {
        let fresh = fresh();
        let published = after(fresh.clone(), Step::PublishNext);
        assert!(published.bundle().starts_with(&fresh.bundle()) && published.bundle() != fresh.bundle());
        assert_eq!(published.leaf, fresh.leaf);
        let switched = after(published.clone(), Step::SwitchToNext);
        assert_eq!(
            switched.bundle(),
            published.bundle(),
            "switching changes nothing that clients see"
        );
        assert_ne!(switched.leaf, published.leaf);
    }

    #[test]
    fn old_authorities_do_not_pile_up() {
        let mut material = fresh();
        for _ in 0..5 {
            material = after(after(material, Step::PublishNext), Step::SwitchToNext);
        }
        assert_eq!(material.previous.len(), PREVIOUS);
    }
}
