//! What a person of the house is given beside documents: an export of the logs, a notice's octets, a kept message, access beyond the own roles. It becomes an entry
//! of the ledger and rows of the access log before anything is given: no log, nothing given.

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

/// Who is given what.
#[derive(Debug)]
pub struct Given {
    /// What the logs call whoever gets it.
    pub actor: String,
    /// A number that nobody else has: nobody sent a message whose hash could stand in its place.
    pub number: Digest,
    /// Now.
    pub at: Moment,
    /// The rule set.
    pub rules: Digest,
    /// What is given in lines of words and hashes, no value of a person; its hash stands in the ledger, and the position is written behind it.
    pub says: String,
    /// The rows of the access log.
    pub looks: Vec<Look>,
}

/// What is given to whom, where one row of the access log says it.
pub struct Note<'a> {
    /// What the log calls whoever gets it.
    pub actor: &'a str,
    /// What the log calls it: `export`, `export-client`, `break-glass`, `show`.
    pub action: &'a str,
    /// Whose register it is about.
    pub controller: Option<&'a Oid>,
    /// Whose data it is about, where it is one client.
    pub client: Option<Digest>,
    /// That client's id, for exports of the log.
    pub client_sealed: Option<Sealed>,
    /// How much, from when, and why: no names and no ids of persons.
    pub detail: String,
    /// What is given, described in whole lines.
    pub description: String,
}

/// Makes it durable.
///
/// # Errors
/// An outage: nothing may be given.
pub async fn log(archive: &dyn Archive, given: Given) -> Result<(), Outage> {
    let unlogged = |why: &str| Err(Outage::new(Part::Archive, format!("the access log could not be written: {why}")));
    match archive.commit(commit(given)).await? {
        Committed::Done(_) => Ok(()),
        Committed::Stale | Committed::Moot => unlogged("another entry bears the same key"),
        Committed::Unfit(detail) => unlogged(&detail),
    }
}

/// Makes it durable that somebody is given what one row says.
///
/// # Errors
/// An outage: nothing may be given.
pub async fn note(archive: &dyn Archive, examiner: &Examiner, (entropy, at): (&dyn Entropy, Moment), note: Note<'_>) -> Result<(), Outage> {
    let look = Look {
        access: Access { actor: note.actor.to_owned(), action: note.action.to_owned(), ..Access::default() },
        document_id: None,
        controller: note.controller.map_or_else(String::new, |oid| oid.as_str().to_owned()),
        organisation: None,
        person: None,
        client: note.client,
        detail: Some(note.detail),
        query_id: None,
        client_sealed: note.client_sealed,
        person_sealed: None,
    };
    let says = format!("{}position ", note.description);
    let number = sha256(&entropy.sixteen());
    log(archive, Given { actor: note.actor.to_owned(), number, at, rules: examiner.rules(), says, looks: vec![look] }).await
}

fn commit(given: Given) -> Commit {
    let Given { actor, number, at, rules, says, looks } = given;
    let key = MessageKey { sender: Sender::new(actor.clone()), octets: number };
    let octets = says.into_bytes();
    let answer = AnswerDraft { slot: octets.len(), digest: sha256(&octets), octets };
    let entry = Entry {
        kind: EntryKind::Exported,
        at,
        sender: actor,
        message: key.octets,
        document_id: None,
        document: None,
        archived: None,
        code: None,
        answer: Some(answer.digest),
        rules,
        supersedes: None,
        log: None,
        about: None,
    };
    let effect = Effect::Answer(Box::new(QueryAnswer { code: None, outcome: answer.digest, entry, answer, looks, disclosed: Vec::new() }));
    Commit { key, at, reply: None, effect, expects: Vec::new(), supersedes: None, replay: None, road: Road::default() }
}
