//! A copy's description: `backup.json`, written last. What it says is checked before anything is brought back.

use std::io::{Read as _, Write as _};
use std::path::Path;

use serde_json::{Value, json};

use crate::adapters::store::backup::{Copied, CopiedFile, Dialect};
use crate::crypto;
use crate::domain::digest::Digest;
use crate::domain::ledger::Position;
use crate::domain::time::Moment;

/// The file's name.
pub const FILE: &str = "backup.json";
/// The form that this release writes and reads.
const FORM: u64 = 1;
/// The largest description read.
const OCTETS: u64 = 4 * 1024 * 1024;
/// What is said with the site's key, to know it again without telling it.
const WORD: &[u8] = b"arkki backup";

/// Writes it, and waits until it is on the disk.
///
/// # Errors
/// What the machine says.
pub fn write(folder: &Path, copied: &Copied, site_key: &[u8]) -> Result<(), String> {
    let (position, hash, at) = &copied.head;
    let value = json!({
        "arkki_backup": FORM,
        "made_by": env!("CARGO_PKG_VERSION"),
        "dialect": copied.dialect.as_str(),
        "archive": copied.archive,
        "position": position.0,
        "hash": hash.to_hex(),
        "at": at.to_iso(),
        "checkpoint": copied.checkpoint.as_ref().map(|(position, hash)| json!({ "position": position.0, "hash": hash.to_hex() })),
        "site_key": known_by(site_key)?,
        "migrations": copied.migrations.iter().map(|(number, name, checksum)| json!({ "number": number, "name": name, "checksum": checksum })).collect::<Vec<_>>(),
        "files": copied.files.iter().map(|f| json!({ "name": f.name, "table": f.table, "columns": f.columns, "octets": f.octets, "sha256": f.sha.to_hex() })).collect::<Vec<_>>(),
    });
    let path = folder.join(FILE);
    let written = || {
        let mut file = std::fs::File::create_new(&path)?;
        file.write_all(format!("{value:#}\n").as_bytes())?;
        file.sync_all()?;
        std::fs::File::open(folder)?.sync_all()
    };
    written().map_err(|error: std::io::Error| format!("{}: {error}", path.display()))
}

/// Reads it; gives with it what the site's key was known by.
///
/// # Errors
/// It is missing, or none of this release's.
pub fn read(folder: &Path) -> Result<(Copied, String), String> {
    let path = folder.join(FILE);
    let wrong = |error: std::io::Error| format!("{}: {error} (a folder without it is no whole backup)", path.display());
    let mut octets = Vec::new();
    std::fs::File::open(&path).map_err(wrong)?.take(OCTETS).read_to_end(&mut octets).map_err(wrong)?;
    let value: Value = serde_json::from_slice(&octets).map_err(|_| format!("{}: not a description of a backup", path.display()))?;
    match value.get("arkki_backup").and_then(Value::as_u64) {
        Some(FORM) => copied(&value).ok_or_else(|| format!("{}: not a description of a backup", path.display())),
        form => Err(format!("{}: of another form ({form:?}) than this arkki reads ({FORM})", path.display())),
    }
}

/// What the site's key is known by.
///
/// # Errors
/// OpenSSL's words.
pub fn known_by(site_key: &[u8]) -> Result<String, String> {
    crypto::hmac_sha256(site_key, WORD).map(|digest| digest.to_hex().chars().take(16).collect()).map_err(|_| "OpenSSL gives no HMAC".to_owned())
}

fn copied(value: &Value) -> Option<(Copied, String)> {
    let text = |value: &Value, name: &str| Some(value.get(name)?.as_str()?.to_owned());
    let number = |value: &Value, name: &str| value.get(name)?.as_u64();
    let digest = |value: &Value, name: &str| Digest::from_hex(value.get(name)?.as_str()?);
    let list = |name: &str| value.get(name)?.as_array();
    let dialect = match value.get("dialect")?.as_str()? {
        "postgres" => Dialect::Postgres,
        "sqlite" => Dialect::Sqlite,
        _ => return None,
    };
    let migration = |m: &Value| Some((m.get("number")?.as_i64()?, text(m, "name")?, text(m, "checksum")?));
    let file = |f: &Value| {
        let name = text(f, "name").filter(|name| !name.contains('/') && !name.starts_with('.'))?;
        let columns = f.get("columns")?.as_array()?.iter().map(|c| Some(c.as_str()?.to_owned())).collect::<Option<_>>()?;
        Some(CopiedFile { name, table: text(f, "table")?, columns, octets: number(f, "octets")?, sha: digest(f, "sha256")? })
    };
    let copied = Copied {
        dialect,
        archive: text(value, "archive")?,
        migrations: list("migrations")?.iter().map(migration).collect::<Option<_>>()?,
        head: (Position(number(value, "position")?), digest(value, "hash")?, Moment::parse_iso(value.get("at")?.as_str()?)?),
        checkpoint: value.get("checkpoint").filter(|c| !c.is_null()).and_then(|c| Some((Position(number(c, "position")?), digest(c, "hash")?))),
        files: list("files")?.iter().map(file).collect::<Option<_>>()?,
    };
    Some((copied, text(value, "site_key")?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn some() -> Copied {
        Copied {
            dialect: Dialect::Postgres,
            archive: "a1".into(),
            migrations: vec![(1, "0001_archive.sql".into(), "ab".into())],
            head: (Position(7), Digest([1; 32]), Moment::from_seconds(1_700_000_000)),
            checkpoint: Some((Position(5), Digest([2; 32]))),
            files: vec![CopiedFile { name: "head.copy".into(), table: "head".into(), columns: vec!["id".into()], octets: 3, sha: Digest([3; 32]) }],
        }
    }

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &some(), &[7; 32]).unwrap();
        let (read_again, key) = read(folder.path()).unwrap();
        assert_eq!((read_again, key.as_str()), (some(), known_by(&[7; 32]).unwrap().as_str()));
        assert_ne!(known_by(&[7; 32]).unwrap(), known_by(&[8; 32]).unwrap());
        let path = folder.path().join(FILE);
        let good = std::fs::read_to_string(&path).unwrap();
        assert!(!good.contains(&"07".repeat(32)));
        for (from, to) in
            [("head.copy", "../head.copy"), ("head.copy", ".x"), ("\"postgres\"", "\"oracle\""), ("\"arkki_backup\": 1", "\"arkki_backup\": 2"), ("{", "")]
        {
            assert!(good.contains(from));
            std::fs::write(&path, good.replacen(from, to, 1)).unwrap();
            assert!(read(folder.path()).is_err(), "{to}");
        }
        std::fs::remove_file(&path).unwrap();
        assert!(read(folder.path()).unwrap_err().contains("no whole backup"));
    }
}
