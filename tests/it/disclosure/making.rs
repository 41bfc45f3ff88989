//! The four systems and the messages that they send.

use arkki::domain::language::Language;
use arkki::domain::will::Said;
use arkki::generate::document::{DocumentSpec, Organisation};
use arkki::generate::family::Family;
use arkki::generate::frame::FrameSpec;
use arkki::generate::query::{Parameter, QuerySpec};
use arkki::generate::signature::{Hand, Hands};
use arkki::generate::writer::Style;

/// A registered system.
#[derive(Clone, Copy)]
pub struct System {
    pub name: &'static str,
    pub node: &'static str,
    pub device: &'static str,
    pub rights: &'static [&'static str],
    pub manages: bool,
}

/// The county whose client it is.
pub const ALFA: System = System { name: "alfa", node: Organisation::SAMPLE.node, device: Organisation::SAMPLE.unit, rights: &[], manages: true };
/// Another county.
pub const BETA: System = System { name: "beta", node: Organisation::OTHER.node, device: Organisation::OTHER.unit, rights: &[], manages: true };
/// A producer that works for alfa.
pub const GAMMA: System =
    System { name: "gamma", node: "1.2.246.10.99999976", device: "1.2.246.10.99999976.10.0", rights: &[Organisation::SAMPLE.unit], manages: true };
/// A county whose system does not manage disclosures.
pub const DELTA: System = System { name: "delta", node: "1.2.246.10.99999968", device: "1.2.246.10.99999968.10.0", rights: &[], manages: false };

/// The client's documents at alfa; their ids end in 1 to 10.
pub fn family(series: u64) -> Family {
    Family::new(series, series, Language::Fi)
}

/// A document in a frame of its controller's system, signed by the professional where it needs to be.
pub fn framed(spec: &DocumentSpec, system: System) -> Vec<u8> {
    let spec = DocumentSpec { style: Style::default(), ..spec.clone() };
    let octets = spec.render();
    let octets = if spec.signed { crate::generate::keys().sign(&octets, Hand::Professional).unwrap() } else { octets };
    let mut frame = FrameSpec::around(&spec, 1);
    frame.sender = system.device.to_owned();
    frame.render(&octets)
}

/// All that alfa has of the client, but for what the client said: ids end in 1 to 7.
pub fn documents(family: &Family) -> Vec<DocumentSpec> {
    let Family { relation, case, phase_one, client_document, old_relation, closed_case, old_document, .. } = family;
    [relation, case, phase_one, client_document, old_relation, closed_case, old_document].into_iter().cloned().collect()
}

/// The client's relation at another county: what links it to the client.
pub fn link(family: &Family, at: Organisation) -> DocumentSpec {
    let id = family.id(60).replace(Organisation::SAMPLE.node, at.node);
    DocumentSpec { controller: at, relation_id: Some(format!("{id}.1")), ..family.relation.under(&id) }
}

/// What the client says, as alfa writes it down, in November 2026.
pub fn will(base: &DocumentSpec, id: &str, said: Said, minute: u64) -> DocumentSpec {
    let time = format!("20261101{:02}{:02}00+0200", 8 + minute / 60, minute % 60);
    DocumentSpec { said: Some(said), authored: time.clone(), created: time, ..base.under(id) }
}

/// A question on some ground.
pub struct Question<'a> {
    pub system: System,
    pub request: &'static str,
    pub grounds: &'a [&'static str],
    pub number: u64,
    pub parameters: Vec<Parameter>,
}

impl Question<'_> {
    pub fn spec(&self) -> QuerySpec {
        let base = match self.request {
            "SPX-DOC-DISC" | "SPX-DOC-STAT" | "SPX-DOC-QUERY" => QuerySpec::documents(self.number, self.parameters.clone()),
            _ => QuerySpec::metadata(self.number, self.parameters.clone()),
        };
        QuerySpec {
            id: (format!("{}.18.2026.77", self.system.node), self.number.to_string()),
            service_request: self.request,
            grounds: self.grounds.to_vec(),
            sender: self.system.device.to_owned(),
            organisation: Some(self.system.device.to_owned()),
            ..base
        }
    }

    pub fn octets(&self) -> Vec<u8> {
        self.spec().render()
    }
}

/// Of the client.
pub fn of(family: &Family) -> Vec<Parameter> {
    vec![Parameter::client(&family.person.hetu)]
}

/// Of the client, these documents.
pub fn these(family: &Family, ids: &[&str]) -> Vec<Parameter> {
    vec![Parameter::client(&family.person.hetu), Parameter::ids("documentId", ids)]
}
