//! One client and two counties: each thing that the client says, and what it opens and closes; on both databases.

use arkki::domain::oid::Oid;
use arkki::domain::will::{Denied, Edition, Said as Will};
use arkki::generate::document::{DocumentSpec, Organisation};
use arkki::generate::family::Family;
use arkki::generate::query::{Parameter, QuerySpec};

use super::making::{ALFA, BETA, DELTA, GAMMA, Question, System, documents, family, framed, link, of, these, will};
use super::{Place, Said};
use crate::store::place::Place as Archive;

const INFORMED: Will = Will::Informed { edition: Edition { major: 2, minor: 0 } };

#[tokio::test(flavor = "multi_thread")]
async fn what_another_county_sees_on_sqlite() {
    what_another_county_sees(Archive::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_county_sees_on_postgres() {
    what_another_county_sees(Archive::postgres().await).await;
}

/// The asker of these tests: counts its messages.
struct Asker {
    family: Family,
    number: u64,
}

impl Asker {
    fn question(&mut self, system: System, request: &'static str, grounds: &[&'static str], parameters: Vec<Parameter>) -> QuerySpec {
        self.number += 1;
        Question { system, request, grounds, number: self.number, parameters }.spec()
    }

    async fn ask(&mut self, place: &mut Place, system: System, request: &'static str, grounds: &[&'static str], parameters: Vec<Parameter>) -> Said {
        let octets = self.question(system, request, grounds, parameters).render();
        place.ask(system.name, &octets).await
    }

    /// What beta finds of the client by permission.
    async fn found(&mut self, place: &mut Place) -> String {
        let parameters = of(&self.family);
        let said = self.ask(place, BETA, "SPX-META-DISC", &[], parameters).await;
        assert!(said.codes.is_empty(), "{said:?}");
        assert_eq!(said.response, if said.documents.is_empty() { "NF" } else { "OK" });
        said.documents.join(" ")
    }

    /// What beta is given of documents by permission: a refusal, or how many.
    async fn fetched(&mut self, place: &mut Place, ids: &[&str]) -> Said {
        let parameters = these(&self.family, ids);
        self.ask(place, BETA, "SPX-DOC-DISC", &[], parameters).await
    }
}

fn oid(text: &str) -> Oid {
    Oid::parse(text).unwrap()
}

async fn what_another_county_sees(archive: Archive) {
    let mut place = Place::open(archive).await;
    let family = family(9_100);
    let mut asker = Asker { family: family.clone(), number: 0 };
    for document in documents(&family) {
        place.store("alfa", &framed(&document, ALFA)).await;
    }
    let not_there = nothing_before_the_client_speaks(&mut place, &mut asker).await;
    a_permission_opens(&mut place, &mut asker).await;
    denials_close(&mut place, &mut asker, &not_there).await;
    the_law_and_agreements_override(&mut place, &mut asker).await;
    what_the_asker_lacks_refuses(&mut place, &mut asker).await;
    a_withdrawal_closes_again(&mut place, &mut asker).await;
    place.close().await;
}

/// Gives what is said of a single document that is not there.
async fn nothing_before_the_client_speaks(place: &mut Place, asker: &mut Asker) -> String {
    let family = asker.family.clone();
    let (plan, nowhere) = (&family.client_document.id, &family.id(99));
    // Nobody who has nothing to do with the client is told anything.
    let unlinked = asker.ask(place, BETA, "SPX-META-DISC", &[], of(&family)).await;
    assert_eq!(unlinked.codes, ["E842"]);
    place.store("beta", &framed(&link(&family, Organisation::OTHER), BETA)).await;
    // Not informed, not permitted: nothing is there, and one that is there is told like one that is not.
    assert_eq!(asker.found(place).await, "");
    let (there, not_there) = (asker.fetched(place, &[plan]).await, asker.fetched(place, &[nowhere]).await);
    assert_eq!(there.codes, ["E845"]);
    assert_eq!((&there.codes, &there.text, &there.response), (&not_there.codes, &not_there.text, &not_there.response));
    place.store("alfa", &framed(&will(&family.informing, &family.id(11), INFORMED, 1), ALFA)).await;
    assert_eq!(asker.found(place).await, "");
    assert_eq!(place.sql("SELECT count(*) FROM disclosure_log").await, "0");
    not_there.text
}

