//! Searches, fetches and answers in both archives: what is found, what is not, what is logged and what is forgotten.

use arkki::crypto::sha256;
use arkki::domain::change::{Access, Commit, Effect, Look, QueryAnswer};
use arkki::domain::digest::Digest;
use arkki::domain::document::{Date, Group, Header};
use arkki::domain::facts::Standing;
use arkki::domain::ledger::{Entry, EntryKind, Position};
use arkki::domain::limits;
use arkki::domain::oid::Oid;
use arkki::domain::query::{Criteria, Fetched, Found, Narrowing, Register, Registers, WantedState, Way};
use arkki::domain::scope::{Scope, Withheld, Within};
use arkki::pipeline::audit::{Plan, audit};
use arkki::ports::archive::Archive;

use super::make::*;
use super::place::Place;

fn own() -> Scope {
    Scope::of(Registers::new(vec![Register::Controller(oid(10, 1))]))
}

async fn ids(archive_: &dyn Archive, criteria: &Criteria) -> Vec<String> {
    match archive_.search(criteria, &own(), limits::QUERY_HITS).await.unwrap() {
        Found::Hits(hits) => hits.iter().map(|hit| hit.header.id.as_str().rsplit('.').next().unwrap().to_owned()).collect(),
        other => panic!("{other:?}"),
    }
}

/// Six documents of one client, each in its own way.
async fn filled(place: &Place) -> std::sync::Arc<dyn Archive> {
    let archive_ = place.open("one").await;
    let client = sha256(b"client");
    let day = |n: u32, head: Header| {
        let day = Date { year: 2026, month: u8::try_from(n).unwrap(), day: 15 };
        Header { client, authored: at(-86_400 * i64::from(10 - n)), authored_date: day, ..head }
    };
    let heads = [
        day(1, relation_header(1, 1, false)),
        day(2, case_header(2, 1, 1, false)),
        day(3, Header { case_id: Some(case_id(1)), service_task: Some("24".to_owned()), ..header(3) }),
        day(4, Header { case_id: Some(case_id(1)), specific_type: Some("15007".to_owned()), ..header(4) }),
        day(5, Header { general_type: Some("15".to_owned()), group: Group::Old, ..header(5) }),
        Header { client: sha256(b"another"), ..day(6, header(6)) },
    ];
    for head in heads {
        done(archive_.commit(archive(head)).await.unwrap());
    }
    archive_
}

pub async fn searches_find_what_meets_every_criterion(place: Place) {
    let archive_ = filled(&place).await;
    let client = Criteria { client: Some(sha256(b"client")), ..Criteria::default() };
    let date = |month, day| Some(Date { year: 2026, month, day });
    let found = |criteria: Criteria| {
        let archive_ = &archive_;
        async move { ids(&**archive_, &criteria).await.join(" ") }
    };
    // Newest first.
    assert_eq!(found(client.clone()).await, "5 4 3 2 1");
    for (criteria, wanted) in [
        (Criteria { service_task: Some("24".to_owned()), ..client.clone() }, "3"),
        (Criteria { general_type: Some("15".to_owned()), ..client.clone() }, "5"),
        (Criteria { specific_type: Some("15007".to_owned()), ..client.clone() }, "4"),
        (Criteria { case_id: Some(case_id(1)), ..Criteria::default() }, "4 3 2"),
        (Criteria { relation_id: Some(relation_id(1)), ..Criteria::default() }, "2 1"),
        (Criteria { group: Some(Group::Old), ..client.clone() }, "5"),
        (Criteria { from: date(3, 15), to: date(4, 15), ..client.clone() }, "4 3"),
        (Criteria { from: date(5, 16), ..client.clone() }, ""),
        (Criteria { from: date(6, 1), to: date(6, 30), ..Criteria::default() }, "6"),
        (Criteria { controller: Some(oid(10, 1)), to: date(1, 31), ..client.clone() }, "1"),
        (Criteria { ids: vec![document_id(6), document_id(2), document_id(77)], ..Criteria::default() }, "6 2"),
        (Criteria { sets: vec![set_id(3), set_id(4), set_id(5)], case_id: Some(case_id(1)), ..Criteria::default() }, "4 3"),
        (Criteria { as_of: Some(at(-1)), ..client.clone() }, ""),
        (Criteria { as_of: Some(at(1)), group: Some(Group::Case), ..client.clone() }, "2"),
        // AND: no document meets both.
        (Criteria { service_task: Some("24".to_owned()), specific_type: Some("15007".to_owned()), ..client.clone() }, ""),
    ] {
        assert_eq!(found(criteria.clone()).await, wanted, "{criteria:?}");
    }
    let Found::Hits(hits) = archive_.search(&client, &own(), 5).await.unwrap() else { panic!("five are no more than five") };
    assert_eq!((hits[0].archived_at, hits[0].is_valid), (at(0), true));
    assert_eq!(Some(&hits[0].header), archive_.document(&document_id(5)).await.unwrap().unwrap().header.as_ref());
}

