//! The doors: the terminal's link, a certificate card, and the way out. The provider's door is `openid`.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::session::NoEntry;
use super::{Asked, Console, card, guard, pages};
use crate::domain::staff::{Door, Person};
use crate::telemetry;

/// Where a card comes in.
pub(super) const CARD: &str = "/enter/card";

/// A link's token becomes a session.
pub(super) async fn link(State(console): State<Arc<Console>>, Path(token): Path<String>, request: Request) -> Response {
    let asked = Asked::of(&console, &request);
    let person = console.config.console.link.clone();
    match (console.desk.enter(&token, person.as_ref(), console.entropy.as_ref(), Instant::now()), &person) {
        (Ok(cookie), Some(person)) => entered(&console, person, Door::Link, &cookie),
        (Err(NoEntry::TooMany), _) => pages::words(&console, &asked, StatusCode::TOO_MANY_REQUESTS, ("too-many-heading", "too-many")),
        (Ok(_) | Err(NoEntry::Wrong | NoEntry::Nobody), _) => pages::no_session(&console, &asked, "link-wrong"),
    }
}

/// A card becomes a session, where the register knows its owner. That it is in force the handshake has seen.
pub(super) async fn by_card(State(console): State<Arc<Console>>, request: Request) -> Response {
    let asked = Asked::of(&console, &request);
    let Some(card) = card(&request).cloned() else { return pages::words(&console, &asked, StatusCode::FORBIDDEN, ("no-card-heading", "no-card")) };
    let Some(person) = card.serial.as_deref().and_then(|serial| console.config.console.people.of_card(serial)) else {
        telemetry::console_turned_away("card");
        return pages::words(&console, &asked, StatusCode::FORBIDDEN, ("stranger-heading", "stranger"));
    };
    match console.desk.admit(person, Door::Card, Some(card.digest), console.entropy.as_ref(), Instant::now()) {
        Ok(cookie) => entered(&console, person, Door::Card, &cookie),
        Err(NoEntry::TooMany | NoEntry::Wrong | NoEntry::Nobody) => {
            pages::words(&console, &asked, StatusCode::TOO_MANY_REQUESTS, ("too-many-heading", "too-many"))
        }
    }
}

/// Somebody is in: the cookie, and the way to the first page.
fn entered(console: &Console, person: &Person, door: Door, cookie: &str) -> Response {
    telemetry::console_entered(&person.key, door.as_str());
    (StatusCode::SEE_OTHER, [(header::SET_COOKIE, console.set_cookie(cookie)), (header::LOCATION, "/".to_owned())]).into_response()
}

/// Ends the session.
pub(super) async fn leave(State(console): State<Arc<Console>>, request: Request) -> Response {
    let asked = Asked::of(&console, &request);
    let visit = match guard::form(&console, &asked, request).await {
        Ok((visit, _)) => visit,
        Err(response) => return response,
    };
    console.desk.leave(&visit);
    let page = pages::words(&console, &Asked { visit: None, ..asked }, StatusCode::OK, ("left-heading", "left"));
    ([(header::SET_COOKIE, console.set_cookie(""))], page).into_response()
}
