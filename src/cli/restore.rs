//! `arkki restore`: a backup brought into a fresh place, audited against its checkpoints, and what came after it named: who must send what again.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::backup::manifest;
use super::report::{Fault, Health, Report};
use super::{audit, runtime};
use crate::adapters::store;
use crate::adapters::store::backup::{Copied, LastOf, copy_in, last_of_senders};
use crate::app;
use crate::config::checked::Config;
use crate::domain::ledger::Position;
use crate::domain::time::Moment;
use crate::pipeline::audit::AuditReport;
use crate::pipeline::checkpoint::line::{self, LINE_OCTETS, Line};
use crate::pipeline::checkpoint::verify;
use crate::ports::archive::{Archive as _, Counts};

/// The longest line of a log read.
const LOG_LINE: usize = 64 * 1024;
/// How many lost messages are named, at most.
const NAMED: usize = 100_000;

const HELP: &str = r#"The place that [archive] url names must be fresh: an empty PostgreSQL database (createdb), or a SQLite file that is not there. Stop every gateway first. All files are
checked before anything is written; the tables are then brought up to this release, and the whole archive is audited.

What was decided after the backup is lost here, and its senders hold acknowledgements for it: they must send it again. With --checkpoint (the file of [checkpoint] file)
it is known how far the ledger had come; with --log (serve's log in JSON) each lost message is named. Sending too much again harms nothing: what the archive
has is answered as before.

A file of checkpoints that reaches further than the backup belongs to the lost ledger: keep it as evidence, and name a new one in [checkpoint] file.

Examples:
  arkki restore /backups/2026-11-22 --checkpoint /safe/checkpoints.jsonl
  arkki restore /backups/2026-11-22 --log /var/log/arkki/serve.log --json

Exit codes: 0 restored, and the audit finds no fault, 1 restored, and it does: each is named, 2 not restored: nothing was written, unless it says
that the copy is in place."#;

/// What `restore` takes.
#[derive(Args)]
#[command(after_help = HELP)]
pub struct Restore {
    /// The backup's folder.
    folder: PathBuf,
    /// The file of checkpoints, which the database's owner could not change: what the ledger is held against, and how far it had come.
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// A log of `arkki serve` in JSON, from the time of the backup on: each message that was lost is named. May be repeated.
    #[arg(long, value_name = "FILE")]
    log: Vec<PathBuf>,
}

/// Brings a backup into a fresh place.
#[must_use]
pub fn run(command: &Restore, config: &Config) -> Report {
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(report) => return report,
    };
    match runtime.block_on(restored(command, config)) {
        Err(why) => Report::blind(why),
        Ok(told) => told.report(command),
    }
}

/// What a restore came to.
struct Told {
    copied: Copied,
    migrated: Vec<String>,
    counts: Counts,
    found: AuditReport,
    checkpoints: u64,
    /// How far the ledger had come, by the file of checkpoints.
    reached: Option<(Position, Moment)>,
    lost: Vec<Lost>,
    senders: Vec<LastOf>,
}

/// A message that was decided after the backup.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Lost {
    position: u64,
    sender: String,
    message: String,
    at: String,
}

async fn restored(command: &Restore, config: &Config) -> Result<Told, String> {
    let shown = |outage: crate::domain::outage::Outage| format!("{}: {outage}", config.archive_url.shown());
    let (copied, key) = manifest::read(&command.folder)?;
    if manifest::known_by(&app::site_key(config).map_err(|fault| fault.0)?)? != key {
        return Err("[archive] site_key_file holds another key than the backup was made with: no client would be found; put that key in place".to_owned());
    }
    // What cannot be read is said before anything is written.
    let reached = command.checkpoint.as_deref().map(last_in).transpose()?.flatten();
    let mut lost = Vec::new();
    for log in &command.log {
        lost.extend(lost_in(log, copied.head.0)?);
    }
    lost.sort_by_key(|lost| lost.position);
    lost.dedup();
    lost.truncate(NAMED);
    let url = config.archive_url.reveal();
    copy_in(url, &command.folder, &copied).await.map_err(shown)?;
    told(command, config, copied, reached, lost)
        .await
        .map_err(|why| format!("the copy is in place, and then: {why}\nmend that; then arkki migrate, and arkki audit"))
}

