//! Which commands the HTTP API offers, under which paths and to whom; and, by name and reason, in the test below, which it does not. Parameters, their words and their bounds are
//! the commands' own: nothing of them is said twice. A test holds the two lists together to be every command there is.

use std::path::PathBuf;

use clap::builder::ValueParser;
use clap::{Arg, ArgAction, CommandFactory as _};

use super::Arguments;
use crate::web::api::route::{Kind, Method, Parameter, Role, Route};

use Method::{Get, Post};
use Role::{Administrator, Operator, Reader};

/// A command that is offered: method, path, its words, and the least role.
type Offer = (Method, &'static str, &'static str, Role);

/// Every command that the API offers. `{name}` in a path is the command's argument of that name.
const OFFERED: &[Offer] = &[
    (Get, "/doctor", "doctor", Reader),
    // It asks the addresses that its caller names: not for everybody.
    (Get, "/top", "top", Operator),
    (Get, "/topology", "topology plan", Reader),
    (Post, "/topology/apply", "topology apply", Administrator),
    (Get, "/codes", "codes", Reader),
    (Get, "/explain/{what}", "explain", Reader),
    (Get, "/templates", "templates list", Reader),
    (Get, "/templates/groups/{group}", "templates show", Reader),
    (Get, "/templates/elements/{element}", "templates explain", Reader),
    (Get, "/keys", "keys list", Reader),
    (Post, "/keys/rehearse", "keys rehearse", Administrator),
    (Get, "/checkpoints", "checkpoint list", Reader),
    (Post, "/checkpoints/verify", "checkpoint verify", Operator),
    (Post, "/audit", "audit", Administrator),
    (Post, "/backup", "backup", Administrator),
    (Get, "/messages", "messages list", Reader),
    (Get, "/messages/{name}", "messages show", Reader),
    (Get, "/reconcile", "reconcile", Reader),
    (Get, "/refusals", "refusals list", Reader),
    (Get, "/refusals/groups", "refusals groups", Reader),
    (Get, "/refusals/{id}", "refusals show", Reader),
    (Get, "/refusals/actions", "refusals actions", Reader),
    (Post, "/refusals/hold", "refusals hold", Operator),
    (Post, "/refusals/release", "refusals release", Operator),
    (Post, "/refusals/discard", "refusals discard", Operator),
    (Post, "/refusals/comment", "refusals comment", Operator),
    (Post, "/refusals/actions/{action}/undo", "refusals undo", Operator),
    (Post, "/refusals/replay", "refusals replay", Operator),
    (Get, "/refusals/jobs", "refusals jobs", Reader),
    (Post, "/refusals/jobs/{job}/stop", "refusals stop", Operator),
    (Post, "/refusals/jobs/{job}/resume", "refusals resume", Operator),
    (Post, "/refusals/jobs/{job}/end", "refusals end", Operator),
    (Post, "/rehearse", "rehearse", Operator),
    (Get, "/lilm", "lilm list", Reader),
    (Get, "/lilm/notices/{id}", "lilm show", Reader),
    (Post, "/lilm/notices/{id}/retry", "lilm retry", Operator),
    (Get, "/lilm/reconcile", "lilm reconcile", Reader),
];

/// Options that give the octets of a message or a notice, which name people: not offered, though their commands are.
const OCTETS: &[(&str, &str)] = &[("lilm show", "cda"), ("lilm show", "bundle"), ("refusals show", "octets")];

/// The route table.
#[must_use]
pub fn routes() -> Vec<Route> {
    let mut root = Arguments::command();
    root.build();
    OFFERED.iter().filter_map(|(method, path, words, role)| route(&root, *method, path, words, *role)).collect()
}

fn route(root: &clap::Command, method: Method, path: &str, words: &str, role: Role) -> Option<Route> {
    let command = words.split(' ').try_fold(root, |command, word| command.find_subcommand(word))?;
    let parameters = command.get_arguments().filter(|argument| !is_everywhere(argument) && !is_octets(words, argument)).map(parameter).collect();
    Some(Route {
        method,
        path: path.to_owned(),
        command: words.split(' ').map(str::to_owned).collect(),
        role,
        summary: command.get_about().map(ToString::to_string).unwrap_or_default(),
        parameters,
    })
}

/// What every command takes, and a call has otherwise: it is JSON always, and the configuration is the gateway's.
fn is_everywhere(argument: &Arg) -> bool {
    matches!(argument.get_id().as_str(), "config" | "json" | "help" | "version")
}

fn is_octets(words: &str, argument: &Arg) -> bool {
    OCTETS.iter().any(|(command, option)| *command == words && argument.get_long() == Some(option))
}

