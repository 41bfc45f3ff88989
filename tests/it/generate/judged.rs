//! Every sample before the gateway's own judges, in the order of the folder: the examination and the decision, as `arkki serve` calls them.
//! The archive's part is played by a list of what was accepted so far.

use std::cell::RefCell;
use std::sync::{Arc, LazyLock};

use arkki::codes::rule_set::RuleSet;
use arkki::codes::source;
use arkki::crypto::trust::TrustAnchors;
use arkki::domain::ack::InstanceId;
use arkki::domain::code::Code;
use arkki::domain::digest::Digest;
use arkki::domain::document::{Group, Header};
use arkki::domain::environment::Environment;
use arkki::domain::facts::{CaseFact, DocumentFact, Facts, Mark, NamedFact, RelationFact, SetFact};
use arkki::domain::finding::{Finding, Severity};
use arkki::domain::language::Language;
use arkki::domain::ledger::Position;
use arkki::domain::lifecycle::{Event, EventKind, EventRecord, Scope};
use arkki::domain::limits;
use arkki::domain::message::{Envelope, Reply, Sender};
use arkki::domain::notice::{NoticeFacts, NoticeFormat, NoticeRecord};
use arkki::domain::oid::Oid;
use arkki::domain::will::{ClientWills, Will};
use arkki::fhir::bundle;
use arkki::generate::document::Organisation;
use arkki::generate::keys::SIGNED_AT;
use arkki::generate::{frame, hostile, samples, scenario};
use arkki::pipeline::examine::{Accepted, AcceptedDisclosure, AcceptedDocument, Examined, Examiner, KANTA_SOCIAL, Senders, Site};
use arkki::pipeline::notice::NoticeSite;
use arkki::rules::decide::{self, Decision, Holding};
use arkki::rules::{lifecycle, notice};
use arkki::v3::frame::FrameSite;

use super::{keys, root};

/// What the gateway does with a message.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Accepted(Vec<Code>),
    Noted,
    Refused(Vec<Code>),
}

pub static EXAMINER: LazyLock<Examiner> = LazyLock::new(|| {
    let files = source::rules_of(&source::embedded());
    let oid = |text: &str| Oid::parse(text).unwrap();
    let site = Site {
        frames: FrameSite { environment: Environment::Test, receivers: vec![frame::TEST_ARCHIVE.to_owned()] },
        octets: (limits::MESSAGE_OCTETS, limits::DOCUMENT_OCTETS),
        anchors: TrustAnchors::from_pem(&std::fs::read(root().join("samples/keys/ca.pem")).unwrap(), b"").unwrap(),
        site_key: vec![7; 32],
        signers: Vec::new(),
        language: Language::Fi,
        senders: Senders::default(),
        code_system: oid("1.2.246.10.99999992.6.1"),
        id_root: oid("1.2.246.10.99999992.18.1"),
        device: oid(frame::TEST_ARCHIVE),
        receiver: oid(Organisation::SAMPLE.unit),
        notices: Some(NoticeSite { id_root: oid("1.2.246.10.99999992.10.0.95"), queue: "arkki.notice".to_owned(), format: NoticeFormat::Fhir }),
    };
    Examiner::new(&files, RuleSet::load(&files).unwrap(), site).unwrap()
});

/// What was accepted: header, digest of the document, digest of the message, id of the frame.
type Taken = (Header, Digest, Digest, Option<InstanceId>);

/// The archive's part.
#[derive(Default)]
pub struct Shelf(RefCell<Vec<Taken>>, RefCell<Vec<Event>>, RefCell<Vec<(Digest, Will)>>, RefCell<Vec<NoticeRecord>>);

impl Shelf {
    fn send(&self, octets: &[u8]) -> Verdict {
        let codes = |findings: &[Finding]| findings.iter().map(|f| f.code).collect();
        match self.findings(octets) {
            Ok(warnings) => Verdict::Accepted(codes(&warnings)),
            Err(findings) if findings.is_empty() => Verdict::Noted,
            Err(findings) => Verdict::Refused(codes(&findings)),
        }
    }

