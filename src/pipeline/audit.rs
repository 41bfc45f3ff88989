//! Re-verifies everything the archive holds: the chain from its first entry to its head, and behind every entry the document or decision it speaks of.
//! Every fault is listed with its position; nothing is mended. The signatures are the caller's to check, through `verify`.

use std::sync::Arc;

use futures_util::stream::{self, StreamExt};

use super::evidence::{Past, Source};
use super::notice::archived_digest;
use crate::cda::signers;
use crate::cda::verify::SignatureFact;
use crate::crypto::{sha256, sha256_parts};
use crate::domain::digest::Digest;
use crate::domain::ledger::{Chained, EntryKind, Position};
use crate::domain::notice::StoredNotice;
use crate::domain::outage::{Outage, Part};
use crate::fhir::kept;
use crate::ports::archive::{Archive, StoredDecision, StoredDocument, Table};

/// Entries read in one go: a second's work or two, which is what a killed audit loses.
const PAGE: u32 = 100;
/// Entries in work beyond one a thread, so that no thread waits for the database; each may bring a whole document into memory.
const AHEAD: usize = 2;
/// Rows of a table looked at in one go.
const ROWS: u32 = 500;
/// The most faults listed; a lost table would list millions, and the count tells as much.
const LISTED: usize = 10_000;

/// Looks at an archived document by itself: signatures, header facts against the octets.
pub type Verify = Arc<dyn Fn(&StoredDocument) -> Looked + Send + Sync>;

/// Looks at an archived notice by itself: who signed its bundle and its CDA document. Says what is wrong.
pub type VerifyNotice = Arc<dyn Fn(&StoredNotice) -> Vec<String> + Send + Sync>;

/// What a look at an archived document came to.
#[derive(Debug, Clone, Default)]
pub struct Looked {
    /// What is wrong with it.
    pub faults: Vec<String>,
    /// The signatures it came with, which verify: of their signers' certificates it is asked what was known then.
    pub signatures: Vec<SignatureFact>,
}

/// Of how many signers' certificates which kept material spoke.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Signers {
    /// OCSP answers.
    pub by_answer: u64,
    /// Revocation lists.
    pub by_list: u64,
    /// None that was kept, though lists or a responder were in use: taken with a warning then, or not yet covered by a checkpoint.
    pub by_nothing: u64,
    /// None, for neither lists nor a responder were in use.
    pub not_asked: u64,
}

/// Something that is not as it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditFault {
    /// The ledger position where it shows; 0 for none.
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
    /// Rows of other tables held against the rest.
    pub rows: u64,
    /// Which material spoke of signers' certificates.
    pub signers: Signers,
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

    /// Adds a fault; beyond the most that are listed it is only counted.
    pub fn fault(&mut self, position: Position, what: impl Into<String>) {
        if self.faults.len() < LISTED {
            self.faults.push(AuditFault { position, what: what.into() });
        } else {
            self.unlisted += 1;
        }
    }
}

/// How an audit goes about it.
pub struct Plan<'p> {
    /// What is looked at in each document.
    pub verify: Verify,
    /// What is looked at in each notice; `None` leaves its signers out, not its octets.
    pub notices: Option<VerifyNotice>,
    /// What was kept to judge signers by; `None` does not judge them.
    pub past: Option<&'p Past<'p>>,
    /// How many documents are verified at once.
    pub threads: usize,
    /// What an earlier run found up to its head: this one begins behind it.
    pub so_far: AuditReport,
}

impl Plan<'_> {
    /// From the first entry, signers not judged.
    #[must_use]
    pub fn new(verify: Verify, threads: usize) -> Self {
        Self { verify, notices: None, past: None, threads, so_far: AuditReport::default() }
    }
}

/// Audits the archive, which may be at work meanwhile. `progress` is called after every page with what was found so far and the number of entries there were at the beginning.
///
/// # Errors
/// An outage: the archive did not answer, so nothing can be said.
pub async fn audit(archive: &dyn Archive, plan: Plan<'_>, progress: &mut (dyn FnMut(&AuditReport, u64) + Send)) -> Result<AuditReport, Outage> {
    let Plan { verify, notices, past, threads, so_far: mut report } = plan;
    let eyes = Eyes { verify, notices };
    let of = archive.head().await?.map_or(0, |(position, _)| position.0);
    let mut last = report.head.unwrap_or((Position(0), Digest::ZERO));
    if last.0 > Position(0) {
        let there = archive.ledger_page(Position(last.0.0 - 1), 1).await?;
        if there.first().is_none_or(|entry| (entry.position, entry.hash) != last) {
            report.fault(last.0, "the entry is not the one that an earlier audit saw here");
        }
    }
    // Ends with the ledger: a page is read only behind the last.
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
        let judged: Vec<_> = page.iter().map(|chained| judge(archive, chained, &eyes, past)).collect();
        let mut judged = stream::iter(judged).buffered(threads.max(1).saturating_add(AHEAD));
        for chained in &page {
            link(&mut report, chained, &mut last);
            let Some(found) = judged.next().await else { break };
            let (found, signers) = found?;
            for what in found {
                report.fault(chained.position, what);
            }
            report.signers.add(signers);
            report.documents += u64::from(chained.entry.kind == EntryKind::Archived);
        }
        report.head = Some(last);
        progress(&report, of.max(last.0.0));
    }
    walk(archive, &mut report).await?;
    Ok(report)
}

