//! `arkki checkpoint`: the ledger's signed checkpoints, shown, written out, and held against the ledger without reading the documents.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use super::audit;
use super::report::{Fault, Health, Report};
use crate::config::checked::Config;
use crate::domain::digest::Digest;
use crate::domain::ledger::Position;
use crate::pipeline::audit::AuditReport;
use crate::pipeline::checkpoint::line;
use crate::ports::checkpoints::Checkpoints as _;

/// How many checkpoints are read at once.
const PAGE: u32 = 500;

/// What `checkpoint` takes.
#[derive(Args)]
pub struct Checkpoint {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Show the last checkpoints.
    List {
        /// How many, at most 500.
        #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=500))]
        last: u32,
    },
    /// Write every checkpoint of the archive to standard output, as the file has them.
    Export,
    /// Hold the ledger's chain against checkpoints, the archive's own and a file's. Quick: no document is read.
    Verify {
        /// A file of checkpoints.
        file: Option<PathBuf>,
    },
}

/// Shows, writes or verifies checkpoints.
#[must_use]
pub fn run(command: &Checkpoint, config: &Config) -> Report {
    let runtime = match super::runtime() {
        Ok(runtime) => runtime,
        Err(report) => return report,
    };
    runtime
        .block_on(async {
            match &command.what {
                What::List { last } => Ok(listed(config, *last).await?),
                What::Export => Ok(exported(config).await?),
                What::Verify { file } => verified(config, file.as_deref()).await,
            }
        })
        .unwrap_or_else(|fault: Fault| fault.into())
}

async fn listed(config: &Config, last: u32) -> Result<Report, String> {
    let archive = audit::open(config).await?;
    let mut found = std::collections::VecDeque::new();
    let mut after = Position(0);
    // Ends with the last page.
    loop {
        let page = archive.checkpoints(after, PAGE).await.map_err(|outage| outage.to_string())?;
        let Some(end) = page.last() else { break };
        after = end.statement.position;
        for checkpoint in page {
            if found.len() >= usize::try_from(last).unwrap_or(usize::MAX) {
                found.pop_front();
            }
            found.push_back(checkpoint);
        }
    }
    let mut text = String::new();
    for c in &found {
        let stamped = if c.token.is_some() { "stamped" } else { "" };
        text.push_str(&format!("{:>10}  {}  {}  {}  {stamped}\n", c.statement.position.0, c.statement.at, c.statement.head, c.statement.instance));
    }
    if found.is_empty() {
        text.push_str("no checkpoint yet\n");
    }
    let list: Vec<_> = found
        .iter()
        .map(|c| json!({ "position": c.statement.position.0, "at": c.statement.at.to_iso(), "head": c.statement.head.to_hex(), "hash": c.hash.to_hex(), "instance": c.statement.instance, "stamped": c.token.is_some() }))
        .collect();
    Ok(Report::new(Health::Well, text, json!({ "checkpoints": list })))
}

async fn exported(config: &Config) -> Result<Report, String> {
    let archive = audit::open(config).await?;
    let (mut after, mut certificates, mut count) = (Position(0), Vec::<Digest>::new(), 0_u64);
    // Ends with the last page.
    loop {
        let page = archive.checkpoints(after, PAGE).await.map_err(|outage| outage.to_string())?;
        let Some(end) = page.last() else { break };
        after = end.statement.position;
        let mut lines = String::new();
        for checkpoint in &page {
            if !certificates.contains(&checkpoint.statement.certificate) {
                lines.push_str(&line::certificate(&checkpoint.certificate));
                certificates.push(checkpoint.statement.certificate);
            }
            lines.push_str(&line::checkpoint(checkpoint));
            count += 1;
        }
        std::io::Write::write_all(&mut std::io::stdout(), lines.as_bytes()).map_err(|error| format!("standard output: {error}"))?;
    }
    Ok(Report::new(Health::Well, String::new(), json!({ "exported": count })))
}

async fn verified(config: &Config, file: Option<&std::path::Path>) -> Result<Report, Fault> {
    let archive = audit::open(config).await?;
    let mut found = AuditReport::default();
    let (checkpoints, stamped, unreadable) = audit::hold(config, &archive, file, &mut found).await?;
    let mut text: String = found.faults.iter().map(|f| format!("position {}: {}\n", f.position.0, f.what)).collect();
    text.push_str(&format!("{checkpoints} checkpoints, {stamped} with a verified time stamp, {} faults\n", found.faults.len()));
    let list: Vec<_> = found.faults.iter().map(|f| json!({ "position": f.position.0, "what": f.what })).collect();
    let json = json!({ "checkpoints": checkpoints, "stamped": stamped, "unreadable_lines": unreadable, "faults": found.faults.len(), "list": list });
    Ok(Report::new(if found.is_clean() { Health::Well } else { Health::Unwell }, text, json))
}