pub async fn only_the_latest_valid_versions_unless_asked(place: Place) {
    let archive_ = place.open("one").await;
    let first = Header { client: sha256(b"client"), ..header(1) };
    let second = replacing(&first, 2);
    let later = |commit: Commit| Commit { at: at(100), ..commit };
    done(archive_.commit(archive(first.clone())).await.unwrap());
    done(archive_.commit(later(archive(second.clone()))).await.unwrap());
    let base = Criteria { client: Some(sha256(b"client")), ..Criteria::default() };
    let state = |state, all_versions| Criteria { state, all_versions, ..base.clone() };
    assert_eq!(ids(&*archive_, &base).await, ["2"]);
    assert_eq!(ids(&*archive_, &Criteria { all_versions: true, ..base.clone() }).await, ["1", "2"]);
    assert_eq!(ids(&*archive_, &Criteria { ids: vec![document_id(1)], ..Criteria::default() }).await, ["1"]);
    // The second version is invalidated by itself: the first is the latest valid one again.
    let event = |n: u32, kind: u32, version: &str, at: i64| {
        format!(
            "INSERT INTO document_event (position, kind, set_id, document_id, at, sender, controller) VALUES ({n}, {kind}, '{}', {version}, {at}, 's', 'c')",
            set_id(1)
        )
    };
    let second_id = format!("'{}'", document_id(2));
    place.sql(&event(91, 1, &second_id, at(200).micros())).await;
    place.sql(&format!("INSERT INTO invalid (id, scope, position) VALUES ({second_id}, 1, 91)")).await;
    assert_eq!(ids(&*archive_, &base).await, ["1"]);
    assert_eq!(ids(&*archive_, &state(WantedState::Invalidated, true)).await, ["2"]);
    assert_eq!(ids(&*archive_, &state(WantedState::Any, true)).await, ["1", "2"]);
    assert_eq!(ids(&*archive_, &Criteria { ids: vec![document_id(2)], ..Criteria::default() }).await, [""; 0]);
    // Then the whole set, and the set again reinstated.
    place.sql(&event(92, 1, "NULL", at(300).micros())).await;
    place.sql(&format!("INSERT INTO invalid (id, scope, position) VALUES ('{}', 2, 92)", set_id(1))).await;
    assert_eq!(ids(&*archive_, &base).await, [""; 0]);
    assert_eq!(ids(&*archive_, &state(WantedState::Invalidated, true)).await, ["1", "2"]);
    place.sql(&event(93, 2, "NULL", at(400).micros())).await;
    place.sql(&format!("DELETE FROM invalid WHERE id = '{}' AND scope = 2", set_id(1))).await;
    // At each moment, what was valid then.
    for (when, wanted) in [(-1, &[][..]), (50, &["1"]), (150, &["2"]), (250, &["1"]), (350, &[]), (450, &["1"])] {
        assert_eq!(ids(&*archive_, &Criteria { as_of: Some(at(when)), ..base.clone() }).await, wanted, "{when}");
    }
    let Found::Hits(hits) = archive_.search(&Criteria { as_of: Some(at(350)), ..state(WantedState::Any, true) }, &own(), 9).await.unwrap() else { panic!() };
    assert!(hits.iter().all(|hit| !hit.is_valid) && hits.len() == 2);
}