/// The permission opens what is neither old nor of phase I nor a will: relations, cases, the plan.
async fn a_permission_opens(place: &mut Place, asker: &mut Asker) {
    let family = asker.family.clone();
    let plan = family.client_document.id.as_str();
    place.store("alfa", &framed(&will(&family.permission, &family.id(12), Will::Permitted(true), 2), ALFA)).await;
    assert_eq!(asker.found(place).await, "1 2 4 5 6");
    assert_eq!(place.sql("SELECT count(*) FROM disclosure_log WHERE kind = 1 AND rule = 'R7' AND section IS NULL").await, "5");
    let basis = format!("kind = 2 AND basis = 'permission' AND informing = '{}' AND permission = '{}'", family.id(11), family.id(12));
    assert_eq!(place.sql(&format!("SELECT count(*) FROM disclosure_log WHERE {basis} AND detail = 'client: 5 documents'")).await, "1");
    let recipient = format!("recipient = '{}' AND controller = '{}'", Organisation::OTHER.unit, Organisation::SAMPLE.unit);
    assert_eq!(place.sql(&format!("SELECT count(*) FROM disclosure_log WHERE {recipient} AND client IS NOT NULL")).await, "6");
    // The octets go as well; of several, those that are not given are counted like those that are not there.
    let given = asker.fetched(place, &[plan]).await;
    assert!(given.documents == ["4"] && given.octets > 1000 && given.codes.is_empty(), "{given:?}");
    let several = asker.fetched(place, &[plan, &family.old_document.id, &family.id(99)]).await;
    assert_eq!((several.documents.join(" ").as_str(), several.codes.join(" ").as_str()), ("4", "W926"));
    assert!(several.text.contains('2'), "{}", several.text);
    for (what, parameter) in [("group", Parameter::code("documentGroup", "8")), ("set", Parameter::ids("documentSetId", &[&family.id(12)]))] {
        let parameters = [of(&family), vec![parameter]].concat();
        assert_eq!(asker.ask(place, BETA, "SPX-META-DISC", &[], parameters).await.response, "NF", "a will by its {what}");
    }
}

/// A denial of the document, of its service task, of its controller: each takes away, and counts tell nothing.
async fn denials_close(place: &mut Place, asker: &mut Asker, not_there: &str) {
    let family = asker.family.clone();
    let denial = will(&family.denial, &family.id(13), Will::Denials(vec![Denied::Document(oid(&family.client_document.set_id))]), 3);
    place.store("alfa", &framed(&denial, ALFA)).await;
    assert_eq!(asker.found(place).await, "1 2 5 6");
    let denied = asker.fetched(place, &[&family.client_document.id]).await;
    assert_eq!((denied.codes.join(" ").as_str(), denied.text.as_str()), ("E845", not_there));
    let mut narrow = asker.question(BETA, "SPX-META-DISC", &[], of(&family));
    narrow.quantity = Some("3".to_owned());
    let many = place.ask("beta", &narrow.render()).await;
    assert!(many.codes[0] == "E830" && many.text.contains("4 documents") && many.response == "QE", "{many:?}");
    assert!(!many.text.contains("document group: 5"), "the group of the denied one is no way to narrow: {}", many.text);
    // The next version denies a service task instead.
    let next = will(&denial, &family.id(14), Will::Denials(vec![Denied::Task(family.case.task.code.to_owned())]), 4);
    let next = DocumentSpec { said: next.said, authored: next.authored.clone(), created: next.authored, ..denial.replacement(&family.id(14)) };
    place.store("alfa", &framed(&next, ALFA)).await;
    let visible = asker.found(place).await;
    assert!(!visible.contains('4') && !visible.contains('2') && visible.contains('6'), "another task's case stays: {visible}");
    place.store("alfa", &framed(&will(&family.denial, &family.id(15), Will::Denials(vec![Denied::Controller(oid(Organisation::SAMPLE.unit))]), 5), ALFA)).await;
    assert_eq!(asker.found(place).await, "");
}

