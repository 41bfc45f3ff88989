//! What an operator is given of the archive beside documents: an export of the logs, a notice's octets, a kept message. It is committed with its rows of the
//! access log before anything is given: no log, nothing given.

use crate::domain::change::{AnswerDraft, Commit, Committed, Effect, Look, QueryAnswer};
use crate::domain::digest::Digest;
use crate::domain::ledger::{Entry, EntryKind};
use crate::domain::message::{MessageKey, Sender};
use crate::domain::messages::Road;
use crate::domain::outage::Outage;
use crate::domain::time::Moment;
use crate::ports::archive::Archive;

/// Who is given what.
#[derive(Debug)]
pub struct Given {
    /// The operator, as the logs name them.
    pub actor: String,
    /// A number that nobody else has: nobody sent a message whose hash could stand in its place.
    pub number: Digest,
    /// Now.
    pub at: Moment,
    /// The rule set.
    pub rules: Digest,
    /// What is given in lines of words and hashes; no value of a person.
    pub says: String,
    /// The rows of the access log.
    pub looks: Vec<Look>,
}

/// Makes it durable.
///
/// # Errors
/// The archive's outage. The inner one: why the log could not be written, so that nothing may be given.
pub async fn log(archive: &dyn Archive, given: Given) -> Result<Result<(), String>, Outage> {
    match archive.commit(commit(given)).await? {
        Committed::Done(_) => Ok(Ok(())),
        Committed::Stale | Committed::Moot => Ok(Err("the access log could not be written: another entry bears the same key".to_owned())),
        Committed::Unfit(detail) => Ok(Err(format!("the access log could not be written: {detail}"))),
    }
}

fn commit(given: Given) -> Commit {
    let Given { actor, number, at, rules, says, looks } = given;
    let key = MessageKey { sender: Sender::new(actor.clone()), octets: number };
    let octets = says.into_bytes();
    let answer = AnswerDraft { slot: octets.len(), digest: crate::crypto::sha256(&octets), octets };
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