pub async fn nothing_of_another_register_is_found_or_fetched(place: Place) {
    let archive_ = place.open("one").await;
    let theirs = Oid::parse("1.2.246.10.999999921.10.1").unwrap();
    done(archive_.commit(archive(Header { controller: theirs.clone(), ..header(1) })).await.unwrap());
    let criteria = Criteria { ids: vec![document_id(1)], ..Criteria::default() };
    // A prefix of arcs, not of characters.
    let of = |registers| Scope::of(Registers::new(registers));
    let organisation = |oid: &str| of(vec![Register::Organisation(Oid::parse(oid).unwrap())]);
    for (registers, count) in [
        (own(), 0),
        (organisation("1.2.246.10.99999992"), 0),
        (organisation("1.2.246.10.999999921"), 1),
        (of(vec![Register::Controller(theirs.clone())]), 1),
        (of(vec![Register::Controller(oid(10, 1)), Register::Controller(theirs.clone())]), 1),
        (of(Vec::new()), 0),
    ] {
        let Found::Hits(hits) = archive_.search(&criteria, &registers, 300).await.unwrap() else { panic!() };
        assert_eq!(hits.len(), count, "{registers:?}");
        let Fetched::Octets(octets) = archive_.fetch(&criteria.ids, &registers, 1_000_000).await.unwrap() else { panic!() };
        assert_eq!(octets[0].is_some(), count == 1, "{registers:?}");
    }
}

/// What is withheld is no row: not of a search, not of a fetch, not of what a search that found too much tells.
pub async fn what_is_withheld_is_no_row(place: Place) {
    let archive_ = filled(&place).await;
    let client = Criteria { client: Some(sha256(b"client")), state: WantedState::Any, ..Criteria::default() };
    let all_but = |registers: Vec<Register>| Within::AllBut(Registers::new(registers));
    let others = || all_but(vec![Register::Controller(Oid::parse("1.2.3").unwrap())]);
    let ours = || Registers::new(vec![Register::Controller(oid(10, 1))]);
    let of = |withheld: Withheld| Scope { within: others(), withheld };
    for (scope, found) in [
        (of(Withheld::default()), "5 4 3 2 1"),
        (Scope { within: all_but(vec![Register::Controller(oid(10, 1))]), withheld: Withheld::default() }, ""),
        (of(Withheld { everything: true, ..Withheld::default() }), ""),
        (of(Withheld { sets: vec![set_id(3), set_id(4), set_id(1)], ..Withheld::default() }), "5 2"),
        (of(Withheld { tasks: vec!["24".to_owned()], ..Withheld::default() }), "5 4 2 1"),
        (of(Withheld { controllers: vec![Oid::parse("1.2.3.4").unwrap()], ..Withheld::default() }), "5 4 3 2 1"),
        (of(Withheld { controllers: vec![oid(10, 1)], ..Withheld::default() }), ""),
        (of(Withheld { groups: vec![Group::Old, Group::Case], ..Withheld::default() }), "4 3 1"),
        (of(Withheld { unmanaged: Some((ours(), Registers::new(Vec::new()))), ..Withheld::default() }), ""),
        (of(Withheld { unmanaged: Some((ours(), ours())), ..Withheld::default() }), "5 4 3 2 1"),
    ] {
        let Found::Hits(hits) = archive_.search(&client, &scope, 300).await.unwrap() else { panic!("few") };
        let ids: Vec<&str> = hits.iter().map(|hit| hit.header.id.as_str().rsplit('.').next().unwrap()).collect();
        assert_eq!(ids.join(" "), found, "{scope:?}");
        let asked: Vec<Oid> = (1..=6).map(document_id).collect();
        let Fetched::Octets(octets) = archive_.fetch(&asked, &scope, 1_000_000).await.unwrap() else { panic!("little") };
        let given = octets.iter().take(5).flatten().count();
        assert_eq!(given, ids.len(), "{scope:?}");
        match archive_.search(&client, &scope, 1).await.unwrap() {
            Found::TooMany(narrowing) => assert_eq!(narrowing.counted, ids.len() as u64, "{scope:?}"),
            Found::Hits(hits) => assert!(hits.len() == ids.len() && ids.len() < 2, "{scope:?}"),
            Found::TooSlow | Found::Damaged(_) => panic!("neither slow nor damaged"),
        }
    }
    // The link: a client relation in force or an open case in the asker's own registers, and of this client.
    let linked = |client: &'static [u8], registers: Registers| {
        let archive_ = &archive_;
        async move { archive_.linked(&sha256(client), &registers).await.unwrap() }
    };
    assert!(linked(b"client", ours()).await);
    assert!(!linked(b"another", ours()).await);
    assert!(!linked(b"client", Registers::new(vec![Register::Controller(Oid::parse("1.2.3").unwrap())])).await);
    assert!(!linked(b"client", Registers::new(Vec::new())).await);
}

