//! A document of the archive, explained as of when it was archived: with the certificates, revocation lists and answers that checkpoints kept then, not with today's.

use std::cell::RefCell;
use std::collections::HashMap;

use super::{by_list, senders};
use crate::adapters::store::Store;
use crate::app;
use crate::cda::explain::{Asked, Explanation, Outcome, Step, explain};
use crate::cda::verify::SignerRule;
use crate::cli::audit;
use crate::codes::rule_set::RuleSet;
use crate::codes::signatures::SigningPlace;
use crate::config::checked::Config;
use crate::crypto;
use crate::crypto::certificate::Certificate;
use crate::crypto::revocation::Status;
use crate::domain::digest::Digest;
use crate::domain::ledger::Position;
use crate::domain::oid::Oid;
use crate::domain::outage::Outage;
use crate::pipeline::evidence::{Past, Source, Span};
use crate::pipeline::examine::signing_place;
use crate::ports::archive::{Archive as _, StoredDocument};
use crate::xml::prepass::{self, Encoding};
use crate::xml::tree;

/// Finds and explains the document; what it is called, and what is to be said of it.
///
/// # Errors
/// Why it cannot be found or read.
pub(super) async fn explained(which: &str, config: &Config, rules: &RuleSet) -> Result<(String, Explanation), String> {
    let archive = audit::open(config).await?;
    let shown = |outage: Outage| format!("{}: {outage}", config.archive_url.shown());
    let found = match (which.parse::<u64>(), Oid::parse(which)) {
        (Ok(position), _) => archive.document_at(Position(position)).await.map_err(shown)?,
        (_, Ok(id)) => archive.document(&id).await.map_err(shown)?,
        _ => return Err(format!("--archived: {which:?} is neither an OID nor a ledger position")),
    };
    let stored = found.ok_or_else(|| format!("the archive has no document {which}"))?;
    let explanation = of(archive.as_ref(), &stored, config, rules).await?;
    Ok((format!("{} ({})", stored.id, stored.position.0), explanation))
}

/// Explains a document of the archive.
///
/// # Errors
/// Why it cannot be read, or what is out of reach.
pub(crate) async fn of(archive: &Store, stored: &StoredDocument, config: &Config, rules: &RuleSet) -> Result<Explanation, String> {
    let shown = |outage: Outage| format!("{}: {outage}", config.archive_url.shown());
    let past = Past::open(archive, &app::trust(config).map_err(|e| e.0)?, config.crl_grace).await.map_err(shown)?;
    let span = past.span(stored.position).await.map_err(shown)?;
    let mut senders = senders(config).map_err(|e| e.0)?;
    // Our own certificate is the site's to name; without it our signature is judged by the document's controller alone.
    senders.extend(app::signer_certificate(config).map(|own| own.serials).unwrap_or_default());

    let place = signing_place(stored);
    let unreadable = || "the archived octets cannot be read: run arkki audit".to_owned();
    let taken = if place == SigningPlace::Detached { Encoding::Any } else { Encoding::Utf8Only };
    let decoded = prepass::decode(&stored.octets, taken, stored.octets.len()).map_err(|_| unreadable())?;
    let document = tree::parse(&decoded.text).map_err(|_| unreadable())?;
    let beside_text = stored.beside.as_deref().map(std::str::from_utf8).transpose().map_err(|_| unreadable())?;
    let beside = beside_text.map(tree::parse).transpose().map_err(|_| unreadable())?;

    // Once to learn which certificates are asked about, for the archive is asked beside the explanation; then with what it kept.
    let asked_about: RefCell<Vec<Certificate>> = RefCell::default();
    let look = |status: &dyn Fn(&Certificate) -> (Status, Option<Step>)| {
        let rule = SignerRule { senders: &senders, require_professional: false };
        let asked = Asked { profile: rules.signatures.at(place), anchors: past.anchors(), rule, status, octets: &stored.octets, arrived: stored.at };
        tokio::task::block_in_place(|| explain(&document, beside.as_ref(), &asked))
    };
    look(&|certificate| {
        asked_about.borrow_mut().push(certificate.clone());
        (Status::NotAsked, None)
    });
    let mut known: HashMap<Digest, (Status, Option<Step>)> = HashMap::new();
    for certificate in asked_about.into_inner() {
        let (status, source) = past.known(&certificate, stored.position, stored.at).await.map_err(shown)?;
        known.insert(certificate.fingerprint(), (status, step(source)));
    }
    let mut explanation = look(&|certificate| known.get(&certificate.fingerprint()).cloned().unwrap_or((Status::NotAsked, None)));
    explanation.document.extend(kept(config, stored, span.as_deref()));
    Ok(explanation)
}

/// Which material spoke.
fn step(source: Source) -> Option<Step> {
    match source {
        Source::Answer(at) => Some(Step { key: "by-answer", words: vec![("at", at.to_iso())], outcome: Outcome::Told }),
        Source::List { issuer, from, next } => Some(by_list(issuer, from, next)),
        Source::Nothing => Some(Step { key: "by-nothing", words: Vec::new(), outcome: Outcome::Told }),
        Source::NotAsked => None,
    }
}

/// When it was archived, and what was kept then.
fn kept(config: &Config, stored: &StoredDocument, span: Option<&Span>) -> Vec<Step> {
    let mut words = vec![("position", stored.position.0.to_string()), ("at", stored.at.to_iso())];
    let told = |key: &'static str, words: &[(&'static str, String)]| Step { key, words: words.to_vec(), outcome: Outcome::Told };
    let Some(span) = span else { return vec![told("archived", &words), told("no-checkpoint", &words)] };
    let [certificates, lists, answers] = span.pieces.map(|n| n.to_string());
    let statement = &span.checkpoint.statement;
    words.extend([("checkpoint", statement.position.0.to_string()), ("of", statement.at.to_iso())]);
    words.extend([("certificates", certificates), ("lists", lists), ("answers", answers)]);
    let mut steps = vec![told("archived", &words), told("kept", &words)];
    let stamps = app::stamp_trust(config).ok().flatten();
    if let (Some(token), Some(anchors)) = (&span.checkpoint.token, stamps)
        && let Ok(at) = crypto::timestamp::verify(token, &span.checkpoint.hash, None, &anchors)
    {
        steps.push(told("stamped", &[("at", at.to_iso())]));
    }
    steps
}
