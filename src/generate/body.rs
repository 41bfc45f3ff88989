//! The body in its three forms: XHTML for the eye, JSON for machines, PDF/A (documents.md §1.2), all in base64.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::document::{Body, DocumentSpec};
use super::random::Random;
use super::writer::escape;
use super::{json, pdf, terms};
use crate::domain::document::Group;
use crate::domain::language::Language;

/// What stands in `nonXMLBody`.
pub(super) struct Bodies {
    pub(super) media_type: &'static str,
    pub(super) text: String,
    pub(super) json: Option<String>,
}

pub(super) fn of(spec: &DocumentSpec) -> Bodies {
    let mut random = Random::new(spec.seed).fork(1);
    if spec.body == Body::Pdf {
        return Bodies { media_type: "application/pdf", text: STANDARD.encode(pdf::render(&mut random, spec.body_octets)), json: None };
    }
    let structured = spec.body == Body::Structured;
    // The prose of a plan, a permission or a denial stands in both forms: half the size each.
    let twice = structured && matches!(spec.group, Group::Client | Group::Permission | Group::Denial);
    let prose = prose(&mut random, spec.language, if twice { spec.body_octets / 2 } else { spec.body_octets });
    let json = if structured { json::of(spec, &prose) } else { None };
    Bodies { media_type: "application/xhtml+xml", text: STANDARD.encode(xhtml(spec, &prose)), json: json.map(|j| STANDARD.encode(j)) }
}

/// The display form: the outermost `div` carries the body's id, the identity code is masked.
fn xhtml(spec: &DocumentSpec, prose: &str) -> String {
    let swedish = spec.language == Language::Sv;
    let mut out = String::with_capacity(prose.len() + 1500);
    let title = if spec.group == Group::Client { terms::FAMILY_PLAN.name(spec.language) } else { terms::group(spec.group).name(spec.language) };
    out.push_str("<div xmlns=\"http://www.w3.org/1999/xhtml\" class=\"soc-document\" id=\"OID");
    out.push_str(&spec.id);
    out.push_str("\"><div class=\"soc-header\">");
    division(&mut out, "soc-hdr1", spec.controller.name(spec.language));
    division(&mut out, "soc-hdr2", spec.general_type().map_or("", |t| t.name(spec.language)));
    division(&mut out, "soc-hdr3", &day(&spec.authored));
    out.push_str("</div><div class=\"soc-main-wrapper\"><h1 class=\"soc-fulltitle\">");
    escape(&mut out, title);
    out.push_str("</h1><div class=\"soc-list\">");
    let client = format!("{} {}, {}", spec.person.given_names(), spec.person.family, spec.person.masked_hetu());
    item(&mut out, if swedish { "Klient" } else { "Asiakas" }, &client);
    if let Some(case) = &spec.case_id {
        item(&mut out, if swedish { "Ärendenummer" } else { "Asiatunnus" }, case);
    }
    if let Some(relation) = &spec.relation_id {
        item(&mut out, if swedish { "Klientrelation" } else { "Asiakkuus" }, relation);
    }
    item(&mut out, if swedish { "Beskrivning" } else { "Kuvaus" }, prose);
    out.push_str("</div></div><div class=\"soc-footer\">");
    division(&mut out, "soc-ftr1", if swedish { "Testhandling, påhittade uppgifter" } else { "Testiasiakirja, keksityt tiedot" });
    out.push_str("</div></div>");
    out
}

fn division(out: &mut String, class: &str, text: &str) {
    out.push_str("<div class=\"");
    out.push_str(class);
    out.push_str("\">");
    escape(out, text);
    out.push_str("</div>");
}

fn item(out: &mut String, title: &str, text: &str) {
    out.push_str("<div class=\"soc-item\"><h2 class=\"soc-title\">");
    escape(out, title);
    out.push_str("</h2><div class=\"soc-content\">");
    for paragraph in text.split('\n') {
        out.push_str("<p>");
        escape(out, paragraph);
        out.push_str("</p>");
    }
    out.push_str("</div></div>");
}

/// `20261105…` as `5.11.2026`.
fn day(authored: &str) -> String {
    let number = |from: usize, to: usize| authored.get(from..to).and_then(|d| d.parse::<u32>().ok()).unwrap_or(1);
    format!("{}.{}.{}", number(6, 8), number(4, 6), number(0, 4))
}

const WHO_FI: [&str; 6] = ["Testiasiakas", "Esimerkkiperhe", "Keksitty työntekijä", "Harjoitusryhmä", "Koeyksikkö", "Mallivanhempi"];
const DOES_FI: [&str; 6] = ["sopii", "arvioi", "toivoo", "selvittää", "kirjaa", "tarkistaa"];
const WHAT_FI: [&str; 6] = ["kotipalvelun aloituksen", "perhetyön tavoitteet", "seuraavan tapaamisen", "tuen tarpeen", "arjen voimavarat", "palvelujen keston"];
const WHEN_FI: [&str; 5] = ["ensi viikolla", "keväällä", "yhteisessä neuvottelussa", "puolen vuoden kuluttua", "kotikäynnillä"];
const WHO_SV: [&str; 6] = ["Testklienten", "Exempelfamiljen", "En påhittad anställd", "Övningsgruppen", "Provenheten", "Modellföräldern"];
const DOES_SV: [&str; 6] = ["avtalar om", "bedömer", "önskar", "utreder", "antecknar", "granskar"];
const WHAT_SV: [&str; 6] = ["hemservicens början", "familjearbetets mål", "nästa möte", "behovet av stöd", "vardagens resurser", "servicens längd"];
const WHEN_SV: [&str; 5] = ["nästa vecka", "på våren", "vid ett gemensamt möte", "om ett halvt år", "vid ett hembesök"];

/// Prose about nobody, at least `octets` long, a line break after every fifth sentence.
fn prose(random: &mut Random, language: Language, octets: usize) -> String {
    let (who, does, what, when) = match language {
        Language::Sv => (&WHO_SV, &DOES_SV, &WHAT_SV, &WHEN_SV),
        Language::Fi | Language::En => (&WHO_FI, &DOES_FI, &WHAT_FI, &WHEN_FI),
    };
    let mut out = String::with_capacity(octets + 200);
    let mut sentences = 0_u32;
    while sentences < 2 || out.len() < octets {
        if sentences > 0 {
            out.push(if sentences.is_multiple_of(5) { '\n' } else { ' ' });
        }
        for (n, words) in [who.as_slice(), does, what, when].into_iter().enumerate() {
            if n > 0 {
                out.push(' ');
            }
            out.push_str(random.pick(words));
        }
        out.push('.');
        sentences += 1;
    }
    out
}
