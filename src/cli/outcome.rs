//! What became of messages that were sent: shared by `send` and `demo`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::domain::ack::AckType;
use crate::v3::ack::AckRead;

/// One message and its answer.
pub struct Outcome {
    /// What the message is called: its file.
    pub name: String,
    /// The answer; `None` when none came in time.
    pub answer: Option<AckRead>,
    /// From publishing to the answer.
    pub took: Duration,
}

impl Outcome {
    /// The code that names the answer: its first detail's.
    #[must_use]
    pub fn code(&self) -> &str {
        self.answer.as_ref().and_then(|a| a.details.first()).map_or("", |d| d.code.as_str())
    }

    /// `AA`, `AE`, `AR`, or a dash.
    #[must_use]
    pub fn word(&self) -> &'static str {
        self.answer.as_ref().map_or("–", |a| a.ack_type.as_str())
    }

    /// Whether the answer is what was expected: `accepted`, `refused`, or a code.
    #[must_use]
    pub fn is(&self, expected: &str) -> bool {
        match (&self.answer, expected) {
            (None, _) => false,
            (Some(answer), "accepted") => answer.ack_type == AckType::Accept,
            (Some(answer), "refused") => answer.ack_type != AckType::Accept,
            (Some(_), code) => self.code().eq_ignore_ascii_case(code),
        }
    }

    /// For machines.
    #[must_use]
    pub fn json(&self) -> Value {
        let details: Vec<Value> =
            self.answer.iter().flat_map(|a| &a.details).map(|d| json!({ "kind": d.kind, "code": d.code, "text": d.text, "location": d.location })).collect();
        json!({
            "file": self.name,
            "answer": self.answer.as_ref().map(|a| a.ack_type.as_str()),
            "code": self.code(),
            "position": self.answer.as_ref().and_then(|a| a.position),
            "ms": self.took.as_secs_f64() * 1000.0,
            "details": details,
        })
    }
}

/// How much of a finding's sentence fits on the line.
const SENTENCE: usize = 90;

/// The table: message, answer, code, first finding, milliseconds.
#[must_use]
pub fn table(outcomes: &[Outcome]) -> String {
    let width = outcomes.iter().map(|o| o.name.chars().count()).max().unwrap_or(6).clamp(6, 52);
    let mut text = format!("{:<width$}  ans  code  {:>7}  first finding\n", "sample", "ms");
    for outcome in outcomes {
        let finding: String = outcome
            .answer
            .as_ref()
            .map_or_else(|| "no answer".to_owned(), |a| a.details.first().map_or_else(String::new, |d| d.text.chars().take(SENTENCE).collect()));
        let name: String = outcome.name.chars().rev().take(width).collect::<Vec<_>>().into_iter().rev().collect();
        text.push_str(&format!("{name:<width$}  {:<3}  {:<4}  {:>7.1}  {finding}\n", outcome.word(), outcome.code(), outcome.took.as_secs_f64() * 1000.0));
    }
    text
}

/// The counts, by answer: `12 AA, 25 AE, 3 AR`.
#[must_use]
pub fn counts(outcomes: &[Outcome]) -> String {
    let mut by_word: BTreeMap<&str, usize> = BTreeMap::new();
    for outcome in outcomes {
        *by_word.entry(outcome.word()).or_default() += 1;
    }
    by_word.into_iter().map(|(word, count)| format!("{count} {}", if word == "–" { "without answer" } else { word })).collect::<Vec<_>>().join(", ")
}
