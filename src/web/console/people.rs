//! Who may come in, who is in, and the glass: the administrator's page, and the page on which somebody opens the archivist's pages beyond their roles.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::board::table;
use super::session::{Glass, Visit};
use super::{Asked, Console, guard, pages};
use crate::domain::person::names_a_person;
use crate::domain::staff::{GLASS_TIME, Person, Role};
use crate::pipeline::given::{self, Note};
use crate::telemetry;

/// The administrator's page.
pub(super) const PATH: &str = "/people";
/// Whose it is.
pub(super) const ROLES: &[Role] = &[Role::Administrator];
/// The page with the glass.
pub(super) const GLASS: &str = "/glass";
/// Who may break it: people of the house who are no archivists.
pub(super) const GLASS_ROLES: &[Role] = &[Role::Operator, Role::Officer, Role::Administrator];
/// The shortest reason, in characters: a word is none.
const REASON_LEAST: usize = 10;
/// The longest, in octets.
const REASON_MOST: usize = 400;

/// Who may come in, and who is in.
pub(super) async fn show(State(console): State<Arc<Console>>, request: Request) -> Response {
    match Asked::by(&console, &request, ROLES) {
        Ok((asked, visit)) => page(&console, &asked, &visit),
        Err(response) => response,
    }
}

/// Ends a session.
pub(super) async fn end(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (_, visit, pairs) = match guard::by(&console, request, ROLES).await {
        Ok(taken) => taken,
        Err(response) => return response,
    };
    if let Some(person) = pairs.iter().find(|(name, _)| name == "end").and_then(|(_, mark)| console.desk.end(mark)) {
        telemetry::console_ended(&person.key, &visit.person.key);
    }
    (StatusCode::SEE_OTHER, [(header::LOCATION, PATH)]).into_response()
}

fn roles(console: &Console, asked: &Asked, person: &Person) -> String {
    let words = person.roles.iter().map(|role| console.words.get(role_word(*role), asked.language));
    words.collect::<Vec<_>>().join(", ")
}

const fn role_word(role: Role) -> &'static str {
    match role {
        Role::Operator => "role-operator",
        Role::Archivist => "role-archivist",
        Role::Officer => "role-officer",
        Role::Administrator => "role-administrator",
    }
}

fn page(console: &Console, asked: &Asked, visit: &Visit) -> Response {
    let word = |key| console.words.get(key, asked.language);
    let yes = |is: bool| if is { word("yes").to_owned() } else { "–".to_owned() };
    pages::page(console, asked, StatusCode::OK, (word("people"), word("people")), |html| {
        html.leaf("p", &[], word("people-intro"));
        html.leaf("h2", &[], word("people-in"));
        html.open("ul", &[("class", "rows")]);
        for one in console.desk.seen(Instant::now()) {
            html.open("li", &[]);
            html.leaf("strong", &[], &one.person.name);
            let glass = if one.has_glass { format!(" · {}", word("people-glass")) } else { String::new() };
            html.text(&format!(" {} · {} · {} min{glass}", roles(console, asked, &one.person), one.door.as_str(), one.age.as_secs() / 60));
            html.open("form", &[("method", "post"), ("action", PATH)]);
            html.open("input", &[("type", "hidden"), ("name", "csrf"), ("value", &visit.csrf)]);
            let label = format!("{}: {}", word("people-end"), one.person.name);
            html.leaf("button", &[("name", "end"), ("value", &one.mark), ("aria-label", &label)], word("people-end"));
            html.close("form");
            html.close("li");
        }
        html.close("ul");
        let row = |(person, has_card, has_openid): (&Person, bool, bool)| {
            let organisation = person.organisation.as_str().to_owned();
            vec![person.key.clone(), person.name.clone(), organisation, roles(console, asked, person), yes(has_card), yes(has_openid)]
        };
        let rows: Vec<Vec<String>> = console.config.console.people.iter().map(row).collect();
        if rows.is_empty() {
            html.leaf("p", &[], word("people-none"));
        } else {
            let heads =
                [word("people-key"), word("people-name"), word("people-organisation"), word("people-roles"), word("people-card"), word("people-openid")];
            table(html, word("people-may"), &heads, &rows);
        }
    })
}