/// Brings what was copied in up to this release, audits it, and adds up.
async fn told(command: &Restore, config: &Config, copied: Copied, reached: Option<(Position, Moment)>, lost: Vec<Lost>) -> Result<Told, String> {
    let shown = |outage: crate::domain::outage::Outage| format!("{}: {outage}", config.archive_url.shown());
    let url = config.archive_url.reveal();
    let migrated = store::migrate(url).await.map_err(shown)?;
    let (mut found, seen) = audit::whole(config, command.checkpoint.clone()).await.map_err(Fault::why)?;
    // That the file reaches further is what was lost, and is told as such.
    found.faults.retain(|fault| fault.position <= copied.head.0);
    // So is a checkpoint of the copy's last position that was made when the copy was: the ledger holds what it signed, or there is another fault.
    if copied.checkpoint.as_ref().is_none_or(|(position, _)| *position < copied.head.0) {
        found.faults.retain(|fault| fault.position != copied.head.0 || fault.what != verify::LOST);
    }
    if found.head.as_ref().map_or(Position(0), |(position, _)| *position) != copied.head.0 {
        found.fault(copied.head.0, "the ledger does not end where the backup says");
    }
    let counts = audit::open(config).await?.counts().await.map_err(shown)?;
    let senders = last_of_senders(url).await.map_err(shown)?;
    let reached = reached.filter(|(position, _)| *position > copied.head.0);
    Ok(Told { copied, migrated, counts, found, checkpoints: seen.0, reached, lost, senders })
}

impl Told {
    fn report(&self, command: &Restore) -> Report {
        let (position, hash, at) = &self.copied.head;
        let mut text = format!(
            "restored  {}: archive {}, ledger position {} of {}, hash {hash}\n",
            command.folder.display(),
            self.copied.archive,
            position.0,
            at.to_iso()
        );
        self.migrated.iter().for_each(|name| text.push_str(&format!("migrated  {name}\n")));
        let faults = self.found.faults.len() as u64 + self.found.unlisted;
        text.push_str(&format!(
            "audited   {} ledger entries, {} documents, {} checkpoints, {faults} faults\n",
            self.found.entries, self.found.documents, self.checkpoints
        ));
        for fault in &self.found.faults {
            text.push_str(&format!("          position {}: {}\n", fault.position.0, fault.what));
        }
        text.push_str(&format!(
            "waiting   {} answers leave when the gateway starts, perhaps for the second time, under the same AMQP message ids; {} messages are on hold\n",
            self.counts.outbox, self.counts.held
        ));
        match &self.reached {
            Some((end, when)) => text.push_str(&format!(
                "lost      positions {} to {} at least: the ledger was signed as reaching {} on {}\n",
                position.0 + 1,
                end.0,
                end.0,
                when.to_iso()
            )),
            None if command.checkpoint.is_some() => text.push_str("lost      nothing that was signed\n"),
            None => text.push_str("lost      unknown: without --checkpoint nobody says how far the ledger had come\n"),
        }
        for lost in &self.lost {
            text.push_str(&format!("  resend  position {}, decided {}, sender {}, message {}\n", lost.position, lost.at, lost.sender, lost.message));
        }
        text.push_str("\nEach sender sends again what it sent after its last message here; what is here already is answered as before. What the broker still has comes by itself.\n");
        let width = self.senders.iter().map(|s| s.sender.chars().count()).max().unwrap_or(6).clamp(6, 60);
        text.push_str(&format!("  {:<width$}  position  decided                   message (SHA-256)\n", "sender"));
        for last in &self.senders {
            text.push_str(&format!("  {:<width$}  {:>8}  {:<24}  {}\n", last.sender, last.position.0, last.at.to_iso(), last.message));
        }
        let health = if faults == 0 { Health::Well } else { Health::Unwell };
        Report::new(health, text, self.json(faults))
    }