/// Every valid document by law, the old ones under the wide right, never a will; and by agreement all that the county itself uses.
async fn the_law_and_agreements_override(place: &mut Place, asker: &mut Asker) {
    let family = asker.family.clone();
    let statute = asker.ask(place, BETA, "SPX-DOC-STAT", &["1"], of(&family)).await;
    assert_eq!(statute.documents.join(" "), "1 2 4 5 6", "{statute:?}");
    let wide = asker.ask(place, BETA, "SPX-DOC-STAT", &["4"], of(&family)).await;
    assert_eq!(wide.documents.join(" "), "1 2 3 4 5 6 7", "{wide:?}");
    assert_eq!(place.sql("SELECT count(*) FROM disclosure_log WHERE kind = 1 AND rule = 'R3' AND section = '703/2023 64 §' AND basis = 'statute'").await, "7");
    let evaluated = format!("denials = '{},{}'", family.id(14), family.id(15));
    assert_eq!(place.sql(&format!("SELECT count(*) FROM disclosure_log WHERE kind = 1 AND rule = 'R3' AND {evaluated}")).await, "12");
    assert_eq!(asker.ask(place, BETA, "SPX-DOC-STAT", &["1"], these(&family, &[&family.old_document.id])).await.codes, ["E845"]);
    // Who works for the county uses its register: denials do not touch it, and it is no disclosure.
    let before = place.sql("SELECT count(*) FROM disclosure_log").await;
    let used = asker.ask(place, GAMMA, "SPX-RKO-QUERY", &[], of(&family)).await;
    assert_eq!(used.documents.join(" "), "1 2 3 4 5 6 7", "{used:?}");
    assert_eq!(place.sql("SELECT count(*) FROM disclosure_log").await, before);
    let both = format!("organisation = '{}' AND controller = '{}' AND action = 'show'", GAMMA.device, Organisation::SAMPLE.unit);
    assert_eq!(place.sql(&format!("SELECT count(*) FROM access_log WHERE {both}")).await, "7");
    assert_eq!(asker.ask(place, BETA, "SPX-RKO-QUERY", &[], of(&family)).await.codes, ["E835"], "there is no agreement");
}

async fn what_the_asker_lacks_refuses(place: &mut Place, asker: &mut Asker) {
    let family = asker.family.clone();
    let mut aimless = asker.question(BETA, "SPX-META-DISC", &[], of(&family));
    aimless.has_purpose = false;
    assert_eq!(place.ask("beta", &aimless.render()).await.codes, ["E843"]);
    assert_eq!(asker.ask(place, DELTA, "SPX-META-DISC", &[], of(&family)).await.codes, ["E844"]);
    // The own register is as it was, with everything but wills; the asker's own documents are no part of a disclosure.
    let own = asker.ask(place, ALFA, "SPX-META-QUERY", &[], of(&family)).await;
    assert_eq!(own.documents.join(" "), "1 2 3 4 5 6 7");
}

