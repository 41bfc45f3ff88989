//! A document's body for the eyes: XHTML in a frame without any right, under a policy that loads nothing; PDF by its own path; JSON as a form.
//! The body is read by the function that examined it when it came: what has something in it that is not on the lists of `codes/body.toml` is not shown at all.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::super::session::Visit;
use super::super::{Asked, Console, pages};
use super::{One, PATH, ROLES, describe, search, with_headers};
use crate::cda::template::Form;

/// Of XHTML: it loads nothing and runs nothing, wherever it is opened; only our own page may frame it.
const XHTML: [(HeaderName, &str); 2] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'; sandbox",
    ),
    (header::X_FRAME_OPTIONS, "SAMEORIGIN"),
];
/// Of PDF: the browser's viewer refuses a sandbox, and needs none to be kept from our pages.
const PDF: [(HeaderName, &str); 2] = [(header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'self'"), (header::X_FRAME_OPTIONS, "SAMEORIGIN")];

pub(super) async fn xhtml(State(console): State<Arc<Console>>, Path(id): Path<String>, request: Request) -> Response {
    match Asked::by(&console, &request, ROLES) {
        Ok(known) => display(&console, known, &id, &[Form::Xhtml, Form::Structured], "application/xhtml+xml; charset=utf-8", &XHTML).await,
        Err(response) => response,
    }
}

pub(super) async fn pdf(State(console): State<Arc<Console>>, Path(id): Path<String>, request: Request) -> Response {
    match Asked::by(&console, &request, ROLES) {
        Ok(known) => display(&console, known, &id, &[Form::Pdf], "application/pdf", &PDF).await,
        Err(response) => response,
    }
}

async fn display(console: &Console, known: (Asked, Visit), id: &str, forms: &[Form], kind: &'static str, policy: &[(HeaderName, &'static str)]) -> Response {
    let (asked, visit) = known;
    let one = match One::find(console, &visit, id, "show-body").await {
        Ok(one) => one,
        Err(failed) => return failed.page(console, &asked),
    };
    let body = one.read(|document| describe::body_of(console, document, one.hit.header.group)).flatten();
    match body.filter(|body| forms.contains(&body.form)) {
        Some(body) => with_headers((StatusCode::OK, [(header::CONTENT_TYPE, kind)], body.display).into_response(), policy),
        None => pages::words(console, &asked, StatusCode::NOT_FOUND, ("body-none-heading", "body-none")),
    }
}

/// The JSON as a page of its own.
pub(super) async fn form(State(console): State<Arc<Console>>, Path(id): Path<String>, request: Request) -> Response {
    let (asked, visit) = match Asked::by(&console, &request, ROLES) {
        Ok(known) => known,
        Err(response) => return response,
    };
    let one = match One::find(&console, &visit, &id, "show-form").await {
        Ok(one) => one,
        Err(failed) => return failed.page(&console, &asked),
    };
    let Some(value) = one.read(|document| describe::json_of(&console, document)).flatten() else {
        return pages::words(&console, &asked, StatusCode::NOT_FOUND, ("body-none-heading", "body-none"));
    };
    let word = |key| console.words.get(key, asked.language);
    let title = format!("{}: {}", word("form-page"), search::kind(&console, &one.hit, asked.language));
    pages::page(&console, &asked, StatusCode::OK, (&title, &title), |html| {
        html.open("p", &[]);
        html.leaf("a", &[("href", &format!("{PATH}/{}", one.id()))], word("back-to-document"));
        html.close("p");
        if !describe::form(html, &value, (word("document-yes"), word("document-no"))) {
            html.leaf("p", &[("class", "calm")], word("form-more"));
        }
    })
}
