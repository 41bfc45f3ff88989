//! The structured form: JSON as the national document definitions ask for it (documents.md §1.2, Appendix B).

use super::document::{DocumentSpec, hyphenated};
use super::terms::{self, Term};
use crate::domain::document::Group;
use crate::domain::language::Language;
use crate::domain::oid::Oid;
use crate::domain::person::HETU_ROOT;
use crate::domain::will::{Denied, Said};

/// The group's JSON; `None` for groups that have none. `story` is free text.
pub(super) fn of(spec: &DocumentSpec, story: &str) -> Option<String> {
    let value = match spec.group {
        Group::ClientRelation => client_relation(spec),
        Group::Case => case(spec),
        Group::Client => plan(spec, story),
        Group::Informing => informing(spec),
        Group::Permission => permission(spec, story),
        Group::Denial => denial(spec, story),
        Group::PhaseOne | Group::Old | Group::Other => return None,
    };
    let mut text = String::with_capacity(story.len() + 2048);
    value.write(&mut text);
    Some(text)
}

enum Json {
    Text(String),
    Flag(bool),
    Array(Vec<Json>),
    Object(Vec<(&'static str, Json)>),
}

impl Json {
    fn write(&self, out: &mut String) {
        match self {
            Self::Flag(flag) => out.push_str(if *flag { "true" } else { "false" }),
            Self::Text(text) => quote(out, text),
            Self::Array(items) => {
                out.push('[');
                for (n, item) in items.iter().enumerate() {
                    if n > 0 {
                        out.push_str(", ");
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (n, (name, value)) in members.iter().enumerate() {
                    if n > 0 {
                        out.push_str(", ");
                    }
                    quote(out, name);
                    out.push_str(": ");
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

fn quote(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if c < ' ' => out.push(' '),
            c => out.push(c),
        }
    }
    out.push('"');
}

fn text(text: impl Into<String>) -> Json {
    Json::Text(text.into())
}

fn one(member: &'static str, value: Json) -> Json {
    Json::Object(vec![(member, value)])
}

fn code(term: Term, language: Language) -> Json {
    coded(term.system, term.code, term.name(language))
}

fn coded(system: &str, code: &str, display: &str) -> Json {
    Json::Object(vec![("system", text(format!("urn:oid:{system}"))), ("code", text(code)), ("display", text(display))])
}

fn identifier(system: &str, value: &str) -> Json {
    Json::Object(vec![("system", text(format!("urn:oid:{system}"))), ("value", text(value))])
}

fn unit(spec: &DocumentSpec) -> Json {
    coded(terms::ORGANISATIONS, spec.controller.unit, spec.controller.name(spec.language))
}

fn service_unit(spec: &DocumentSpec) -> Json {
    coded(terms::ORGANISATIONS, spec.controller.service_unit, spec.controller.service_unit_name(spec.language))
}

fn client(spec: &DocumentSpec) -> Vec<(&'static str, Json)> {
    vec![("sukunimi", text(spec.person.family)), ("etunimet", text(spec.person.given_names())), ("henkilotunnus", identifier(HETU_ROOT, &spec.person.hetu))]
}

fn worker(spec: &DocumentSpec) -> Json {
    let (given, family) = spec.professional.as_ref().map_or(("Testi", "Työntekijä"), |p| (p.given, p.family));
    let mut members = vec![("sukunimi", text(family)), ("etunimet", text(given))];
    members.push(("palveluyksikko", service_unit(spec)));
    Json::Object(members)
}

fn client_relation(spec: &DocumentSpec) -> Json {
    let mut person = client(spec);
    person.push(("syntymaaika", text(spec.person.birth_date("-"))));
    let gender = if spec.person.male { terms::MALE } else { terms::FEMALE };
    person.push(("sukupuoli", code(gender, spec.language)));
    let spoken = if spec.language == Language::Sv { ("SV", "ruotsi") } else { ("FI", "suomi") };
    person.push(("asiointikieli", coded("1.2.246.537.5.40175.2008", spoken.0, spoken.1)));
    person.push(("turvakielto", Json::Flag(false)));
    let mut relation = vec![("vanha_asiakkuus", Json::Flag(spec.old_relation)), ("asiakkuuden_alkamispvm", text(hyphenated(&spec.period.0)))];
    if let Some(end) = &spec.period.1 {
        relation.push(("asiakkuuden_paattymispvm", text(hyphenated(end))));
    }
    let mut members = Vec::with_capacity(5);
    if let Some(id) = &spec.relation_id {
        members.push(("asiakkuuden_yksilointitunnus", identifier("1.2.246.1", id)));
    }
    members.push(("asiakas", Json::Object(person)));
    members.push(("sosiaalihuollon_asiakkuus", Json::Object(relation)));
    if !spec.old_relation {
        let start = text(hyphenated(&spec.period.0));
        let place = Json::Object(vec![("palveluyksikon_nimi", service_unit(spec)), ("asiakkuuden_alkamispvm", start)]);
        let task = vec![("palvelutehtava", code(spec.task, spec.language)), ("palvelunjarjestajan_palveluyksikko", Json::Array(vec![place]))];
        members.push(("palvelunjarjestajan_toimintayksikko", unit(spec)));
        members.push(("sosiaalihuollon_palvelutehtava", Json::Array(vec![Json::Object(task)])));
    }
    one("asiakkuusasiakirja", Json::Object(members))
}

fn case(spec: &DocumentSpec) -> Json {
    let more = match (spec.period.1.is_some(), spec.language) {
        (true, Language::Sv) => "Gamla handlingar (TEST)",
        (true, _) => "Vanhat asiakirjat (TESTI)",
        (false, Language::Sv) => "Bedömning av familjens behov (TEST)",
        (false, _) => "Perheen palvelutarve (TESTI)",
    };
    let mut facts = Vec::with_capacity(7);
    if let Some(id) = &spec.case_id {
        facts.push(("asiatunnus", identifier("1.2.246.1", id)));
    }
    facts.push(("nimi", code(terms::OTHER_CASE, spec.language)));
    facts.push(("lisatieto_luokkaan_muu", text(more)));
    facts.push(("tila", code(if spec.period.1.is_some() { terms::CLOSED_CASE } else { terms::OPEN_CASE }, spec.language)));
    facts.push(("avauspaiva", text(hyphenated(&spec.period.0))));
    if let Some(end) = &spec.period.1 {
        facts.push(("paattymispaiva", text(hyphenated(end))));
    }
    facts.push(("palvelutehtava", code(spec.task, spec.language)));
    let members = vec![
        ("palvelunjarjestajan_toimintayksikko", unit(spec)),
        ("asiakas", Json::Array(vec![Json::Object(client(spec))])),
        ("asian_tiedot", Json::Object(facts)),
    ];
    one("asia_asiakirja", Json::Object(members))
}

fn plan(spec: &DocumentSpec, story: &str) -> Json {
    let plan = Json::Object(vec![("kuvaus_asiakkaan_tilanteesta", text(story)), ("selvitys_oikeuksista", Json::Flag(true))]);
    let members = vec![
        ("asiakas", Json::Array(vec![Json::Object(client(spec))])),
        ("suunnitelma", plan),
        ("paivamaara", text(hyphenated(&spec.authored))),
        ("laatija", Json::Array(vec![worker(spec)])),
    ];
    one("lapsiperheiden_palvelujen_asiakassuunnitelma", Json::Object(members))
}

/// A placeholder's form, as `codes/will.toml` reads it.
fn informing(spec: &DocumentSpec) -> Json {
    let edition = if let Some(Said::Informed { edition }) = &spec.said { edition.to_string() } else { "2.0".to_owned() };
    let given = Json::Object(vec![("versio", text(edition)), ("antamisen_ajankohta", text(hyphenated(&spec.authored)))]);
    let members = vec![("asiakas", Json::Object(client(spec))), ("informointi", given)];
    one("kanta_informointiasiakirja", Json::Object(members))
}

fn permission(spec: &DocumentSpec, story: &str) -> Json {
    let given = hyphenated(&spec.authored);
    let permitted = !matches!(spec.said, Some(Said::Permitted(false)));
    let members = vec![
        ("asiakas", Json::Object(client(spec))),
        ("infoteksti", text(story)),
        (
            "voimassa_oleva_luovutuslupa",
            Json::Object(vec![("luovutuslupa", Json::Flag(permitted)), ("luovutusluvan_antamisen_ajankohta", text(given.clone()))]),
        ),
        ("ammattihenkilon_laatima_asiakirja", one("laatija", worker(spec))),
        ("laatimispaivamaara", text(given)),
    ];
    one("luovutuslupa_asiakirja", Json::Object(members))
}

fn denial(spec: &DocumentSpec, story: &str) -> Json {
    let set = hyphenated(&spec.authored);
    let denied = match &spec.said {
        Some(Said::Denials(denied)) => denied.clone(),
        Some(Said::Cancelled(named)) => return cancellation(spec, named),
        _ => Oid::parse(spec.controller.unit).map(Denied::Controller).into_iter().collect(),
    };
    let mut members = vec![("asiakas", Json::Object(client(spec))), ("infoteksti", text(story))];
    let sorts: [DenialSort<'_>; 3] = [
        (
            "rekisterinpitajaa_koskevat_luovutuskiellot",
            "rekisterinpitajaa_koskeva_luovutuskielto",
            "rekisterinpitaja_jonka_tietojen_luovutus_kielletaan",
            &|d| {
                if let Denied::Controller(id) = d { Some(coded(terms::ORGANISATIONS, id.as_str(), spec.controller.name(spec.language))) } else { None }
            },
        ),
        ("palvelutehtavaa_koskevat_luovutuskiellot", "palvelutehtavaa_koskeva_luovutuskielto", "palvelutehtava_jonka_tietojen_luovutus_kielletaan", &|d| {
            if let Denied::Task(task) = d { Some(coded(spec.task.system, task, spec.task.name(spec.language))) } else { None }
        }),
        ("asiakirjoja_koskevat_luovutuskiellot", "asiakirjaa_koskeva_luovutuskielto", "asiakirja_jonka_luovutus_kielletaan", &|d| {
            if let Denied::Document(id) = d { Some(one("oid_tunnus", identifier("1.2.246.1", id.as_str()))) } else { None }
        }),
    ];
    for (all, each, target, of) in sorts {
        let targets: Vec<Json> = denied.iter().filter_map(of).collect();
        if !targets.is_empty() {
            let denial = Json::Object(vec![(target, Json::Array(targets)), ("kiellon_asettamisen_ajankohta", text(set.clone()))]);
            members.push((all, one(each, Json::Array(vec![denial]))));
        }
    }
    members.push(("ammattihenkilon_laatima_asiakirja", one("laatija", worker(spec))));
    members.push(("laatimispaivamaara", text(set)));
    one("kieltoasiakirja", Json::Object(members))
}

/// The members around one sort of denials, and how one of them is written; `None` for denials of another sort.
type DenialSort<'s> = (&'static str, &'static str, &'static str, &'s dyn Fn(&Denied) -> Option<Json>);

/// A placeholder's form, as `codes/will.toml` reads it.
fn cancellation(spec: &DocumentSpec, named: &[Oid]) -> Json {
    let ended: Vec<Json> = named.iter().map(|id| one("oid_tunnus", identifier("1.2.246.1", id.as_str()))).collect();
    let members = vec![
        ("asiakas", Json::Object(client(spec))),
        ("peruttava_kieltoasiakirja", Json::Array(ended)),
        ("laatimispaivamaara", text(hyphenated(&spec.authored))),
    ];
    one("luovutuskiellon_peruutusasiakirja", Json::Object(members))
}
