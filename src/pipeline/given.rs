//! What a person of the house is given beside documents: an export of the logs, or access beyond the own roles. It becomes an entry of the ledger and a row of
//! the access log before it is given.

use super::examine::Examiner;
use crate::crypto::sha256;
use crate::domain::change::{Access, AnswerDraft, Commit, Committed, Effect, Look, QueryAnswer};
use crate::domain::digest::Digest;
use crate::domain::ledger::{Entry, EntryKind};
use crate::domain::log::Sealed;
use crate::domain::message::{MessageKey, Sender};
use crate::domain::messages::Road;
use crate::domain::oid::Oid;
use crate::domain::outage::{Outage, Part};
use crate::domain::time::Moment;
use crate::ports::archive::Archive;
use crate::ports::clock::Entropy;

/// What is given to whom.
pub struct Given<'a> {
    /// What the log calls whoever gets it.
    pub actor: &'a str,
    /// What the log calls it: `export`, `export-client`, `break-glass`.
    pub action: &'a str,
    /// Whose register it is about.
    pub controller: Option<&'a Oid>,
    /// Whose data it is about, where it is one client.
    pub client: Option<Digest>,
    /// That client's id, for exports of the log.
    pub client_sealed: Option<Sealed>,
    /// How much, from when, and why: no names and no ids of persons.
    pub detail: String,
    /// What is given, described; its hash stands in the ledger, and the position is written behind it.
    pub description: String,
}

/// Makes it durable.
///
/// # Errors
/// An outage: nothing may be given.
pub async fn note(archive: &dyn Archive, examiner: &Examiner, around: (&dyn Entropy, Moment), given: Given<'_>) -> Result<(), Outage> {
    let look = Look {
        access: Access { actor: given.actor.to_owned(), action: given.action.to_owned(), ..Access::default() },
        document_id: None,
        controller: given.controller.map_or_else(String::new, |oid| oid.as_str().to_owned()),
        organisation: None,
        person: None,
        client: given.client,
        detail: Some(given.detail),
        query_id: None,
        client_sealed: given.client_sealed,
        person_sealed: None,
    };
    note_each(archive, examiner, around, (given.actor, &given.description), vec![look]).await
}

/// Makes it durable with rows of its own in the access log: a notice's in each register that it is about.
///
/// # Errors
/// An outage: nothing may be given.
pub async fn note_each(
    archive: &dyn Archive,
    examiner: &Examiner,
    (entropy, at): (&dyn Entropy, Moment),
    (actor, description): (&str, &str),
    looks: Vec<Look>,
) -> Result<(), Outage> {
    // Nobody sent a message: the key is a number of its own, and the entry's message its hash.
    let key = MessageKey { sender: Sender::new(actor), octets: sha256(&entropy.sixteen()) };
    let octets = format!("{description}position ").into_bytes();
    let answer = AnswerDraft { slot: octets.len(), digest: sha256(&octets), octets };
    let entry = Entry {
        kind: EntryKind::Exported,
        at,
        sender: actor.to_owned(),
        message: key.octets,
        document_id: None,
        document: None,
        archived: None,
        code: None,
        answer: Some(answer.digest),
        rules: examiner.rules(),
        supersedes: None,
        log: None,
        about: None,
    };
    let effect = Effect::Answer(Box::new(QueryAnswer { code: None, outcome: answer.digest, entry, answer, looks, disclosed: Vec::new() }));
    let commit = Commit { key, at, reply: None, effect, expects: Vec::new(), supersedes: None, road: Road::default() };
    let unlogged = |why: &str| Err(Outage::new(Part::Archive, format!("the access log could not be written: {why}")));
    match archive.commit(commit).await? {
        Committed::Done(_) => Ok(()),
        Committed::Stale => unlogged("another entry bears the same key"),
        Committed::Unfit(detail) => unlogged(&detail),
    }
}
