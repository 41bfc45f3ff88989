//! Checkpoints and their validation material in the database. Kept on a connection of their own that waits for the disk: a checkpoint that went out to the file
//! must not be lost by the database.

use async_trait::async_trait;
use tokio::time::timeout;

use super::Store;
use super::decode;
use super::fault::Fault;
use super::line::{Line, Row, Value};
use super::lines::{OPERATION, close, on_spare};
use super::{place, unsigned};
use crate::crypto;
use crate::domain::checkpoint::{Checkpoint, Material, MaterialKind, Statement};
use crate::domain::digest::Digest;
use crate::domain::ledger::Position;
use crate::domain::outage::Outage;
use crate::domain::time::Moment;
use crate::ports::checkpoints::Checkpoints;

macro_rules! checkpoint_sql {
    ($tail:literal) => {
        concat!(
            "SELECT c.position, c.archive, c.head, c.at, c.instance, c.before, c.material, c.certificate, c.hash, c.signature, c.token, m.octets \
             FROM checkpoint c LEFT JOIN material m ON m.sha = c.certificate ",
            $tail
        )
    };
}

#[async_trait]
impl Checkpoints for Store {
    async fn archive_name(&self) -> Result<String, Outage> {
        on_spare!(&self.lines, |line| async move {
            let rows = line.one("SELECT name FROM archive WHERE id = 1", &[]).await?;
            rows.first().ok_or_else(|| Fault::Wrong("the archive's name is missing".to_owned()))?.need_text(0)
        })
    }

    async fn last_checkpoint(&self) -> Result<Option<Checkpoint>, Outage> {
        on_spare!(&self.lines, |line| async move {
            let rows = line.one(checkpoint_sql!("ORDER BY c.position DESC LIMIT 1"), &[]).await?;
            rows.first().map(checkpoint).transpose()
        })
    }

    async fn checkpoints(&self, after: Position, limit: u32) -> Result<Vec<Checkpoint>, Outage> {
        on_spare!(&self.lines, |line| async move {
            let values = [place(after), Value::Int(Some(i64::from(limit)))];
            let rows = line.one(checkpoint_sql!("WHERE c.position > $1 ORDER BY c.position LIMIT $2"), &values).await?;
            rows.iter().map(checkpoint).collect::<Result<_, Fault>>()
        })
    }

    async fn keep_checkpoint(&self, checkpoint: &Checkpoint, material: &[Material]) -> Result<bool, Outage> {
        let _turn = self.lines.turn().await;
        let mut line = self.lines.address.connect().await.map_err(|fault| fault.outage())?;
        let outcome = timeout(OPERATION, keep(&mut line, checkpoint, material)).await.unwrap_or_else(|_| Err(Fault::slow("keeping a checkpoint")));
        close(line).await;
        outcome.map_err(|fault| fault.outage())
    }

    async fn unstamped(&self, limit: u32) -> Result<Vec<Checkpoint>, Outage> {
        on_spare!(&self.lines, |line| async move {
            let rows = line.one(checkpoint_sql!("WHERE c.token IS NULL ORDER BY c.position LIMIT $1"), &[Value::Int(Some(i64::from(limit)))]).await?;
            rows.iter().map(checkpoint).collect::<Result<_, Fault>>()
        })
    }

    async fn stamp(&self, position: Position, token: &[u8]) -> Result<(), Outage> {
        let _turn = self.lines.turn().await;
        on_spare!(&self.lines, |line| async move {
            line.one("UPDATE checkpoint SET token = $2 WHERE position = $1 AND token IS NULL", &[place(position), Value::Octets(Some(token))]).await.map(drop)
        })
    }

    async fn checkpoint_below(&self, position: Position) -> Result<Option<Checkpoint>, Outage> {
        on_spare!(&self.lines, |line| async move {
            let rows = line.one(checkpoint_sql!("WHERE c.position < $1 ORDER BY c.position DESC LIMIT 1"), &[place(position)]).await?;
            rows.first().map(checkpoint).transpose()
        })
    }

    async fn material_set(&self, set: Digest) -> Result<Vec<(MaterialKind, Digest)>, Outage> {
        on_spare!(&self.lines, |line| async move {
            let sql = "SELECT m.kind, m.sha FROM material_set s JOIN material m ON m.sha = s.sha WHERE s.set_sha = $1 ORDER BY m.sha";
            let rows = line.one(sql, &[Value::Octets(Some(&set.0))]).await?;
            rows.iter().map(|row| Ok((kind(row, 0)?, decode::digest(row, 1)?))).collect::<Result<_, Fault>>()
        })
    }

    async fn piece(&self, sha: Digest) -> Result<Option<Material>, Outage> {
        on_spare!(&self.lines, |line| async move {
            let rows = line.one("SELECT kind, sha, octets, about, at FROM material WHERE sha = $1", &[Value::Octets(Some(&sha.0))]).await?;
            Ok::<_, Fault>(rows.first().and_then(material))
        })
    }

