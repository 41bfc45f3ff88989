//! A look by a person of the house, at the console or on the command line: into the organisation's own registers alone, and in the ledger and the access log
//! before anything of it is shown.

use super::answers::Asked;
use super::examine::Examiner;
use super::query::{self, Envelope};
use crate::codes::rule_set::RuleSet;
use crate::domain::change::{Commit, Committed, Effect};
use crate::domain::finding::Place;
use crate::domain::limits;
use crate::domain::message::{MessageKey, Sender};
use crate::domain::messages::Road;
use crate::domain::oid::Oid;
use crate::domain::outage::{Outage, Part};
use crate::domain::query::{Asker, Basis, Criteria, Query, SealedIds, Want};
use crate::domain::scope::Scope;
use crate::ports::archive::Archive;
use crate::ports::clock::{Clock, Entropy};
use crate::rules::disclose;
use crate::rules::query::Answered;

/// Who looks, and why.
#[derive(Debug, Clone, Copy)]
pub struct Looker<'a> {
    /// What the log calls whoever looks.
    pub actor: &'a str,
    /// The purpose of use's code.
    pub purpose: Option<&'a str>,
    /// What the log calls the showing of a document, where it is no `show` and no `fetch`.
    pub shows: Option<&'a str>,
}

/// A query into the registers of an organisation, and what it may look at: its own, and of those no will expression.
///
/// # Errors
/// The key of the word that says why it may look into none.
pub fn own(organisation: &Oid, criteria: Criteria, (want, sealed): (Want, SealedIds), rules: &RuleSet) -> Result<(Query, Scope), &'static str> {
    let asker = Asker { basis: Basis::OwnRegister, organisation: Some(organisation.clone()), person: None, ground: None };
    let asking = disclose::Asking { asker: &asker, controller: criteria.controller.as_ref(), registered: None };
    let registers = disclose::allowed(&asking, &rules.query).map_err(|denied| denied.0)?;
    Ok((Query { want, id: None, criteria, limit: limits::QUERY_HITS, asker, sealed }, Scope::of(registers)))
}

/// Looks, judges, and makes it durable that somebody looked; then gives what was found.
///
/// # Errors
/// An outage: nothing may be shown.
pub async fn ask(
    archive: &dyn Archive,
    examiner: &Examiner,
    around: (&dyn Entropy, &dyn Clock),
    looker: &Looker<'_>,
    (query, scope): (&Query, &Scope),
) -> Result<Answered, Outage> {
    let looked = query::look(archive, query, scope, None).await?;
    let answered = crate::rules::query::judge(query, looked, &Place::whole());
    log(archive, examiner, around, looker, (query, scope, &answered)).await?;
    Ok(answered)
}

/// The search and what it shows become durable.
///
/// # Errors
/// An outage.
pub async fn log(
    archive: &dyn Archive,
    examiner: &Examiner,
    (entropy, clock): (&dyn Entropy, &dyn Clock),
    looker: &Looker<'_>,
    (query, scope, answered): (&Query, &Scope, &Answered),
) -> Result<(), Outage> {
    // Nobody sent a message: the key is a number of its own, and the entry's message its hash.
    let key = MessageKey { sender: Sender::new(looker.actor), octets: crate::crypto::sha256(&entropy.sixteen()) };
    let at = clock.now();
    let asked = Asked { actor: looker.actor, service_request: None, purpose: looker.purpose, query, scope, standing: None };
    let envelope = Envelope::of_nobody(examiner, &key, at);
    let mut answer = query::answer(examiner, &envelope, &asked, answered);
    if let Some(shows) = looker.shows {
        answer.looks.iter_mut().filter(|look| look.document_id.is_some()).for_each(|look| look.access.action = shows.to_owned());
    }
    let effect = Effect::Answer(Box::new(answer));
    let commit = Commit { key, at, reply: None, effect, expects: Vec::new(), supersedes: None, road: Road::default() };
    let unlogged = |why: &str| Err(Outage::new(Part::Archive, format!("the access log could not be written: {why}")));
    match archive.commit(commit).await? {
        Committed::Done(_) => Ok(()),
        Committed::Stale => unlogged("another query bears the same key"),
        Committed::Unfit(detail) => unlogged(&detail),
    }
}
