//! Between decision and commit: whether those who signed the document may still sign. Asked last, for it is the one check that may have to wait for somebody else.

use std::sync::Arc;
use std::time::Duration;

use super::examine::{Accepted, Examined};
use super::gate::{Gate, Stopping};
use crate::cda::signers::judge;
use crate::crypto::certificate::Certificate;
use crate::crypto::revocation::Status;
use crate::domain::refusal::Refusal;
use crate::domain::time::Moment;
use crate::ports::clock::Clock;
use crate::ports::revocation::Revocation;
use crate::rules::decide::Decision;

/// How much later than its decision a document's signers may have been asked about: more, and it is decided again, so that what is archived has one time.
const TOO_LATE: Duration = Duration::from_secs(1);

/// Who is asked, and when.
pub struct Asking<'a> {
    /// Waits while nothing current can be had.
    pub gate: &'a Gate,
    /// What issuers say.
    pub revocation: &'a Arc<dyn Revocation>,
    /// The time.
    pub clock: &'a Arc<dyn Clock>,
}

/// The decision, or a refusal in its place; `None` when issuers could only be asked so late that `at` is past, and it is to be decided again. Only a document that is about to be
/// archived is asked about: what was decided before stays decided.
///
/// # Errors
/// When the gateway stops while nothing current can be had.
pub async fn still_sign(asking: &Asking<'_>, examined: &Examined, decision: Decision, at: Moment) -> Result<Option<Decision>, Stopping> {
    let (Decision::Archive { .. }, Ok(Accepted::Document(accepted))) = (&decision, &examined.verdict) else { return Ok(Some(decision)) };
    if accepted.signatures.is_empty() {
        return Ok(Some(decision));
    }
    let certificates: Vec<_> = accepted.signatures.iter().map(|fact| Arc::clone(&fact.signed_with)).collect();
    let Some(statuses) = asking.statuses(&certificates, at).await? else { return Ok(None) };
    let Decision::Archive { expects, mut warnings } = decision else { return Ok(Some(decision)) };
    Ok(Some(match Refusal::unless_clean(judge(&accepted.signatures, &statuses, at)) {
        Ok(more) => {
            warnings.extend(more);
            Decision::Archive { expects, warnings }
        }
        Err(refusal) => Decision::Refuse { refusal, expects },
    }))
}

impl Asking<'_> {
    /// What issuers say; `None` when they said it too late for `at`. Each attempt asks about its own moment: what an issuer says after a long silence is newer than `at`, and not
    /// believed of it.
    async fn statuses(&self, certificates: &[Arc<Certificate>], at: Moment) -> Result<Option<Vec<Status>>, Stopping> {
        let attempt = || {
            // Within the bound the moment asked about is the decision's own: a kept answer must not be dated after its entry.
            let now = Some(self.clock.now()).filter(|now| *now > at.plus(TOO_LATE)).unwrap_or(at);
            async move { self.revocation.statuses(certificates, now).await.map(|statuses| (now, statuses)) }
        };
        let (asked, statuses) = self.gate.through(attempt).await?;
        Ok((asked <= at.plus(TOO_LATE)).then_some(statuses))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use async_trait::async_trait;
    use tokio::sync::{mpsc, watch};

    use super::*;
    use crate::domain::outage::{Outage, Part};
    use crate::ports::broker::{Consumer, Delivery};

    struct Idle;

    #[async_trait]
    impl Consumer for Idle {
        async fn start(&self, _deliveries: mpsc::Sender<Delivery>) -> Result<(), Outage> {
            Ok(())
        }
        async fn pause(&self) {}
        async fn resume(&self) {}
        async fn close(&self, _within: Duration) {}
        fn is_up(&self) -> bool {
            true
        }
    }

    /// A clock that moves on when an issuer is asked in vain.
    struct Hands(AtomicI64);

    impl Clock for Hands {
        fn now(&self) -> Moment {
            Moment::from_seconds(self.0.load(Ordering::Acquire))
        }
    }

    /// An issuer whose new list is of `from`, and as with real ones counts no sooner than five minutes before.
    struct Silent {
        hands: Arc<Hands>,
        from: i64,
    }

    #[async_trait]
    impl Revocation for Silent {
        async fn statuses(&self, certificates: &[Arc<Certificate>], at: Moment) -> Result<Vec<Status>, Outage> {
            if at.seconds() + 300 < self.from {
                self.hands.0.fetch_add(600, Ordering::AcqRel);
                return Err(Outage::new(Part::Revocation, "nothing current"));
            }
            Ok(vec![Status::Good; certificates.len()])
        }
    }

    #[tokio::test]
    async fn an_outage_of_ten_minutes_ends_and_the_document_is_decided_again() {
        let (_stop, stopped) = watch::channel(false);
        let gate = Gate::new(Arc::new(Idle), stopped);
        let hands = Arc::new(Hands(AtomicI64::new(1000)));
        let revocation: Arc<dyn Revocation> = Arc::new(Silent { hands: Arc::clone(&hands), from: 1600 });
        let clock: Arc<dyn Clock> = Arc::<Hands>::clone(&hands);
        let asking = Asking { gate: &gate, revocation: &revocation, clock: &clock };
        let asked = async |at| tokio::time::timeout(Duration::from_secs(5), asking.statuses(&[], at)).await;
        assert_eq!(asked(clock.now()).await, Ok(Ok(None)), "ten minutes after the decision");
        assert_eq!(clock.now().seconds(), 1600);
        assert_eq!(asked(clock.now()).await, Ok(Ok(Some(Vec::new()))), "decided again");
        assert_eq!(asked(Moment::from_seconds(1599)).await, Ok(Ok(Some(Vec::new()))), "a second is no outage");
    }
}
