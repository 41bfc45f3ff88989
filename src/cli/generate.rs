//! `arkki generate`: realistic messages of synthetic persons into a folder, good or with one chosen fault, each with the answer it must get beside it.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::codes::language;
use super::replay::wanted::Wanted;
use super::report::{Health, Report, many};
use super::send;
use crate::adapters::clock::SystemEntropy;
use crate::app;
use crate::config::checked::Config;
use crate::domain::language::Language;
use crate::generate::fault::{Fault, Needs};
use crate::generate::keys::{ANCHOR, Keys, SIGNED_AT};
use crate::generate::order::{CannotMake, Carried, Kind, Made, Order};
use crate::generate::signature::Hands;
use crate::pipeline::examine::{Examiner, Stage};
use crate::ports::clock::Entropy as _;

/// The most that one order makes: a folder of more is no folder any more.
const MOST: u64 = 1_000_000;

const HELP: &str = r#"Everybody in the messages is synthetic: individual numbers 900–999, which nobody is given. The same order with the same --seed gives the same octets;
without --seed the ids are new each time, so that nothing is a repeat. What a message hangs on (the case of a document, the relation of a case) is made
with it and sent before it; --alone leaves it out. Beside NAME.xml stands NAME.expected, the answer that it must get: `arkki replay` reads it.

--fault takes a code (E305: its faults in turn), one fault's name (E305-hetu-check-character) or `any`. With --kind the fault is put into a document of that
kind, and the gateway's own check says whether it shows there.

Examples:
  arkki generate --list                                            the kinds, and every fault
  arkki generate --kind client-document --count 100 --seed 7 --out plans
  arkki generate --kind permission --fault E305 --count 10 --out broken
  arkki generate --fault any --count 200 --out all-faults
  arkki generate --kind case --out - > case.xml                    one message on standard output

Exit codes: 0 made, 1 the fault cannot be put into that kind, 2 the folder or the keys could not be reached."#;

/// What `generate` takes.
#[derive(Args)]
#[command(after_help = HELP)]
pub struct Generate {
    /// What to make: a word of --list. Default: family, or what the fault wants.
    #[arg(long, value_name = "KIND", value_parser = kind)]
    kind: Option<Kind>,
    /// Put this fault into each: a code, a fault's name, or any.
    #[arg(long, value_name = "FAULT")]
    fault: Option<String>,
    /// How many.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=MOST))]
    count: u64,
    /// What everything follows from; drawn anew when left out.
    #[arg(long, value_name = "SEED")]
    seed: Option<u64>,
    /// The folder to write to, new or empty; - writes one message to standard output.
    #[arg(long, value_name = "DIR", required_unless_present = "list")]
    out: Option<PathBuf>,
    /// Language of the documents: fi or sv. Default: both, one client in three in Swedish.
    #[arg(long, value_parser = language)]
    language: Option<Language>,
    /// How documents are carried.
    #[arg(long, value_enum, default_value = "any")]
    carried: CarriedName,
    /// Leave out what the messages hang on.
    #[arg(long)]
    alone: bool,
    /// How large each body is at least, in octets before base64.
    #[arg(long, default_value_t = 0, value_name = "OCTETS", value_parser = clap::value_parser!(u32).range(..=20_000_000))]
    body: u32,
    /// Test keys, for what a professional signs.
    #[arg(long, default_value = "samples/keys", value_name = "DIR")]
    keys: PathBuf,
    /// List the kinds and the faults, and make nothing.
    #[arg(long)]
    list: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum CarriedName {
    /// Bare documents.
    Bare,
    /// In a frame, base64.
    Base64,
    /// In a frame, as a MIME part.
    Mime,
    /// Of each some.
    Any,
}

fn kind(word: &str) -> Result<Kind, String> {
    Kind::parse(word).ok_or_else(|| format!("say one of {}", Kind::ALL.map(Kind::word).join(", ")))
}

/// Makes.
#[must_use]
pub fn run(command: &Generate, config: Option<&Path>, json: bool) -> Report {
    let Some(out) = command.out.as_deref().filter(|_| !command.list) else { return list() };
    let hands = match hands(&command.keys) {
        Ok(hands) => hands,
        Err(why) => return Report::blind(why),
    };
    let hands = hands.as_ref().map(|keys| keys as &dyn Hands);
    let order = match order(command, config, hands) {
        Ok(order) => order,
        Err(report) => return report,
    };
    let made = if out.as_os_str() == "-" { to_standard_output(&order, hands) } else { to_folder(command, &order, hands, out, json) };
    made.unwrap_or_else(|report| report)
}

/// The keys of a folder; `None` where it has none, which matters only for what is signed.
fn hands(folder: &Path) -> Result<Option<Keys>, String> {
    if !folder.join(ANCHOR).exists() {
        return Ok(None);
    }
    Keys::read(|name| fs::read(folder.join(name)).ok(), SIGNED_AT).map(Some).map_err(|fault| format!("{}: {fault}", folder.display()))
}

fn order(command: &Generate, config: Option<&Path>, hands: Option<&dyn Hands>) -> Result<Order, Report> {
    let seed = match command.seed {
        Some(seed) => seed,
        None => drawn().map_err(Report::blind)?,
    };
    let faults: Vec<&'static Fault> = match command.fault.as_deref() {
        None => Vec::new(),
        // Those that wait out the hold take minutes; they come when they are called by name.
        Some("any") => Fault::all().filter(|fault| fault.needs != Needs::Hold).collect(),
        Some(name) => {
            let found: Vec<_> = Fault::all().chain(Fault::warnings()).filter(|f| f.code.as_str().eq_ignore_ascii_case(name) || f.name() == name).collect();
            if found.is_empty() {
                return Err(Report::blind(format!("there is no fault {name}: arkki generate --list names them all")));
            }
            found
        }
    };
    let mut order = Order {
        kind: command.kind,
        faults,
        language: command.language,
        carried: match command.carried {
            CarriedName::Bare => Carried::Bare,
            CarriedName::Base64 => Carried::Base64,
            CarriedName::Mime => Carried::Mime,
            CarriedName::Any => Carried::Any,
        },
        alone: command.alone,
        body_octets: usize::try_from(command.body).unwrap_or(0),
        seed,
    };
    if let Some(name) = command.fault.as_deref() {
        fitting(&mut order, name, &command.keys, config, hands)?;
    }
    Ok(order)
}

