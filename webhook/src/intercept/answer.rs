//! What is answered, and what it counts as.

use std::fmt::Display;

use clusterbackup_core::clash::Field;
use clusterbackup_core::interception::{Decision, Denial, Subject};

use super::clashes;
use crate::metrics::Outcome;
use crate::review::{AdmissionRequest, AdmissionResponse};

/// An answer and its place in the metrics.
pub(super) struct Answer {
    pub(super) outcome: Outcome,
    pub(super) response: AdmissionResponse,
}

impl Answer {
    /// The object concerns nobody.
    pub(super) fn untouched(request: &AdmissionRequest<'_>) -> Self {
        Self {
            outcome: Outcome::Untouched,
            response: AdmissionResponse::allow(request.uid.as_ref()),
        }
    }

    /// The door should not have let it through.
    pub(super) fn not_intercepted(request: &AdmissionRequest<'_>) -> Self {
        let warning = format!(
            "this {:?} is not intercepted; the webhook configuration asks for it nevertheless",
            request.operation
        );
        let Self { outcome, response } = Self::untouched(request);
        Self {
            outcome,
            response: response.with_warnings(vec![warning]),
        }
    }

    /// The object becomes what the decision says.
    pub(super) fn admitted(
        request: &AdmissionRequest<'_>,
        subject: &Subject<'_>,
        decision: Decision,
        fields: &[Field],
    ) -> Self {
        let outcome = match &decision.mark {
            Some(_) => Outcome::Changed,
            None if decision.operations.is_empty() => Outcome::Untouched,
            None => Outcome::Skipped,
        };
        match Self::written(request, subject, decision, fields) {
            Ok(response) => Self { outcome, response },
            Err(error) => Self::refused(request, 500, &format!("the answer can't be written: {error}")),
        }
    }

    fn written(
        request: &AdmissionRequest<'_>,
        subject: &Subject<'_>,
        decision: Decision,
        fields: &[Field],
    ) -> Result<AdmissionResponse, serde_json::Error> {
        let mut warnings = decision.warnings;
        warnings.extend(clashes::warning(subject, fields));
        let mut response = AdmissionResponse::allow(request.uid.as_ref())
            .with_patch(&decision.operations)?
            .with_warnings(warnings);
        if let Some(mark) = decision.mark {
            response = response.with_audit("modified", mark.to_string());
        }
        if !fields.is_empty() {
            response = response.with_audit("fields", clashes::audit(fields)?);
        }
        Ok(response)
    }

    /// The object is refused by its interceptions.
    pub(super) fn denied(request: &AdmissionRequest<'_>, denial: &Denial) -> Self {
        let refused = Self::refused(request, denial.code(), &denial.to_string());
        Self {
            outcome: match denial {
                Denial::Skipped { .. } => Outcome::Skipped,
                _ => Outcome::Denied,
            },
            ..refused
        }
    }

    /// The object is refused.
    pub(super) fn refused(request: &AdmissionRequest<'_>, code: u16, message: &str) -> Self {
        Self {
            outcome: Outcome::Denied,
            response: AdmissionResponse::deny(request.uid.as_ref(), code, message),
        }
    }

    /// The request makes no sense.
    pub(super) fn malformed(request: &AdmissionRequest<'_>, what: &str, error: impl Display) -> Self {
        let message = format!("{what} can't be read: {error}");
        Self {
            outcome: Outcome::Malformed,
            response: AdmissionResponse::deny(request.uid.as_ref(), 400, &message),
        }
    }
}