/// Walks through the tables that no entry leads to row by row.
async fn walk(archive: &dyn Archive, report: &mut AuditReport) -> Result<(), Outage> {
    for table in Table::ALL {
        let mut after = Some(String::new());
        // Ends with the table: each page's mark lies behind the one before.
        while let Some(mark) = after {
            let page = archive.misfits(table, &mark, ROWS).await?;
            report.rows += page.rows;
            for (position, what) in page.found {
                report.fault(position, what);
            }
            after = page.next.filter(|next| *next != mark);
        }
    }
    Ok(())
}

/// What looks at what is archived.
#[derive(Clone)]
struct Eyes {
    verify: Verify,
    notices: Option<VerifyNotice>,
}

/// What is wrong behind one entry. Hashing and verifying burn a processor, so they run beside the runtime, at most as many at once as the caller's buffer holds.
async fn judge(archive: &dyn Archive, chained: &Chained, eyes: &Eyes, past: Option<&Past<'_>>) -> Result<(Vec<String>, Signers), Outage> {
    let (archived, event) = (chained.entry.kind == EntryKind::Archived, chained.entry.kind == EntryKind::Event);
    let mut found: Vec<String> = Vec::new();
    // An event that came along with a document has no decision of its own: the document's entry has it.
    let comes_along = event && chained.entry.answer.is_none();
    let decision = archive.decision_at(chained.position).await?;
    // The stored answer was shown again: the decision is that of the entry it names.
    let shows = chained.entry.kind == EntryKind::Shown;
    if decision.is_none() && !comes_along && !shows && !archive.is_superseded(chained.position).await? {
        found.push("the decision is missing, and no later entry supersedes it".to_owned());
    }
    let document = if archived { archive.document_at(chained.position).await? } else { None };
    if archived || event || shows || matches!(chained.entry.kind, EntryKind::Answered | EntryKind::Notice) || chained.entry.log.is_some() {
        found.extend(archive.companions(chained).await?.into_iter().map(str::to_owned));
    }
    let notice = if chained.entry.kind == EntryKind::Notice { archive.notice_at(chained.position).await? } else { None };
    let (entry, eyes) = (chained.clone(), eyes.clone());
    let judged = tokio::task::spawn_blocking(move || {
        if let Some(decision) = decision {
            check_decision(&mut found, &entry, &decision);
        }
        if entry.entry.kind == EntryKind::Notice {
            check_notice(&mut found, &entry, notice.as_ref(), eyes.notices.as_ref());
        }
        let signatures = if archived { check_document(&mut found, &entry, document.as_ref(), &eyes.verify) } else { Vec::new() };
        (found, signatures)
    });
    // A panic is a defect of ours over one document, and is told as a fault of that document, not as an archive that does not answer.
    let (mut found, signatures) = match judged.await {
        Ok(judged) => judged,
        Err(ended) if ended.is_panic() => (vec!["it cannot be verified: a defect of Arkki, please report it".to_owned()], Vec::new()),
        Err(_) => return Err(Outage::new(Part::Machine, "the audit is ending")),
    };
    let mut signers = Signers::default();
    if let Some(past) = past {
        for signature in &signatures {
            let (status, source) = past.known(&signature.signed_with, chained.position, chained.entry.at).await?;
            // As the gateway judged it then; what became known later takes nothing from a document that had arrived.
            let codes = signers::judge(std::slice::from_ref(signature), &[status], chained.entry.at);
            found.extend(codes.iter().filter(|f| f.is_error()).map(|f| format!("{} {}, as the kept material says", f.code.as_str(), f.code.name())));
            signers.count(&source);
        }
    }
    Ok((found, signers))
}

impl Signers {
    fn count(&mut self, source: &Source) {
        match source {
            Source::Answer(_) => self.by_answer += 1,
            Source::List { .. } => self.by_list += 1,
            Source::Nothing => self.by_nothing += 1,
            Source::NotAsked => self.not_asked += 1,
        }
    }