/// Leaves the faults that can be made, and that show in the kind that was asked for.
fn fitting(order: &mut Order, name: &str, keys: &Path, config: Option<&Path>, hands: Option<&dyn Hands>) -> Result<(), Report> {
    let Some(kind) = order.kind.filter(|kind| *kind != Kind::Family) else {
        if name == "any" && hands.is_none() {
            let all = std::mem::take(&mut order.faults);
            order.faults = all.into_iter().filter(|fault| !takes_keys(order, fault)).collect();
        }
        return Ok(());
    };
    let examiner = examiner(keys, config).map_err(Report::blind)?;
    let tried = std::mem::take(&mut order.faults);
    let mut without_keys = false;
    for fault in tried {
        let trial = Order { faults: vec![fault], alone: true, ..order.clone() };
        match trial.nth(0, hands) {
            Ok(made) if made.last().is_some_and(|made| shows(&examiner, made)) => order.faults.push(fault),
            Ok(_) | Err(CannotMake::Kind) => {}
            Err(CannotMake::Keys) => without_keys = true,
        }
    }
    if order.faults.is_empty() && without_keys {
        return Err(no_keys(keys));
    }
    if order.faults.is_empty() {
        let said = format!("no fault {name} shows in a message of the kind {}; without --kind it comes in one where it does\n", kind.word());
        return Err(Report::new(Health::Unwell, said.clone(), json!({ "unwell": said.trim_end() })));
    }
    Ok(())
}

fn takes_keys(order: &Order, fault: &'static Fault) -> bool {
    Order { faults: vec![fault], alone: true, ..order.clone() }.nth(0, None) == Err(CannotMake::Keys)
}

/// Whether the gateway's own check, offline, names the code first.
fn shows(examiner: &Examiner, made: &Made) -> bool {
    examiner.validate(&made.octets, Stage::All).first().map(|finding| finding.code) == made.code
}

fn examiner(keys: &Path, config: Option<&Path>) -> Result<Examiner, String> {
    let anchor = keys.join(ANCHOR);
    let config = Config::read(config).map_err(|fault| fault.0)?;
    let config = Config { trust: anchor.exists().then_some(anchor).into_iter().collect(), ..config };
    app::examiner_for(&config, vec![0; 32], "kanta-social").map_err(|fault| fault.0)
}

