//! `arkki audit`: every document's hashes and signatures, every ledger entry's place in the chain.

use std::sync::Arc;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::report::{Health, Report};
use crate::adapters::clock::SystemEntropy;
use crate::adapters::store;
use crate::app;
use crate::config::checked::Config;
use crate::pipeline::audit::{AuditReport, audit};

const HELP: &str = r#"It only reads; the gateway may be at work meanwhile. It needs [sign] trust and certificate_file, not the private key.

Exit codes: 0 no fault, 1 faults (each named with its ledger position), 2 the archive, a certificate or the rules could not be read."#;

/// What `audit` takes.
#[derive(Args)]
#[command(after_help = HELP)]
pub struct Audit {
    /// How many faults to list.
    #[arg(long, default_value_t = 50, value_name = "N")]
    most: usize,
}

/// Audits the archive, which may be at work meanwhile.
#[must_use]
pub fn run(command: &Audit, config: Config, json: bool) -> Report {
    let examiner = match app::examiner(&config) {
        Ok(examiner) => examiner,
        Err(fault) => return Report::blind(fault),
    };
    let signer = match app::signer_certificate(&config) {
        Ok(certificate) => certificate,
        Err(fault) => return Report::blind(fault),
    };
    let runtime = match super::runtime() {
        Ok(runtime) => runtime,
        Err(report) => return report,
    };
    let progress = if json {
        ProgressBar::hidden()
    } else {
        ProgressBar::new(0)
            .with_style(ProgressStyle::with_template("{bar:40} {pos}/{len} entries  {per_sec}  {eta}").unwrap_or_else(|_| ProgressStyle::default_bar()))
    };
    let outcome = runtime.block_on(async {
        let archive = store::open_unchanged(config.archive_url.reveal(), config.instance.clone(), Arc::new(SystemEntropy::open()?)).await?;
        let verify = |document: &crate::ports::archive::StoredDocument| examiner.audit(document, &signer);
        audit(archive.as_ref(), &verify, &mut |p| {
            progress.set_length(p.of);
            progress.set_position(p.entries);
        })
        .await
    });
    progress.finish_and_clear();
    match outcome {
        Err(outage) => Report::blind(format!("{}: {outage}", config.archive_url.shown())),
        Ok(found) => report(command, &found),
    }
}

fn report(command: &Audit, found: &AuditReport) -> Report {
    let faults = found.faults.len() as u64 + found.unlisted;
    let mut text: String = found.faults.iter().take(command.most).map(|f| format!("position {}: {}\n", f.position.0, f.what)).collect();
    text.push_str(&format!("{} ledger entries, {} documents, {faults} faults\n", found.entries, found.documents));
    if let Some((position, hash)) = &found.head {
        text.push_str(&format!("head: position {}, hash {hash}\n", position.0));
    }
    let list: Vec<Value> = found.faults.iter().take(command.most).map(|f| json!({ "position": f.position.0, "what": f.what })).collect();
    let json = json!({
        "entries": found.entries,
        "documents": found.documents,
        "faults": faults,
        "list": list,
        "head": found.head.as_ref().map(|(p, h)| json!({ "position": p.0, "hash": h.to_hex() })),
    });
    Report::new(if found.is_clean() { Health::Well } else { Health::Unwell }, text, json)
}