    /// The warnings of what is accepted, the findings of what is refused; none of the latter for what is only noted.
    pub fn findings(&self, octets: &[u8]) -> Result<Vec<Finding>, Vec<Finding>> {
        let envelope = Envelope {
            octets: Arc::new(octets.to_vec()),
            sender: Some(Sender::new("a")),
            reply: Some(Reply { queue: "arkki.reply.a.1".to_owned(), correlation: None }),
            message_id: None,
            content_type: None,
            inbound: "documents".to_owned(),
            profile: KANTA_SOCIAL.to_owned(),
        };
        let examined = EXAMINER.examine(&envelope, false);
        match &examined.verdict {
            Ok(Accepted::Document(accepted)) => self.decide(&examined, accepted),
            Ok(Accepted::Event(accepted)) => self.happen(&accepted.request(&examined, Holding::Never)),
            Ok(Accepted::Disclosure(accepted)) => self.report(&examined, accepted),
            Ok(Accepted::Query(accepted)) => Ok(accepted.warnings.clone()),
            Err(_) if examined.is_acknowledgement => Err(Vec::new()),
            Err(refusal) => Err(refusal.findings().cloned().collect()),
        }
    }

    fn decide(&self, examined: &Examined, accepted: &AcceptedDocument) -> Result<Vec<Finding>, Vec<Finding>> {
        let request = accepted.request(examined, Holding::Never);
        let facts = Facts { wills: Some(self.wills(&request.header.client)), named: self.named(), ..self.facts(&request.header, request.frame.as_ref()) };
        match decide::decide(&request, &facts, SIGNED_AT) {
            Decision::Archive { warnings, .. } => {
                if let Some((said, _)) = &request.will {
                    let header = &request.header;
                    let position = Position(self.0.borrow().len() as u64 + 1);
                    let (authored, day, said) = (header.authored, header.authored_date, said.clone());
                    let (document, set_id, version) = (header.id.clone(), header.set_id.clone(), header.version);
                    let will = Will { document, set_id, version, position, authored, day, archived_at: SIGNED_AT, is_valid: true, said };
                    self.2.borrow_mut().push((header.client, will));
                }
                if let Some(invalidation) = &accepted.invalidates {
                    let header = &request.header;
                    let record = EventRecord {
                        kind: EventKind::Invalidated,
                        set_id: header.set_id.clone(),
                        scope: Scope::Set,
                        by_document: Some(header.id.clone()),
                        at: SIGNED_AT,
                        sender: "a".to_owned(),
                        controller: header.controller.clone(),
                        author: invalidation.author.clone(),
                        reason: invalidation.reason.clone(),
                    };
                    self.1.borrow_mut().push(Event { position: Position(1), record });
                }
                self.0.borrow_mut().push((request.header, request.received, request.key.octets, request.frame));
                Ok(warnings)
            }
            Decision::Refuse { refusal, .. } => Err(refusal.findings().cloned().collect()),
            other => panic!("{other:?}"),
        }
    }

    /// Decides about a disclosure outside the archive, and remembers its notice.
    fn report(&self, examined: &Examined, accepted: &AcceptedDisclosure) -> Result<Vec<Finding>, Vec<Finding>> {
        let event = &accepted.event;
        let kept = |id: Option<&Oid>| self.3.borrow().iter().find(|record| Some(&record.id) == id).cloned();
        let named = NoticeFacts {
            known: kept(Some(&event.id)),
            corrected: kept(event.corrects.as_ref()),
            documents: self.0.borrow().iter().filter(|(h, ..)| event.documents().contains(&h.id)).map(|d| self.fact(d)).collect(),
        };
        let mut wills = self.wills(&accepted.client);
        for will in &mut wills.rows {
            will.is_valid = !self.set(&will.set_id).invalid && self.mark(&will.document) == Mark::None;
        }
        let known = notice::Known { facts: &Facts::default(), named: &named, wills: &wills, least: EXAMINER.rule_set().wills.least_edition };
        match notice::decide(&accepted.request(examined), &known, SIGNED_AT) {
            Decision::Notice { warnings, .. } => {
                let root = &EXAMINER.site().notices.as_ref().unwrap().id_root;
                self.3.borrow_mut().push(NoticeRecord {
                    id: event.id.clone(),
                    client: accepted.client,
                    corrects: event.corrects.clone(),
                    disclosed_at: event.disclosed_at,
                    recorded_at: event.recorded_at,
                    parts: bundle::parts(event, root, &examined.key.octets).unwrap(),
                    event_sha: examined.key.octets,
                    bundle_sha: Digest::ZERO,
                });
                Ok(warnings)
            }
            Decision::Refuse { refusal, .. } => Err(refusal.findings().cloned().collect()),
            other => panic!("{other:?}"),
        }
    }

