//! Notices of nobody, each fully determined by its number: as a commit brings them, with a bundle that a FHIR server takes.

use std::sync::Arc;

use arkki::adapters::clock::SystemEntropy;
use arkki::adapters::store::{self, Store};
use arkki::crypto::sha256;
use arkki::domain::change::{Access, Commit, Effect, Look, NoticeCommit};
use arkki::domain::ledger::{Entry, EntryKind};
use arkki::domain::log::{Disclosed, DisclosedRow, Party};
use arkki::domain::notice::{Leaving, NoticePart, NoticeRecord};
use arkki::domain::oid::Oid;
use arkki::domain::time::Moment;
use serde_json::json;

use crate::store::make::{SENDER, at, draft, key, oid, reply};
use crate::store::place::Place;

pub async fn open(place: &Place) -> Arc<Store> {
    store::open_store(&place.url, "one", Arc::new(SystemEntropy::open().unwrap())).await.unwrap()
}

pub fn id(n: u32) -> Oid {
    oid(95, 1000 * n)
}

/// The controllers of the n-th notice: one, and every third has two.
pub fn controllers(n: u32) -> Vec<Oid> {
    if n.is_multiple_of(3) { vec![oid(10, 1), oid(10, 2)] } else { vec![oid(10, 1)] }
}

fn part(n: u32, number: u32, controller: Oid) -> NoticePart {
    NoticePart { number, sent_id: oid(95, 1000 * n + 2 * number), provenance_id: oid(95, 1000 * n + 2 * number + 1), controller, register: "1".to_owned() }
}

/// A transaction bundle with a pair for each part.
pub fn bundle(parts: &[NoticePart]) -> Vec<u8> {
    let entry = |kind: &str, id: &Oid| json!({ "fullUrl": format!("urn:oid:{id}"), "request": { "method": "POST", "url": kind }, "resource": { "resourceType": kind, "id": id.as_str() } });
    let entries: Vec<_> = parts.iter().flat_map(|part| [entry("AuditEvent", &part.sent_id), entry("Provenance", &part.provenance_id)]).collect();
    serde_json::to_vec(&json!({ "resourceType": "Bundle", "type": "transaction", "entry": entries })).unwrap()
}

/// The n-th notice, disclosed so many seconds before it is archived.
pub fn notice(n: u32, ago: i64) -> Commit {
    let event = Arc::new(format!("<OutsideDisclosure id=\"{}\"/>", id(n)).into_bytes());
    let parts: Vec<NoticePart> = (1..).zip(controllers(n)).map(|(number, controller)| part(n, number, controller)).collect();
    let bundle = Arc::new(bundle(&parts));
    let answer = draft(&format!("AA {}", id(n)));
    let entry = Entry {
        kind: EntryKind::Notice,
        at: at(0),
        sender: SENDER.to_owned(),
        message: key(&event).octets,
        document_id: Some(id(n).as_str().to_owned()),
        document: Some(sha256(&event)),
        archived: Some(sha256(&bundle)),
        code: None,
        answer: Some(answer.digest),
        rules: sha256(b"rules"),
        supersedes: None,
        log: None,
        about: None,
    };
    let client = sha256(&n.to_be_bytes());
    let look = |part: &NoticePart| Look {
        access: Access { actor: SENDER.to_owned(), action: "report".to_owned(), ..Access::default() },
        document_id: Some(id(n)),
        controller: part.controller.as_str().to_owned(),
        organisation: None,
        person: None,
        client: Some(client),
        detail: None,
        query_id: None,
        client_sealed: None,
        person_sealed: None,
    };
    let leaving =
        Leaving { amqp_id: id(n).as_str().to_owned(), queue: "arkki.notice".to_owned(), content_type: "application/fhir+json", body: Arc::clone(&bundle) };
    let notice = NoticeCommit {
        record: NoticeRecord {
            id: id(n),
            client,
            corrects: None,
            disclosed_at: at(-ago),
            recorded_at: at(0),
            event_sha: sha256(&event),
            bundle_sha: sha256(&bundle),
            parts: parts.clone(),
        },
        event: Arc::clone(&event),
        bundle,
        cda: None,
        leaving: vec![leaving],
        entry,
        looks: parts.iter().map(look).collect(),
        disclosed: parts.iter().map(|part| disclosed(n, part, at(-ago))).collect(),
        answer,
        outcome: sha256(b"accepted"),
    };
    Commit {
        key: key(&event),
        at: at(0),
        reply: Some(reply("c")),
        effect: Effect::Notice(Box::new(notice)),
        expects: Vec::new(),
        supersedes: None,
        replay: None,
        road: arkki::domain::messages::Road::default(),
    }
}

fn disclosed(n: u32, part: &NoticePart, at: Moment) -> DisclosedRow {
    DisclosedRow {
        kind: Disclosed::Outside,
        disclosed_at: Some(at),
        controller: part.controller.clone(),
        register_type: Some(part.register.clone()),
        client: Some(sha256(&n.to_be_bytes())),
        client_sealed: None,
        document_id: None,
        set_id: None,
        general_type: None,
        specific_type: None,
        service_task: Some("3".to_owned()),
        discloser: Party::archive(part.controller.clone()),
        recipient: Party { kind: "authority".to_owned(), organisation: Some(oid(10, 99)), person: None, sealed: None },
        purpose: None,
        service_request: None,
        query_id: None,
        basis: "statute".to_owned(),
        rule: None,
        section: Some("703/2023 56 §".to_owned()),
        informing: None,
        permission: None,
        denials: Vec::new(),
        notice: Some(id(n).as_str().to_owned()),
        detail: None,
    }
}

/// Archives the notices of these numbers, disclosed when they were archived.
pub async fn archived(store: &Store, numbers: impl IntoIterator<Item = u32>) {
    use arkki::ports::archive::Archive as _;
    for n in numbers {
        crate::store::make::done(store.commit(notice(n, 0)).await.unwrap());
    }
}

/// Confirms everything that leaves, as the relay does.
pub async fn emitted(store: &Store) {
    use arkki::ports::archive::Archive as _;
    let far = at(10_000);
    // Ends with the outbox.
    loop {
        let rows = store.outbox_lease(far, 100).await.unwrap();
        if rows.is_empty() {
            return;
        }
        store.outbox_sent(&rows.iter().map(|row| row.id).collect::<Vec<_>>()).await.unwrap();
    }
}