/// Describing data that cannot be read are found, and named; whoever does not ask for them is not troubled.
pub async fn unreadable_rows_are_found_as_damage(place: Place) {
    let archive_ = filled(&place).await;
    place.sql(&format!("UPDATE document SET doc_group = 77 WHERE id = '{}'", document_id(4))).await;
    let client = Criteria { client: Some(sha256(b"client")), ..Criteria::default() };
    assert_eq!(archive_.search(&client, &own(), 300).await.unwrap(), Found::Damaged(vec![document_id(4)]));
    assert_eq!(ids(&*archive_, &Criteria { service_task: Some("24".to_owned()), ..client }).await, ["3"]);
}

/// By dates alone, in the registers of an organisation: its own controllers' documents and nobody else's.
pub async fn dates_alone_find_a_registers_own(place: Place) {
    let archive_ = place.open("one").await;
    crowd(&place, &sha256(b"crowded"), 10_000).await;
    let organisation = |oid: &str| Scope::of(Registers::new(vec![Register::Organisation(Oid::parse(oid).unwrap())]));
    let day = |month, day| Some(Date { year: 2020, month, day });
    let dates = Criteria { from: day(6, 15), to: day(6, 15), ..Criteria::default() };
    let Found::TooMany(narrowing) = archive_.search(&dates, &organisation("1.2.246.10.99999992"), 300).await.unwrap() else { panic!() };
    assert_eq!(narrowing.counted, 1000);
    for (scope, criteria) in [
        (organisation("1.2.246.10.99999984"), dates.clone()),
        (organisation("1.2.246.10.9999999"), dates.clone()),
        (organisation("1.2.246.10.99999992"), Criteria { from: day(6, 16), to: day(12, 31), ..Criteria::default() }),
    ] {
        assert_eq!(archive_.search(&criteria, &scope, 300).await.unwrap(), Found::Hits(Vec::new()), "{scope:?}");
    }
}

/// Many documents of one client, written by the database itself.
async fn crowd(place: &Place, client: &Digest, count: u32) {
    let numbers = if place.url.starts_with("sqlite") {
        format!("(WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < {count}) SELECT n FROM r) g")
    } else {
        format!("generate_series(1, {count}) AS g(n)")
    };
    let hex = |digest: &Digest| if place.url.starts_with("sqlite") { format!("x'{digest}'") } else { format!("'\\x{digest}'::bytea") };
    let (client, zero) = (hex(client), hex(&Digest::ZERO));
    place
        .sql(&format!(
            "INSERT INTO document (id, set_id, version, doc_group, client, controller, service_task, case_id, general_type, authored, authored_date, language, \
             received_sha, archived_sha, splice_start, splice_len, position, sender, archived_at) \
             SELECT '1.2.246.10.99999992.94.' || n, '1.2.246.10.99999992.94.' || n, 1, 5, {client}, '1.2.246.10.99999992.10.1', CASE WHEN n % 4 = 0 THEN NULL ELSE '2' || (n % 4) END, \
             '1.2.246.10.99999992.97.' || (n % 60), '15', CAST(n AS bigint) * 1000000, (2017 + n % 10) * 10000 + 615, 'fi', {zero}, {zero}, 0, 0, 1000000 + n, 's', 0 FROM {numbers}"
        ))
        .await;
}

pub async fn too_many_tell_how_to_narrow(place: Place) {
    let archive_ = place.open("one").await;
    let client = sha256(b"crowded");
    crowd(&place, &client, 10_000).await;
    let criteria = Criteria { client: Some(client), ..Criteria::default() };
    let too_many = |criteria: Criteria| {
        let archive_ = &archive_;
        async move {
            match archive_.search(&criteria, &own(), limits::QUERY_HITS).await.unwrap() {
                Found::TooMany(narrowing) => narrowing,
                other => panic!("{other:?}"),
            }
        }
    };
    let narrowing: Narrowing = too_many(criteria.clone()).await;
    assert_eq!((narrowing.counted, narrowing.is_more), (10_000, false));
    // What all have alike narrows nothing: neither group nor type is offered.
    assert_eq!(narrowing.ways.iter().map(|(way, _)| *way).collect::<Vec<_>>(), [Way::Year, Way::ServiceTask, Way::Case]);
    let (_, years) = &narrowing.ways[0];
    assert_eq!((years.len(), years[0].value.as_deref(), years[0].count), (10, Some("2026"), 1000));
    let (_, tasks) = &narrowing.ways[1];
    assert_eq!(
        tasks.iter().map(|c| (c.value.as_deref(), c.count)).collect::<Vec<_>>(),
        [(None, 2500), (Some("21"), 2500), (Some("22"), 2500), (Some("23"), 2500)]
    );
    assert_eq!(narrowing.ways[2].1.len(), limits::NARROWING_CHOICES);
    // One of the choices taken: as many as was said, and still too many; a second one: few enough.
    let (from, to) = (Some(Date { year: 2026, month: 1, day: 1 }), Some(Date { year: 2026, month: 12, day: 31 }));
    let year = Criteria { from, to, ..criteria };
    assert_eq!(too_many(year.clone()).await.counted, 1000);
    let Found::Hits(hits) = archive_.search(&Criteria { case_id: Some(case_id(9)), ..year }, &own(), limits::QUERY_HITS).await.unwrap() else { panic!() };
    assert!((1..=300).contains(&hits.len()), "{}", hits.len());
    // Beyond the bound the count is a least.
    crowd_more(&place, &client).await;
    let narrowing = too_many(Criteria { client: Some(client), ..Criteria::default() }).await;
    assert_eq!((narrowing.counted, narrowing.is_more), (u64::from(limits::NARROWED_ROWS), true));
}

