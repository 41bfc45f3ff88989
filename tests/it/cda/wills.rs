//! What the archive has against a will: the decision's own rules, one by one.

use arkki::domain::digest::Digest;
use arkki::domain::document::{Group, Header};
use arkki::domain::facts::{Awaited, Facts, NamedFact};
use arkki::domain::ledger::Position;
use arkki::domain::oid::Oid;
use arkki::domain::will::{ClientWills, Denied, Edition, Said, Will};
use arkki::rules::decide::{Decision, Holding, Request, decide};
use arkki::rules::wills::{CLOCKS, Counting};

use super::RULES;
use super::decide::{NOW, codes, header, request};

fn will(said: Said) -> Request {
    let group = match said {
        Said::Informed { .. } => Group::Informing,
        Said::Permitted(_) => Group::Permission,
        Said::Denials(_) | Said::Cancelled(_) => Group::Denial,
    };
    Request { will: Some((said, Counting::of(&RULES.wills))), ..request(Header { authored: NOW, ..header(group) }) }
}

/// The client was informed, of this edition.
fn informed(major: u16) -> ClientWills {
    let Header { id, set_id, version, authored, authored_date: day, .. } = header(Group::Informing);
    let said = Said::Informed { edition: Edition { major, minor: 0 } };
    let row = Will { document: id, set_id, version, position: Position(1), authored, day, archived_at: authored, is_valid: true, said };
    ClientWills { rows: vec![row], newest: Some(Position(1)), is_cut: false }
}

fn named(group: Group, client: Digest) -> NamedFact {
    NamedFact { id: target(), set_id: target(), group, client }
}

fn target() -> Oid {
    Oid::parse("1.2.246.10.99999992.95.777").expect("an OID")
}

/// The codes of a refusal or of the warnings; `held` for what waits.
fn said(request: &Request, wills: ClientWills, named: Vec<NamedFact>) -> Vec<&'static str> {
    match decide(request, &Facts { wills: Some(wills), named, ..Facts::default() }, NOW) {
        Decision::Archive { warnings, .. } => warnings.iter().map(|f| f.code.as_str()).collect(),
        Decision::Hold { awaits, .. } => {
            assert_eq!(awaits, Awaited::Document(target()));
            vec!["held"]
        }
        other => codes(&other),
    }
}

#[test]
fn a_missing_informing_is_told_and_prevents_nothing() {
    let denial = || Said::Denials(vec![Denied::Task("24".to_owned())]);
    for (what, wills, wanted) in [
        (Said::Permitted(true), ClientWills::default(), &["W930"][..]),
        (Said::Permitted(true), informed(1), &["W930"]),
        (Said::Permitted(true), informed(2), &[]),
        (denial(), ClientWills::default(), &["W930"]),
        (denial(), informed(2), &[]),
        // Who permits no longer, or informs, needs no informing.
        (Said::Permitted(false), ClientWills::default(), &[]),
        (Said::Informed { edition: Edition::default() }, ClientWills::default(), &[]),
    ] {
        assert_eq!(said(&will(what.clone()), wills, Vec::new()), wanted, "{what:?}");
    }
}

#[test]
fn a_will_of_tomorrow_is_refused_and_a_clock_ahead_is_not() {
    let mut permission = will(Said::Permitted(true));
    permission.header.authored = NOW.plus(CLOCKS);
    assert_eq!(said(&permission, informed(2), Vec::new()), [""; 0]);
    permission.header.authored = permission.header.authored.plus(std::time::Duration::from_micros(1));
    assert_eq!(said(&permission, informed(2), Vec::new()), ["E723"]);
}

#[test]
fn what_is_named_is_there_and_the_clients_own() {
    let denial = will(Said::Denials(vec![Denied::Document(target())]));
    let ended = will(Said::Cancelled(vec![target()]));
    let (own, other) = (denial.header.client, Digest([9; 32]));
    for (request, facts, wanted) in [
        (&denial, vec![named(Group::Client, own)], &[][..]),
        (&denial, vec![named(Group::Case, own)], &["W931"]),
        (&denial, vec![named(Group::Client, other)], &["E722"]),
        (&denial, vec![named(Group::Permission, own)], &["E724"]),
        (&denial, Vec::new(), &["held"]),
        (&ended, vec![named(Group::Denial, own)], &[]),
        (&ended, vec![named(Group::Denial, other)], &["E722"]),
        (&ended, vec![named(Group::Permission, own)], &["E724"]),
        (&ended, vec![named(Group::Client, own)], &["E724"]),
        (&ended, Vec::new(), &["held"]),
    ] {
        assert_eq!(said(request, informed(2), facts.clone()), wanted, "{:?} {facts:?}", request.will);
    }
    // When its time is up it is refused for what is missing.
    let late = Request { holding: Holding::Held(NOW), ..denial };
    assert_eq!(said(&late, informed(2), Vec::new()), ["E721"]);
}
