//! The frame that every page stands in, and the pages that only say something.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::html::Html;
use super::session::Visit;
use super::{Asked, Console, doors, openid, sections};
use crate::domain::language::Language;
use crate::domain::outage::Outage;
use crate::domain::staff::{Door, Person};
use crate::domain::time::Moment;
use crate::telemetry;

/// A page: its heading, and what stands below it.
pub(super) fn page(console: &Console, asked: &Asked, status: StatusCode, (title, heading): (&str, &str), body: impl FnOnce(&mut Html)) -> Response {
    let word = |key| console.words.get(key, asked.language);
    let mut html = Html::document(asked.language.as_str());
    html.open("head", &[]);
    html.open("meta", &[("charset", "utf-8")]);
    html.open("meta", &[("name", "viewport"), ("content", "width=device-width, initial-scale=1")]);
    html.leaf("title", &[], &format!("{title} – {}", word("title")));
    html.open("link", &[("rel", "stylesheet"), ("href", "/style.css")]);
    html.close("head");
    html.open("body", &[]);
    html.leaf("a", &[("class", "skip"), ("href", "#main")], word("skip"));
    frame(console, asked, &mut html);
    html.open("main", &[("id", "main")]);
    html.leaf("h1", &[], heading);
    body(&mut html);
    html.close("main");
    html.close("body");
    (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::VARY, "Accept-Language, Cookie")], html.finish()).into_response()
}

/// The head of the page: home, languages, the way out.
fn frame(console: &Console, asked: &Asked, html: &mut Html) {
    let word = |key| console.words.get(key, asked.language);
    html.open("header", &[]);
    html.leaf("a", &[("href", "/")], word("title"));
    html.open("nav", &[("aria-label", word("languages"))]);
    html.open("ul", &[]);
    for (language, name) in [(Language::Fi, "Suomi"), (Language::Sv, "Svenska"), (Language::En, "English")] {
        let (code, href) = (language.as_str(), format!("{}{}lang={}", asked.path, if asked.path.contains('?') { '&' } else { '?' }, language.as_str()));
        html.open("li", &[]);
        let mut attributes = vec![("href", href.as_str()), ("lang", code), ("hreflang", code)];
        if language == asked.language {
            attributes.push(("aria-current", "true"));
        }
        html.leaf("a", &attributes, name);
        html.close("li");
    }
    html.close("ul");
    html.close("nav");
    if let Some(visit) = &asked.visit {
        html.open("form", &[("method", "post"), ("action", "/leave")]);
        html.open("input", &[("type", "hidden"), ("name", "csrf"), ("value", &visit.csrf)]);
        html.leaf("span", &[("class", "who")], &visit.person.name);
        html.leaf("button", &[], word("leave"));
        html.close("form");
        navigation(console, asked, visit, html);
    }
    html.close("header");
}

/// Where this person may go.
fn navigation(console: &Console, asked: &Asked, visit: &Visit, html: &mut Html) {
    let (word, here) = (|key| console.words.get(key, asked.language), sections::section_of(&asked.path));
    html.open("nav", &[("class", "sections"), ("aria-label", word("sections"))]);
    html.open("ul", &[]);
    for section in sections::sections(visit) {
        html.open("li", &[]);
        let current: &[(&str, &str)] = if section.path == here { &[("aria-current", "page")] } else { &[] };
        html.leaf("a", &[&[("href", section.path)], current].concat(), word(section.word));
        html.close("li");
    }
    html.close("ul");
    html.close("nav");
}

/// `2026-11-22 10:00:00`: a moment to the second, in Finnish time.
pub(super) fn time(moment: Moment) -> String {
    let written = moment.to_hl7();
    let part = |from: usize, to: usize| written.get(from..to).unwrap_or_default();
    format!("{}-{}-{} {}:{}:{}", part(0, 4), part(4, 6), part(6, 8), part(8, 10), part(10, 12), part(12, 14))
}

pub(super) fn home(console: &Console, asked: &Asked, visit: &Visit) -> Response {
    let word = |key| console.words.get(key, asked.language);
    page(console, asked, StatusCode::OK, (word("home"), word("home-heading")), |html| ways(console, asked, visit, html))
}

/// What this person may do, each with a sentence.
pub(super) fn ways(console: &Console, asked: &Asked, visit: &Visit, html: &mut Html) {
    let word = |key| console.words.get(key, asked.language);
    html.open("div", &[("class", "ways")]);
    for section in sections::sections(visit).filter(|section| section.path != "/") {
        let text = format!("{}-text", section.word);
        html.open("section", &[("class", "card")]);
        html.open("h2", &[]);
        html.leaf("a", &[("href", section.path)], word(section.word));
        html.close("h2");
        if console.words.has(&text) {
            html.leaf("p", &[], console.words.get(&text, asked.language));
        }
        html.close("section");
    }
    html.close("div");
    html.leaf("p", &[("class", "hint")], word("home-session"));
}

/// Somebody came back from the provider: a page that leads on by itself. The session's cookie is strict, and a browser that was sent here from elsewhere
/// would leave it behind if it were sent on at once.
pub(super) fn come_in(console: &Console, asked: &Asked, person: &Person, door: Door, cookie: &str) -> Response {
    let word = |key| console.words.get(key, asked.language);
    telemetry::console_entered(&person.key, door.as_str());
    let mut page = page(console, asked, StatusCode::OK, (word("welcome"), word("welcome")), |html| {
        html.open("meta", &[("http-equiv", "refresh"), ("content", "0;url=/")]);
        html.open("p", &[]);
        html.leaf("a", &[("href", "/")], word("welcome-on"));
        html.close("p");
    });
    if let Ok(cookie) = HeaderValue::from_str(&console.set_cookie(cookie)) {
        page.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    page
}

/// The archive does not answer: nothing is shown, and nothing was done.
pub(super) fn out_of_reach(console: &Console, asked: &Asked, outage: &Outage) -> Response {
    telemetry::console_away(&outage.to_string());
    words(console, asked, StatusCode::SERVICE_UNAVAILABLE, ("archive-away-heading", "archive-away"))
}

/// A page of one heading and one paragraph.
pub(super) fn words(console: &Console, asked: &Asked, status: StatusCode, (heading, text): (&str, &str)) -> Response {
    let word = |key| console.words.get(key, asked.language);
    page(console, asked, status, (word(heading), word(heading)), |html| {
        html.leaf("p", &[], word(text));
    })
}

/// Nobody is in: how to get in.
pub(super) fn no_session(console: &Console, asked: &Asked, why: &str) -> Response {
    let word = |key| console.words.get(key, asked.language);
    let place = &console.config.console;
    page(console, asked, StatusCode::FORBIDDEN, (word("no-session-heading"), word("no-session-heading")), |html| {
        if why != "no-session" {
            html.leaf("p", &[], word(why));
        }
        let has_cards = place.tls.as_ref().is_some_and(|tls| !tls.card_authorities.is_empty());
        for (path, door, is_there) in [(doors::CARD, "door-card", has_cards), (openid::BEGIN, "door-openid", place.openid.is_some())] {
            if is_there {
                html.open("p", &[("class", "actions")]);
                html.leaf("a", &[("href", path), ("class", "door")], word(door));
                html.close("p");
            }
        }
        if place.link.is_some() {
            html.leaf("p", &[], word("no-session"));
        }
    })
}
