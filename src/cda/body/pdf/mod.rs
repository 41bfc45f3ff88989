//! A PDF body: what it declares of PDF/A, and that nothing in it runs, hides or is locked (documents.md §1.2, Q18). Nobody here judges whether the file
//! conforms: the words are "declares PDF/A-1b", never "conforms".

mod file;
mod lexer;
mod unpack;
mod xmp;

pub use xmp::Claim;

use super::Report;
use crate::codes::body::{Judged, PdfRules};
use crate::domain::code::Code;
use file::{Fault, File};
use lexer::Value;
use unpack::{Unpacked, unpack};
use xmp::NoClaim;

/// The largest XMP packet read, in octets; real ones have 3 to 10 thousand.
const XMP_OCTETS: usize = 1024 * 1024;
/// How much of an embedded file is unpacked to see what it is.
const HEAD_OCTETS: usize = 64;

/// Looks a PDF through; what it declares, when nothing refuses it.
pub(super) fn check(octets: &[u8], rules: &PdfRules, report: &mut Report<'_, '_, '_>) -> Option<Claim> {
    let before = report.errors();
    if !octets.starts_with(b"%PDF-") {
        report.add(Code::E506, "B-pdf", &[]);
        return None;
    }
    let file = File::look(octets, rules);
    if file.seen.encrypted {
        // What is locked cannot be looked through: its other faults would be guesses.
        report.add(Code::E513, "B-pdf-encrypted", &[]);
        return None;
    }
    for word in &file.seen.active {
        report.add(Code::E514, "B-pdf-active", &[("name", word)]);
    }
    if let Some(fault) = file.fault {
        let reason = match fault {
            Fault::Syntax => "pdf-syntax",
            Fault::TooMuch => "pdf-too-much",
            Fault::Table => "pdf-table",
            Fault::Filter => "pdf-filter",
        };
        report.add(Code::E516, "B-pdf-whole", &[("reason", reason)]);
    }
    let claim = claim(&file);
    embedded(&file, rules, claim.as_ref().ok(), report);
    match claim {
        Err(reason) => report.add(Code::E512, "B-pdf-claim", &[("reason", reason)]),
        Ok(claim) => {
            match rules.judge(&claim.part, claim.level.as_deref()) {
                Judged::Known => {}
                Judged::UnknownPart => report.add(Code::E512, "B-pdf-claim", &[("reason", "pdf-part")]),
                Judged::UnknownLevel if rules.level_refuses => report.add(Code::E512, "B-pdf-claim", &[("reason", "pdf-level")]),
                Judged::UnknownLevel => report.add(Code::W951, "B-pdf-level", &[("part", &claim.part)]),
            }
            return (report.errors() == before).then_some(claim);
        }
    }
    None
}

fn claim(file: &File<'_>) -> Result<Claim, &'static str> {
    let Some(catalogue) = file.catalogue() else { return Err("pdf-no-catalogue") };
    let Some(Value::Ref(number)) = catalogue.get(b"Metadata") else { return Err("pdf-no-metadata") };
    let stream = file.stream(*number).ok_or("pdf-no-metadata")?;
    match unpack(&stream.dict, stream.octets, XMP_OCTETS) {
        Unpacked::Whole(packet) => xmp::claim(&packet).map_err(|why| match why {
            NoClaim::NotXml => "pdf-metadata-xml",
            NoClaim::Silent => "pdf-metadata-silent",
        }),
        Unpacked::More(_) => Err("pdf-too-much"),
        Unpacked::Unknown => Err("pdf-filter"),
    }
}

/// Embedded files: none where the part declared allows none, and never a program.
fn embedded(file: &File<'_>, rules: &PdfRules, claim: Option<&Claim>, report: &mut Report<'_, '_, '_>) {
    if !file.seen.embeds {
        return;
    }
    if claim.is_none_or(|claim| !rules.may_embed(&claim.part)) {
        return report.add(Code::E515, "B-pdf-embedded", &[("reason", "pdf-embedded-part")]);
    }
    let mut reason = file.seen.program_name.then_some("pdf-program");
    for number in &file.seen.files {
        let head = match file.stream(*number) {
            None => continue,
            Some(stream) => match unpack(&stream.dict, stream.octets, HEAD_OCTETS) {
                Unpacked::Whole(head) => head.into_owned(),
                Unpacked::More(head) => head,
                Unpacked::Unknown => {
                    reason = reason.or(Some("pdf-filter"));
                    continue;
                }
            },
        };
        if rules.is_program(&head) {
            reason = Some("pdf-program");
        }
    }
    if let Some(reason) = reason {
        report.add(Code::E515, "B-pdf-embedded", &[("reason", reason)]);
    }
}
