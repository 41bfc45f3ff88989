//! Disclosure on the whole road: two counties, a producer and a stranger to the rules, in one archive; what each of them sees as the client speaks.

mod counties;
mod making;
mod page;
mod walk;

use std::sync::Arc;
use std::time::Duration;

use arkki::adapters::embedded::{EmbeddedBroker, Letter};
use arkki::app::{self, House};
use arkki::config::checked::Config;
use arkki::config::raw::Raw;
use arkki::config::registrations::RawRegistration;
use arkki::generate::frame::TEST_ARCHIVE;
use arkki::pipeline::audit::{Looked, Plan, audit};
use arkki::ports::broker::Published;
use arkki::v3::{ack, response};

use self::making::{ALFA, BETA, DELTA, GAMMA};
use crate::kit;
use crate::store::place::Place as Archive;

const SOON: Duration = Duration::from_secs(60);

/// A house on a broker in this process, with four registered systems.
pub struct Place {
    archive: Archive,
    folder: kit::TempDir,
    broker: EmbeddedBroker,
    house: Option<House>,
    sent: usize,
}

/// What an answer came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The codes of its details: errors and warnings.
    pub codes: Vec<String>,
    /// `OK`, `NF` or `QE`; empty where it answers no query.
    pub response: String,
    /// The last arc of each document's id, sorted.
    pub documents: Vec<String>,
    /// The sentences, without places.
    pub text: String,
    /// The answer's ledger position.
    pub position: u64,
    /// The octets of each document.
    pub octets: usize,
}

impl Place {
    pub async fn open(archive: Archive) -> Self {
        let folder = kit::temp_dir();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let keys = kit::repository().join("samples/keys");
        std::fs::write(at("site.key"), [7; 32]).unwrap();
        std::fs::copy(keys.join("system-key.pem"), at("system-key.pem")).unwrap();
        std::fs::set_permissions(at("system-key.pem"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let mut raw = Raw::default();
        raw.archive.url.clone_from(&archive.url);
        raw.archive.site_key_file = at("site.key");
        raw.sign.key_file = at("system-key.pem");
        raw.sign.certificate_file = keys.join("system.pem").display().to_string();
        raw.sign.trust = vec![keys.join("ca.pem").display().to_string()];
        raw.answer.language = "en".to_owned();
        raw.answer.receivers = vec![TEST_ARCHIVE.to_owned()];
        raw.access.registered_only = Some(true);
        for system in [ALFA, BETA, GAMMA, DELTA] {
            let row = RawRegistration {
                user: system.name.to_owned(),
                devices: vec![system.device.to_owned()],
                organisation: system.node.to_owned(),
                register_rights: system.rights.iter().map(|oid| (*oid).to_owned()).collect(),
                profile: "joining".to_owned(),
                disclosure_management: system.manages,
                ..RawRegistration::default()
            };
            raw.registrations.insert(system.name.to_owned(), row);
        }
        let broker = EmbeddedBroker::new();
        for system in [ALFA, BETA, GAMMA, DELTA] {
            broker.declare(&format!("arkki.reply.{}.q", system.name));
        }
        let config = Config::check(raw, &|_| None).unwrap();
        let house = app::open_embedded(&config, &broker).await.unwrap_or_else(|fault| panic!("{fault}"));
        Self { archive, folder, broker, house: Some(house), sent: 0 }
    }

    pub fn put(&mut self, who: &str, octets: &[u8]) -> String {
        self.sent += 1;
        let id = format!("m-{}", self.sent);
        let letter = Letter {
            message_id: Some(id.clone()),
            reply_to: Some(format!("arkki.reply.{who}.q")),
            user_id: Some(who.to_owned()),
            body: Arc::new(octets.to_vec()),
            ..Letter::default()
        };
        assert_eq!(self.broker.put("arkki.inbound", letter), Ok(Published::Routed));
        id
    }

    pub async fn take(&self, who: &str) -> (String, Vec<u8>) {
        let letter = self.broker.take(&format!("arkki.reply.{who}.q"), SOON).await.expect("an answer");
        (letter.correlation_id.unwrap_or_default(), letter.body.to_vec())
    }

    /// Sends one message as one of the systems, and reads its answer.
    pub async fn ask(&mut self, who: &str, octets: &[u8]) -> Said {
        let id = self.put(who, octets);
        let (correlation, answer) = self.take(who).await;
        assert_eq!(correlation, id);
        said(&answer)
    }

    /// As [`Place::ask`], of a document that must be taken.
    pub async fn store(&mut self, who: &str, octets: &[u8]) -> Said {
        let said = self.ask(who, octets).await;
        assert!(said.codes.iter().all(|code| code.starts_with('W')), "{said:?}");
        said
    }

    pub async fn sql(&self, statement: &str) -> String {
        self.archive.sql(statement).await
    }

    /// Closes the house, and lets an audit look at what it left.
    pub async fn close(mut self) {
        if let Some(house) = self.house.take() {
            assert_eq!(house.close(SOON).await, 0);
        }
        let archive = self.archive.open("audit").await;
        let report = audit(archive.as_ref(), Plan::new(Arc::new(|_| Looked::default()), 1), &mut |_, _| ()).await.unwrap();
        assert!(report.faults.is_empty(), "{:?}", report.faults);
        drop(self.folder);
    }
}

pub fn said(answer: &[u8]) -> Said {
    let text = String::from_utf8_lossy(answer).into_owned();
    let read = ack::read(answer).unwrap_or_else(|_| panic!("{text}"));
    let shown = response::read(answer);
    let mut documents: Vec<String> =
        shown.iter().flat_map(|shown| &shown.documents).map(|document| document.id.rsplit('.').next().unwrap().to_owned()).collect();
    documents.sort_by_key(|arc| arc.parse::<u64>().unwrap());
    Said {
        codes: read.details.iter().map(|detail| detail.code.clone()).collect(),
        response: shown.as_ref().map_or_else(String::new, |shown| shown.code.clone()),
        octets: shown.iter().flat_map(|shown| &shown.documents).filter_map(|document| document.octets.as_ref()).map(Vec::len).sum(),
        documents,
        text: read.details.iter().map(|detail| detail.text.as_str()).collect::<Vec<_>>().join("\n"),
        position: read.position.unwrap_or(0),
    }
}
