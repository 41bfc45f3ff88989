//! The logs of one controller's register for the console's page, between two days or about one client: the same rows in the same forms as `arkki log export` and
//! `arkki log client` give, whole in memory and bounded, logged before they are given.

use std::io::{self, Write};
use std::sync::Arc;

use clap::ValueEnum as _;

use super::sheet::{Format, Head};
use super::{Asked, Export, Fault, How, Which, about_client, of_controller, reason, sum, written};
use crate::adapters::store::Store;
use crate::crypto::sha256;
use crate::domain::digest::Digest;
use crate::domain::document::Date;
use crate::domain::language::Language;
use crate::domain::ledger::Position;
use crate::domain::log::Whose;
use crate::domain::oid::Oid;
use crate::domain::outage::Outage;
use crate::domain::person::HETU_ROOT;
use crate::domain::time::Moment;
use crate::pipeline::examine::Examiner;
use crate::pipeline::given;
use crate::ports::archive::Archive as _;
use crate::ports::clock::Entropy;

/// The largest export given so: what is larger is written to a file by the command.
pub const MOST_OCTETS: usize = 32 * 1024 * 1024;

/// What is wished for.
pub struct Wish<'a> {
    /// Whose register.
    pub controller: &'a Oid,
    /// What of it.
    pub part: Part<'a>,
    /// csv, json or html.
    pub format: &'a str,
    /// access, disclosure or both.
    pub log: &'a str,
    /// Language of the words.
    pub language: Language,
}

/// What of a register's logs.
pub enum Part<'a> {
    /// Everything between two days.
    Days {
        /// The first day, in Finnish time.
        from: Date,
        /// The last.
        to: Date,
    },
    /// What concerns one client.
    Client {
        /// The client's identity code.
        id: &'a str,
        /// Also what is older than two years.
        older: bool,
        /// Why it is asked; kept in the access log.
        reason: &'a str,
    },
}

/// What is given.
pub struct Exported {
    /// The file.
    pub octets: Vec<u8>,
    /// Its rows.
    pub rows: u64,
    /// Its hash, as the ledger has it.
    pub sha: Digest,
    /// Its media type.
    pub content_type: &'static str,
    /// Its name's ending.
    pub extension: &'static str,
}

/// Why nothing is given.
pub enum NotGiven {
    /// The wish is none: an unknown form or log, or the days lie the wrong way.
    Wrong,
    /// The client's identity code is none.
    Client,
    /// There is no reason, a too long one, or one with an identity code in it.
    Reason,
    /// It is larger than [`MOST_OCTETS`].
    TooLarge,
    /// The archive.
    Outage(Outage),
}

/// Reads the rows, makes it durable that they were given to `actor`, and gives them.
///
/// # Errors
/// Why not.
pub async fn export(
    archive: &Arc<Store>,
    examiner: &Examiner,
    (entropy, now): (&dyn Entropy, Moment),
    actor: &str,
    wish: &Wish<'_>,
) -> Result<Exported, NotGiven> {
    let format = Format::from_str(wish.format, false).map_err(|_| NotGiven::Wrong)?;
    let log = Which::from_str(wish.log, false).map_err(|_| NotGiven::Wrong)?;
    let upto = archive.head().await.map_err(NotGiven::Outage)?.map_or(Position(0), |(position, _)| position);
    let asked = asked(wish, examiner, (format, log), (upto, now))?;
    let head = Head {
        format,
        language: wish.language,
        controller: Some(wish.controller.as_str().to_owned()),
        is_client: matches!(asked.span.of, Whose::Client(..)),
        from: asked.span.from,
        before: asked.span.before,
        made: now,
        upto,
    };
    let mut kept = Kept(Vec::new());
    let rows = written(archive, examiner, &asked, log, &head, &mut kept).await.map_err(|fault| match fault {
        Fault::Archive(outage) => NotGiven::Outage(outage),
        // Memory takes whatever fits: nothing else can go wrong with it.
        Fault::Output(_) => NotGiven::TooLarge,
    })?;
    let sha = sha256(&kept.0);
    given::note(archive.as_ref(), examiner, (entropy, now), sum(actor, &asked, log, (&sha, rows))).await.map_err(NotGiven::Outage)?;
    let (content_type, extension) = match format {
        Format::Csv => ("text/csv; charset=utf-8", "csv"),
        Format::Json => ("application/json", "json"),
        Format::Html => ("text/html; charset=utf-8", "html"),
    };
    Ok(Exported { octets: kept.0, rows, sha, content_type, extension })
}

/// What is wished for, read as the commands read it.
fn asked(wish: &Wish<'_>, examiner: &Examiner, (format, log): (Format, Which), (upto, now): (Position, Moment)) -> Result<Asked, NotGiven> {
    match wish.part {
        Part::Days { from, to } => {
            let how = How { format, log, output: None, language: wish.language };
            of_controller(&Export { controller: wish.controller.clone(), from, to, how }, upto).map_err(|_| NotGiven::Wrong)
        }
        Part::Client { id, older, reason: words } => {
            let words = reason(words).map_err(|_| NotGiven::Reason)?;
            let client = crate::cli::query::client_of(id, HETU_ROOT, (examiner, Language::En)).map_err(|_| NotGiven::Client)?;
            Ok(about_client(client, Some(wish.controller.clone()), (older, Some(words)), (upto, now)))
        }
    }
}

struct Kept(Vec<u8>);

impl Write for Kept {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        if self.0.len() + octets.len() > MOST_OCTETS {
            return Err(io::Error::other("too large"));
        }
        self.0.extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
