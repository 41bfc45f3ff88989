//! The file's lines, one JSON value each: a certificate before the first checkpoint signed with it, a checkpoint, a time stamp that came later. Whoever has the file and the
//! trust anchors can verify it without Arkki; docs/checkpoints.md says how.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::crypto;
use crate::domain::checkpoint::{Checkpoint, Statement};
use crate::domain::digest::Digest;
use crate::domain::ledger::Position;
use crate::domain::time::Moment;

/// The longest line read, in octets: a checkpoint with a time stamp of 16 KB is half of it.
pub const LINE_OCTETS: usize = 64 * 1024;

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A certificate, DER.
    Certificate(Vec<u8>),
    /// A checkpoint; its certificate is empty, for it stood in an earlier line.
    Checkpoint(Box<Checkpoint>),
    /// A time stamp of the checkpoint with this hash.
    Stamp(Digest, Vec<u8>),
}

/// A certificate's line.
#[must_use]
pub fn certificate(der: &[u8]) -> String {
    format!("{}\n", json!({ "certificate": crypto::sha256(der).to_hex(), "der": STANDARD.encode(der) }))
}

/// A checkpoint's line.
#[must_use]
pub fn checkpoint(checkpoint: &Checkpoint) -> String {
    let s = &checkpoint.statement;
    let mut value = json!({
        "checkpoint": 1,
        "archive": s.archive,
        "position": s.position.0,
        "head": s.head.to_hex(),
        "at": s.at.to_iso(),
        "instance": s.instance,
        "before": s.before.to_hex(),
        "material": s.material.to_hex(),
        "signer": s.certificate.to_hex(),
        "hash": checkpoint.hash.to_hex(),
        "signature": STANDARD.encode(&checkpoint.signature),
    });
    if let (Some(token), Some(object)) = (&checkpoint.token, value.as_object_mut()) {
        object.insert("token".to_owned(), STANDARD.encode(token).into());
    }
    format!("{value}\n")
}

/// The line of a time stamp that came after its checkpoint was written.
#[must_use]
pub fn stamp(of: &Digest, token: &[u8]) -> String {
    format!("{}\n", json!({ "stamp": of.to_hex(), "token": STANDARD.encode(token) }))
}

/// Reads a line; `None` for one that is none of ours.
#[must_use]
pub fn read(line: &str) -> Option<Line> {
    if line.len() > LINE_OCTETS {
        return None;
    }
    let value: Value = serde_json::from_str(line).ok()?;
    let text = |name: &str| value.get(name)?.as_str();
    let digest = |name: &str| Digest::from_hex(text(name)?);
    let octets = |name: &str| STANDARD.decode(text(name)?).ok();
    if value.get("certificate").is_some() {
        return octets("der").map(Line::Certificate);
    }
    if value.get("stamp").is_some() {
        return Some(Line::Stamp(digest("stamp")?, octets("token")?));
    }
    if value.get("checkpoint")?.as_u64()? != 1 {
        return None;
    }
    Some(Line::Checkpoint(Box::new(Checkpoint {
        statement: Statement {
            archive: text("archive")?.to_owned(),
            position: Position(value.get("position")?.as_u64()?),
            head: digest("head")?,
            at: Moment::parse_iso(text("at")?)?,
            instance: text("instance")?.to_owned(),
            before: digest("before")?,
            material: digest("material")?,
            certificate: digest("signer")?,
        },
        signature: octets("signature")?,
        certificate: Vec::new(),
        hash: digest("hash")?,
        token: octets("token"),
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn any() -> Checkpoint {
        let statement = Statement {
            archive: "0123".to_owned(),
            position: Position(1000),
            head: Digest([1; 32]),
            at: Moment::from_seconds(1_795_255_200),
            instance: "a \"quoted\" name".to_owned(),
            before: Digest::ZERO,
            material: Digest([2; 32]),
            certificate: Digest([3; 32]),
        };
        let hash = crypto::sha256(&Checkpoint::octets(&statement, b"value"));
        Checkpoint { statement, signature: b"value".to_vec(), certificate: Vec::new(), hash, token: None }
    }

    #[test]
    fn lines_read_back_as_they_were() {
        let stamped = Checkpoint { token: Some(vec![0x30, 0]), ..any() };
        for checkpoint_ in [any(), stamped] {
            let line = checkpoint(&checkpoint_);
            assert_eq!(line.matches('\n').count(), 1);
            assert_eq!(read(line.trim_end()), Some(Line::Checkpoint(Box::new(checkpoint_))));
        }
        assert_eq!(read(&certificate(b"der")), Some(Line::Certificate(b"der".to_vec())));
        assert_eq!(read(&stamp(&Digest([9; 32]), b"t")), Some(Line::Stamp(Digest([9; 32]), b"t".to_vec())));
        for other in ["", "{}", "[]", "{\"checkpoint\":2}", "{\"checkpoint\":1}", "x"] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
