//! E5xx: the body: its coding, its form, and what it says against the header.

use super::{Fault, Ground, in_base64, swap};
use crate::domain::code::Code;
use crate::domain::document::Group;
use crate::generate::document::DocumentSpec;
use crate::generate::writer::Style;

pub(super) const FAULTS: &[Fault] = &[
    Fault::new(Code::E501, "not-base64", |g| g.swapped("representation=\"B64\">", "representation=\"B64\">*!*")),
    Fault::new(Code::E502, "media-type-against-file-format", |g| g.swapped("mediaType=\"application/xhtml+xml\"", "mediaType=\"application/pdf\"")),
    Fault::new(Code::E503, "body-id-of-another-document", |g| {
        let id = g.fresh();
        g.swapped(&format!("ID=\"OID{id}\""), &format!("ID=\"OID{id}.1\""))
    }),
    Fault::new(Code::E503, "body-without-id", |g| g.swapped(&format!("<nonXMLBody ID=\"OID{}\"", g.fresh()), "<nonXMLBody")),
    Fault::new(Code::E504, "json-cut-short", |g| in_base64(&g.case().render(), "<hl7fi:json", |json| json.get(..json.len() / 2).map(<[u8]>::to_vec))),
    Fault::new(Code::E504, "json-name-twice", |g| in_base64(&g.case().render(), "<hl7fi:json", |json| swap(&json, "{", "{\"asia_asiakirja\": {}, "))),
    Fault::new(Code::E505, "json-of-another-client", |g| {
        let spoilt = g.family.person.spoilt_hetu();
        in_base64(&g.case().render(), "<hl7fi:json", |json| swap(&json, &g.family.person.hetu, &spoilt))
    }),
    Fault::new(Code::E505, "json-of-another-case", |g| {
        let case = g.case().case_id?;
        in_base64(&g.case().render(), "<hl7fi:json", |json| swap(&json, &format!("\"{case}\""), &format!("\"{case}.7\"")))
    }),
    Fault::new(Code::E506, "pdf-without-its-mark", |g| in_base64(&g.phase_one().render(), "<text ", |pdf| swap(&pdf, "%PDF-1.4", "%TXT-1.4"))),
    Fault::new(Code::E507, "xhtml-not-well-formed", |g| in_base64(&g.case().render(), "<text ", |xhtml| swap(&xhtml, "</h1>", ""))),
    Fault::new(Code::E507, "root-outside-xhtml", |g| {
        in_base64(&g.case().render(), "<text ", |xhtml| swap(&xhtml, " xmlns=\"http://www.w3.org/1999/xhtml\"", ""))
    }),
];

