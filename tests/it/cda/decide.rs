//! The decision, row by row and over generated cases.

use super::RULES;
use arkki::domain::code::Code;
use arkki::domain::digest::Digest;
use arkki::domain::document::{CaseState, Date, Group, Header, RelationState, Replaced};
use arkki::domain::facts::{Awaited, Expectation, Facts, Prior, Standing};
use arkki::domain::facts::{CaseFact, DocumentFact, Mark, RelationFact, SetFact};
use arkki::domain::finding::Finding;
use arkki::domain::message::MessageKey;
use arkki::domain::message::Sender;
use arkki::domain::oid::Oid;
use arkki::domain::time::Moment;
use arkki::rules::decide::{Decision, Holding, Request, decide, own_rules};
use proptest::prelude::*;

pub const NOW: Moment = Moment::from_seconds(1_795_000_000);

fn oid(n: u32) -> Oid {
    Oid::parse(&format!("1.2.246.10.99999992.95.2026.{n}")).unwrap()
}

fn digest(n: u8) -> Digest {
    Digest([n; 32])
}

pub fn header(group: Group) -> Header {
    Header {
        id: oid(1),
        set_id: oid(1),
        version: 1,
        replaces: None,
        group,
        client: digest(1),
        controller: oid(900),
        organiser: None,
        service_task: Some("24".to_owned()),
        original_task: None,
        case_id: (group != Group::ClientRelation).then(|| oid(30)),
        relation_id: matches!(group, Group::ClientRelation | Group::Case).then(|| oid(20)),
        general_type: None,
        specific_type: None,
        authored: NOW,
        authored_date: Date { year: 2026, month: 11, day: 22 },
        created: None,
        language: "fi".to_owned(),
        case_state: (group == Group::Case).then_some(CaseState { closed: false }),
        relation_state: (group == Group::ClientRelation).then_some(RelationState { old: false }),
    }
}

pub fn request(header: Header) -> Request {
    Request {
        key: MessageKey { sender: Sender::new("s"), octets: digest(7) },
        frame: None,
        header,
        invalidates: false,
        will: None,
        received: digest(8),
        warnings: Vec::new(),
        holding: Holding::Fresh,
        rules: digest(9),
    }
}

fn case() -> CaseFact {
    CaseFact {
        id: oid(30),
        revision: 1,
        closed: false,
        client: digest(1),
        controller: oid(900),
        service_task: None,
        set_id: oid(3),
        relation_id: Some(oid(20)),
        relation_old: false,
        relation_revision: None,
        invalid: false,
        relation_invalid: false,
    }
}

fn relation() -> RelationFact {
    RelationFact { id: oid(20), revision: 1, old: false, client: digest(1), controller: oid(900), set_id: oid(2), invalid: false }
}

fn archived(id: u32, version: u32) -> DocumentFact {
    DocumentFact {
        id: oid(id),
        set_id: oid(1),
        version,
        group: Group::Client,
        client: digest(1),
        controller: oid(900),
        received: digest(3),
        case_id: None,
        relation_id: None,
        mark: Mark::None,
    }
}

fn prior(standing: Standing) -> Prior {
    Prior { standing, revision: 1, outcome: digest(5), rules: digest(9), is_final: true }
}

fn replacement() -> Header {
    Header { id: oid(2), version: 2, replaces: Some(Replaced { id: oid(1), set_id: Some(oid(1)), version: Some(1) }), ..header(Group::Client) }
}