    fn wills(&self, client: &Digest) -> ClientWills {
        let rows: Vec<Will> = self.2.borrow().iter().filter(|(of, _)| of == client).map(|(_, will)| will.clone()).collect();
        ClientWills { newest: rows.last().map(|will| will.position), rows, is_cut: false }
    }

    fn named(&self) -> Vec<NamedFact> {
        let fact = |(h, ..): &Taken| NamedFact { id: h.id.clone(), set_id: h.set_id.clone(), group: h.group, client: h.client };
        self.0.borrow().iter().map(fact).collect()
    }

    /// Decides about an event, and remembers it.
    fn happen(&self, request: &lifecycle::Request) -> Result<Vec<Finding>, Vec<Finding>> {
        let facts = {
            let shelf = self.0.borrow();
            let target = &request.event.target;
            let document = shelf.iter().find(|(h, ..)| Some(&h.id) == target.id.as_ref());
            let set = target.set_id.as_ref().or_else(|| document.map(|(h, ..)| &h.set_id));
            Facts {
                document: document.map(|d| self.fact(d)),
                latest: shelf.iter().rev().find(|(h, ..)| Some(&h.set_id) == set).map(|d| self.fact(d)),
                set: set.map(|set| self.set(set)).unwrap_or_default(),
                ..Facts::default()
            }
        };
        match lifecycle::decide(request, &facts, SIGNED_AT) {
            Decision::Event { record, warnings, .. } => {
                self.1.borrow_mut().push(Event { position: Position(1), record: *record });
                Ok(warnings)
            }
            Decision::Refuse { refusal, .. } => Err(refusal.findings().cloned().collect()),
            other => panic!("{other:?}"),
        }
    }

    fn set(&self, set: &Oid) -> SetFact {
        let events = self.1.borrow();
        let of: Vec<&Event> = events.iter().filter(|e| e.record.set_id == *set).collect();
        let whole = of.iter().rev().find(|e| e.record.scope == Scope::Set);
        SetFact { events: u32::try_from(of.len()).unwrap(), invalid: whole.is_some_and(|e| e.record.kind == EventKind::Invalidated) }
    }

    fn mark(&self, id: &Oid) -> Mark {
        let events = self.1.borrow();
        if events.iter().any(|e| e.record.by_document.as_ref() == Some(id)) {
            return Mark::Invalidating;
        }
        let last = events.iter().rev().find(|e| e.record.scope == Scope::Version(id.clone()));
        if last.is_some_and(|e| e.record.kind == EventKind::Invalidated) { Mark::Invalidated } else { Mark::None }
    }

    fn is_invalid(&self, header: &Header) -> bool {
        self.set(&header.set_id).invalid || self.mark(&header.id) != Mark::None
    }

    fn fact(&self, (h, received, ..): &Taken) -> DocumentFact {
        DocumentFact {
            id: h.id.clone(),
            set_id: h.set_id.clone(),
            version: h.version,
            group: h.group,
            client: h.client,
            controller: h.controller.clone(),
            received: *received,
            case_id: h.case_id.clone(),
            relation_id: h.relation_id.clone(),
            mark: self.mark(&h.id),
        }
    }

    fn facts(&self, header: &Header, frame: Option<&InstanceId>) -> Facts {
        let shelf = self.0.borrow();
        let document = |taken: &Taken| self.fact(taken);
        let newest = |group, own: fn(&Header) -> Option<&arkki::domain::oid::Oid>, id: &Option<arkki::domain::oid::Oid>| {
            let own = || shelf.iter().rev().map(|(h, ..)| h).filter(|h| h.group == group && id.is_some() && own(h) == id.as_ref());
            own().find(|h| !self.is_invalid(h)).or_else(|| own().next()).cloned()
        };
        let relation = |id: &Option<_>| newest(Group::ClientRelation, |h| h.relation_id.as_ref(), id);
        let is_old = |h: &Header| h.relation_state.is_some_and(|s| s.old);
        Facts {
            prior: None,
            frame: shelf.iter().find(|(.., f)| frame.is_some() && f.as_ref() == frame).map(|(_, _, octets, _)| *octets),
            document: shelf.iter().find(|(h, ..)| h.id == header.id).map(document),
            latest: shelf.iter().rev().find(|(h, ..)| h.set_id == header.set_id).map(document),
            set: self.set(&header.set_id),
            replaced: shelf.iter().find(|(h, ..)| header.replaces.as_ref().is_some_and(|r| r.id == h.id)).map(document),
            case: newest(Group::Case, |h| h.case_id.as_ref(), &header.case_id).map(|h| CaseFact {
                id: h.case_id.clone().unwrap(),
                revision: h.version,
                closed: h.case_state.is_some_and(|s| s.closed),
                client: h.client,
                controller: h.controller.clone(),
                service_task: h.service_task.clone(),
                set_id: h.set_id.clone(),
                relation_old: relation(&h.relation_id).is_some_and(|r| is_old(&r)),
                relation_revision: None,
                invalid: self.is_invalid(&h),
                relation_invalid: relation(&h.relation_id).is_some_and(|r| self.is_invalid(&r)),
                relation_id: h.relation_id,
            }),
            relation: relation(&header.relation_id).map(|h| RelationFact {
                id: h.relation_id.clone().unwrap(),
                revision: h.version,
                old: is_old(&h),
                client: h.client,
                controller: h.controller.clone(),
                invalid: self.is_invalid(&h),
                set_id: h.set_id,
            }),
            ..Facts::default()
        }
    }
}