    async fn kept_certificates(&self, limit: u32) -> Result<Vec<Material>, Outage> {
        on_spare!(&self.lines, |line| async move {
            let values = [Value::Int(Some(i64::from(MaterialKind::Certificate.number()))), Value::Int(Some(i64::from(limit)))];
            let rows = line.one("SELECT kind, sha, octets, about, at FROM material WHERE kind = $1 ORDER BY sha LIMIT $2", &values).await?;
            Ok::<_, Fault>(rows.iter().filter_map(material).collect())
        })
    }

    async fn answers(&self, certificate: Digest, until: Moment, limit: u32) -> Result<Vec<Material>, Outage> {
        on_spare!(&self.lines, |line| async move {
            let values = [Value::Octets(Some(&certificate.0)), Value::Int(Some(until.micros())), Value::Int(Some(i64::from(limit)))];
            let sql = "SELECT kind, sha, octets, about, at FROM material WHERE about = $1 AND at <= $2 ORDER BY at DESC LIMIT $3";
            let rows = line.one(sql, &values).await?;
            Ok::<_, Fault>(rows.iter().filter_map(material).collect())
        })
    }
}

fn kind(row: &Row, column: usize) -> Result<MaterialKind, Fault> {
    i16::try_from(row.need_int(column)?).ok().and_then(MaterialKind::from_number).ok_or_else(|| Fault::unreadable(column))
}

/// A piece as it lies there; `None` for one that cannot be read or is not what its digest says, which is as good as missing.
fn material(row: &Row) -> Option<Material> {
    let (sha, octets) = (decode::digest(row, 1).ok()?, row.need_octets(2).ok()?);
    let about = match (decode::digest(row, 3), row.need_int(4)) {
        (Ok(certificate), Ok(at)) => Some((certificate, Moment::from_micros(at))),
        _ => None,
    };
    (crypto::sha256(&octets) == sha).then_some(Material { kind: kind(row, 0).ok()?, sha, octets, about })
}

async fn keep(line: &mut Line, checkpoint: &Checkpoint, material: &[Material]) -> Result<bool, Fault> {
    line.begin().await?;
    let statement = &checkpoint.statement;
    let octets = |octets| Value::Octets(Some(octets));
    let certificate = Material { kind: MaterialKind::Certificate, sha: statement.certificate, octets: checkpoint.certificate.clone(), about: None };
    // Sorted, so that two instances that keep the same pieces do not wait for each other in a circle.
    let mut pieces: Vec<&Material> = material.iter().chain([&certificate]).collect();
    pieces.sort_unstable_by_key(|piece| piece.sha.0);
    for piece in pieces {
        // Looked for first: a list of megabytes is not sent once a minute to be found there already.
        if line.one("SELECT kind FROM material WHERE sha = $1", &[octets(&piece.sha.0)]).await?.is_empty() {
            let (about, at) = (piece.about.as_ref().map(|(certificate, _)| certificate.0.as_slice()), piece.about.map(|(_, at)| at.micros()));
            let kind = Value::Int(Some(i64::from(piece.kind.number())));
            let values = [octets(&piece.sha.0), kind, octets(&piece.octets), Value::Octets(about), Value::Int(at)];
            line.one("INSERT INTO material (sha, kind, octets, about, at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (sha) DO NOTHING", &values).await?;
        }
    }
    for piece in material {
        let values = [octets(&statement.material.0), octets(&piece.sha.0)];
        line.one("INSERT INTO material_set (set_sha, sha) VALUES ($1, $2) ON CONFLICT (set_sha, sha) DO NOTHING", &values).await?;
    }
    let values = [
        place(statement.position),
        Value::Text(Some(&statement.archive)),
        octets(&statement.head.0),
        Value::Int(Some(statement.at.micros())),
        Value::Text(Some(&statement.instance)),
        octets(&statement.before.0),
        octets(&statement.material.0),
        octets(&statement.certificate.0),
        octets(&checkpoint.hash.0),
        octets(&checkpoint.signature),
        Value::Octets(checkpoint.token.as_deref()),
    ];
    let sql = "INSERT INTO checkpoint (position, archive, head, at, instance, before, material, certificate, hash, signature, token) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING RETURNING position";
    let kept = !line.one(sql, &values).await?.is_empty();
    if kept {
        line.commit().await?
    } else {
        line.rollback().await?
    }
    Ok(kept)
}

/// A checkpoint as it lies there. What cannot be read becomes zeros or nothing, which no signature fits.
fn checkpoint(row: &Row) -> Result<Checkpoint, Fault> {
    let digest = |column| decode::digest(row, column).unwrap_or(Digest::ZERO);
    let octets = |column| row.octets(column).ok().flatten();
    let certificate = octets(11).filter(|octets| crypto::sha256(octets) == digest(7)).unwrap_or_default();
    Ok(Checkpoint {
        statement: Statement {
            archive: row.text(1).ok().flatten().unwrap_or_default(),
            position: Position(unsigned(row.need_int(0)?)),
            head: digest(2),
            at: Moment::from_micros(row.int(3).ok().flatten().unwrap_or(0)),
            instance: row.text(4).ok().flatten().unwrap_or_default(),
            before: digest(5),
            material: digest(6),
            certificate: digest(7),
        },
        signature: octets(9).unwrap_or_default(),
        certificate,
        hash: digest(8),
        token: octets(10),
    })
}
