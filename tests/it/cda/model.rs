//! The road of one message without schema, signatures and database: open, content, own rules, decide; and an archive in memory that remembers what was archived.

use std::collections::{BTreeMap, HashMap};

use arkki::cda::content;
use arkki::cda::open::{Opened, open};
use arkki::crypto::sha256;
use arkki::domain::ack::InstanceId;
use arkki::domain::digest::Digest;
use arkki::domain::document::{Group, Header};
use arkki::domain::facts::{CaseFact, DocumentFact, Facts, Mark, RelationFact, SetFact};
use arkki::domain::finding::Finding;
use arkki::domain::message::{MessageKey, Sender};
use arkki::domain::oid::Oid;
use arkki::domain::refusal::Refusal;
use arkki::domain::time::Moment;
use arkki::rules::decide::{Decision, Holding, Request, decide, own_rules};
use arkki::rules::wills::Counting;
use arkki::v3::frame::agree;
use arkki::xml::tree;

use super::{RULES, hash, site};

/// Opens and reads a message as the gateway does, but for schema and signatures.
pub fn examine(octets: &[u8]) -> Result<Request, Vec<Finding>> {
    let text = std::str::from_utf8(octets).expect("UTF-8");
    let carrier = tree::parse(text).expect("well-formed");
    let (frame, inner) = match open(&carrier, &RULES, &site())? {
        Opened::Acknowledgement => panic!("an acknowledgement"),
        Opened::Bare => (None, octets.to_vec()),
        Opened::Framed(frame) => (Some(frame.clone()), frame.content.document().expect("a document").to_vec()),
    };
    let text = std::str::from_utf8(&inner).expect("UTF-8");
    let document = tree::parse(text).expect("well-formed");
    let mut read = content::read(&document, &RULES, site().environment, &hash)?;
    let mut more = frame.as_ref().map(|f| agree(&carrier, f, &document, &read.header)).unwrap_or_default();
    more.extend(own_rules(&read.header, &RULES));
    if more.iter().any(Finding::is_error) {
        return Err(more);
    }
    read.warnings.extend(more);
    Ok(Request {
        key: MessageKey { sender: Sender::new("test"), octets: sha256(octets) },
        frame: frame.and_then(|f| f.head.id),
        header: read.header,
        invalidates: false,
        will: read.will.map(|said| (said, Counting::of(&RULES.wills))),
        received: sha256(&inner),
        warnings: read.warnings,
        holding: Holding::Fresh,
        rules: RULES.hash(),
    })
}

/// What was archived.
#[derive(Default)]
pub struct Model(BTreeMap<Oid, (Header, DocumentFact)>, HashMap<InstanceId, Digest>);

impl Model {
    /// Decides, and keeps the document when it is archived.
    pub fn take(&mut self, request: &Request) -> Decision {
        let decision = decide(request, &self.facts(request), Moment::from_seconds(1_795_000_000));
        if matches!(decision, Decision::Archive { .. }) {
            let h = &request.header;
            let fact = DocumentFact {
                id: h.id.clone(),
                set_id: h.set_id.clone(),
                version: h.version,
                group: h.group,
                client: h.client,
                controller: h.controller.clone(),
                received: request.received,
                case_id: h.case_id.clone(),
                relation_id: h.relation_id.clone(),
                mark: Mark::None,
            };
            self.0.insert(h.id.clone(), (h.clone(), fact));
            if let Some(id) = &request.frame {
                self.1.insert(id.clone(), request.key.octets);
            }
        }
        decision
    }

    fn newest(&self, fits: impl Fn(&Header) -> bool) -> Option<&(Header, DocumentFact)> {
        self.0.values().filter(|(h, _)| fits(h)).max_by_key(|(h, _)| h.version)
    }

    fn relation(&self, id: &Oid) -> Option<RelationFact> {
        let (h, _) = self.newest(|h| h.group == Group::ClientRelation && h.relation_id.as_ref() == Some(id))?;
        let old = h.relation_state.is_some_and(|r| r.old);
        Some(RelationFact {
            id: id.clone(),
            revision: h.version,
            old,
            client: h.client,
            controller: h.controller.clone(),
            set_id: h.set_id.clone(),
            invalid: false,
        })
    }

    fn facts(&self, request: &Request) -> Facts {
        let h = &request.header;
        let case = h.case_id.as_ref().and_then(|id| {
            let (c, _) = self.newest(|c| c.group == Group::Case && c.case_id.as_ref() == Some(id))?;
            Some(CaseFact {
                id: id.clone(),
                revision: c.version,
                closed: c.case_state.is_some_and(|s| s.closed),
                client: c.client,
                controller: c.controller.clone(),
                service_task: c.service_task.clone(),
                set_id: c.set_id.clone(),
                relation_id: c.relation_id.clone(),
                relation_old: c.relation_id.as_ref().and_then(|r| self.relation(r)).is_some_and(|r| r.old),
                relation_revision: None,
                invalid: false,
                relation_invalid: false,
            })
        });
        Facts {
            prior: None,
            frame: request.frame.as_ref().and_then(|id| self.1.get(id)).copied(),
            document: self.0.get(&h.id).map(|(_, f)| f.clone()),
            latest: self.newest(|d| d.set_id == h.set_id).map(|(_, f)| f.clone()),
            set: SetFact::default(),
            replaced: h.replaces.as_ref().and_then(|r| self.0.get(&r.id)).map(|(_, f)| f.clone()),
            case,
            relation: h.relation_id.as_ref().and_then(|id| self.relation(id)),
            ..Facts::default()
        }
    }
}

/// The codes of a refusal, the naming one first.
pub fn refusal_codes(refusal: &Refusal) -> Vec<&'static str> {
    refusal.findings().map(|f| f.code.as_str()).collect()
}
