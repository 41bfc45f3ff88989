//! The archivist's desk (arkistonhoitaja, arkivarie): finding documents of the organisation's own registers, looking at them, and invalidating them.
//!
//! * `search`: criteria and what they find; `document`: one document with its versions, links and place in the ledger
//! * `body`: its body, shown so that nothing in it can act; `describe`: its describing data and its JSON in words
//! * `signature`: its signatures explained; `compare`: two versions side by side; `invalidate`: an invalidation, looked at twice, sent as a message
//!
//! Other registers are left out by the archive's own statement, and what is shown is in the access log before it is shown (`pipeline/desk`).

mod body;
mod compare;
mod describe;
mod document;
mod invalidate;
mod request;
mod search;
mod signature;

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::get;

use super::pages::time;
use super::session::Visit;
use super::{Asked, Console, pages};
use crate::adapters::store::Store;
use crate::domain::finding::Finding;
use crate::domain::language::Language;
use crate::domain::lifecycle::{History, State};
use crate::domain::oid::Oid;
use crate::domain::outage::Outage;
use crate::domain::query::{Criteria, Hit, SealedIds, Want, WantedState};
use crate::domain::staff::Role;
use crate::domain::time::Moment;
use crate::pipeline::desk::{self, Looker};
use crate::ports::archive::Archive as _;
use crate::rules::query::Answered;
use crate::xml::prepass::{self, Encoding};
use crate::xml::tree::{self, Document};

/// Where it begins.
pub(super) const PATH: &str = "/documents";
/// Whose it is.
pub(super) const ROLES: &[Role] = &[Role::Archivist];

/// Its pages.
pub(super) fn routes() -> Router<Arc<Console>> {
    Router::new()
        .route(PATH, get(search::show).post(search::take))
        .route("/documents/{id}", get(document::show))
        .route("/documents/{id}/body", get(body::xhtml))
        .route("/documents/{id}/body.pdf", get(body::pdf))
        .route("/documents/{id}/form", get(body::form))
        .route("/documents/{id}/signature", get(signature::show))
        .route("/documents/{id}/compare", get(compare::show))
        .route("/documents/{id}/invalidate", get(invalidate::show).post(invalidate::take))
}

/// Why a page has nothing to show.
enum Failed {
    /// Nothing of that id is in the person's registers, or it is a client's will expression: both look the same.
    NotThere,
    /// The archive does not answer.
    Away(Outage),
    /// The archive answered and gave nothing: too much, too slow, damaged.
    Refused(Vec<Finding>),
}

impl From<Outage> for Failed {
    fn from(outage: Outage) -> Self {
        Self::Away(outage)
    }
}

impl Failed {
    fn page(self, console: &Console, asked: &Asked) -> Response {
        match self {
            Self::NotThere => pages::words(console, asked, StatusCode::NOT_FOUND, ("document-none-heading", "document-none")),
            Self::Away(outage) => pages::out_of_reach(console, asked, &outage),
            Self::Refused(findings) => {
                let word = |key| console.words.get(key, asked.language);
                pages::page(console, asked, StatusCode::UNPROCESSABLE_ENTITY, (word("documents"), word("documents-refused")), |html| {
                    html.open("ul", &[]);
                    findings.iter().for_each(|finding| html.leaf("li", &[], &sentence(console, finding, asked.language)));
                    html.close("ul");
                })
            }
        }
    }
}

/// Looks into the person's own registers; the look is logged before anything of it comes back.
async fn ask(console: &Console, visit: &Visit, (want, shows): (Want, Option<&str>), criteria: Criteria, sealed: SealedIds) -> Result<Answered, Failed> {
    let archive = console.archive().await?;
    let Ok((query, scope)) = desk::own(&visit.person.organisation, criteria, (want, sealed), console.rules()) else { return Err(Failed::NotThere) };
    let actor = visit.actor();
    let looker = Looker { actor: &actor, purpose: None, shows };
    let around = (console.entropy.as_ref(), console.clock.as_ref());
    Ok(desk::ask(archive.as_ref(), &console.examiner, around, &looker, (&query, &scope)).await?)
}