/// The same documents again under other ids, twice.
async fn crowd_more(place: &Place, client: &Digest) {
    for branch in [93, 92] {
        place.sql(&format!("UPDATE document SET id = replace(id, '.94.', '.{branch}.'), set_id = replace(set_id, '.94.', '.{branch}.'), position = position + {branch} * 100000 WHERE id LIKE '%.94.%'")).await;
        crowd(place, client, 10_000).await;
    }
}

pub async fn fetched_octets_are_those_archived_and_damage_does_not_leave(place: Place) {
    let archive_ = filled(&place).await;
    let asked = [document_id(3), document_id(77), document_id(5)];
    let Fetched::Octets(octets) = archive_.fetch(&asked, &own(), 1_000_000).await.unwrap() else { panic!() };
    assert_eq!(octets[0].as_deref(), Some(archive_.document(&document_id(3)).await.unwrap().unwrap().octets.as_slice()));
    assert!(octets[1].is_none() && octets[2].is_some());
    let size: usize = octets.iter().flatten().map(Vec::len).sum();
    assert_eq!(archive_.fetch(&asked, &own(), size - 1).await.unwrap(), Fetched::TooLarge(size as u64));
    assert!(matches!(archive_.fetch(&asked, &own(), size).await.unwrap(), Fetched::Octets(_)));
    place.flip("document_octets", "octets", 3, &format!("document_id = '{}'", document_id(3))).await;
    let Fetched::Octets(octets) = archive_.fetch(&asked, &own(), 1_000_000).await.unwrap() else { panic!() };
    assert!(octets[0].is_none() && octets[2].is_some());
}

pub fn answer(message: &[u8], outcome: &str, documents: &[u32]) -> Commit {
    let answer = draft(&format!("answer {outcome}"));
    let key = key(message);
    let entry = Entry {
        kind: EntryKind::Answered,
        at: at(0),
        sender: SENDER.to_owned(),
        message: key.octets,
        document_id: None,
        document: None,
        archived: None,
        code: None,
        answer: Some(answer.digest),
        rules: sha256(b"rules"),
        supersedes: None,
        log: None,
        about: None,
    };
    let look = |document: Option<u32>| Look {
        access: Access {
            actor: SENDER.to_owned(),
            action: if document.is_some() { "fetch" } else { "search" }.to_owned(),
            service_request: Some("SPX-DOC-QUERY".to_owned()),
            purpose: Some("1".to_owned()),
            ..Access::default()
        },
        document_id: document.map(document_id),
        controller: oid(10, 1).as_str().to_owned(),
        organisation: Some(oid(10, 1)),
        person: Some(sha256(b"person")),
        client: Some(sha256(b"client")),
        detail: document.is_none().then(|| format!("client: {} documents", documents.len())),
        query_id: None,
        client_sealed: None,
        person_sealed: None,
    };
    let looks = std::iter::once(None).chain(documents.iter().copied().map(Some)).map(look).collect();
    let effect = Effect::Answer(Box::new(QueryAnswer { code: None, entry, answer, outcome: sha256(outcome.as_bytes()), looks, disclosed: Vec::new() }));
    Commit {
        key,
        at: at(0),
        reply: Some(reply("q")),
        effect,
        expects: Vec::new(),
        supersedes: None,
        replay: None,
        road: arkki::domain::messages::Road::default(),
    }
}

