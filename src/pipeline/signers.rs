//! Between decision and commit: whether those who signed the document may still sign. Asked last, for it is the one check that may have to wait for somebody else.

use std::sync::Arc;

use super::examine::{Accepted, Examined};
use super::gate::{Gate, Stopping};
use crate::cda::signers::judge;
use crate::domain::refusal::Refusal;
use crate::domain::time::Moment;
use crate::ports::revocation::Revocation;
use crate::rules::decide::Decision;

/// The decision, or a refusal in its place. Only a document that is about to be archived is asked about: what was decided before stays decided.
///
/// # Errors
/// When the gateway stops while nothing current can be had.
pub async fn still_sign(gate: &Gate, revocation: &Arc<dyn Revocation>, examined: &Examined, decision: Decision, at: Moment) -> Result<Decision, Stopping> {
    let (Decision::Archive { .. }, Ok(Accepted::Document(accepted))) = (&decision, &examined.verdict) else { return Ok(decision) };
    if accepted.signatures.is_empty() {
        return Ok(decision);
    }
    let certificates: Vec<_> = accepted.signatures.iter().map(|fact| Arc::clone(&fact.signed_with)).collect();
    let statuses = gate.through(|| revocation.statuses(&certificates, at)).await?;
    let Decision::Archive { expects, mut warnings } = decision else { return Ok(decision) };
    Ok(match Refusal::unless_clean(judge(&accepted.signatures, &statuses, at)) {
        Ok(more) => {
            warnings.extend(more);
            Decision::Archive { expects, warnings }
        }
        Err(refusal) => Decision::Refuse { refusal, expects },
    })
}