pub fn codes(decision: &Decision) -> Vec<&'static str> {
    match decision {
        Decision::Refuse { refusal, .. } => refusal.findings().map(|f| f.code.as_str()).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_was_decided_stands() {
    let request = request(header(Group::Client));
    let with = |prior| Facts { prior: Some(prior), case: Some(case()), ..Facts::default() };
    for (prior, want) in [
        (prior(Standing::Accepted), Some(Decision::Repeat)),
        (prior(Standing::Noted), Some(Decision::Repeat)),
        (prior(Standing::Refused), Some(Decision::Repeat)),
        (Prior { rules: digest(1), ..prior(Standing::Accepted) }, Some(Decision::Repeat)),
        (Prior { rules: digest(1), ..prior(Standing::Refused) }, None),
        (Prior { is_final: false, ..prior(Standing::Refused) }, None),
        (prior(Standing::Held), Some(Decision::RepeatHeld)),
    ] {
        let decision = decide(&request, &with(prior.clone()), NOW);
        match want {
            Some(want) => assert_eq!(decision, want, "{prior:?}"),
            None => assert!(matches!(decision, Decision::Archive { .. }), "{prior:?}: {decision:?}"),
        }
    }
    let held = Request { holding: Holding::Held(NOW), ..request };
    assert!(matches!(decide(&held, &with(prior(Standing::Held)), NOW), Decision::Archive { .. }));
}

#[test]
fn ids_are_taken_by_other_octets_only() {
    let request = request(header(Group::Client));
    let facts = Facts { frame: Some(digest(1)), case: Some(case()), ..Facts::default() };
    assert_eq!(codes(&decide(&request, &facts, NOW)), ["E706"]);
    let facts = Facts { frame: Some(digest(7)), case: Some(case()), ..Facts::default() };
    assert!(matches!(decide(&request, &facts, NOW), Decision::Archive { .. }));
    let facts = Facts { document: Some(archived(1, 1)), ..Facts::default() };
    assert_eq!(codes(&decide(&request, &facts, NOW)), ["E701"]);
    let facts = Facts { document: Some(DocumentFact { received: digest(8), ..archived(1, 1) }), ..Facts::default() };
    match decide(&request, &facts, NOW) {
        Decision::Already { warnings, .. } => assert_eq!(warnings[0].code, Code::W907),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_replacement_follows_the_latest_of_its_set() {
    let facts = |replaced: DocumentFact, latest: DocumentFact| Facts { replaced: Some(replaced), latest: Some(latest), case: Some(case()), ..Facts::default() };
    let good = facts(archived(1, 1), archived(1, 1));
    match decide(&request(replacement()), &good, NOW) {
        Decision::Archive { expects, .. } => assert!(expects.contains(&Expectation::Latest { set_id: oid(1), version: Some(1) })),
        other => panic!("{other:?}"),
    }
    assert_eq!(codes(&decide(&request(replacement()), &facts(archived(1, 1), archived(9, 2)), NOW)), ["E705"]);
    assert_eq!(codes(&decide(&request(Header { version: 4, ..replacement() }), &good, NOW)), ["E703"]);
    let other = DocumentFact { group: Group::PhaseOne, client: digest(2), controller: oid(901), ..archived(1, 1) };
    assert_eq!(codes(&decide(&request(replacement()), &facts(other.clone(), other), NOW)), ["E707", "E408", "E409"]);
    let other = DocumentFact { set_id: oid(5), ..archived(1, 1) };
    assert_eq!(codes(&decide(&request(replacement()), &facts(other.clone(), archived(1, 1)), NOW)), ["E702"]);
    let mut never = request(replacement());
    let nothing = Facts { case: Some(case()), ..Facts::default() };
    match decide(&never, &nothing, NOW) {
        Decision::Hold { awaits, expects } => {
            assert_eq!(awaits, Awaited::Document(oid(1)));
            assert_eq!(expects, [Expectation::Document { id: oid(1), present: false }]);
        }
        other => panic!("{other:?}"),
    }
    never.holding = Holding::Never;
    assert_eq!(codes(&decide(&never, &nothing, NOW)), ["E704"]);
    assert_eq!(codes(&decide(&request(header(Group::Client)), &Facts { latest: Some(archived(9, 3)), case: Some(case()), ..Facts::default() }, NOW)), ["E702"]);
}

#[test]
fn the_versions_of_a_set_make_one_case_or_one_relation() {
    let judge = |group, before: DocumentFact| {
        let new =
            Header { group, case_id: header(group).case_id, relation_id: header(group).relation_id, case_state: header(group).case_state, ..replacement() };
        let new = Header { relation_state: header(group).relation_state, ..new };
        let before = DocumentFact { group, ..before };
        let relation = (group == Group::Case).then(relation);
        decide(&request(new), &Facts { replaced: Some(before.clone()), latest: Some(before), relation, ..Facts::default() }, NOW)
    };
    let made = |case, relation| DocumentFact { case_id: case, relation_id: relation, ..archived(1, 1) };
    assert!(matches!(judge(Group::Case, made(Some(oid(30)), Some(oid(20)))), Decision::Archive { .. }));
    assert_eq!(codes(&judge(Group::Case, made(Some(oid(31)), Some(oid(20))))), ["E702"]);
    assert!(matches!(judge(Group::ClientRelation, made(None, Some(oid(20)))), Decision::Archive { .. }));
    assert_eq!(codes(&judge(Group::ClientRelation, made(None, Some(oid(21))))), ["E702"]);
}

#[test]
fn own_version_rules() {
    let codes = |h: &Header| own_rules(h, &RULES).iter().map(|f| f.code.as_str()).collect::<Vec<_>>();
    assert!(codes(&header(Group::Client)).is_empty() && codes(&replacement()).is_empty());
    assert_eq!(codes(&Header { set_id: oid(9), ..header(Group::Client) }), ["E702"]);
    assert_eq!(codes(&Header { version: 1, set_id: oid(2), replaces: Some(Replaced { id: oid(1), set_id: None, version: None }), ..replacement() }), ["E703"]);
    assert_eq!(codes(&Header { version: 2, id: oid(9), ..header(Group::Client) }), ["E703"]);
    assert_eq!(codes(&Header { id: oid(1), ..replacement() }), ["E702"]);
    assert_eq!(codes(&Header { version: 5, ..replacement() }), ["E703"]);
}

#[test]
fn client_documents_hang_on_a_fitting_case() {
    let judge = |group, case: CaseFact| decide(&request(header(group)), &Facts { case: Some(case), ..Facts::default() }, NOW);
    assert!(matches!(judge(Group::Client, case()), Decision::Archive { .. }));
    assert!(matches!(judge(Group::Client, CaseFact { closed: true, ..case() }), Decision::Archive { .. }));
    assert!(matches!(judge(Group::Old, CaseFact { closed: true, relation_old: true, ..case() }), Decision::Archive { .. }));
    assert_eq!(codes(&judge(Group::Old, case())), ["E403"]);
    assert_eq!(codes(&judge(Group::PhaseOne, CaseFact { relation_old: true, ..case() })), ["E404"]);
    assert_eq!(codes(&judge(Group::Client, CaseFact { client: digest(2), ..case() })), ["E408"]);
    assert_eq!(codes(&judge(Group::Client, CaseFact { controller: oid(901), ..case() })), ["E409"]);
    let other = Header { relation_id: Some(oid(21)), ..header(Group::Client) };
    assert_eq!(codes(&decide(&request(other), &Facts { case: Some(case()), ..Facts::default() }, NOW)), ["E402"]);
}

#[test]
fn cases_and_relations() {
    let judge = |h: Header, case, relation| decide(&request(h), &Facts { case, relation, ..Facts::default() }, NOW);
    match judge(header(Group::Case), None, Some(relation())) {
        Decision::Archive { expects, .. } => {
            assert!(expects.contains(&Expectation::Case { id: oid(30), revision: None }));
            assert!(expects.contains(&Expectation::Relation { id: oid(20), revision: Some(1) }));
        }
        other => panic!("{other:?}"),
    }
    let old = RelationFact { old: true, ..relation() };
    assert_eq!(codes(&judge(header(Group::Case), None, Some(old.clone()))), ["E403"]);
    let closed = Header { case_state: Some(CaseState { closed: true }), ..header(Group::Case) };
    assert!(matches!(judge(closed, None, Some(old.clone())), Decision::Archive { .. }));
    assert_eq!(codes(&judge(header(Group::Case), Some(case()), Some(relation()))), ["E702"]);
    assert_eq!(codes(&judge(header(Group::Case), None, Some(RelationFact { client: digest(3), ..relation() }))), ["E408"]);
    assert!(matches!(judge(header(Group::Case), None, None), Decision::Hold { awaits: Awaited::Relation(_), .. }));
    assert!(matches!(judge(header(Group::ClientRelation), None, None), Decision::Archive { .. }));
    assert_eq!(codes(&judge(header(Group::ClientRelation), None, Some(relation()))), ["E702"]);
    assert_eq!(codes(&judge(header(Group::ClientRelation), None, Some(RelationFact { set_id: oid(1), ..old }))), ["E405"]);
}

#[test]
fn a_hold_ends_with_its_time_and_faults_are_not_held() {
    let held = Request { holding: Holding::Held(NOW), ..request(header(Group::Client)) };
    let facts = Facts { prior: Some(prior(Standing::Held)), ..Facts::default() };
    assert!(matches!(decide(&held, &facts, Moment::from_seconds(1)), Decision::Hold { .. }));
    assert_eq!(codes(&decide(&held, &facts, NOW)), ["E401"]);
    let faulty = Header { controller: oid(1), ..replacement() };
    let facts = Facts { replaced: Some(archived(1, 1)), latest: Some(archived(1, 1)), ..Facts::default() };
    assert_eq!(codes(&decide(&request(faulty), &facts, NOW)), ["E409", "E401"], "what is missing is told with what is wrong");
}

prop_compose! {
    fn any_header()(group in 0..7_usize, id in 0..4_u32, set in 0..4_u32, version in prop_oneof![0..4_u32, Just(u32::MAX)], replaces in proptest::option::of(0..4_u32),
                    client in 0..2_u8, links in any::<[bool; 3]>()) -> Header {
        let mut header = header(Group::ALL[group]);
        header.id = oid(id);
        header.set_id = oid(set);
        header.version = version;
        header.replaces = replaces.map(|r| Replaced { id: oid(r), set_id: None, version: None });
        header.client = digest(client);
        if links[0] { header.case_id = None; }
        if links[1] { header.relation_id = Some(oid(20)); }
        if links[2] { header.relation_state = None; }
        header
    }
}

prop_compose! {
    fn any_facts()(prior_at in 0..10_i16, fin in any::<bool>(), frame in proptest::option::of(6..9_u8), document in proptest::option::of(0..2_u8),
                   chain in proptest::option::of((0..4_u32, 0..4_u32)), latest in proptest::option::of((0..4_u32, prop_oneof![0..4_u32, Just(u32::MAX)])), flags in any::<[bool; 6]>()) -> Facts {
        Facts {
            prior: Standing::from_number(prior_at).map(|s| Prior { is_final: fin, ..prior(s) }),
            frame: frame.map(digest),
            document: document.map(|d| DocumentFact { received: digest(7 + d), ..archived(1, 1) }),
            latest: latest.map(|(id, version)| archived(id, version)),
            set: SetFact { events: u32::from(flags[4]), invalid: flags[4] },
            replaced: chain.map(|(id, version)| archived(id, version)),
            case: flags[0].then(|| CaseFact { closed: flags[1], relation_old: flags[2], invalid: flags[5], ..case() }),
            relation: flags[3].then(|| RelationFact { old: flags[1], ..relation() }),
            ..Facts::default()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever comes, there is one decision, the same each time, and it keeps the promises that hold for all.
    #[test]
    fn decides_every_case_the_same_way_twice(header in any_header(), facts in any_facts(), holding in prop_oneof![Just(Holding::Fresh), Just(Holding::Never), Just(Holding::Held(NOW))]) {
        let request = Request { holding, ..request(header.clone()) };
        let decision = decide(&request, &facts, NOW);
        prop_assert_eq!(&decision, &decide(&request, &facts, NOW));
        let standing = facts.prior.as_ref().map(|p| p.standing);
        match &decision {
            Decision::Archive { expects, .. } => {
                prop_assert!(facts.document.is_none() && facts.frame.is_none_or(|f| f == request.key.octets));
                prop_assert!(standing != Some(Standing::Accepted));
                let absent = Expectation::Document { id: header.id.clone(), present: false };
                prop_assert!(expects.contains(&absent), "P6: nothing is overwritten");
                prop_assert!(header.replaces.is_none() || !facts.set.invalid, "nothing follows what was invalidated");
                prop_assert!(!header.group.hangs_on_case() || header.case_id.is_none() || facts.case.as_ref().is_none_or(|c| !c.invalid), "nothing hangs on what was invalidated");
                if let (true, Some(id)) = (header.group.hangs_on_case(), &header.case_id) {
                    let on_case = facts.case.as_ref().map(|c| Expectation::Case { id: id.clone(), revision: Some(c.revision) });
                    prop_assert!(on_case.is_some_and(|e| expects.contains(&e)));
                }
            }
            Decision::Hold { .. } => prop_assert_eq!(holding, Holding::Fresh),
            Decision::Refuse { refusal, .. } => prop_assert!(refusal.findings().any(Finding::is_error)),
            Decision::Event { .. } | Decision::Notice { .. } | Decision::Answer(..) => prop_assert!(false, "a document asks for no event and no answer"),
            Decision::Already { .. } => prop_assert!(facts.document.as_ref().is_some_and(|d| d.received == request.received)),
            Decision::Repeat => prop_assert!(matches!(standing, Some(Standing::Accepted | Standing::Noted | Standing::Refused))),
            Decision::RepeatHeld => prop_assert_eq!(standing, Some(Standing::Held)),
        }
    }
}
