//! Finds the document in a message: bare, or carried by a frame (messaging.md §9.1, stages 2–6).

use crate::codes::requests::Operation;
use crate::codes::rule_set::RuleSet;
use crate::domain::code::Code;
use crate::domain::finding::Finding;
use crate::v3::frame::{self, Frame, FrameSite};
use crate::xml::tree::{self, Document, HL7};

/// What a message turned out to be.
#[derive(Debug)]
pub enum Opened {
    /// The message is the document.
    Bare,
    /// A frame carries it.
    Framed(Box<Frame>),
    /// An acknowledgement: recorded, never answered.
    Acknowledgement,
}

/// Opens a parsed message. The document inside a frame is not parsed here: it goes through pre-pass and schema like a bare one.
///
/// # Errors
/// E201 for a root that is no message, E814 for an interaction that is not taken, else everything that is wrong with the frame.
pub fn open(document: &Document<'_>, rules: &RuleSet, site: &FrameSite) -> Result<Opened, Vec<Finding>> {
    open_by(document, rules, || frame::read(document, rules, site))
}

/// As [`open`], of a frame whose document stands beside it; it may carry the same octets too.
///
/// # Errors
/// As [`open`]; E860 when the frame carries another document.
pub fn open_beside(document: &Document<'_>, rules: &RuleSet, site: &FrameSite, beside: &[u8]) -> Result<Opened, Vec<Finding>> {
    open_by(document, rules, || frame::read_beside(document, rules, site, beside))
}

fn open_by(document: &Document<'_>, rules: &RuleSet, read: impl FnOnce() -> Result<Frame, Vec<Finding>>) -> Result<Opened, Vec<Finding>> {
    let root = document.root_element();
    let name = root.tag_name();
    let unknown = |code, word| vec![Finding::new(code, tree::place(root)).with(word, shown(name.name()))];
    if name.namespace() != Some(HL7) {
        let is_named_so = name.name() == "ClinicalDocument" || rules.services.interaction(name.name()).is_some();
        return Err(unknown(if is_named_so { Code::E210 } else { Code::E201 }, "element"));
    }
    if name.name() == "ClinicalDocument" {
        return Ok(Opened::Bare);
    }
    match rules.services.interaction(name.name()) {
        None => Err(unknown(Code::E201, "element")),
        Some(interaction) if interaction.operation == Operation::Acknowledgement => Ok(Opened::Acknowledgement),
        Some(interaction) if !interaction.open => Err(unknown(Code::E814, "interaction")),
        Some(_) => read().map(|frame| Opened::Framed(Box::new(frame))),
    }
}

/// An element's name as a sentence may show it: as far as it looks like one.
fn shown(name: &str) -> String {
    name.chars().take(64).collect()
}