/// Denials end; the permission is withdrawn: the same octets are asked once more and answered otherwise.
async fn a_withdrawal_closes_again(place: &mut Place, asker: &mut Asker) {
    let family = asker.family.clone();
    let ends = will(&family.denial, &family.id(16), Will::Cancelled(vec![oid(&family.id(14)), oid(&family.id(15))]), 6);
    place.store("alfa", &framed(&ends, ALFA)).await;
    let question = asker.question(BETA, "SPX-META-DISC", &[], of(&family)).render();
    assert_eq!(place.ask("beta", &question).await.documents.join(" "), "1 2 4 5 6");
    let rows = place.sql("SELECT count(*) FROM disclosure_log").await.parse::<u64>().unwrap();
    assert_eq!(place.ask("beta", &question).await.documents.join(" "), "1 2 4 5 6");
    assert_eq!(place.sql("SELECT count(*) FROM disclosure_log").await, (rows + 6).to_string(), "what goes out again is disclosed again");
    place.store("alfa", &framed(&will(&family.permission, &family.id(17), Will::Permitted(false), 7), ALFA)).await;
    assert_eq!(place.ask("beta", &question).await.response, "NF", "the same octets are decided on today's facts");
    assert_eq!(asker.found(place).await, "");
}

/// Whose system does not manage disclosures discloses nothing either: its documents are not there for others.
#[tokio::test(flavor = "multi_thread")]
async fn a_register_without_management_of_disclosures_gives_nothing() {
    for archive in [Archive::sqlite(), Archive::postgres().await] {
        let mut place = Place::open(archive).await;
        let family = family(9_101);
        let mut asker = Asker { family: family.clone(), number: 500 };
        let mut delta = Organisation::OTHER;
        (delta.node, delta.unit) = (DELTA.node, DELTA.device);
        for (document, system) in [(family.relation.clone(), ALFA), (link(&family, delta), DELTA), (link(&family, Organisation::OTHER), BETA)] {
            place.store(system.name, &framed(&document, system)).await;
        }
        place.store("alfa", &framed(&will(&family.informing, &family.id(11), INFORMED, 1), ALFA)).await;
        place.store("alfa", &framed(&will(&family.permission, &family.id(12), Will::Permitted(true), 2), ALFA)).await;
        assert_eq!(asker.found(&mut place).await, "1");
        place.close().await;
    }
}

/// A permission withdrawn while a query is in flight: the answer stands in the ledger before the withdrawal with the documents, or behind it without them.
#[tokio::test(flavor = "multi_thread")]
async fn a_permission_withdrawn_in_flight_gives_one_consistent_answer() {
    for archive in [Archive::sqlite(), Archive::postgres().await] {
        let mut place = Place::open(archive).await;
        let family = family(9_102);
        for (document, system) in [(family.relation.clone(), ALFA), (link(&family, Organisation::OTHER), BETA)] {
            place.store(system.name, &framed(&document, system)).await;
        }
        place.store("alfa", &framed(&will(&family.informing, &family.id(11), INFORMED, 1), ALFA)).await;
        let (mut with, mut without) = (0, 0);
        for round in 0..12_u64 {
            let (yes, no) = (family.id(200 + 2 * round), family.id(201 + 2 * round));
            place.store("alfa", &framed(&will(&family.permission, &yes, Will::Permitted(true), 10 + 2 * round), ALFA)).await;
            // The withdrawal goes in amid the queries.
            let withdrawal = framed(&will(&family.permission, &no, Will::Permitted(false), 11 + 2 * round), ALFA);
            for n in 0..9 {
                if n == 2 + round % 4 {
                    place.put("alfa", &withdrawal);
                }
                let number = 1000 + 10 * round + n;
                place.put("beta", &Question { system: BETA, request: "SPX-META-DISC", grounds: &[], number, parameters: of(&family) }.octets());
            }
            let withdrawn = super::said(&place.take("alfa").await.1).position;
            for _ in 0..9 {
                let answer = super::said(&place.take("beta").await.1);
                assert!(answer.position > 0 && answer.codes.is_empty(), "{answer:?}");
                assert_eq!(!answer.documents.is_empty(), answer.position < withdrawn, "answered at {}, withdrawn at {withdrawn}", answer.position);
                *(if answer.documents.is_empty() { &mut without } else { &mut with }) += 1;
            }
        }
        assert!(with > 0 && without > 0, "{with} {without}");
        place.close().await;
    }
}