/// One document with its octets.
struct One {
    hit: Hit,
    octets: Vec<u8>,
    archive: Arc<Store>,
}

impl One {
    /// The document of this id, if it lies in the person's registers; `shows` is what the log calls the look.
    async fn find(console: &Console, visit: &Visit, id: &str, shows: &str) -> Result<Self, Failed> {
        let id = Oid::parse(id).map_err(|_| Failed::NotThere)?;
        let criteria = Criteria { ids: vec![id], state: WantedState::Any, all_versions: true, ..Criteria::default() };
        let answered = ask(console, visit, (Want::Documents, Some(shows)), criteria, SealedIds::default()).await?;
        if answered.refused().is_some() {
            return Err(Failed::Refused(answered.findings));
        }
        let archive = console.archive().await?;
        match answered.hits.into_iter().next().zip(answered.octets.into_iter().next()) {
            Some((hit, octets)) => Ok(Self { hit, octets, archive }),
            None => Err(Failed::NotThere),
        }
    }

    fn id(&self) -> &Oid {
        &self.hit.header.id
    }

    /// Everything that happened to its set; of what the document itself was found in.
    async fn history(&self) -> Result<Option<History>, Failed> {
        let history = self.archive.history(self.id()).await?;
        Ok(history.filter(|history| history.controller == self.hit.header.controller && !history.group.is_will()))
    }

    /// Works on its tree, while other tasks move on elsewhere: a large document takes its time. `None` when the octets cannot be read.
    fn read<T>(&self, work: impl FnOnce(&Document<'_>) -> T) -> Option<T> {
        tokio::task::block_in_place(|| {
            let decoded = prepass::decode(&self.octets, Encoding::Any, self.octets.len()).ok()?;
            let document = tree::parse(&decoded.text).ok()?;
            Some(work(&document))
        })
    }
}

/// A response with a policy of its own in place of the pages' common one.
fn with_headers(mut response: Response, headers: &[(HeaderName, &'static str)]) -> Response {
    for (name, value) in headers {
        response.headers_mut().insert(name.clone(), HeaderValue::from_static(value));
    }
    response
}

/// The policy of a page that holds a document's body in a frame.
const FRAMING: [(HeaderName, &str); 1] =
    [(header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'self'; frame-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")];

/// A finding's sentence with its code.
fn sentence(console: &Console, finding: &Finding, language: Language) -> String {
    format!("{} ({})", console.examiner.catalogue().text(finding, language), finding.code.as_str())
}

/// What a code is called; the code where nobody knows.
fn named(console: &Console, system: &str, code: Option<&str>, language: Language) -> String {
    let Some(code) = code else { return "–".to_owned() };
    let name = console.rules().systems.get(system).and_then(|system| system.value(code)).and_then(|value| name_of(&value.names, language));
    name.map_or_else(|| code.to_owned(), |name| format!("{name} ({code})"))
}

/// The name in a language, of names in the order of Finnish, Swedish, English.
fn name_of(names: &[String], language: Language) -> Option<&str> {
    let at = match language {
        Language::Fi => 0,
        Language::Sv => 1,
        Language::En => 2,
    };
    names.get(at).or_else(|| names.first()).map(String::as_str)
}

/// A day as people of this house write it.
fn day(moment: Moment) -> String {
    let date = moment.helsinki_date();
    format!("{:04}-{:02}-{:02}", date.year, date.month, date.day)
}

const fn state_word(state: State) -> &'static str {
    match state {
        State::Future => "document-state-future",
        State::Valid => "document-state-valid",
        State::Superseded => "document-state-superseded",
        State::Invalidated => "document-state-invalidated",
        State::Invalidating => "document-state-invalidating",
    }
}
