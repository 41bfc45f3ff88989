//! A look at a refused message's octets by a person: an entry of the ledger and a row of the access log, durable before anything is shown.

use crate::crypto::sha256;
use crate::domain::change::{Access, AnswerDraft, Commit, Effect, Look, QueryAnswer};
use crate::domain::digest::Digest;
use crate::domain::ledger::{Entry, EntryKind};
use crate::domain::messages::Road;
use crate::domain::message::{MessageKey, Sender};
use crate::domain::refused::RefusedMessage;
use crate::domain::time::Moment;

/// The commit that logs it. `actor` is who looks (`operator:name`), `number` sixteen octets of chance, `rules` today's rule set.
#[must_use]
pub fn seen(message: &RefusedMessage, actor: &str, number: &[u8], rules: Digest, at: Moment) -> Commit {
    // Nobody sent a message: the key is a number of its own.
    let key = MessageKey { sender: Sender::new(actor), octets: sha256(number) };
    let octets = format!("arkki-seen-1\nrefusal {}\nmessage {}\nposition ", message.row.id.0, message.row.key.octets).into_bytes();
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
        rules,
        supersedes: None,
        log: None,
        about: None,
    };
    let look = Look {
        access: Access { actor: actor.to_owned(), action: "show".to_owned(), ..Access::default() },
        document_id: None,
        controller: String::new(),
        organisation: None,
        person: None,
        client: None,
        detail: Some(format!("refused message {} of {}: {}", message.row.id.0, message.row.key.sender, message.row.code)),
        query_id: None,
        client_sealed: None,
        person_sealed: None,
    };
    let effect = Effect::Answer(Box::new(QueryAnswer { code: None, outcome: answer.digest, entry, answer, looks: vec![look], disclosed: Vec::new() }));
    Commit { key, at, reply: None, effect, expects: Vec::new(), supersedes: None, replay: None, road: Road::default() }
}
