//! `/messages`: what was received, newest first, by what a person knows of it: an id, a sender, a code, a day, a state. Nothing of it names a client.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::super::form::{encoded, pairs};
use super::super::html::Html;
use super::super::{Asked, Console, pages};
use super::{ROLES, select, state_word, table, text_field, time};
use crate::domain::facts::Standing;
use crate::domain::messages::{MessageCriteria, MessageRow, MessageRows};
use crate::domain::time::{Moment, end_of_day, iso_date, start_of_day};
use crate::ports::messages::Messages as _;

/// Where they begin.
pub(in super::super) const PATH: &str = "/messages";
/// How many a page shows.
const PAGE: u32 = 50;
/// The longest thing looked for, in octets: no id is as long.
const TYPED: usize = 200;
/// The fields, in the order of the page.
const FIELDS: [&str; 7] = ["id", "document", "sender", "code", "state", "from", "to"];
/// The states that a list may be narrowed to.
const STATES: [(Standing, &str); 5] =
    [(Standing::Accepted, "accepted"), (Standing::Refused, "refused"), (Standing::Noted, "noted"), (Standing::Answered, "answered"), (Standing::Held, "held")];

/// What was asked for, as it stands in the address.
struct Typed(Vec<(String, String)>);

impl Typed {
    fn read(request: &Request) -> Self {
        let pairs = request.uri().query().and_then(|query| pairs(query.as_bytes())).unwrap_or_default();
        Self(pairs.into_iter().map(|(name, value)| (name, value.trim().to_owned())).filter(|(_, value)| !value.is_empty() && value.len() <= TYPED).collect())
    }

    fn get(&self, field: &str) -> &str {
        self.0.iter().find(|(name, _)| name == field).map_or("", |(_, value)| value)
    }

    fn some(&self, field: &str) -> Option<String> {
        Some(self.get(field).to_owned()).filter(|value| !value.is_empty())
    }

    fn criteria(&self) -> MessageCriteria {
        MessageCriteria {
            amqp_id: self.some("id"),
            document_id: self.some("document"),
            sender: self.some("sender"),
            code: self.some("code").map(|code| code.to_ascii_uppercase()),
            from: iso_date(self.get("from")).map(start_of_day),
            until: iso_date(self.get("to")).map(|day| Moment::from_micros(end_of_day(day).micros() + 1)),
            state: STATES.into_iter().find(|(_, word)| *word == self.get("state")).map(|(state, _)| state),
        }
    }

    /// The address of the next page.
    fn next(&self, before: u64) -> String {
        let mut path = format!("{PATH}?");
        for field in FIELDS {
            if let Some(value) = self.some(field) {
                path.push_str(&format!("{field}={}&", encoded(&value)));
            }
        }
        format!("{path}before={before}")
    }
}

pub(super) async fn show(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (asked, _) = match Asked::by(&console, &request, ROLES) {
        Ok(known) => known,
        Err(response) => return response,
    };
    let typed = Typed::read(&request);
    let found = async {
        let archive = console.archive().await?;
        archive.messages(&typed.criteria(), typed.get("before").parse().ok(), PAGE).await
    };
    match found.await {
        Ok(found) => page(&console, &asked, &typed, &found),
        Err(outage) => pages::out_of_reach(&console, &asked, &outage),
    }
}

fn page(console: &Console, asked: &Asked, typed: &Typed, found: &MessageRows) -> Response {
    let word = |key| console.words.get(key, asked.language);
    pages::page(console, asked, StatusCode::OK, (word("messages"), word("messages")), |html| {
        html.leaf("p", &[], word("messages-intro"));
        html.open("form", &[("method", "get"), ("action", PATH), ("role", "search")]);
        html.open("div", &[("class", "fields")]);
        for (field, key) in [("id", "message-id"), ("document", "message-document"), ("sender", "message-sender"), ("code", "code")] {
            text_field(html, field, word(key), typed.get(field), "text");
        }
        let states: Vec<(&str, &str)> = STATES.into_iter().map(|(state, value)| (value, word(state_word(state)))).collect();
        select(html, "state", word("state"), (word("any"), &states), typed.get("state"));
        for (field, key) in [("from", "from-day"), ("to", "to-day")] {
            text_field(html, field, word(key), typed.get(field), "date");
        }
        html.close("div");
        html.open("div", &[("class", "actions")]);
        html.leaf("button", &[("class", "main")], word("search"));
        html.close("div");
        html.close("form");
        if found.rows.is_empty() {
            html.leaf("p", &[("role", "status")], word("messages-none"));
        } else {
            rows(console, asked, html, &found.rows);
        }
        if let Some(next) = found.next {
            html.open("p", &[]);
            html.leaf("a", &[("href", &typed.next(next)), ("rel", "next")], word("older"));
            html.close("p");
        }
    })
}

/// Messages as a table, each with its permanent address.
pub(super) fn rows(console: &Console, asked: &Asked, html: &mut Html, rows: &[MessageRow]) {
    let word = |key| console.words.get(key, asked.language);
    table(html, word("messages"), &[word("when"), word("state"), word("code"), word("message-sender"), word("message-document")], |html| {
        for row in rows {
            html.open("tr", &[]);
            html.open("th", &[("scope", "row")]);
            html.leaf("a", &[("href", &format!("{PATH}/{}", row.key.octets.to_hex()))], &time(row.at));
            html.close("th");
            html.leaf("td", &[], word(state_word(row.state)));
            html.leaf("td", &[], row.code.as_deref().unwrap_or("–"));
            html.leaf("td", &[], row.key.sender.as_str());
            html.leaf("td", &[], row.document_id.as_deref().or(row.amqp_id.as_deref()).unwrap_or("–"));
            html.close("tr");
        }
    });
}
