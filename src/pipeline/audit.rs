//! Re-verifies everything the archive holds: the chain from its first entry to its head, and behind every entry the document or decision it speaks of.
//! Every fault is listed with its position; nothing is mended. The signatures are the caller's to check, through `verify`.

use std::collections::BTreeSet;

use futures_util::stream::{self, StreamExt};

use crate::crypto::{sha256, sha256_parts};
use crate::domain::digest::Digest;
use crate::domain::ledger::{Chained, EntryKind, Position};
use crate::domain::outage::Outage;
use crate::ports::archive::{Archive, StoredDecision, StoredDocument};

/// Entries read in one go.
const PAGE: u32 = 500;
/// Entries whose rows are fetched at once; each may bring a whole document into memory.
const AHEAD: usize = 4;
/// The most faults listed; a lost table would list millions, and the count tells as much.
const LISTED: usize = 10_000;

/// Something that is not as it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditFault {
    /// The ledger position where it shows.
    pub position: Position,
    /// What is wrong, without any value.
    pub what: String,
}

/// What an audit found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditReport {
    /// Ledger entries read.
    pub entries: u64,
    /// Documents read and hashed.
    pub documents: u64,
    /// The last entry read and its hash: compare it with a checkpoint kept elsewhere.
    pub head: Option<(Position, Digest)>,
    /// The faults, in order of position as far as they were found in passing.
    pub faults: Vec<AuditFault>,
    /// Faults found beyond those listed.
    pub unlisted: u64,
}

impl AuditReport {
    /// Whether everything is as it was made.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.faults.is_empty() && self.unlisted == 0
    }

    fn fault(&mut self, position: Position, what: impl Into<String>) {
        if self.faults.len() < LISTED {
            self.faults.push(AuditFault { position, what: what.into() });
        } else {
            self.unlisted += 1;
        }
    }
}

/// How far an audit has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditProgress {
    /// Entries read.
    pub entries: u64,
    /// Entries there were at the beginning.
    pub of: u64,
}

/// Audits the archive, which may be at work meanwhile. `verify` gets each archived document and names what is wrong with it (signatures, header facts
/// against the octets); `progress` is called after every page.
///
/// # Errors
/// An outage: the archive did not answer, so nothing can be said.
pub async fn audit(
    archive: &dyn Archive,
    verify: &(dyn Fn(&StoredDocument) -> Vec<String> + Sync),
    progress: &mut (dyn FnMut(AuditProgress) + Send),
) -> Result<AuditReport, Outage> {
    let mut report = AuditReport::default();
    let of = archive.head().await?.map_or(0, |(position, _)| position.0);
    let mut last = (Position(0), Digest::ZERO);
    // Entries whose decision is no longer in the inbox: right only if a later entry supersedes them.
    let mut gone: BTreeSet<u64> = BTreeSet::new();
    loop {
        let page = archive.ledger_page(last.0, PAGE).await?;
        if page.is_empty() {
            // The head is read after the entries, and the entries once more after the head: a commit in between shows in both.
            let head = archive.head().await?.unwrap_or((Position(0), Digest::ZERO));
            if head.0 > last.0 && !archive.ledger_page(last.0, 1).await?.is_empty() {
                continue;
            }
            if head != last {
                report.fault(head.0.max(last.0), "the ledger's end is not the entry that its head names");
            }
            break;
        }
        let mut rows = stream::iter(&page).map(|chained| rows_of(archive, chained)).buffered(AHEAD);
        for chained in &page {
            link(&mut report, chained, &mut last);
            let Some(rows) = rows.next().await else { break };
            let (decision, document) = rows?;
            if let Some(superseded) = chained.entry.supersedes {
                gone.remove(&superseded.0);
            }
            match decision {
                Some(decision) => check_decision(&mut report, chained, &decision),
                None => drop(gone.insert(chained.position.0)),
            }
            if chained.entry.kind == EntryKind::Archived {
                check_document(&mut report, chained, document.as_ref(), verify);
            }
        }
        progress(AuditProgress { entries: report.entries, of: of.max(report.entries) });
    }
    for position in gone {
        report.fault(Position(position), "the decision is missing, and no later entry supersedes it");
    }
    report.head = (last.0 > Position(0)).then_some(last);
    Ok(report)
}

