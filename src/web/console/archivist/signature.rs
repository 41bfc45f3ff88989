//! What a document's signatures prove, in sentences: the same as `arkki signature verify --archived`, judged as of when the document was archived.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::super::html::Html;
use super::super::{Asked, Console, pages};
use super::{Failed, One, PATH, ROLES};
use crate::cda::explain::{Explanation, Step};
use crate::cli::signature::{Said, archived};
use crate::codes::explanations::Explanations;
use crate::codes::source::embedded;
use crate::domain::outage::{Outage, Part};
use crate::ports::archive::Archive as _;

pub(super) async fn show(State(console): State<Arc<Console>>, Path(id): Path<String>, request: Request) -> Response {
    let (asked, visit) = match Asked::by(&console, &request, ROLES) {
        Ok(known) => known,
        Err(response) => return response,
    };
    let found = async {
        let one = One::find(&console, &visit, &id, "show-signature").await?;
        let stored = one.archive.document(one.id()).await?.ok_or(Failed::NotThere)?;
        let explained = archived::of(one.archive.as_ref(), &stored, &console.config, console.rules()).await;
        // What it says of files and addresses is for the log.
        let explanation = explained.map_err(|why| Failed::Away(Outage::new(Part::Archive, why)))?;
        let sentences = Explanations::load(&embedded()).map_err(|fault| Failed::Away(Outage::new(Part::Machine, fault.to_string())))?;
        Ok::<_, Failed>((one, explanation, sentences))
    };
    let (one, explanation, sentences) = match found.await {
        Ok(found) => found,
        Err(failed) => return failed.page(&console, &asked),
    };
    let said = Said { sentences: &sentences, catalogue: console.examiner.catalogue(), language: asked.language };
    let word = |key| console.words.get(key, asked.language);
    pages::page(&console, &asked, StatusCode::OK, (word("signature-heading"), word("signature-heading")), |html| {
        html.open("p", &[]);
        html.leaf("a", &[("href", &format!("{PATH}/{}", one.id()))], word("back-to-document"));
        html.close("p");
        write(html, &said, &explanation);
    })
}

fn write(html: &mut Html, said: &Said<'_>, explanation: &Explanation) {
    html.leaf("p", &[("class", "calm")], &said.sentences.say(explanation.verdict.as_str(), &[], said.language));
    steps(html, said, &explanation.document);
    for (at, signature) in explanation.signatures.iter().enumerate() {
        html.leaf("h2", &[], &format!("{} {}", said.sentences.say("signature", &[], said.language), at + 1));
        steps(html, said, signature);
    }
    steps(html, said, &explanation.coverage);
}

fn steps(html: &mut Html, said: &Said<'_>, steps: &[Step]) {
    html.open("ul", &[("class", "steps")]);
    for step in steps {
        let (mark, outcome, sentences) = said.step(step);
        for sentence in sentences {
            html.leaf("li", &[("class", outcome)], &format!("{mark} {sentence}"));
        }
    }
    html.close("ul");
}
