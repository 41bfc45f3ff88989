//! Whether the sender's registration is in force at the moment of the decision. Everything else that a sender may or may not do needs no clock and is
//! part of the examination.

use super::decide::Decision;
use crate::domain::access::Grant;
use crate::domain::code::Code;
use crate::domain::finding::Finding;
use crate::domain::refusal::Refusal;
use crate::domain::time::Moment;

/// The decision, or a refusal in its place. What was decided before stays decided: a repeat gets its answer also when the registration has ended,
/// but for a query's, which would show documents once more to who may not see them now.
#[must_use]
pub fn still_may(grant: &Grant, decision: Decision, is_query: bool, at: Moment) -> Decision {
    match decision {
        Decision::Repeat | Decision::RepeatHeld if !is_query => decision,
        decision if grant.is_in_force(at) => decision,
        _ => Decision::Refuse { refusal: Refusal::one(Finding::whole(Code::E851)), expects: Vec::new() },
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::domain::access::{Asked, Matrix, Profile, Register, Registration};
    use crate::domain::document::Date;
    use crate::domain::oid::Oid;

    #[test]
    fn an_ended_registration_refuses_what_is_new_and_repeats_what_was_decided() {
        let system = Registration {
            name: "a".to_owned(),
            user: "anna".to_owned(),
            devices: Vec::new(),
            organisation: Oid::parse("1.2.3").unwrap(),
            controllers: Vec::new(),
            register_rights: Vec::new(),
            profile: Profile::Joining,
            certificate: None,
            days: (None, Some(Date { year: 2026, month: 6, day: 30 })),
            disclosure_management: false,
        };
        let grant = Register::new(true, vec![system]).judge(&Matrix::default(), &Asked { user: "anna", ..Asked::default() }).unwrap();
        let at = |text: &str| Moment::parse_iso(text).unwrap();
        let archive = || Decision::Archive { expects: Vec::new(), warnings: Vec::new() };
        assert_eq!(still_may(&grant, archive(), false, at("2026-06-30T12:00:00Z")), archive());
        let Decision::Refuse { refusal, .. } = still_may(&grant, archive(), false, at("2026-07-01T12:00:00Z")) else { panic!("archived after its end") };
        assert_eq!(refusal.code(), Code::E851);
        assert_eq!(still_may(&grant, Decision::Repeat, false, at("2026-07-01T12:00:00Z")), Decision::Repeat);
        assert_ne!(still_may(&grant, Decision::Repeat, true, at("2026-07-01T12:00:00Z")), Decision::Repeat);
    }
}