fn parameter(argument: &Arg) -> Parameter {
    let is_flag = matches!(argument.get_action(), ArgAction::SetTrue | ArgAction::SetFalse);
    let more = argument.get_num_args().is_some_and(|range| range.max_values() > 1);
    Parameter {
        name: argument.get_long().map_or_else(|| argument.get_id().to_string(), str::to_owned),
        positional: argument.is_positional(),
        kind: if is_flag { Kind::Flag } else { kind(argument.get_value_parser()) },
        many: more || matches!(argument.get_action(), ArgAction::Append),
        required: argument.is_required_set(),
        choices: argument.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect(),
        default: argument.get_default_values().first().and_then(|value| value.to_str()).map(str::to_owned),
        help: argument.get_help().map(ToString::to_string).unwrap_or_default(),
    }
}

fn kind(parser: &ValueParser) -> Kind {
    use std::any::TypeId;
    let is = parser.type_id();
    let numbers = [TypeId::of::<u8>(), TypeId::of::<u16>(), TypeId::of::<u32>(), TypeId::of::<u64>(), TypeId::of::<usize>(), TypeId::of::<i64>()];
    if is == TypeId::of::<PathBuf>() {
        Kind::File
    } else if numbers.into_iter().any(|number| is == number) {
        Kind::Number
    } else {
        Kind::Text
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const PERSONAL: &str = "shows personal values: a person asks, by name, at the console or on the machine";
    const FILES: &str = "works on files of the caller's own machine";
    const LIVES: &str = "lives as long as somebody looks at it";

    /// Every command that it does not offer, and why.
    const WITHHELD: &[(&str, &str)] = &[
        ("serve", "is what answers"),
        ("demo", LIVES),
        ("console", LIVES),
        ("messages follow", LIVES),
        ("api token", "makes what callers are known by"),
        ("api document", "stands at /api/v1/openapi.json"),
        ("restore", "belongs to a fresh place, before the gateway starts"),
        ("migrate", "belongs to an upgrade, before the gateway starts"),
        ("send", FILES),
        ("replay", FILES),
        ("generate", FILES),
        ("load", "comes from outside: a gateway that loads itself measures both"),
        ("tap", LIVES),
        ("import", FILES),
        ("validate", FILES),
        ("signature verify", FILES),
        ("checkpoint export", FILES),
        ("templates test", FILES),
        ("templates page", "writes a page of the documentation"),
        ("templates rules", "writes a page of the documentation"),
        ("disclose", PERSONAL),
        ("query", PERSONAL),
        ("history", PERSONAL),
        ("refusals octets", PERSONAL),
        ("log export", PERSONAL),
        ("log client", PERSONAL),
    ];

    /// The words of every command that does something.
    fn leaves(command: &clap::Command, words: &str, found: &mut Vec<String>) {
        let below: Vec<&clap::Command> = command.get_subcommands().filter(|c| c.get_name() != "help").collect();
        if below.is_empty() {
            found.push(words.to_owned());
        }
        for next in below {
            leaves(next, format!("{words} {}", next.get_name()).trim(), found);
        }
    }

    #[test]
    fn every_command_is_offered_or_withheld_with_its_reason() {
        let mut root = Arguments::command();
        root.build();
        let mut all = Vec::new();
        leaves(&root, "", &mut all);
        let named: Vec<&str> = OFFERED.iter().map(|offer| offer.2).chain(WITHHELD.iter().map(|w| w.0)).collect();
        let missing: Vec<&String> = all.iter().filter(|words| !named.contains(&words.as_str())).collect();
        // A family of commands that this build leaves out leaves its rows without effect.
        let is_here = |words: &&&str| words.split(' ').next().is_some_and(|family| root.find_subcommand(family).is_some());
        let gone: Vec<&&str> = named.iter().filter(is_here).filter(|words| !all.iter().any(|a| a == *words)).collect();
        assert!(missing.is_empty() && gone.is_empty(), "neither offered nor withheld: {missing:?}; no such command: {gone:?}");
        assert_eq!(named.iter().filter(is_here).count(), all.len(), "one of them stands twice");
        assert_eq!(routes().len(), OFFERED.iter().map(|offer| &offer.2).filter(is_here).count());
    }

    #[test]
    fn every_path_is_its_commands_and_stands_once() {
        let routes = routes();
        for (n, route) in routes.iter().enumerate() {
            assert!(!route.summary.is_empty() && route.parameters.iter().all(|p| !p.help.is_empty()), "{route:?}");
            for part in route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
                assert!(route.parameters.iter().any(|p| p.name == part && p.positional), "{}: {part}", route.path);
            }
            assert!(routes.iter().skip(n + 1).all(|other| (other.method, &other.path) != (route.method, &route.path)), "{}", route.path);
        }
        let lasts = routes.iter().find(|r| r.path == "/lilm").unwrap();
        let last = lasts.parameters.iter().find(|p| p.name == "last").unwrap();
        assert_eq!((last.kind, last.default.as_deref()), (Kind::Number, Some("50")));
        let apply = routes.iter().find(|r| r.path == "/topology/apply").unwrap();
        assert_eq!(apply.parameters.iter().find(|p| p.name == "partitions").map(|p| p.kind), Some(Kind::Number));
        let audit = routes.iter().find(|r| r.path == "/audit").unwrap();
        assert!(audit.parameters.iter().filter(|p| p.kind == Kind::File).count() == 3, "{audit:?}");
    }
}