/// Those that came later: they stand last of all, for a sample's ids follow from its place.
pub(super) const LATER: &[Fault] = &[
    Fault::new(Code::E505, "json-of-another-relation", |g| {
        let id = format!("{}.1", g.fresh());
        relation(g, &format!("\"{id}\""), &format!("\"{id}.7\""))
    }),
    Fault::new(Code::E505, "json-of-another-task", |g| {
        case(
            g,
            "\"palvelutehtava\": {\"system\": \"urn:oid:1.2.246.537.6.1221.201601\", \"code\": \"",
            "\"palvelutehtava\": {\"system\": \"urn:oid:1.2.246.537.6.1221.201601\", \"code\": \"1",
        )
    }),
    Fault::new(Code::E505, "json-of-another-unit", |g| case(g, "99999992.10.0\"", "99999992.10.7\"")),
    Fault::new(Code::E505, "json-of-another-family-name", |g| relation(g, "\"sukunimi\": \"", "\"sukunimi\": \"Muu")),
    Fault::new(Code::E505, "json-of-another-given-name", |g| relation(g, "\"etunimet\": \"", "\"etunimet\": \"Muu")),
    Fault::new(Code::E509, "case-client-without-id", |g| case(g, "\"henkilotunnus\": {", "\"henkilotunnu\": {")),
    Fault::new(Code::E509, "case-without-its-root", |g| case(g, "{\"asia_asiakirja\"", "{\"asia\"")),
    Fault::new(Code::E509, "case-without-status", |g| case(g, "\"tila\": {", "\"til\": {")),
    Fault::new(Code::E509, "closed-case-without-end", |g| {
        in_base64(&plain(g, &g.family.closed_case).render(), "<hl7fi:json", |json| swap(&json, "\"paattymispaiva\"", "\"paattymispaiv\""))
    }),
    Fault::new(Code::E509, "other-case-without-words", |g| case(g, "\"lisatieto_luokkaan_muu\"", "\"lisatieto\"")),
    Fault::new(Code::E509, "shared-case-without-joining-time", |g| case(g, "\"avauspaiva\"", "\"yhteinen_asia\": true, \"avauspaiva\"")),
    Fault::new(Code::E509, "relation-client-without-id", |g| relation(g, "\"henkilotunnus\": {", "\"henkilotunnu\": {")),
    Fault::new(Code::E509, "relation-without-its-root", |g| relation(g, "{\"asiakkuusasiakirja\"", "{\"asiakkuus\"")),
    Fault::new(Code::E509, "relation-without-beginning", |g| relation(g, "\"sosiaalihuollon_asiakkuus\": {", "\"asiakkuus\": {")),
    Fault::new(Code::E509, "relation-without-tasks", |g| relation(g, "\"sosiaalihuollon_palvelutehtava\"", "\"tehtava\"")),
    Fault::new(Code::E509, "relation-task-without-unit", |g| relation(g, "\"palvelunjarjestajan_palveluyksikko\"", "\"yksikko\"")),
    Fault::new(Code::E509, "relation-without-non-disclosure", |g| relation(g, "\"turvakielto\": false", "\"kielto\": false")),
    Fault::new(Code::E509, "municipality-despite-non-disclosure", |g| {
        relation(g, "\"turvakielto\": false", "\"turvakielto\": true, \"kotikunta\": {\"kunta\": {}, \"kuntaan_muutto\": \"2020\"}")
    }),
    Fault::new(Code::E509, "guardian-without-authority", |g| {
        relation(g, "\"sosiaalihuollon_asiakkuus\"", "\"asiakkaaseen_liittyvat_henkilot\": [{\"rooli\": [{\"code\": \"32\"}]}], \"sosiaalihuollon_asiakkuus\"")
    }),
    Fault::new(Code::E509, "language-other-than-fi-or-sv", |g| relation(g, "40175.2008\", \"code\": \"", "40175.2008\", \"code\": \"E")),
    Fault::new(Code::E509, "old-relation-without-birth-date", |g| {
        in_base64(&plain(g, &g.family.old_relation).render(), "<hl7fi:json", |json| swap(&json, "\"syntymaaika\"", "\"syntynyt\""))
    }),
    Fault::new(Code::E509, "representative-not-named", |g| {
        in_base64(&plain(g, &g.family.permission).render(), "<hl7fi:json", |json| {
            swap(&json, "\"infoteksti\"", "\"luovutusluvan_antaja_on_laillinen_edustaja\": true, \"infoteksti\"")
        })
    }),
    Fault::new(Code::E510, "script-in-xhtml", |g| xhtml(g, "<script type=\"text/javascript\">window.status = 'x'</script>")),
    Fault::new(Code::E510, "event-in-xhtml", |g| xhtml(g, "<p onclick=\"window.status = 'x'\">x</p>")),
    Fault::new(Code::E510, "drawing-in-xhtml", |g| xhtml(g, "<svg xmlns=\"http://www.w3.org/2000/svg\"><circle r=\"1\"/></svg>")),
    Fault::new(Code::E511, "picture-from-elsewhere", |g| xhtml(g, "<img alt=\"\" src=\"http://host.invalid/logo.png\"/>")),
    Fault::new(Code::E511, "style-from-elsewhere", |g| xhtml(g, "<p style=\"background: url(http://host.invalid/b.png)\">x</p>")),
    Fault::new(Code::E511, "frame-in-xhtml", |g| xhtml(g, "<iframe src=\"http://host.invalid/\"></iframe>")),
    Fault::new(Code::E512, "pdf-without-claim", |g| pdf(g, "http://www.aiim.org/pdfa/ns/id/", "http://www.aiim.org/pdfa/ns/xx/")),
    Fault::new(Code::E512, "pdf-of-part-nine", |g| pdf(g, "<pdfaid:part>1<", "<pdfaid:part>9<")),
    Fault::new(Code::E513, "pdf-encrypted", |g| pdf(g, "/Root 1 0 R ", "/Root 1 0 R /Encrypt 4 0 R ")),
    Fault::new(Code::E514, "pdf-with-javascript", |g| pdf(g, BOX, "/AA<</O<</JS(x=1)>>>>  ")),
    Fault::new(Code::E514, "pdf-with-launch", |g| pdf(g, BOX, "/AA<</O<</S/Launch>>>> ")),
    Fault::new(Code::E515, "pdf-with-embedded-file", |g| pdf(g, BOX, "/AF<</EF<</F 4 0 R>>>> ")),
    Fault::new(Code::E516, "pdf-table-elsewhere", |g| pdf(g, "startxref\n", "startxref\n1")),
];

