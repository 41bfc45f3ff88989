//! `arkki disclose`: reports a disclosure outside the archive over the broker, as a disclosing system does, and shows the answer.

use std::path::PathBuf;

use clap::Args;

use super::report::Report;
use super::send;
use super::validate::read_message;
use crate::adapters::clock::{SystemClock, SystemEntropy};
use crate::app;
use crate::codes::rule_set::RuleSet;
use crate::config::checked::Config;
use crate::domain::language::Language;
use crate::domain::oid::Oid;
use crate::fhir::draft::{self, Around, Typed};
use crate::ports::clock::{Clock as _, Entropy as _};

const HELP: &str = r#"The client's id is read from ARKKI_CLIENT, never from the command line, where others could see it. Or --file names an event that is ready
(docs/lilm.md). Either goes the road of every message: checked, signed, archived, and acknowledged; its notice leaves on the notice queue.

Examples:
  arkki disclose --file samples/disclosures/01-paper-to-another-county.xml
  ARKKI_CLIENT=050505A9065 arkki disclose --controller 1.2.246.10.99999992.10.0 --controller-name Testila --recipient authority \
    --recipient-name "Testilan karajaoikeus" --statute "703/2023 62 §" --professional 90000000017 --task 25 --description "Palvelutarpeen arvio" --show

Exit codes: 0 taken, 1 refused or not answered, 2 the broker or a file could not be reached, or something is missing."#;

/// What `disclose` takes.
#[derive(Args)]
#[command(after_help = HELP)]
pub struct Disclose {
    /// An event that is ready; the other options but --timeout and --show are then not used.
    #[arg(long, value_name = "EVENT")]
    file: Option<PathBuf>,
    /// The controller whose data were disclosed.
    #[arg(long, value_name = "OID", required_unless_present = "file")]
    controller: Option<String>,
    /// The controller's name.
    #[arg(long, value_name = "NAME", default_value = "-")]
    controller_name: String,
    /// The register's type.
    #[arg(long, value_name = "CODE", default_value = "1")]
    register: String,
    /// Who received: controller, authority, private, client or other.
    #[arg(long, value_name = "KIND", required_unless_present = "file")]
    recipient: Option<String>,
    /// The recipient's organisation.
    #[arg(long, value_name = "OID")]
    recipient_oid: Option<String>,
    /// The recipient's name.
    #[arg(long, value_name = "NAME")]
    recipient_name: Option<String>,
    /// Type of the disclosure.
    #[arg(long = "type", value_name = "CODE", default_value = "document")]
    kind: String,
    /// Purpose of the disclosure.
    #[arg(long, value_name = "CODE", default_value = "social-welfare")]
    purpose: String,
    /// How it was disclosed: paper, oral or electronic.
    #[arg(long, value_name = "CODE", default_value = "paper")]
    manner: String,
    /// The statute it rests on, with its section.
    #[arg(long, value_name = "TEXT", required_unless_present_any = ["file", "permission"])]
    statute: Option<String>,
    /// The archived permission it rests on.
    #[arg(long, value_name = "OID", conflicts_with = "statute")]
    permission: Option<String>,
    /// The discloser's register number (1.2.246.537.26).
    #[arg(long, value_name = "NUMBER", required_unless_present = "file")]
    professional: Option<String>,
    /// Service task of what was disclosed; may be said more than once.
    #[arg(long, value_name = "CODE", required_unless_present = "file")]
    task: Vec<String>,
    /// The document that was disclosed, where it has an id.
    #[arg(long, value_name = "OID")]
    document: Option<String>,
    /// What was disclosed, in words.
    #[arg(long, value_name = "TEXT", required_unless_present = "file")]
    description: Option<String>,
    /// When it was disclosed, as 2026-11-22T09:30:00+02:00. Default: now.
    #[arg(long, value_name = "TIME")]
    disclosed_at: Option<String>,
    /// The event whose notice this one corrects.
    #[arg(long, value_name = "OID")]
    corrects: Option<String>,
    /// The sending system's device. Default: that of `[answer] device`.
    #[arg(long, value_name = "OID")]
    system: Option<String>,
    /// Language of the notice: fi or sv.
    #[arg(long, default_value = "fi", value_parser = ["fi", "sv"])]
    language: String,
    /// Seconds to wait for the answer.
    #[arg(long, default_value_t = 90, value_name = "SECONDS")]
    timeout: u64,
    /// Show the acknowledgement itself.
    #[arg(long)]
    show: bool,
}

