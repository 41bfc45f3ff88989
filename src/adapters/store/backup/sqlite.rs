//! SQLite: the whole database as one file, of one moment, made by `VACUUM INTO` while others read and write.

use std::path::Path;

use tokio::fs::{self, File};

use super::{Broken, Copied, CopiedFile, Dialect, described, digest, text};
use crate::adapters::store::lines::{Address, close};
use crate::adapters::store::sqlite::address;

/// The file in the copy's folder.
const FILE: &str = "archive.sqlite";

pub(super) async fn copy_out(from: &Address, folder: &Path) -> Result<Copied, Broken> {
    let to = folder.join(FILE);
    let path = to.to_str().ok_or_else(|| Broken::Other("the folder's name is not UTF-8".to_owned()))?;
    let mut line = from.connect().await?;
    line.one("VACUUM INTO $1", &[text(path)]).await?;
    close(line).await;
    fs::set_permissions(&to, std::os::unix::fs::PermissionsExt::from_mode(0o600)).await?;
    // What it says of itself is read from the copy: it has one moment, and no writer.
    let mut line = address(&to).existing().connect().await?;
    let mut copied = described(&mut line, Dialect::Sqlite).await?;
    let sound = line.one("PRAGMA quick_check", &[]).await?;
    if sound.first().and_then(|row| row.text(0).ok().flatten()).as_deref() != Some("ok") {
        return Err(Broken::Other("SQLite's own check finds the copy damaged".to_owned()));
    }
    // Back to one file: the copy is opened by others as it lies there.
    line.script("PRAGMA journal_mode = DELETE").await?;
    close(line).await;
    File::open(&to).await?.sync_all().await?;
    let (octets, sha) = digest(&to).await?;
    copied.files.push(CopiedFile { name: FILE.to_owned(), table: String::new(), columns: Vec::new(), octets, sha });
    Ok(copied)
}

pub(super) async fn copy_in(to: &Path, folder: &Path, copied: &Copied) -> Result<(), Broken> {
    let Some(file) = copied.files.first() else { return Err(Broken::Other("the copy has no file".to_owned())) };
    for there in ["", "-wal", "-shm"] {
        let path = with_end(to, there);
        if fs::try_exists(&path).await? {
            return Err(Broken::Other(format!("{} is there: an archive is restored into a fresh place only", path.display())));
        }
    }
    let beside = with_end(to, ".restoring");
    fs::copy(folder.join(&file.name), &beside).await?;
    File::open(&beside).await?.sync_all().await?;
    fs::rename(&beside, to).await?;
    if let Some(folder) = to.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        File::open(folder).await?.sync_all().await?;
    }
    Ok(())
}

fn with_end(path: &Path, end: &str) -> std::path::PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}