    fn json(&self, faults: u64) -> Value {
        let (position, hash, at) = &self.copied.head;
        let lost: Vec<Value> = self.lost.iter().map(|l| json!({ "position": l.position, "sender": l.sender, "message": l.message, "at": l.at })).collect();
        let senders: Vec<Value> =
            self.senders.iter().map(|s| json!({ "sender": s.sender, "position": s.position.0, "at": s.at.to_iso(), "message": s.message.to_hex() })).collect();
        json!({
            "archive": self.copied.archive,
            "position": position.0,
            "hash": hash.to_hex(),
            "at": at.to_iso(),
            "migrated": self.migrated,
            "entries": self.found.entries,
            "documents": self.found.documents,
            "checkpoints": self.checkpoints,
            "faults": faults,
            "list": self.found.faults.iter().map(|f| json!({ "position": f.position.0, "what": f.what })).collect::<Vec<_>>(),
            "outbox": self.counts.outbox,
            "held": self.counts.held,
            "reached": self.reached.as_ref().map(|(position, at)| json!({ "position": position.0, "at": at.to_iso() })),
            "resend": lost,
            "senders": senders,
        })
    }
}

/// The last checkpoint of a file.
fn last_in(path: &Path) -> Result<Option<(Position, Moment)>, String> {
    let mut last = None;
    each_line(path, LINE_OCTETS, &mut |text| {
        if let Some(Line::Checkpoint(checkpoint)) = line::read(text) {
            last = Some((checkpoint.statement.position, checkpoint.statement.at));
        }
    })?;
    Ok(last)
}

/// The messages of a log that were decided behind a position.
fn lost_in(path: &Path, after: Position) -> Result<Vec<Lost>, String> {
    let mut lost = Vec::new();
    each_line(path, LOG_LINE, &mut |text| {
        if lost.len() < NAMED
            && let Some(one) = lost_of(text, after)
        {
            lost.push(one);
        }
    })?;
    Ok(lost)
}

fn lost_of(text: &str, after: Position) -> Option<Lost> {
    let value: Value = serde_json::from_str(text).ok()?;
    let position = value.get("position")?.as_u64().filter(|position| *position > after.0)?;
    let word = |name: &str| Some(value.get(name)?.as_str()?.to_owned());
    // Only a message's own line has an ending.
    word("ending")?;
    Some(Lost { position, sender: word("sender")?, message: word("message")?, at: word("timestamp")? })
}

/// Gives each line to `told`; a longer one in pieces, none of which is what is looked for.
fn each_line(path: &Path, longest: usize, told: &mut dyn FnMut(&str)) -> Result<(), String> {
    let wrong = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut reader = BufReader::new(std::fs::File::open(path).map_err(wrong)?);
    let mut line = Vec::new();
    // Ends with the file.
    loop {
        line.clear();
        if (&mut reader).take(longest as u64 + 1).read_until(b'\n', &mut line).map_err(wrong)? == 0 {
            return Ok(());
        }
        told(std::str::from_utf8(&line).unwrap_or("").trim_end());
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_of_messages_behind_the_backup_are_lost() {
        let line = |position: u64, more: &str| {
            format!(r#"{{"timestamp":"2026-11-22T10:00:00Z","level":"INFO","message":"ab12","sender":"s","position":{position},"ms":1.5{more}}}"#)
        };
        let ending = r#","ending":"accepted""#;
        assert_eq!(
            lost_of(&line(8, ending), Position(7)),
            Some(Lost { position: 8, sender: "s".into(), message: "ab12".into(), at: "2026-11-22T10:00:00Z".into() })
        );
        assert_eq!(lost_of(&line(7, ending), Position(7)), None);
        assert_eq!(lost_of(&line(8, ""), Position(7)), None);
        assert_eq!(lost_of("human words", Position(7)), None);
    }
}