fn to_standard_output(order: &Order, hands: Option<&dyn Hands>) -> Result<Report, Report> {
    let order = Order { alone: true, ..order.clone() };
    let made = order.nth(0, hands).map_err(|why| cannot(why, Path::new("")))?;
    let Some(last) = made.last().filter(|_| made.len() == 1) else { return Err(Report::blind("a family is many messages: name a folder with --out")) };
    let _closed = std::io::stdout().write_all(&last.octets);
    // The message is all there is to print.
    Ok(Report::new(Health::Well, String::new(), Value::Null))
}

fn to_folder(command: &Generate, order: &Order, hands: Option<&dyn Hands>, out: &Path, json: bool) -> Result<Report, Report> {
    let told = |e: std::io::Error| Report::blind(format!("{}: {e}", out.display()));
    fs::create_dir_all(out).map_err(told)?;
    if fs::read_dir(out).map_err(told)?.next().is_some() {
        return Err(Report::blind(format!("{} is not empty: name a new folder, so that nothing is written over", out.display())));
    }
    let progress = send::bar(usize::try_from(command.count).unwrap_or(usize::MAX), json);
    let (mut files, mut octets) = (0_u64, 0_usize);
    for number in 0..command.count {
        for made in order.nth(number, hands).map_err(|why| cannot(why, &command.keys))? {
            fs::write(out.join(format!("{}.xml", made.name)), &made.octets).map_err(told)?;
            fs::write(out.join(format!("{}.expected", made.name)), Wanted::of(made.ack, made.code, made.open).written()).map_err(told)?;
            files += 1;
            octets += made.octets.len();
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    let shown = out.display();
    let text = format!("{}, {} KiB, in {shown}; seed {}\n\nTry next:\n  arkki replay {shown} --rate 50/s\n", many(files, "message"), octets / 1024, order.seed);
    Ok(Report::new(Health::Well, text, json!({ "folder": out, "messages": files, "octets": octets, "seed": order.seed })))
}

fn cannot(why: CannotMake, keys: &Path) -> Report {
    match why {
        CannotMake::Keys => no_keys(keys),
        CannotMake::Kind => Report::blind("this fault cannot be put into that kind, or into a document of that language"),
    }
}

fn no_keys(keys: &Path) -> Report {
    Report::blind(format!("it takes a professional's signature, and there are no test keys in {}: name samples/keys with --keys", keys.display()))
}

fn list() -> Report {
    let mut text = String::from("kinds\n");
    for kind in Kind::ALL {
        text.push_str(&format!("  {:<20} {}\n", kind.word(), kind.what()));
    }
    text.push_str("\nfaults, refused\n");
    Fault::all().for_each(|fault| text.push_str(&format!("  {}{}\n", fault.name(), needs(fault))));
    text.push_str("\ntaken with a warning\n");
    Fault::warnings().for_each(|fault| text.push_str(&format!("  {}{}\n", fault.name(), needs(fault))));
    let kinds: Vec<Value> = Kind::ALL.iter().map(|k| json!({ "kind": k.word(), "what": k.what(), "group": k.group().map(|g| g.number()) })).collect();
    let faults = |faults: &mut dyn Iterator<Item = &'static Fault>| -> Vec<Value> {
        faults.map(|f| json!({ "fault": f.name(), "code": f.code.as_str(), "answer": f.code.ack_type().as_str(), "needs": needs(f).trim_matches([' ', '(', ')']) })).collect()
    };
    Report::new(Health::Well, text, json!({ "kinds": kinds, "faults": faults(&mut Fault::all()), "warnings": faults(&mut Fault::warnings()) }))
}

const fn needs(fault: &Fault) -> &'static str {
    match fault.needs {
        Needs::Nothing => "",
        Needs::Archive | Needs::Notices => "  (the archive shows it)",
        Needs::Hold => "  (after the hold's time)",
    }
}

/// A seed that nobody had before. Half of the 64 bits stay away, so that it is easily typed again.
pub(super) fn drawn() -> Result<u64, String> {
    let sixteen = SystemEntropy::open().map_err(|outage| outage.to_string())?.sixteen();
    Ok(sixteen.iter().take(4).fold(0, |seed, octet| seed << 8 | u64::from(*octet)))
}
