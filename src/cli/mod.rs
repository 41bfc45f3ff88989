//! Floor 4: the command line, a command a file. Each returns a report value; exit codes are 0 well, 1 unwell, 2 could not look.

pub(crate) mod actor;
pub mod api;
pub mod audit;
pub mod backup;
pub mod checkpoint;
pub mod codes;
pub mod console;
pub mod demo;
pub mod disclose;
pub mod doctor;
pub mod explain;
pub mod generate;
pub mod history;
pub mod import;
pub mod keys;
pub mod lilm;
pub mod load;
pub mod log;
pub mod messages;
pub mod migrate;
pub mod outcome;
pub mod query;
mod rate;
pub mod reconcile;
pub mod refusals;
mod registrations;
pub mod rehearse;
pub mod replay;
pub mod report;
pub mod restore;
pub mod send;
pub mod serve;
pub mod signature;
mod slip;
mod stop;
pub mod tap;
pub mod templates;
pub mod top;
pub mod topology;
pub mod validate;
mod verbs;
mod when;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::checked::Config;
use crate::domain::person::names_a_person;
use report::Report;

/// The gateway between integration engines and an archive that must be trusted for good.
///
/// HL7 CDA R2 documents come in from RabbitMQ, are checked, signed and archived; acknowledgements leave on reply queues.
/// Try `arkki demo` first: it needs neither broker nor database.
#[derive(Parser)]
#[command(
    name = "arkki",
    version,
    max_term_width = 110,
    after_help = "Each command explains itself: arkki send --help.\nExit codes: 0 well, 1 unwell, 2 could not look."
)]
struct Arguments {
    /// The configuration file; every option and its default stands in config/arkki.toml.
    #[arg(long, short, global = true, env = "ARKKI_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// One JSON value on standard output instead of lines for people.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Carry messages: consume the inbound queues, archive, answer. Stops on SIGTERM without losing anything.
    Serve(serve::Serve),
    /// Show the main job: every sample through broker, checks, signature, archive and back. On embedded parts, or on a real RabbitMQ.
    Demo(demo::Demo),
    /// Look at rules, keys, archive, broker and topology; say what is wrong and the command that mends it.
    Doctor(doctor::Doctor),
    /// Publish files to the inbound queue, wait for the acknowledgements and show them.
    Send(send::Send),
    /// Publish folders of messages at a chosen rate and hold every answer to the one that must come; results for people and for CI.
    Replay(replay::Replay),
    /// Make realistic messages of synthetic persons: of every group, good or with one chosen fault.
    Generate(generate::Generate),
    /// Load the gateway with messages at a fixed rate and measure from arrival to answer; a report with plots.
    Load(load::Load),
    /// Show what passes through the broker, live and masked, without taking anything from anybody.
    Tap(tap::TapCommand),
    /// Report a disclosure outside the archive: it becomes a notice (LILM), which is signed, archived and sent.
    Disclose(Box<disclose::Disclose>),
    /// Empty an old system into the archive: a table of metadata and a folder of files become old client documents.
    Import(import::Import),
    /// Give exactly the gateway's verdict on files, offline.
    Validate(validate::Validate),
    /// Explain a document's signatures step by step: who signed what, when, with what, and what is not covered.
    Signature(signature::Signature),
    /// Show or declare the queues and exchanges that Arkki needs.
    Topology(topology::Topology),
    /// Show the signing keys, or rehearse the next one.
    Keys(keys::Keys),
    /// Bring the archive's tables up to this release.
    Migrate(migrate::Migrate),
    /// List the refusal codes, or explain one.
    Codes(codes::Codes),
    /// Explain a code, a rule or a metadata element, with samples.
    Explain(explain::Explain),
    /// Show what a document of each group must hold, and try the examples that the rules carry.
    Templates(templates::Templates),
    /// Search the archive's describing data, or fetch a document; each look is logged.
    Query(Box<query::QueryCommand>),
    /// The ledger of messages: lists, everything about one, and decisions as they are taken.
    Messages(messages::MessagesCommand),
    /// Hold ledger, inbox, documents, logs, outbox and the broker's queues against each other, and name what is not explained.
    Reconcile(reconcile::Reconcile),
    /// Verify every document's hashes and signatures and the whole ledger.
    Audit(audit::Audit),
    /// Show everything that happened to a document: versions, invalidations, who, when and why; and what was valid on a date; each look is logged.
    History(history::History),
    /// Open the web console on this machine: report a disclosure outside the archive.
    Console(console::ConsoleCommand),
    /// Notices of disclosures outside the archive (LILM): where each stands, trying one again, and the proof that none is missing.
    Lilm(lilm::Lilm),
    /// Refused messages: groups, lists, comments; hold, release, discard, undo; replay one, a group or all, watch, stop and resume it.
    Refusals(Box<refusals::Refusals>),
    /// Run the last messages against other rules, read-only, and show whose verdict would change.
    Rehearse(rehearse::Rehearse),
    /// Write out the access log and the disclosure log: of a controller's register, or of a client; each export is logged.
    Log(Box<log::Log>),
    /// Show, write out or verify the ledger's signed checkpoints.
    Checkpoint(checkpoint::Checkpoint),
    /// Copy the archive out while the gateway works: one moment of it, whole.
    Backup(backup::Backup),
    /// Bring a backup into a fresh place, audit it, and name what must be sent again.
    Restore(restore::Restore),
    /// Make tokens for the HTTP API that `arkki serve` answers, or write its description.
    Api(api::ApiCommand),
    /// Watch the gateway live: rates, lanes, queue depths, oldest age, outbox, alarms.
    Top(top::Top),
}