async fn rows_of(archive: &dyn Archive, chained: &Chained) -> Result<(Option<StoredDecision>, Option<StoredDocument>), Outage> {
    let decision = archive.decision_at(chained.position).await?;
    let document = if chained.entry.kind == EntryKind::Archived { archive.document_at(chained.position).await? } else { None };
    Ok((decision, document))
}

/// The entry's place behind the one before it. A break is reported once: the chain is taken up again from the entry as it stands.
fn link(report: &mut AuditReport, chained: &Chained, last: &mut (Position, Digest)) {
    report.entries += 1;
    let position = chained.position;
    if position.0 != last.0.0.saturating_add(1) {
        report.fault(position, format!("{} entries before this one are missing", position.0.saturating_sub(last.0.0).saturating_sub(1)));
    } else if chained.before != last.1 {
        report.fault(position, "the entry does not chain to the one before it");
    }
    if sha256(&chained.entry.octets(&chained.before, position)) != chained.hash {
        report.fault(position, "the entry is not what its hash says");
    }
    *last = (position, chained.hash);
}

fn check_decision(report: &mut AuditReport, chained: &Chained, decision: &StoredDecision) {
    let position = chained.position;
    let entry = &chained.entry;
    if decision.message != entry.message {
        report.fault(position, "the decision is about another message");
    }
    match (&decision.answer, entry.answer) {
        (None, None) => {}
        (Some(answer), Some(digest)) if answer_is(answer, position, digest) => {}
        (Some(_), Some(_)) => report.fault(position, "the stored answer is not the one given"),
        (None, Some(_)) => report.fault(position, "the stored answer is missing"),
        (Some(_), None) => report.fault(position, "an answer is stored where none was given"),
    }
    if entry.kind != EntryKind::Archived {
        match &decision.octets {
            None => report.fault(position, "the received octets are missing"),
            Some(octets) if sha256(octets) != entry.message => report.fault(position, "the received octets have changed"),
            Some(_) => {}
        }
    }
}

/// Whether an answer is the draft with this digest and the position put in: some occurrence of the position's digits, taken out, leaves the draft.
/// The slot's place is not kept, so every occurrence is tried; only the right one can meet the digest.
fn answer_is(answer: &[u8], position: Position, draft: Digest) -> bool {
    let digits = position.0.to_string();
    answer.windows(digits.len()).enumerate().filter(|(_, window)| *window == digits.as_bytes()).any(|(at, _)| {
        match (answer.get(..at), answer.get(at + digits.len()..)) {
            (Some(head), Some(tail)) => sha256_parts(&[head, tail]) == draft,
            _ => false,
        }
    })
}

fn check_document(report: &mut AuditReport, chained: &Chained, document: Option<&StoredDocument>, verify: &(dyn Fn(&StoredDocument) -> Vec<String> + Sync)) {
    let position = chained.position;
    let entry = &chained.entry;
    let Some(document) = document else {
        report.fault(position, "the document is missing");
        return;
    };
    report.documents += 1;
    let archived = sha256(&document.octets);
    if Some(archived) != entry.archived || archived != document.archived {
        report.fault(position, "the archived octets have changed");
    }
    let (start, length) = document.splice;
    let received = match (document.octets.get(..start), document.octets.get(start.saturating_add(length)..)) {
        (Some(head), Some(tail)) => Some(sha256_parts(&[head, tail])),
        _ => None,
    };
    if received.is_none() || received != entry.document || received != Some(document.received) {
        report.fault(position, "without our signature the octets are not those received");
    }
    if entry.document_id.as_deref() != Some(document.id.as_str()) {
        report.fault(position, "the document bears another id than its entry");
    }
    if document.header.is_none() {
        report.fault(position, "the header facts cannot be read");
    }
    for what in verify(document) {
        report.fault(position, what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_known_by_its_draft_whatever_else_bears_the_same_digits() {
        let draft = sha256(b"<ack id=\"12\"><text/></ack>");
        assert!(answer_is(b"<ack id=\"12\"><text>12</text></ack>".as_slice(), Position(12), sha256(b"<ack id=\"12\"><text></text></ack>")));
        assert!(answer_is(b"<ack id=\"12\">12<text/></ack>", Position(12), draft));
        assert!(!answer_is(b"<ack id=\"12\">13<text/></ack>", Position(12), draft));
        assert!(!answer_is(b"<ack id=\"12\"><text/></ack>", Position(12), draft));
        assert!(!answer_is(b"", Position(1), draft));
    }
}
