//! All that is stored of certificates, and how each [`Step`] changes it.

use jiff::Timestamp;

use crate::{
    authority::{Authority, AuthorityError, Certificate, Leaf, ServiceNames, bundle},
    decide::Step,
    lifetimes::Lifetimes,
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

    /// What clients have to trust, in PEM: every authority whose leaves are or will be served.
    pub fn bundle(&self) -> String {
        let next = self.next.as_ref().map(Authority::certificate);
        bundle(
            std::iter::once(self.issuer.certificate())
                .chain(next)
                .chain(&self.previous),
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