/// What is taken with a warning.
pub(super) const WARNED: &[Fault] = &[
    Fault::new(Code::W951, "pdf-level-of-another-part", |g| pdf(g, "conformance>B<", "conformance>U<")),
    Fault::new(Code::W952, "old-relation-without-end", |g| {
        in_base64(&plain(g, &g.family.old_relation).render(), "<hl7fi:json", |json| swap(&json, "\"asiakkuuden_paattymispvm\"", "\"paattymispvm\""))
    }),
    Fault::new(Code::W952, "shelter-client-without-cohabitation", |g| {
        relation(
            g,
            "\"palvelunjarjestajan_palveluyksikko\"",
            "\"palveluntuottaja\": [{\"sosiaalipalvelu\": [{\"display\": \"Turvakotipalvelu\"}]}], \"palvelunjarjestajan_palveluyksikko\"",
        )
    }),
    Fault::new(Code::W908, "birth-date-of-another-day", |g| {
        // A client of the family is born in one century or the other.
        let of_the_last = relation(g, "\"syntymaaika\": \"19", "\"syntymaaika\": \"18");
        of_the_last.or_else(|| relation(g, "\"syntymaaika\": \"20", "\"syntymaaika\": \"19"))
    }),
];

/// What stands in the generated page; what takes its place is as long, so that every offset stays right.
const BOX: &str = "/MediaBox [0 0 595 842]";

/// A document of the family under a new id, plainly written; a relation is another relation then.
fn plain(g: &Ground<'_>, spec: &DocumentSpec) -> DocumentSpec {
    let mut spec = DocumentSpec { style: Style::default(), ..spec.under(&g.fresh()) };
    if spec.group == Group::ClientRelation {
        spec.relation_id = Some(format!("{}.1", g.fresh()));
    }
    spec
}

/// The client relation with one text of its JSON changed.
fn relation(g: &Ground<'_>, from: &str, to: &str) -> Option<Vec<u8>> {
    in_base64(&plain(g, &g.family.relation).render(), "<hl7fi:json", |json| swap(&json, from, to))
}

/// The case with one text of its JSON changed.
fn case(g: &Ground<'_>, from: &str, to: &str) -> Option<Vec<u8>> {
    in_base64(&g.case().render(), "<hl7fi:json", |json| swap(&json, from, to))
}

/// The case with something more in its display form.
fn xhtml(g: &Ground<'_>, more: &str) -> Option<Vec<u8>> {
    in_base64(&g.case().render(), "<text ", |xhtml| swap(&xhtml, "</h1>", &format!("</h1>{more}")))
}

/// The document of phase I with one text of its PDF changed.
fn pdf(g: &Ground<'_>, from: &str, to: &str) -> Option<Vec<u8>> {
    in_base64(&g.phase_one().render(), "<text ", |pdf| swap(&pdf, from, to))
}