/// Makes the event, or reads it, and sends it.
#[must_use]
pub fn run(command: &Disclose, config: &Config, json: bool) -> Report {
    let made = match &command.file {
        Some(path) => read_message(path, config.message_octets).map(|octets| (path.display().to_string(), octets)).map_err(|e| e.to_string()),
        None => event(command, config),
    };
    match made {
        Ok(message) => send::one(message, (command.timeout, command.show), config, json),
        Err(what) => Report::blind(what),
    }
}

/// The event of the options: its id, and its octets.
fn event(command: &Disclose, config: &Config) -> Result<(String, Vec<u8>), String> {
    let client = std::env::var("ARKKI_CLIENT").map_err(|_| "whose? Set ARKKI_CLIENT to the client's identity code".to_owned())?;
    let root = config.notice_root.as_ref().ok_or("notices are not taken here: [lilm] enabled = false")?;
    let (id, now) = (id_under(root)?, SystemClock.now());
    let system = match &command.system {
        Some(system) => Oid::parse(system).map_err(|_| format!("--system {system:?} is not an OID"))?,
        None => config.device.clone(),
    };
    let rules = RuleSet::load(&app::rule_files(config.rules_folder.as_deref()).map_err(|fault| fault.0)?).map_err(|fault| fault.to_string())?;
    let processing = config.environment.processing_codes().first().copied().unwrap_or("T");
    let disclosed = command.disclosed_at.clone().unwrap_or_else(|| now.to_iso());
    let options = Options { command, client: client.trim(), disclosed: &disclosed };
    let around = Around { id: &id, recorded: now, system: &system, processing };
    let language = if command.language == "sv" { Language::Sv } else { Language::Fi };
    Ok((id.as_str().to_owned(), draft::write(&options, &around, &rules, language).octets))
}

/// The options as fields of an event.
struct Options<'c> {
    command: &'c Disclose,
    client: &'c str,
    disclosed: &'c str,
}

impl Typed for Options<'_> {
    fn get(&self, field: &str) -> &str {
        let Self { command, client, disclosed } = self;
        let given: &Option<String> = match field {
            "client_id" => return client,
            "disclosed_at" => return disclosed,
            "language" => return &command.language,
            "type" => return &command.kind,
            "purpose" => return &command.purpose,
            "manner" => return &command.manner,
            "register" => return &command.register,
            "controller_name" | "discloser_organisation_name" => return &command.controller_name,
            "basis" => return if command.statute.is_some() { "statute" } else { "permission" },
            "statute" => &command.statute,
            "permission" => &command.permission,
            "corrects" => &command.corrects,
            "discloser_id" => &command.professional,
            "controller" | "discloser_organisation" => &command.controller,
            "recipient_kind" => &command.recipient,
            "recipient_organisation" => &command.recipient_oid,
            "recipient_name" => &command.recipient_name,
            _ => return "",
        };
        given.as_deref().unwrap_or_default()
    }

    fn items(&self) -> usize {
        1
    }

    fn of_item(&self, _: usize, field: &str) -> &str {
        match field {
            "document" => self.command.document.as_deref().unwrap_or_default(),
            "description" => self.command.description.as_deref().unwrap_or_default(),
            _ => "",
        }
    }

    fn tasks(&self, _: usize) -> &[String] {
        &self.command.task
    }
}

/// An id that nobody has: the site's root and 62 random bits.
fn id_under(root: &Oid) -> Result<Oid, String> {
    let random = SystemEntropy::open().map_err(|outage| outage.to_string())?.sixteen();
    let number = random.iter().take(8).fold(0_u64, |n, octet| n << 8 | u64::from(*octet)) >> 2;
    Oid::parse(&format!("{root}.0.{number}")).map_err(|_| "[lilm] id_root is too long".to_owned())
}