pub async fn the_same_verdict_sends_the_stored_octets_and_logs_again(place: Place) {
    let archive_ = filled(&place).await;
    let first = done(archive_.commit(answer(b"<query/>", "both", &[3, 4])).await.unwrap());
    assert_eq!(first.position, Some(Position(7)));
    let again = done(archive_.commit(superseding(answer(b"<query/>", "both", &[3, 4]), 1)).await.unwrap());
    assert_eq!((again.position, &again.outbox[0].body), (first.position, &first.outbox[0].body));
    let logged = "SELECT count(*) FROM access_log WHERE action IN ('search', 'fetch') AND position = ";
    for position in [7, 8] {
        assert_eq!(place.sql(&format!("{logged}{position}")).await, "3", "each sending has its own rows, and an entry that brings them");
    }
    assert_eq!(place.sql("SELECT kind || ' ' || about || ' ' || log_rows FROM ledger WHERE position = 8").await, "7 7 3", "it names what was shown");
    assert_eq!(place.sql("SELECT count(*) FROM access_log WHERE position = 8 AND document_id = '' AND detail = 'client: 2 documents'").await, "1");
    // Another verdict: another answer, another entry, which supersedes the first.
    let other = done(archive_.commit(superseding(answer(b"<query/>", "one", &[3]), 2)).await.unwrap());
    assert_eq!(other.position, Some(Position(9)));
    assert_ne!(other.outbox[0].body, first.outbox[0].body);
    assert!(archive_.is_superseded(Position(7)).await.unwrap());
    let facts = archive_.facts(needs(b"<query/>", None)).await.unwrap();
    assert_eq!(standing(&facts), Some((Standing::Answered, 3)));
    // A stale decision writes nothing.
    assert!(is_stale(&archive_.commit(superseding(answer(b"<query/>", "one", &[3]), 2)).await.unwrap()));
    assert!(is_stale(&archive_.commit(answer(b"<query/>", "one", &[3])).await.unwrap()));
    assert_eq!(place.sql(&format!("{logged}9")).await, "2");
    let counts = archive_.counts().await.unwrap();
    assert_eq!((counts.messages, counts.accepted, counts.refused, counts.ledger), (7, 6, 0, 9));
}

pub async fn old_answers_are_forgotten_and_the_audit_still_agrees(place: Place) {
    let archive_ = filled(&place).await;
    let first = done(archive_.commit(answer(b"<query-1/>", "a", &[3])).await.unwrap());
    done(archive_.commit(answer(b"<query-2/>", "b", &[4])).await.unwrap());
    let kept = "SELECT count(*) FROM inbox WHERE standing = 5 AND answer IS NOT NULL";
    // Not old enough; then old enough, but not confirmed.
    assert_eq!(archive_.forget_answers(at(-1), 10).await.unwrap(), 0);
    assert_eq!(archive_.forget_answers(at(1), 10).await.unwrap(), 0);
    archive_.outbox_sent(&first.outbox.iter().map(|row| row.id).collect::<Vec<_>>()).await.unwrap();
    assert_eq!(archive_.forget_answers(at(1), 10).await.unwrap(), 1);
    assert_eq!(place.sql(kept).await, "1");
    let clean = |archive_: std::sync::Arc<dyn Archive>| async move {
        let report = audit(&*archive_, Plan::new(std::sync::Arc::new(|_| arkki::pipeline::audit::Looked::default()), 1), &mut |_, _| ()).await.unwrap();
        report.faults.iter().map(|fault| (fault.position.0, fault.what.clone())).collect::<Vec<_>>()
    };
    assert_eq!(clean(std::sync::Arc::clone(&archive_)).await, []);
    // What is stored must still be what was given.
    place.flip("inbox", "answer", 3, "position = 8").await;
    assert_eq!(clean(std::sync::Arc::clone(&archive_)).await, [(8, "the stored answer is not the one given".to_owned())]);
    // A document that was shown and is not logged any more is missed.
    place.flip("inbox", "answer", 3, "position = 8").await;
    place.sql("DELETE FROM access_log WHERE position = 8 AND action = 'fetch'").await;
    let missed = (8, "the access log has other documents than the search showed".to_owned());
    assert_eq!(clean(std::sync::Arc::clone(&archive_)).await, [missed]);
    // A forgotten answer is made anew, with an entry of its own.
    let anew = done(archive_.commit(superseding(answer(b"<query-1/>", "a", &[3]), 1)).await.unwrap());
    assert_eq!(anew.position, Some(Position(9)));
}