#[test]
fn accepted_samples_are_accepted_without_a_warning_and_refused_ones_for_their_code() {
    let shelf = Shelf::default();
    let mut wrong = Vec::new();
    for sample in samples::all(Some(&keys())) {
        let verdict = shelf.send(&sample.octets);
        let right = match sample.code {
            Some(code) if code.severity() == Severity::Warning => {
                matches!(&verdict, Verdict::Accepted(codes) if !codes.is_empty() && codes.iter().all(|c| *c == code))
            }
            Some(code) => matches!(&verdict, Verdict::Refused(codes) if codes.first() == Some(&code)),
            None if ["accepted/", "queries/", "disclosures/"].iter().any(|folder| sample.path.starts_with(folder)) => verdict == Verdict::Accepted(Vec::new()),
            None => verdict == Verdict::Noted,
        };
        if !right {
            wrong.push(format!("{}: {verdict:?}", sample.path));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn good_messages_of_scenarios_are_accepted_in_their_order() {
    let keys = keys();
    let shelf = Shelf::default();
    for message in (0..25).flat_map(|seed| scenario::family(seed, Some(&keys))).chain(scenario::bench(5, 12_000).take(40)) {
        let verdict = shelf.send(&message.octets);
        assert_eq!(verdict, Verdict::Accepted(Vec::new()), "{}", message.id);
    }
}

#[test]
fn mixed_messages_become_what_is_written() {
    let keys = keys();
    let shelf = Shelf::default();
    for message in scenario::mixed(77, 300, Some(&keys)) {
        match message.expected {
            scenario::Expected::Accepted { .. } => assert!(matches!(shelf.send(&message.octets), Verdict::Accepted(_)), "{}", message.id),
            scenario::Expected::Refused(code) => match shelf.send(&message.octets) {
                Verdict::Refused(codes) => assert_eq!(codes.first(), Some(&code), "{}", message.id),
                other => panic!("{}: {other:?}", message.id),
            },
            scenario::Expected::Quarantined => assert!(matches!(shelf.send(&message.octets), Verdict::Refused(_)), "{}", message.id),
            // The first of a pair is accepted here, for they come one after the other.
            scenario::Expected::Conflict { .. } => match shelf.send(&message.octets) {
                Verdict::Accepted(_) => assert!(message.id.ends_with("-a")),
                verdict => assert_eq!(verdict, Verdict::Refused(vec![Code::E701]), "{}", message.id),
            },
            scenario::Expected::Repeat { .. } => {}
        }
    }
}

#[test]
fn large_hostile_input_is_refused() {
    let shelf = Shelf::default();
    let document = samples::finnish().case.render();
    let first = |octets: &[u8]| match shelf.send(octets) {
        Verdict::Refused(codes) => codes.first().copied(),
        _ => None,
    };
    assert_eq!(first(&hostile::padded(&document, limits::MESSAGE_OCTETS + 1)), Some(Code::E105));
    assert_eq!(first(&hostile::levels(200_000)), Some(Code::E104));
    assert_eq!(first(&hostile::long_attribute(&document, 1_000_000)), Some(Code::E110));
    assert_eq!(first(&hostile::crowd(limits::ELEMENTS + 1)), Some(Code::E111));
    assert!(first(&hostile::namespaces(20_000)).is_some());
}
