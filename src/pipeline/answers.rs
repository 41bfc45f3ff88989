//! What an answer to a query leaves in the access log; and the sweep that forgets the octets of answers that have left and are old enough.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::examine::{Examined, Queried};
use super::gate::told;
use crate::domain::change::{Access, Look};
use crate::domain::code::Code;
use crate::domain::query::{Query, Want};
use crate::domain::scope::Scope;
use crate::domain::time::Moment;
use crate::ports::archive::Archive;
use crate::ports::clock::Clock;
use crate::ports::messages::Reconciling;
use crate::rules::disclose::Standing;
use crate::rules::query::Answered;
use crate::telemetry;

/// How often old answers are looked for: they are kept for hours.
const SWEEP: Duration = Duration::from_secs(60);
/// How many are forgotten in one statement.
const ROWS: u32 = 256;
/// How many statements one sweep runs at most; what is left waits for the next.
const ROUNDS: u32 = 64;

/// Who asked what, as far as the access log wants to know it.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The sender, or the operator.
    pub actor: &'a str,
    /// The service request's code.
    pub service_request: Option<&'a str>,
    /// The purpose of use's code.
    pub purpose: Option<&'a str>,
    /// The query.
    pub query: &'a Query,
    /// What it looked at.
    pub scope: &'a Scope,
    /// What it stood on, where it asked for another's data.
    pub standing: Option<&'a Standing>,
}

/// The rows of one sending: one for the search itself, one for each document shown or given.
#[must_use]
pub fn looks(asked: &Asked<'_>, answered: &Answered) -> Vec<Look> {
    let access = |action: &str| Access {
        actor: asked.actor.to_owned(),
        action: action.to_owned(),
        service_request: asked.service_request.map(str::to_owned),
        purpose: asked.purpose.map(str::to_owned),
        ..Access::default()
    };
    let asker = &asked.query.asker;
    let look = |action| Look {
        access: access(action),
        document_id: None,
        controller: String::new(),
        organisation: asker.organisation.clone(),
        person: asker.person,
        client: None,
        detail: None,
        query_id: query_id(asked.query),
        client_sealed: None,
        person_sealed: asked.query.sealed.person.clone(),
    };
    let outcome = answered.refused().map_or_else(|| format!("{} documents", answered.hits.len()), |code| code.as_str().to_owned());
    let search = Look {
        controller: asked.scope.shown(),
        client: asked.query.criteria.client,
        client_sealed: asked.query.sealed.client.clone(),
        detail: Some(format!("{}: {outcome}", asked.query.criteria.names().join(","))),
        ..look("search")
    };
    let action = match asked.query.want {
        Want::Metadata => "show",
        Want::Documents => "fetch",
    };
    let documents = answered.hits.iter().map(|hit| Look {
        document_id: Some(hit.header.id.clone()),
        controller: hit.header.controller.as_str().to_owned(),
        client: Some(hit.header.client),
        // Of whom nobody asked by name, the row that stored the document has the id.
        client_sealed: asked.query.sealed.client.clone().filter(|_| asked.query.criteria.client == Some(hit.header.client)),
        ..look(action)
    });
    std::iter::once(search).chain(documents).collect()
}

/// The row of a query that was refused: somebody asked, and was told nothing. `None` for what is no query.
#[must_use]
pub fn refused_look(examined: &Examined, code: Code) -> Option<Look> {
    let queried = examined.queried.as_ref()?;
    let access = Access {
        actor: examined.key.sender.as_str().to_owned(),
        action: "search".to_owned(),
        service_request: examined.service_request.clone(),
        purpose: examined.purpose.clone(),
        ..Access::default()
    };
    let unread = Look {
        access,
        document_id: None,
        controller: String::new(),
        organisation: None,
        person: None,
        client: None,
        detail: Some(code.as_str().to_owned()),
        query_id: None,
        client_sealed: None,
        person_sealed: None,
    };
    let Queried::Read(query) = queried else { return Some(unread) };
    let criteria = &query.criteria;
    Some(Look {
        controller: criteria.controller.as_ref().map_or_else(String::new, |oid| oid.as_str().to_owned()),
        organisation: query.asker.organisation.clone(),
        person: query.asker.person,
        client: criteria.client,
        detail: Some(format!("{}: {}", criteria.names().join(","), code.as_str())),
        query_id: query_id(query),
        client_sealed: query.sealed.client.clone(),
        person_sealed: query.sealed.person.clone(),
        ..unread
    })
}

/// A query's id as the logs write it.
#[must_use]
pub fn query_id(query: &Query) -> Option<String> {
    query.id.as_ref().map(|id| id.extension.as_ref().map_or_else(|| id.root.clone(), |extension| format!("{}^{extension}", id.root)))
}

/// Forgets old answers to queries until `stop`: the ledger keeps their hash, the access log what they showed.
pub async fn run(archive: Arc<dyn Archive>, refused: Refused, clock: Arc<dyn Clock>, keep: Duration, mut stop: watch::Receiver<bool>) {
    let mut tick = tokio::time::interval(SWEEP);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    // Ends with the gateway.
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = told(&mut stop) => return,
        }
        sweep(archive.as_ref(), clock.as_ref(), keep).await;
        if let Some(keep) = refused.keep {
            sweep_refused(refused.archive.as_ref(), clock.as_ref(), keep).await;
        }
    }
}

/// The refusals, and how long their octets are kept; `None` for good.
pub struct Refused {
    /// Where they lie.
    pub archive: Arc<dyn Reconciling>,
    /// How long.
    pub keep: Option<Duration>,
}

/// One sweep of old refusals. An outage leaves the rest to the next one.
pub async fn sweep_refused(archive: &dyn Reconciling, clock: &dyn Clock, keep: Duration) {
    let now = clock.now();
    let before = Moment::from_micros(now.micros().saturating_sub(i64::try_from(keep.as_micros()).unwrap_or(i64::MAX)));
    for _ in 0..ROUNDS {
        match archive.forget_refused(before, now, ROWS).await {
            Ok(forgotten) => {
                telemetry::refused_forgotten(forgotten);
                if forgotten < u64::from(ROWS) {
                    return;
                }
            }
            Err(outage) => return telemetry::outage_attempt(&outage),
        }
    }
}

/// One sweep. An outage leaves the rest to the next one.
pub async fn sweep(archive: &dyn Archive, clock: &dyn Clock, keep: Duration) {
    let micros = i64::try_from(keep.as_micros()).unwrap_or(i64::MAX);
    let before = Moment::from_micros(clock.now().micros().saturating_sub(micros));
    for _ in 0..ROUNDS {
        match archive.forget_answers(before, ROWS).await {
            Ok(forgotten) => {
                telemetry::answers_forgotten(forgotten);
                if forgotten < u64::from(ROWS) {
                    return;
                }
            }
            Err(outage) => return telemetry::outage_attempt(&outage),
        }
    }
}