    fn add(&mut self, more: Self) {
        self.by_answer += more.by_answer;
        self.by_list += more.by_list;
        self.by_nothing += more.by_nothing;
        self.not_asked += more.not_asked;
    }
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

fn check_decision(found: &mut Vec<String>, chained: &Chained, decision: &StoredDecision) {
    let position = chained.position;
    let entry = &chained.entry;
    if decision.message != entry.message {
        found.push("the decision is about another message".to_owned());
    }
    match (&decision.answer, entry.answer) {
        (None, None) => {}
        (Some(answer), Some(digest)) if answer_is(answer, position, digest) => {}
        (Some(_), Some(_)) => found.push("the stored answer is not the one given".to_owned()),
        // What was given is known by its hash alone once it has left and is old.
        (None, Some(_)) if matches!(entry.kind, EntryKind::Answered | EntryKind::Exported) => {}
        (None, Some(_)) if decision.is_forgotten && entry.kind == EntryKind::Refused => {}
        (None, Some(_)) => found.push("the stored answer is missing".to_owned()),
        (Some(_), None) => found.push("an answer is stored where none was given".to_owned()),
    }
    if !matches!(entry.kind, EntryKind::Archived | EntryKind::Answered | EntryKind::Notice | EntryKind::Exported) {
        match &decision.octets {
            None if decision.is_forgotten && matches!(entry.kind, EntryKind::Refused | EntryKind::Noted) => {}
            None => found.push("the received octets are missing".to_owned()),
            Some(octets) if sha256(octets) != entry.message => found.push("the received octets have changed".to_owned()),
            Some(_) => {}
        }
    }
}

/// Whether an answer is the draft with this digest and the position put in: some occurrence of the position's digits, taken out, leaves the draft.
/// The slot's place is not kept, so every occurrence is tried; only the right one can meet the digest.
fn answer_is(answer: &[u8], position: Position, draft: Digest) -> bool {
    let digits = position.0.to_string();
    // The slot lies in the acknowledgement; whatever documents follow it are not searched.
    const END: &[u8] = b"</acknowledgement>";
    let end = answer.windows(END.len()).position(|window| window == END).unwrap_or(answer.len());
    answer.get(..end).unwrap_or(answer).windows(digits.len()).enumerate().filter(|(_, window)| *window == digits.as_bytes()).any(|(at, _)| {
        match (answer.get(..at), answer.get(at + digits.len()..)) {
            (Some(head), Some(tail)) => sha256_parts(&[head, tail]) == draft,
            _ => false,
        }
    })
}

fn check_document(found: &mut Vec<String>, chained: &Chained, document: Option<&StoredDocument>, verify: &Verify) -> Vec<SignatureFact> {
    let entry = &chained.entry;
    let Some(document) = document else {
        found.push("the document is missing".to_owned());
        return Vec::new();
    };
    let (start, length) = document.splice;
    let received = match (document.octets.get(..start), document.octets.get(start.saturating_add(length)..)) {
        (Some(head), Some(tail)) => Some(sha256_parts(&[head, tail])),
        _ => None,
    };
    let archived = sha256(&document.octets);
    let whole = document.beside.as_deref().map_or(archived, |beside| sha256_parts(&[&document.octets, beside]));
    if document.beside.is_some() && Some(whole) != entry.archived && received.is_some() && received == entry.document {
        // The octets by themselves are those received, so what changed is what was laid beside them.
        found.push("the signature beside the document has changed".to_owned());
    } else if Some(whole) != entry.archived || archived != document.archived {
        found.push("the archived octets have changed".to_owned());
    }
    if received.is_none() || received != entry.document || received != Some(document.received) {
        found.push("without our signature the octets are not those received".to_owned());
    }
    if entry.document_id.as_deref() != Some(document.id.as_str()) {
        found.push("the document bears another id than its entry".to_owned());
    }
    if document.header.is_none() {
        found.push("the header facts cannot be read".to_owned());
    }
    let looked = verify(document);
    found.extend(looked.faults);
    looked.signatures
}

/// The kept event and bundle are those of the entry, the bundle's signature verifies, and the columns say what it says.
fn check_notice(found: &mut Vec<String>, chained: &Chained, notice: Option<&StoredNotice>, look: Option<&VerifyNotice>) {
    let entry = &chained.entry;
    let Some(notice) = notice else {
        found.push("the notice cannot be read".to_owned());
        return;
    };
    let event = sha256(&notice.event);
    if Some(event) != entry.document || event != entry.message || event != notice.row.record.event_sha {
        found.push("the received event has changed".to_owned());
    }
    if Some(archived_digest(&notice.bundle, notice.cda.as_deref())) != entry.archived || sha256(&notice.bundle) != notice.row.record.bundle_sha {
        found.push("the notice has changed".to_owned());
    }
    found.extend(kept::faults(&notice.row.record, &notice.bundle));
    if let Some(look) = look {
        found.extend(look(notice));
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
