//! One chosen fault at a time: for each refusal code the ways to earn it, each as octets that are good in everything else.

mod body;
mod disclosure;
mod encoding;
mod frame;
mod lifecycle;
mod link;
mod messages;
mod metadata;
mod notice;
mod query;
mod rules;
mod schema;
mod signature;
mod structure;
mod syntax;
mod version;
mod will;

use std::cell::Cell;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::document::DocumentSpec;
use super::family::Family;
use super::frame::FrameSpec;
use super::signature::{Hand, Hands};
use super::writer::{Layout, Style};
use crate::domain::code::Code;
use crate::domain::document::Group;

/// What begins a signature's value.
const SIGNATURE: &[u8] = b"SignatureValue";

/// One way to earn a refusal.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    /// The code that the refusal must name first.
    pub code: Code,
    /// What is wrong, in a few words with hyphens: the rest of the sample's name.
    pub why: &'static str,
    /// What it takes beside a sound validator.
    pub needs: Needs,
    make: fn(&Ground<'_>) -> Option<Vec<u8>>,
}

/// What a fault needs in order to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: the octets alone are refused.
    Nothing,
    /// The decision, which looks into the archive; most of these also need the family's documents archived before.
    Archive,
    /// As `Archive`, and the family's disclosures.
    Notices,
    /// The family's documents, archived before, and the hold's time to run out.
    Hold,
}

/// The good ground that a fault is put into.
pub struct Ground<'a> {
    family: &'a Family,
    hands: Option<&'a dyn Hands>,
    number: u64,
    /// The group whose documents a fault is put into; `None`: each fault's own choice.
    group: Option<Group>,
    /// Whether the fault took such a document.
    took: Cell<bool>,
}

impl Fault {
    /// Every fault there is. New ones come last: a sample's ids follow from its place.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        [
            syntax::FAULTS,
            schema::FAULTS,
            metadata::FAULTS,
            link::FAULTS,
            body::FAULTS,
            signature::FAULTS,
            version::FAULTS,
            frame::FAULTS,
            structure::FAULTS,
            encoding::FAULTS,
            rules::FAULTS,
            body::LATER,
            lifecycle::FAULTS,
            messages::FAULTS,
            // Last: none of these takes a number from its place.
            query::FAULTS,
            will::FAULTS,
            disclosure::FAULTS,
            notice::FAULTS,
        ]
        .into_iter()
        .flatten()
    }

    /// What is taken with a warning, first of all its own: not among [`Fault::all`], for nothing of it is refused.
    pub fn warnings() -> impl Iterator<Item = &'static Self> {
        [rules::WARNED, body::WARNED, will::WARNED, notice::WARNED].into_iter().flatten()
    }

    /// The faults of one code.
    pub fn of(code: Code) -> impl Iterator<Item = &'static Self> {
        Self::all().filter(move |fault| fault.code == code)
    }

    /// The faulty octets. `number` keeps the ids of several faults in one archive apart: take one from 200 up, and no number twice.
    /// `None` when the fault needs a signature and `hands` has none.
    #[must_use]
    pub fn make(&self, family: &Family, hands: Option<&dyn Hands>, number: u64) -> Option<Vec<u8>> {
        (self.make)(&Ground { family, hands, number, group: None, took: Cell::new(false) })
    }

    /// The fault in a document of this group. `None` where it is not of a kind that can be put there: whether what was made earns the code in this
    /// group too, the verdict says.
    #[must_use]
    pub fn make_in(&self, family: &Family, hands: Option<&dyn Hands>, number: u64, group: Group) -> Option<Vec<u8>> {
        let ground = Ground { family, hands, number, group: Some(group), took: Cell::new(false) };
        let octets = (self.make)(&ground)?;
        let signed = family.of_group(group).signed && !bears_signature(&octets);
        let octets = if signed { hands?.sign(&octets, Hand::Professional).unwrap_or(octets) } else { octets };
        ground.took.get().then_some(octets)
    }

    /// `E305-hetu-check-character`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}-{}", self.code.as_str(), self.why)
    }

    const fn new(code: Code, why: &'static str, make: fn(&Ground<'_>) -> Option<Vec<u8>>) -> Self {
        Self { code, why, needs: Needs::Nothing, make }
    }

    const fn archive(code: Code, why: &'static str, make: fn(&Ground<'_>) -> Option<Vec<u8>>) -> Self {
        Self { code, why, needs: Needs::Archive, make }
    }

    const fn notices(code: Code, why: &'static str, make: fn(&Ground<'_>) -> Option<Vec<u8>>) -> Self {
        Self { code, why, needs: Needs::Notices, make }
    }

    const fn hold(code: Code, why: &'static str, make: fn(&Ground<'_>) -> Option<Vec<u8>>) -> Self {
        Self { code, why, needs: Needs::Hold, make }
    }
}

