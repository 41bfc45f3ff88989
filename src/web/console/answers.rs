//! What the gateway found, in the page's language and beside the field that it concerns.

use super::Console;
use super::event::Event;
use crate::domain::finding::Finding;
use crate::domain::language::Language;
use crate::pipeline::examine::Stage;
use crate::v3::ack::{AckDetail, AckRead};

/// One finding as the page shows it.
pub(super) struct Told {
    /// The field; `None`: the event as a whole.
    pub field: Option<String>,
    /// The sentence.
    pub text: String,
}

/// The details of a kind (`E`, `W`). An acknowledgement speaks its sender's language and names places in XML; the same findings of our own examination
/// can be said in the page's. What only the archive or the clock could find is said as it came.
pub(super) fn told(console: &Console, event: &Event, ack: &AckRead, kind: &str, language: Language) -> Vec<Told> {
    let mut ours = console.examiner.validate(&event.octets, Stage::All);
    let tell = |detail: &AckDetail| {
        let path = detail.location.as_deref().unwrap_or("/");
        let is_it = |finding: &Finding| finding.code.as_str() == detail.code && finding.place.path == path;
        let own = ours.iter().position(is_it).map(|at| ours.remove(at));
        let sentence = own.map_or_else(|| without_place(&detail.text).to_owned(), |finding| console.examiner.sentence(&finding, language));
        Told { field: event.field(path).map(str::to_owned), text: format!("{sentence} ({})", detail.code) }
    };
    ack.details.iter().filter(|detail| detail.kind == kind).map(tell).collect()
}

/// A sentence without the line and column that end it: nobody here sees the event's lines.
fn without_place(text: &str) -> &str {
    let is_place = |tail: &str| ["(rivi ", "(rad ", "(line "].iter().any(|begins| tail.starts_with(begins));
    text.rfind('(').and_then(|at| Some((text.get(..at)?, text.get(at..)?))).filter(|(_, tail)| is_place(tail)).map_or(text, |(before, _)| before.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_loses_its_place_and_nothing_else() {
        assert_eq!(without_place("Aika on väärin (muoto). Korjaa se. (rivi 3, sarake 9)"), "Aika on väärin (muoto). Korjaa se.");
        assert_eq!(without_place("A time (its form) is wrong"), "A time (its form) is wrong");
    }
}
