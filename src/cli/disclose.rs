//! `arkki disclose`: reports a disclosure outside the archive over the broker, as a disclosing system does, and shows the answer.

use std::path::PathBuf;

use clap::Args;

use super::report::Report;
use super::send;
use super::validate::read_message;
use crate::adapters::clock::{SystemClock, SystemEntropy};
use crate::config::checked::Config;
use crate::domain::oid::Oid;
use crate::domain::person::HETU_ROOT;
use crate::fhir::event::NAMESPACE;
use crate::ports::clock::{Clock as _, Entropy as _};
use crate::xml::write;

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
    let (id, now) = (id_under(root)?, SystemClock.now().to_iso());
    let disclosed = command.disclosed_at.clone().unwrap_or_else(|| now.clone());
    let mut x = String::with_capacity(2048);
    x.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let processing = config.environment.processing_codes().first().copied().unwrap_or("T");
    open(&mut x, "OutsideDisclosure", &[("xmlns", NAMESPACE), ("language", &command.language), ("processingCode", processing)]);
    empty(&mut x, "id", &[("root", &id)]);
    if let Some(corrects) = &command.corrects {
        empty(&mut x, "corrects", &[("root", corrects)]);
    }
    empty(&mut x, "system", &[("root", command.system.as_deref().unwrap_or(config.device.as_str()))]);
    empty(&mut x, "client", &[("root", HETU_ROOT), ("extension", client.trim())]);
    empty(&mut x, "disclosedAt", &[("value", &disclosed)]);
    empty(&mut x, "recordedAt", &[("value", &now)]);
    for (name, code) in [("type", &command.kind), ("purpose", &command.purpose), ("manner", &command.manner)] {
        empty(&mut x, name, &[("code", code)]);
    }
    open(&mut x, "basis", &[]);
    match (&command.statute, &command.permission) {
        (Some(statute), _) => text(&mut x, "statute", statute),
        (None, permission) => empty(&mut x, "permission", &[("root", permission.as_deref().unwrap_or_default())]),
    }
    close(&mut x, "basis");
    let controller = [("root", command.controller.as_deref().unwrap_or_default()), ("name", command.controller_name.as_str())];
    open(&mut x, "discloser", &[]);
    empty(&mut x, "person", &[("root", "1.2.246.537.26"), ("extension", command.professional.as_deref().unwrap_or_default())]);
    empty(&mut x, "organisation", &controller);
    close(&mut x, "discloser");
    open(&mut x, "recipient", &[("kind", command.recipient.as_deref().unwrap_or_default())]);
    if let Some(oid) = &command.recipient_oid {
        empty(&mut x, "organisation", &[("root", oid)]);
    }
    if let Some(name) = &command.recipient_name {
        text(&mut x, "name", name);
    }
    close(&mut x, "recipient");
    open(&mut x, "register", &[("type", &command.register)]);
    empty(&mut x, "controller", &controller);
    open(&mut x, "item", &[]);
    if let Some(document) = &command.document {
        empty(&mut x, "document", &[("root", document)]);
    }
    text(&mut x, "description", command.description.as_deref().unwrap_or_default());
    command.task.iter().for_each(|task| empty(&mut x, "serviceTask", &[("code", task)]));
    for name in ["item", "register", "OutsideDisclosure"] {
        close(&mut x, name);
    }
    Ok((id, x.into_bytes()))
}

/// An id that nobody has: the site's root and 62 random bits.
fn id_under(root: &Oid) -> Result<String, String> {
    let random = SystemEntropy::open().map_err(|outage| outage.to_string())?.sixteen();
    let number = random.iter().take(8).fold(0_u64, |n, octet| n << 8 | u64::from(*octet)) >> 2;
    Ok(format!("{root}.0.{number}"))
}

fn tag(x: &mut String, name: &str, attributes: &[(&str, &str)], end: &str) {
    x.push('<');
    x.push_str(name);
    attributes.iter().for_each(|(name, value)| write::attribute(x, name, value));
    x.push_str(end);
}

fn open(x: &mut String, name: &str, attributes: &[(&str, &str)]) {
    tag(x, name, attributes, ">\n");
}

fn empty(x: &mut String, name: &str, attributes: &[(&str, &str)]) {
    tag(x, name, attributes, "/>\n");
}

fn text(x: &mut String, name: &str, words: &str) {
    tag(x, name, &[], ">");
    write::text(x, words);
    close(x, name);
}

fn close(x: &mut String, name: &str) {
    x.push_str("</");
    x.push_str(name);
    x.push_str(">\n");
}
