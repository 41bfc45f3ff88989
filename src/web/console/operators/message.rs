//! `/messages/HASH`: one message: what it came to, each step of its way with its moment, and the answer that its sender got. And, for a reason that is given and
//! logged first, the lines of it that findings are about, with the place marked: those lines may name people.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::super::html::Html;
use super::super::session::Visit;
use super::super::{Asked, Console, guard, pages};
use super::place::{SIDE, marked};
use super::{ROLES, messages, refusals, state_word, table, time};
use crate::domain::facts::Standing;
use crate::domain::finding::Finding;
use crate::domain::messages::{DecisionFacts, KeptOctets, MessageFacts, MessageName};
use crate::domain::outage::{Outage, Part};
use crate::domain::person::names_a_person;
use crate::domain::refused::RefusedMessage;
use crate::pipeline::examine::Stage;
use crate::pipeline::given::{self, Note};
use crate::ports::messages::Messages as _;
use crate::ports::refusals::Refusals as _;
use crate::v3::ack::{self, AckRead};

/// The longest reason, in characters: a sentence or two.
const WHY: usize = 300;
/// How many lines stand before and behind the one that a finding is about.
const AROUND: usize = 2;
/// The most findings that are shown with their lines.
const SHOWN: usize = 50;

/// A message with the answer in force, and what people do about its refusal where it was ever refused.
struct One {
    facts: MessageFacts,
    answer: Option<AckRead>,
    refused: Option<RefusedMessage>,
}

impl One {
    /// The message of this name; `None` where there is none.
    async fn find(console: &Console, name: &str) -> Result<Option<Self>, Outage> {
        let Some(name) = MessageName::parse(name) else { return Ok(None) };
        let archive = console.archive().await?;
        let Some(facts) = archive.message(&name).await?.into_iter().next() else { return Ok(None) };
        // An answer to a query bears what was found; those of the others bear codes, places and our own sentences.
        let answer = if facts.row.state == Standing::Answered { None } else { archive.message_answer(&facts.row.key).await? };
        let answer = answer.and_then(|octets| ack::read(&octets).ok());
        let refused = match facts.row.position {
            Some(position) => archive.refusal_at(position).await?,
            None => None,
        };
        let refused = match refused {
            Some(id) => archive.refusal(id).await?,
            None => None,
        };
        Ok(Some(Self { facts, answer, refused }))
    }

    /// Whether the person may see what is in it: its sender's system is of the person's organisation, or the site registers nobody.
    fn is_own(&self, console: &Console, visit: &Visit) -> bool {
        let register = &console.config.register;
        let sender = self.facts.row.key.sender.as_str();
        let own = &visit.person.organisation;
        match register.systems().find(|system| system.user == sender).map(|system| &system.organisation) {
            // A county's people see what its units send, and a unit's people what the county sends for it.
            Some(organisation) => organisation == own || organisation.is_under(own.as_str()) || own.is_under(organisation.as_str()),
            None => register.systems().next().is_none(),
        }
    }
}

pub(super) async fn show(State(console): State<Arc<Console>>, Path(name): Path<String>, request: Request) -> Response {
    let (asked, visit) = match Asked::by(&console, &request, ROLES) {
        Ok(known) => known,
        Err(response) => return response,
    };
    match One::find(&console, &name).await {
        Ok(Some(one)) => page(&console, &asked, &visit, &one, None),
        Ok(None) => pages::words(&console, &asked, StatusCode::NOT_FOUND, ("message-none-heading", "message-none")),
        Err(outage) => pages::out_of_reach(&console, &asked, &outage),
    }
}

/// The lines, for a reason.
pub(super) async fn lines(State(console): State<Arc<Console>>, Path(name): Path<String>, request: Request) -> Response {
    let (asked, visit, pairs) = match guard::by(&console, request, ROLES).await {
        Ok(taken) => taken,
        Err(response) => return response,
    };
    let why: String = pairs.iter().find(|(name, _)| name == "why").map_or("", |(_, why)| why.trim()).chars().filter(|c| !c.is_control()).take(WHY).collect();
    let one = match One::find(&console, &name).await {
        Ok(Some(one)) if one.is_own(&console, &visit) => one,
        Ok(_) => return pages::words(&console, &asked, StatusCode::NOT_FOUND, ("message-none-heading", "message-none")),
        Err(outage) => return pages::out_of_reach(&console, &asked, &outage),
    };
    // The reason is kept in clear.
    if let Some(fault) = if why.is_empty() { Some("field-needed") } else { names_a_person(&why).then_some("why-names") } {
        return page(&console, &asked, &visit, &one, Some(Lines::NoReason(fault)));
    }
    match examined(&console, &visit, &one, &why).await {
        Ok(found) => page(&console, &asked, &visit, &one, Some(found)),
        Err(outage) => pages::out_of_reach(&console, &asked, &outage),
    }
}