/// The glass.
pub(super) async fn glass(State(console): State<Arc<Console>>, request: Request) -> Response {
    match Asked::by(&console, &request, GLASS_ROLES) {
        Ok((asked, visit)) => glass_page(&console, &asked, &visit, StatusCode::OK, None),
        Err(response) => response,
    }
}

/// Breaks it, or mends it.
pub(super) async fn break_glass(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (asked, visit, pairs) = match guard::by(&console, request, GLASS_ROLES).await {
        Ok(taken) => taken,
        Err(response) => return response,
    };
    let field = |name: &str| pairs.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.trim());
    let now = Instant::now();
    if field("action") == "mend" {
        console.desk.set_glass(&visit, None, now);
        return (StatusCode::SEE_OTHER, [(header::LOCATION, GLASS)]).into_response();
    }
    let reason: String = field("reason").chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let is_fit = reason.chars().count() >= REASON_LEAST && reason.len() <= REASON_MOST && !names_a_person(&reason);
    if !is_fit {
        return glass_page(&console, &asked, &visit, StatusCode::UNPROCESSABLE_ENTITY, Some(&reason));
    }
    // In the access log and the ledger first: what is not written down is not opened.
    let archive = match console.archive().await {
        Ok(archive) => archive,
        Err(outage) => return pages::out_of_reach(&console, &asked, &outage),
    };
    let (around, actor) = ((console.entropy.as_ref(), console.clock.now()), visit.person.actor());
    let given = Note {
        actor: &actor,
        action: "break-glass",
        controller: Some(&visit.person.organisation),
        client: None,
        client_sealed: None,
        detail: format!("{} min; {reason}", GLASS_TIME.as_secs() / 60),
        description: format!("arkki-glass-1\nminutes {}\n", GLASS_TIME.as_secs() / 60),
    };
    if let Err(outage) = given::note(archive.as_ref(), &console.examiner, around, given).await {
        return pages::out_of_reach(&console, &asked, &outage);
    }
    telemetry::console_glass_broken(&visit.person.key, GLASS_TIME.as_secs() / 60);
    console.desk.set_glass(&visit, Some(Glass { reason, until: now + GLASS_TIME }), now);
    (StatusCode::SEE_OTHER, [(header::LOCATION, GLASS)]).into_response()
}

fn glass_page(console: &Console, asked: &Asked, visit: &Visit, status: StatusCode, wrong: Option<&str>) -> Response {
    let word = |key| console.words.get(key, asked.language);
    pages::page(console, asked, status, (word("glass"), word("glass")), |html| {
        html.open("form", &[("method", "post"), ("action", GLASS), ("autocomplete", "off")]);
        html.open("input", &[("type", "hidden"), ("name", "csrf"), ("value", &visit.csrf)]);
        if let Some(glass) = &visit.glass {
            html.open("div", &[("class", "summary"), ("role", "status")]);
            let left = glass.until.saturating_duration_since(Instant::now()).as_secs().div_ceil(60);
            html.leaf("p", &[], &format!("{} {left} min: {}", word("glass-broken"), glass.reason));
            html.close("div");
            html.leaf("button", &[("class", "main"), ("name", "action"), ("value", "mend")], word("glass-mend"));
        } else {
            html.leaf("p", &[], word("glass-text"));
            html.leaf("label", &[("for", "reason")], word("glass-reason"));
            html.leaf("span", &[("class", "hint"), ("id", "reason-hint")], word("glass-hint"));
            if wrong.is_some() {
                html.leaf("span", &[("class", "fault"), ("id", "reason-fault"), ("role", "alert")], word("glass-fault"));
            }
            let (told, invalid) = if wrong.is_some() { ("reason-hint reason-fault", "true") } else { ("reason-hint", "false") };
            let attributes =
                [("id", "reason"), ("name", "reason"), ("maxlength", "400"), ("required", ""), ("aria-describedby", told), ("aria-invalid", invalid)];
            html.leaf("textarea", &attributes, wrong.unwrap_or_default());
            html.open("p", &[("class", "actions")]);
            html.leaf("button", &[("class", "main"), ("name", "action"), ("value", "break")], word("glass-break"));
            html.close("p");
        }
        html.close("form");
    })
}
