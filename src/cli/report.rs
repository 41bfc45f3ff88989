//! What a command has to say: lines for people, one JSON value for machines, and how it went.

use std::path::Path;
use std::process::ExitCode;

use serde_json::Value;

use crate::domain::person::names_a_person;

/// What is said instead of a slip that would be repeated with an identity code in it.
pub(super) const MISPLACED: &str = "an identity code stands where none is taken";

/// How a command went; its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// 0: all is well.
    Well,
    /// 1: something is not.
    Unwell,
    /// 2: what was asked cannot be meant.
    Wish,
    /// 2: it could not look.
    Blind,
}

impl From<Health> for ExitCode {
    fn from(health: Health) -> Self {
        match health {
            Health::Well => Self::SUCCESS,
            Health::Unwell => Self::from(1),
            Health::Wish | Health::Blind => Self::from(2),
        }
    }
}

/// A command's report. Lines that a command prints as it goes (progress, `validate --json`) are not in it.
#[derive(Debug)]
pub struct Report {
    /// How it went.
    pub health: Health,
    /// For people; may be empty.
    pub text: String,
    /// For machines.
    pub json: Value,
}

impl Report {
    /// A report.
    #[must_use]
    pub const fn new(health: Health, text: String, json: Value) -> Self {
        Self { health, text, json }
    }

    /// A page of text, as it is; for machines under the name of what it is written in.
    #[must_use]
    pub fn page(written_in: &str, text: String) -> Self {
        Self { health: Health::Well, json: serde_json::json!({ written_in: text }), text }
    }

    /// The same with a line more at its end.
    #[must_use]
    pub fn with_line(mut self, line: &str) -> Self {
        self.text.push_str(line);
        self.text.push('\n');
        self
    }

    /// "Could not look", and why.
    #[must_use]
    pub fn blind(why: impl std::fmt::Display) -> Self {
        Self::not_done(Health::Blind, &why.to_string())
    }

    /// What was asked cannot be meant, and what can. A sentence that would repeat an identity code is not said.
    #[must_use]
    pub fn wish(why: impl std::fmt::Display) -> Self {
        let why = why.to_string();
        Self::not_done(Health::Wish, if names_a_person(&why) { MISPLACED } else { &why })
    }

    fn not_done(health: Health, why: &str) -> Self {
        Self { health, json: serde_json::json!({ "error": why }), text: format!("{why}\n") }
    }

    /// Prints it where it belongs and gives the exit code.
    #[must_use]
    pub fn print(self, json: bool) -> ExitCode {
        use std::io::Write as _;
        // A reader that went away (`| head`) is no failure of the command.
        let _closed = if json && self.json.is_null() {
            // The command has printed its lines as it went.
            Ok(())
        } else if json {
            writeln!(std::io::stdout(), "{}", self.json)
        } else if self.json.get("error").is_some() {
            write!(std::io::stderr(), "{}", self.text)
        } else {
            write!(std::io::stdout(), "{}", self.text)
        };
        self.health.into()
    }
}

/// Whether a report's file can be written, asked before the work that it is about: what is already there stays.
///
/// # Errors
/// A report that names option and file.
pub(super) fn writable(option: &str, file: Option<&Path>) -> Result<(), Report> {
    let Some(file) = file else { return Ok(()) };
    let was_there = file.exists();
    match std::fs::OpenOptions::new().append(true).create(true).open(file) {
        Err(error) => Err(Report::wish(format!("{option} {}: {error}; name a file in a folder where this user may write", file.display()))),
        Ok(_) => {
            if !was_there {
                let _made_later = std::fs::remove_file(file);
            }
            Ok(())
        }
    }
}

/// So many of something, as people say it.
#[must_use]
pub(super) fn many(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// Why a command ended without a report of its own.
#[derive(Debug)]
pub enum Fault {
    /// What was asked cannot be meant: who asked mends it.
    Wish(String),
    /// Something that it needs is away or cannot be read.
    Blind(String),
}

impl Fault {
    /// What to say.
    #[must_use]
    pub fn why(self) -> String {
        match self {
            Self::Wish(why) | Self::Blind(why) => why,
        }
    }
}

impl From<String> for Fault {
    fn from(why: String) -> Self {
        Self::Blind(why)
    }
}

impl From<Fault> for Report {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Wish(why) => Self::wish(why),
            Fault::Blind(why) => Self::blind(why),
        }
    }
}
