//! `arkki backup`: the archive copied out while the gateway works: one moment of it, whole, with a description that says what it holds.

pub(super) mod manifest;

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use serde_json::json;

use super::report::{Fault, Health, Report};
use crate::adapters::store::backup::{Copied, copy_out};
use crate::app;
use crate::config::checked::Config;

const HELP: &str = r#"The gateway may be at work: the copy is of one moment, and nothing waits for it. It holds everything that is acknowledged by then; what is not is with the broker
or the sender. PostgreSQL: a file a table, and no program of PostgreSQL's is needed. SQLite: one file.

The copy holds personal data as the archive does: keep it encrypted. The site key, the system key and the configuration are not in it: keep them too, elsewhere.

Examples:
  arkki backup /backups/2026-11-22
  arkki restore /backups/2026-11-22 --checkpoint /safe/checkpoints.jsonl   into a fresh place, and audited

Exit codes: 0 the copy is whole and on the disk, 2 it could not be made."#;

/// What `backup` takes.
#[derive(Args)]
#[command(after_help = HELP)]
pub struct Backup {
    /// The folder to make; it must not be there yet.
    folder: PathBuf,
}

/// Copies the archive out.
#[must_use]
pub fn run(command: &Backup, config: &Config) -> Report {
    let runtime = match super::runtime() {
        Ok(runtime) => runtime,
        Err(report) => return report,
    };
    let began = Instant::now();
    match runtime.block_on(made(&command.folder, config)) {
        Err(fault) => fault.into(),
        Ok((copied, octets)) => {
            let (position, hash, at) = &copied.head;
            let text = format!(
                "backup    {}\narchive   {}, ledger position {} of {}, hash {hash}\ncheckpoint {}\nsize      {octets} octets in {} files, {:.1} s\n",
                command.folder.display(),
                copied.archive,
                position.0,
                at.to_iso(),
                copied.checkpoint.as_ref().map_or_else(|| "none yet".to_owned(), |(position, hash)| format!("position {}, hash {hash}", position.0)),
                copied.files.len(),
                began.elapsed().as_secs_f64(),
            );
            let json = json!({
                "folder": command.folder.display().to_string(),
                "archive": copied.archive,
                "position": position.0,
                "hash": hash.to_hex(),
                "at": at.to_iso(),
                "checkpoint": copied.checkpoint.as_ref().map(|(position, hash)| json!({ "position": position.0, "hash": hash.to_hex() })),
                "octets": octets,
                "files": copied.files.len(),
            });
            Report::new(Health::Well, text, json)
        }
    }
}

/// Makes the copy beside and puts it in place when it is whole: a folder of that name is a whole copy or none.
async fn made(folder: &Path, config: &Config) -> Result<(Copied, u64), Fault> {
    let wrong = |error: std::io::Error| format!("{}: {error}", folder.display());
    if folder.try_exists().map_err(wrong)? {
        return Err(Fault::Wish(format!("{} is there already: a backup makes its own folder", folder.display())));
    }
    // `backups/today/` is `backups/today`.
    let folder = &folder.components().collect::<PathBuf>();
    let mut beside = folder.as_os_str().to_owned();
    beside.push(".partial");
    let beside = PathBuf::from(beside);
    // What a backup that was broken off left behind: it was never one.
    match std::fs::remove_dir_all(&beside) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(wrong(error).into()),
        Ok(()) | Err(_) => {}
    }
    std::os::unix::fs::DirBuilderExt::mode(&mut std::fs::DirBuilder::new(), 0o700).create(&beside).map_err(wrong)?;
    let copied = match described(&beside, config).await {
        Ok(copied) => copied,
        Err(why) => {
            // A half one helps nobody; what cannot be removed is overwritten by the next.
            let _left = std::fs::remove_dir_all(&beside);
            return Err(why.into());
        }
    };
    std::fs::rename(&beside, folder).map_err(wrong)?;
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(parent).and_then(|parent| parent.sync_all()).map_err(wrong)?;
    let octets = copied.files.iter().map(|file| file.octets).sum();
    Ok((copied, octets))
}

async fn described(folder: &Path, config: &Config) -> Result<Copied, String> {
    let site_key = app::site_key(config).map_err(|fault| fault.0)?;
    let copied = copy_out(config.archive_url.reveal(), folder).await.map_err(|outage| format!("{}: {outage}", config.archive_url.shown()))?;
    manifest::write(folder, &copied, &site_key)?;
    Ok(copied)
}
