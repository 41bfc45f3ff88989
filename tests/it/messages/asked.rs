//! What the rows of the tables ask for.

use arkki::domain::ack::AckType;
use arkki::domain::language::Language;
use arkki::generate::document::DocumentSpec;
use arkki::generate::family::Family;
use arkki::generate::person::Person;
use arkki::generate::query::{Parameter, QuerySpec};
use arkki::v3::ack;

use super::{Desk, Ground, SOON};

/// The client of the accepted samples.
pub fn of_canary() -> Vec<Parameter> {
    vec![Parameter::client(&Person::canary().hetu)]
}

/// One more than an answer may tell of.
pub const MANY: u64 = 301;

/// A client who has that many documents.
fn many() -> Family {
    Family::new(78, 7_800, Language::Fi)
}

pub fn of_many() -> Vec<Parameter> {
    vec![Parameter::client(&many().person.hetu)]
}

/// Archives them.
pub async fn archive_many(ground: &Ground, desk: &mut Desk) {
    let family = many();
    let reply = desk.reply.clone();
    for number in 200..200 + MANY {
        // Of two groups, so that the asker can narrow: a relation, and a case that hangs on it.
        let (id, before) = (family.id(number), family.id(number - 1));
        let document = if number % 2 == 0 {
            DocumentSpec { relation_id: Some(format!("{id}.9")), ..family.relation.under(&id) }
        } else {
            DocumentSpec { case_id: Some(format!("{id}.8")), relation_id: Some(format!("{before}.9")), ..family.case.under(&id) }
        };
        desk.put(&ground.framed(&document, "joining", |_| ()), Some(&reply)).await;
    }
    for _ in 0..MANY {
        let answer = desk.answers.next(SOON).await.unwrap().expect("an answer to each of many");
        assert_eq!(ack::read(&answer.body).unwrap().ack_type, AckType::Accept);
    }
}

/// A document that nobody has.
pub fn unknown() -> Vec<Parameter> {
    vec![Parameter::ids("documentId", &["1.2.246.10.99999992.95.2026.1.99999"])]
}

/// A search for the client of these tests.
pub fn of_family(ground: &Ground, number: u64) -> QuerySpec {
    QuerySpec::metadata(number, vec![Parameter::client(&ground.family.person.hetu)])
}

/// A fetch of that client's documents on some ground.
pub fn fetch(request: &'static str, ground: &Ground, number: u64) -> QuerySpec {
    let parameters = of_family(ground, number).parameters;
    QuerySpec { service_request: request, ..QuerySpec::documents(number, parameters) }
}

/// The limit of 300 as it is for an asker who takes fewer.
pub fn at_most(quantity: u64, spec: QuerySpec) -> Vec<u8> {
    QuerySpec { quantity: Some(quantity.to_string()), ..spec }.render()
}