/// Parses the arguments and runs the command.
#[must_use]
pub fn run() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        // The parser repeats what it does not take: an identity code it must not.
        Err(slip) if names_a_person(&slip.to_string()) => return Report::wish(slip::said(&slip)).print(false),
        Err(slip) => slip.exit(),
    };
    let json = arguments.json;
    execute(arguments).print(json)
}

/// Runs a command line for a caller of the API, with the gateway's own configuration.
///
/// # Errors
/// The words are no command line: what is wrong with them, in a sentence.
fn called(caller: &str, words: &[String], config: Option<&Path>) -> Result<Report, String> {
    let before = std::iter::once("arkki".into()).chain(config.into_iter().flat_map(|path| ["--config".into(), path.as_os_str().to_owned()]));
    let line = before.chain(["--json".into()]).chain(words.iter().map(Into::into));
    let arguments = Arguments::try_parse_from(line).map_err(|slip| slip::said(&slip))?;
    Ok(actor::calling_as(caller, || execute(arguments)))
}

fn execute(arguments: Arguments) -> Report {
    let json = arguments.json;
    let config = || Config::read(arguments.config.as_deref());
    match arguments.command {
        Command::Serve(command) => with(config(), |c| serve::run(&command, arguments.config.as_deref(), c)),
        Command::Demo(command) => demo::run(&command, json),
        Command::Doctor(command) => with(config(), |c| doctor::run(&command, &c)),
        Command::Send(command) => with(config(), |c| send::run(&command, &c, json)),
        Command::Replay(command) => with(config(), |c| replay::run(&command, &c, json)),
        Command::Generate(command) => generate::run(&command, arguments.config.as_deref(), json),
        Command::Load(command) => with(config(), |c| load::run(&command, &c, json)),
        Command::Tap(command) => with(config(), |c| tap::run(&command, &c, json)),
        Command::Disclose(command) => with(config(), |c| disclose::run(&command, &c, json)),
        Command::Import(command) => with(config(), |c| import::run(&command, &c, json)),
        Command::Validate(command) => validate::run(&command, arguments.config.as_deref(), json),
        Command::Signature(command) => signature::run(&command, arguments.config.as_deref()),
        Command::Topology(command) => with(config(), |c| topology::run(&command, &c, json)),
        Command::Keys(command) => with(config(), |c| keys::run(&command, &c)),
        Command::Migrate(command) => with(config(), |c| migrate::run(&command, &c)),
        Command::Codes(command) => codes::run(&command, arguments.config.as_deref()),
        Command::Explain(command) => explain::run(&command, arguments.config.as_deref()),
        Command::Templates(command) => templates::run(&command, arguments.config.as_deref()),
        Command::Query(command) => with(config(), |c| query::run(&command, &c)),
        Command::Messages(command) => with(config(), |c| messages::run(&command, &c, json)),
        Command::Reconcile(command) => with(config(), |c| reconcile::run(&command, &c)),
        Command::Audit(command) => with(config(), |c| audit::run(&command, c, json)),
        Command::History(command) => with(config(), |c| history::run(&command, &c)),
        Command::Console(command) => with(config(), |c| console::run(&command, &c)),
        Command::Lilm(command) => with(config(), |c| lilm::run(&command, &c)),
        Command::Refusals(command) => with(config(), |c| refusals::run(&command, &c, json)),
        Command::Rehearse(command) => with(config(), |c| rehearse::run(&command, &c, json)),
        Command::Log(command) => with(config(), |c| log::run(&command, &c, json)),
        Command::Checkpoint(command) => with(config(), |c| checkpoint::run(&command, &c)),
        Command::Backup(command) => with(config(), |c| backup::run(&command, &c)),
        Command::Restore(command) => with(config(), |c| restore::run(&command, &c)),
        Command::Api(command) => api::run(&command),
        Command::Top(command) => with(config(), |c| top::run(&command, &c, json)),
    }
}

fn with(config: Result<Config, crate::config::checked::ConfigFault>, run: impl FnOnce(Config) -> Report) -> Report {
    config.map_or_else(Report::blind, run)
}

/// A runtime for one command. What burns a processor runs on the bounded pool; the runtime only carries, and one thread for four cores carries
/// with the fewest wake-ups: two would wake each other for every message.
///
/// # Errors
/// A report that says why there is none.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Report> {
    let carriers = std::thread::available_parallelism().map_or(1, usize::from).div_ceil(4);
    tokio::runtime::Builder::new_multi_thread().worker_threads(carriers).enable_all().build().map_err(|e| Report::blind(format!("no runtime: {e}")))
}
