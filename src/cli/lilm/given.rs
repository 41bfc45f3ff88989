//! A notice's own octets for whoever may see them: they name people, so the look stands in the access log of each register before they are shown.

use serde_json::json;

use crate::adapters::clock::{SystemClock, SystemEntropy};
use crate::app;
use crate::cli::actor;
use crate::cli::report::{Health, Report};
use crate::config::checked::Config;
use crate::crypto::sealed::Sort;
use crate::crypto::sha256;
use crate::domain::change::{Access, Look};
use crate::domain::notice::StoredNotice;
use crate::fhir::event::client_octets;
use crate::pipeline::examine::Examiner;
use crate::pipeline::given;
use crate::ports::archive::Archive;
use crate::ports::clock::Clock as _;
use crate::xml::tree;

/// Which of a notice's two formats.
#[derive(Debug, Clone, Copy)]
pub(super) enum Which {
    Bundle,
    Cda,
}

/// Logs the look, then gives the octets.
///
/// # Errors
/// Why they cannot be given.
pub(super) async fn octets(archive: &dyn Archive, config: &Config, notice: &StoredNotice, which: Which) -> Result<Report, String> {
    let id = &notice.row.record.id;
    let (octets, name) = match which {
        Which::Bundle => (Some(&notice.bundle), "bundle"),
        Which::Cda => (notice.cda.as_ref(), "cda"),
    };
    let Some(octets) = octets else {
        let text = format!("{id} was made without a CDA document: [lilm] format was \"fhir\"\n");
        return Ok(Report::new(Health::Unwell, text, json!({ "id": id.as_str(), name: null })));
    };
    let examiner = app::examiner(config).map_err(|fault| fault.to_string())?;
    let entropy = SystemEntropy::open().map_err(|outage| outage.to_string())?;
    let actor = actor::actor();
    let description = format!("arkki-notice-given-1\nnotice {id}\nformat {name}\nsha256 {}\n", sha256(octets));
    let looks = looks(&examiner, &actor, notice, name);
    let noted = given::note_each(archive, &examiner, (&entropy, SystemClock.now()), (&actor, &description), looks).await;
    noted.map_err(|outage| format!("{}: {outage}", config.archive_url.shown()))?;
    let text = String::from_utf8(octets.clone()).map_err(|_| "it is not UTF-8: run arkki audit".to_owned())?;
    let json = json!({ "id": id.as_str(), "format": name, "sha256": sha256(text.as_bytes()).to_hex(), name: text });
    Ok(Report::new(Health::Well, text, json))
}

fn looks(examiner: &Examiner, actor: &str, notice: &StoredNotice, format: &str) -> Vec<Look> {
    let record = &notice.row.record;
    let event = std::str::from_utf8(&notice.event).ok().and_then(|text| tree::parse(text).ok());
    let sealed = event.and_then(|event| client_octets(&event)).and_then(|client| examiner.seal(Sort::Client, &examiner.client_hash(&client), &client));
    let look = |controller: &crate::domain::oid::Oid| Look {
        access: Access { actor: actor.to_owned(), action: "show".to_owned(), ..Access::default() },
        document_id: Some(record.id.clone()),
        controller: controller.as_str().to_owned(),
        organisation: None,
        person: None,
        client: Some(record.client),
        detail: Some(format!("notice: {format}")),
        query_id: None,
        client_sealed: sealed.clone(),
        person_sealed: None,
    };
    record.parts.iter().map(|part| look(&part.controller)).collect()
}
