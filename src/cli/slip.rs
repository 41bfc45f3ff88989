//! What is wrong with the words of a command, in one plain sentence: which option, the value, what is taken. Nothing personal is repeated.

use std::error::Error as _;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::report::MISPLACED;
use crate::domain::person::names_a_person;

/// Options whose values may be personal, or secret: these are never repeated.
const PRIVATE: [&str; 6] = ["--why", "--reason", "--client", "--purpose", "--token", "--root"];

/// The sentence.
pub(super) fn said(slip: &clap::Error) -> String {
    let option = words(slip, ContextKind::InvalidArg);
    let name = |text: &str| text.split(' ').next().unwrap_or(text).trim_matches(['<', '>', '[', ']', '.']).to_owned();
    let named: Vec<String> = option.iter().map(|text| name(text)).collect();
    let named = named.join(", ");
    let value = words(slip, ContextKind::InvalidValue).join(" ");
    let shown = if PRIVATE.contains(&named.as_str()) || names_a_person(&value) { String::new() } else { format!(" {value:?}") };
    let taken = words(slip, ContextKind::ValidValue);
    let sentence = match slip.kind() {
        ErrorKind::InvalidValue if value.is_empty() => format!("{named}: a value is needed{}", among(&taken)),
        ErrorKind::InvalidValue => format!("{named}{shown}: not taken{}", among(&taken)),
        ErrorKind::ValueValidation => format!("{named}{shown}: {}", slip.source().map_or_else(|| "not taken".to_owned(), ToString::to_string)),
        ErrorKind::MissingRequiredArgument => format!("{named}: missing"),
        ErrorKind::ArgumentConflict => {
            let other: Vec<String> = words(slip, ContextKind::PriorArg).iter().map(|text| name(text)).collect();
            format!("{named}: cannot stand beside {}", other.join(", "))
        }
        _ => {
            let text = slip.to_string();
            text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
        }
    };
    if names_a_person(&sentence) { MISPLACED.to_owned() } else { sentence }
}

fn among(taken: &[String]) -> String {
    if taken.is_empty() { String::new() } else { format!("; one of: {}", taken.join(", ")) }
}

fn words(slip: &clap::Error, kind: ContextKind) -> Vec<String> {
    match slip.get(kind) {
        Some(ContextValue::String(one)) => vec![one.clone()],
        Some(ContextValue::Strings(all)) => all.clone(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::Arguments;

    fn of(line: &str) -> String {
        said(&Arguments::try_parse_from(line.split(' ')).map(|_| ()).unwrap_err())
    }

    #[test]
    fn it_is_one_sentence_with_the_option_the_value_and_what_is_taken() {
        assert_eq!(of("arkki codes --language de"), "--language \"de\": say fi, sv or en");
        assert_eq!(of("arkki messages list --last 0"), "--last \"0\": 0 is not in 1..=100000");
        assert_eq!(of("arkki refusals hold 1"), "--why: missing");
        assert_eq!(of("arkki refusals replay 1 --why x --wait"), "--yes: missing");
        assert_eq!(of("arkki refusals show x"), "ID \"x\": invalid digit found in string");
        assert_eq!(of("arkki audit --resume a --from 1"), "--resume: cannot stand beside --from");
    }

    #[test]
    fn it_repeats_no_person() {
        for line in ["arkki refusals show 010190-901R", "arkki refusals hold 1 --why x 010190-901R", "arkki codes E305 010190-901R", "arkki 010190-901R"] {
            assert!(!of(line).contains("901R"), "{line}: {}", of(line));
        }
    }
}