impl Ground<'_> {
    /// An id that no other document of the family has.
    fn fresh(&self) -> String {
        self.family.id(self.number)
    }

    /// A case document of its own under the family's relation: good, and in need of no professional's signature. A document of the group asked for, if one was.
    fn case(&self) -> DocumentSpec {
        let group = self.group.unwrap_or(Group::Case);
        self.take(group);
        let mut spec = self.family.of_group(group).under(&self.fresh());
        match group {
            Group::Case => spec.case_id = Some(format!("{}.1", self.fresh())),
            Group::ClientRelation => spec.relation_id = Some(format!("{}.1", self.fresh())),
            Group::PhaseOne | Group::Old | Group::Client | Group::Informing | Group::Permission | Group::Denial | Group::Other => {}
        }
        spec.style = Style::default();
        spec
    }

    fn take(&self, group: Group) {
        if self.group == Some(group) {
            self.took.set(true);
        }
    }

    /// A client document of phase I (PDF/A) in the family's case.
    fn phase_one(&self) -> DocumentSpec {
        self.take(Group::PhaseOne);
        let mut spec = self.family.phase_one.under(&self.fresh());
        spec.style = Style::default();
        spec
    }

    /// An old document in the family's closed case.
    fn old(&self) -> DocumentSpec {
        self.take(Group::Old);
        let mut spec = self.family.old_document.under(&self.fresh());
        spec.style = Style::default();
        spec
    }

    /// A client document of phase II before it is signed.
    fn unsigned(&self) -> DocumentSpec {
        self.take(Group::Client);
        let mut spec = self.family.client_document.under(&self.fresh());
        spec.style = Style::default();
        spec
    }

    /// The same, signed by a hand.
    fn signed(&self, hand: Hand) -> Option<Vec<u8>> {
        self.hands?.sign(&self.unsigned().render(), hand)
    }

    /// A good frame around a document.
    fn frame(&self, spec: &DocumentSpec) -> FrameSpec {
        FrameSpec::around(spec, self.number)
    }

    /// A good frame around a good case document, changed by `change`.
    fn framed(&self, change: impl FnOnce(&mut FrameSpec)) -> Vec<u8> {
        // The document on one line, for the sake of its size in base64; the frame with line breaks, for the sake of its reader.
        let mut spec = self.case();
        spec.style.layout = Layout::OneLine;
        let mut frame = FrameSpec { style: Style::default(), ..self.frame(&spec) };
        change(&mut frame);
        let octets = spec.render();
        let signed = self.hands.filter(|_| spec.signed).and_then(|hands| hands.sign(&octets, Hand::Professional));
        frame.render(&signed.unwrap_or(octets))
    }

    /// A good bare case document with one text for another, the first time it stands there; `None` when it does not.
    fn swapped(&self, from: &str, to: &str) -> Option<Vec<u8>> {
        swap(&self.case().render(), from, to)
    }
}

/// Whether a signature stands in it already: the fault is in the signature, or was put in after it.
fn bears_signature(octets: &[u8]) -> bool {
    octets.windows(SIGNATURE.len()).any(|w| w == SIGNATURE)
}

/// Octets with one text for another, the first time it stands there.
fn swap(octets: &[u8], from: &str, to: &str) -> Option<Vec<u8>> {
    let at = octets.windows(from.len()).position(|w| w == from.as_bytes())?;
    Some([octets.get(..at)?, to.as_bytes(), octets.get(at + from.len()..)?].concat())
}

/// Octets without what stands from one text through another.
fn cut(octets: &[u8], from: &str, through: &str) -> Option<Vec<u8>> {
    let start = octets.windows(from.len()).position(|w| w == from.as_bytes())?;
    let rest = octets.get(start..)?;
    let end = start + rest.windows(through.len()).position(|w| w == through.as_bytes())? + through.len();
    Some([octets.get(..start)?, octets.get(end..)?].concat())
}

/// Octets with another base64 content in the first element that begins with `tag`; `change` sees the decoded content.
fn in_base64(octets: &[u8], tag: &str, change: impl FnOnce(Vec<u8>) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    let element = octets.windows(tag.len()).position(|w| w == tag.as_bytes())?;
    let start = element + octets.get(element..)?.iter().position(|b| *b == b'>')? + 1;
    let end = start + octets.get(start..)?.iter().position(|b| *b == b'<')?;
    let content = change(STANDARD.decode(octets.get(start..end)?).ok()?)?;
    Some([octets.get(..start)?, STANDARD.encode(content).as_bytes(), octets.get(end..)?].concat())
}
