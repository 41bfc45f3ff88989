//! What a command has to say: lines for people, one JSON value for machines, and how it went.

use std::process::ExitCode;

use serde_json::Value;

/// How a command went; its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// 0: all is well.
    Well,
    /// 1: something is not.
    Unwell,
    /// 2: it could not look.
    Blind,
}

impl From<Health> for ExitCode {
    fn from(health: Health) -> Self {
        match health {
            Health::Well => Self::SUCCESS,
            Health::Unwell => Self::from(1),
            Health::Blind => Self::from(2),
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
        let why = why.to_string();
        Self { health: Health::Blind, json: serde_json::json!({ "error": why }), text: format!("{why}\n") }
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