/// What stands where the lines do.
enum Lines {
    /// No reason was given, or none that can be kept: the word that says so.
    NoReason(&'static str),
    /// The octets are not kept any more.
    Gone,
    /// The text, and what today's rules say of it.
    Found(String, Vec<Finding>),
}

/// Logs the look, then reads the octets and judges them anew.
async fn examined(console: &Console, visit: &Visit, one: &One, why: &str) -> Result<Lines, Outage> {
    let archive = console.archive().await?;
    let key = &one.facts.row.key;
    let actor = visit.person.actor();
    let given = Note {
        actor: &actor,
        action: "show-message",
        controller: Some(&visit.person.organisation),
        client: None,
        client_sealed: None,
        detail: format!("message {}: {why}", key.octets.to_hex()),
        description: format!("arkki-message-shown-1\nmessage {}\n", key.octets.to_hex()),
    };
    given::note(archive.as_ref(), &console.examiner, (console.entropy.as_ref(), console.clock.now()), given).await?;
    let Some(KeptOctets::Message(octets) | KeptOctets::Document(octets)) = archive.message_octets(key).await? else { return Ok(Lines::Gone) };
    let examiner = Arc::clone(&console.examiner);
    let judged = tokio::task::spawn_blocking(move || {
        let findings = examiner.validate(&octets, Stage::Gateway);
        Lines::Found(String::from_utf8_lossy(&octets).into_owned(), findings)
    });
    judged.await.map_err(|_| Outage::new(Part::Machine, "the message could not be looked at"))
}

fn page(console: &Console, asked: &Asked, visit: &Visit, one: &One, lines: Option<Lines>) -> Response {
    let word = |key| console.words.get(key, asked.language);
    let row = &one.facts.row;
    let status = if matches!(lines, Some(Lines::NoReason(_))) { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let heading = format!("{} {}", word("message"), row.key.short());
    pages::page(console, asked, status, (&heading, &heading), |html| {
        html.leaf("p", &[("class", "calm")], &format!("{} · {}", word(state_word(row.state)), time(row.at)));
        html.open("dl", &[]);
        let hash = row.key.octets.to_hex();
        let position = row.position.map_or_else(|| "–".to_owned(), |position| position.0.to_string());
        let known = [
            ("message-hash", hash.as_str()),
            ("message-sender", row.key.sender.as_str()),
            ("message-document", row.document_id.as_deref().unwrap_or("–")),
            ("message-id", row.amqp_id.as_deref().unwrap_or("–")),
            ("ledger-position", &position),
        ];
        for (key, value) in known {
            html.leaf("dt", &[], word(key));
            html.leaf("dd", &[], value);
        }
        html.close("dl");
        if let Some(hold) = &one.facts.hold {
            html.leaf("p", &[], &format!("{} {} · {} {}", word("waits-for"), hold.awaits.id(), word("until"), time(hold.until)));
        }
        answer(console, asked, html, one);
        findings(console, asked, visit, html, one, lines);
        if let Some(refused) = &one.refused {
            refusals::section(console, asked, visit, html, refused);
        }
        html.leaf("h2", &[], word("way"));
        one.facts.decisions.iter().for_each(|decision| way(console, asked, html, decision));
        html.open("p", &[]);
        html.leaf("a", &[("href", messages::PATH)], word("messages"));
        html.close("p");
    })
}

/// What the sender was told.
fn answer(console: &Console, asked: &Asked, html: &mut Html, one: &One) {
    let word = |key| console.words.get(key, asked.language);
    html.leaf("h2", &[], word("answer"));
    let Some(answer) = &one.answer else {
        html.leaf("p", &[], word("answer-none"));
        return;
    };
    html.leaf("p", &[], answer.ack_type.as_str());
    html.open("ul", &[]);
    for detail in &answer.details {
        html.open("li", &[]);
        html.leaf("a", &[("href", &format!("/rules/codes/{}", detail.code))], &detail.code);
        html.text(&format!(" {}", detail.text));
        if let Some(location) = &detail.location {
            html.text(" ");
            html.leaf("code", &[], location);
        }
        html.close("li");
    }
    html.close("ul");
}

/// The findings beside the lines they are about, or the form that asks for a reason.
fn findings(console: &Console, asked: &Asked, visit: &Visit, html: &mut Html, one: &One, lines: Option<Lines>) {
    let word = |key| console.words.get(key, asked.language);
    if !one.facts.has_octets || !one.is_own(console, visit) {
        return;
    }
    html.leaf("h2", &[("id", "lines")], word("lines"));
    let fault = match lines {
        Some(Lines::Found(text, found)) => {
            html.leaf("p", &[("class", "hint")], word("lines-today"));
            if found.is_empty() {
                html.leaf("p", &[("class", "good"), ("role", "status")], word("lines-clean"));
            }
            let all: Vec<&str> = text.lines().collect();
            found.iter().take(SHOWN).for_each(|finding| excerpt(console, asked, html, &all, finding));
            return;
        }
        Some(Lines::Gone) => {
            html.leaf("p", &[], word("lines-gone"));
            return;
        }
        Some(Lines::NoReason(fault)) => Some(fault),
        None => None,
    };
    html.leaf("p", &[], word("lines-why-intro"));
    html.open("form", &[("method", "post"), ("action", &format!("{}/{}/lines", messages::PATH, one.facts.row.key.octets.to_hex()))]);
    html.open("input", &[("type", "hidden"), ("name", "csrf"), ("value", &visit.csrf)]);
    html.leaf("label", &[("for", "why")], word("why"));
    if let Some(fault) = fault {
        html.leaf("span", &[("class", "fault"), ("id", "why-fault")], word(fault));
        html.open("input", &[("id", "why"), ("name", "why"), ("aria-invalid", "true"), ("aria-describedby", "why-fault"), ("autocomplete", "off")]);
    } else {
        html.open("input", &[("id", "why"), ("name", "why"), ("autocomplete", "off")]);
    }
    html.open("div", &[("class", "actions")]);
    html.leaf("button", &[], word("lines-show"));
    html.close("div");
    html.close("form");
}

fn excerpt(console: &Console, asked: &Asked, html: &mut Html, all: &[&str], finding: &Finding) {
    let (catalogue, place) = (console.examiner.catalogue(), &finding.place);
    html.leaf("h3", &[], &format!("{} {}", finding.code.as_str(), catalogue.text(finding, asked.language)));
    let where_ = format!("{} {}, {} {}", console.words.get("line", asked.language), place.line, console.words.get("column", asked.language), place.column);
    html.leaf("p", &[("class", "hint")], &format!("{where_} · {}", place.path));
    let at = usize::try_from(place.line).unwrap_or(1).saturating_sub(1);
    html.open("div", &[("class", "lines"), ("tabindex", "0"), ("role", "region"), ("aria-label", &where_)]);
    for (number, line) in all.iter().enumerate().skip(at.saturating_sub(AROUND)).take(AROUND + 1 + AROUND.min(at)) {
        html.open("code", &[]);
        html.text(&format!("{:>6}  ", number + 1));
        if number == at {
            marked(html, line, place);
        } else {
            html.text(&line.chars().take(2 * SIDE).collect::<String>());
        }
        html.close("code");
    }
    html.close("div");
    html.leaf("p", &[], &catalogue.mend(finding, asked.language));
}

/// Each step of one decision with its moment.
fn way(console: &Console, asked: &Asked, html: &mut Html, decision: &DecisionFacts) {
    let word = |key| console.words.get(key, asked.language);
    let code = decision.code.as_deref().map(|code| format!(" · {code}")).unwrap_or_default();
    let caption = format!("{} {}{code}", word("ledger-position"), decision.position.0);
    html.leaf("h3", &[], &caption);
    let road = &decision.road;
    let mut steps = vec![
        ("step-received", road.received),
        ("step-examined", road.examined),
        ("step-decided", Some(decision.at)),
        ("step-signed", road.signed),
        ("step-archived", decision.archived),
    ];
    steps.extend(decision.delivered.iter().map(|delivered| ("step-delivered", Some(delivered.at))));
    table(html, &caption, &[word("step"), word("when")], |html| {
        for (step, at) in steps.into_iter().filter_map(|(step, at)| at.map(|at| (step, at))) {
            html.open("tr", &[]);
            html.leaf("th", &[("scope", "row")], word(step));
            html.leaf("td", &[], &time(at));
            html.close("tr");
        }
    });
    if decision.waiting > 0 {
        html.leaf("p", &[], &format!("{}: {}", word("answers-waiting"), decision.waiting));
    }
    let instance = decision.instance.as_deref().unwrap_or("–");
    html.leaf("p", &[("class", "hint")], &format!("{} {instance} · {} {}", word("instance"), word("rules-hash"), decision.rules.to_hex()));
    if let Some(before) = decision.supersedes {
        html.leaf("p", &[("class", "hint")], &format!("{} {}", word("supersedes"), before.0));
    }
}
