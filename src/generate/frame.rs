//! The transport frame RCMR_IN200002FI01 around a document (documents.md §1.4, messaging.md §1; the MIME carrier as a real archive message has it).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::document::{DocumentSpec, Professional, person_name, plain_name};
use super::event::{Names, Why};
use super::terms;
use super::writer::{Space, Style, Writer};
use crate::domain::document::Group;
use crate::domain::person::HETU_ROOT;

/// A frame before it is octets. The fields are open: a test makes a frame of its own by changing some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameSpec {
    /// The message's own id: root, perhaps with an extension.
    pub id: (String, Option<String>),
    /// The root element.
    pub root: &'static str,
    /// `interactionId/@extension`.
    pub interaction: &'static str,
    /// `versionCode/@code`.
    pub version: &'static str,
    /// `processingCode/@code`.
    pub processing: &'static str,
    /// `processingModeCode/@code`.
    pub processing_mode: &'static str,
    /// `acceptAckCode/@code`.
    pub accept: &'static str,
    /// The receiving device's id.
    pub receiver: String,
    /// The sending device's id.
    pub sender: String,
    /// The service request's code; `None` leaves its reason code out.
    pub service_request: Option<&'static str>,
    /// The purpose of use stands before the service request.
    pub purpose_first: bool,
    /// How the document is carried.
    pub carrier: Carrier,
    /// Why it invalidates or reinstates.
    pub reason: Option<Why>,
    /// The document's facts as the frame repeats them.
    pub document: DocumentSpec,
    /// The frame names the client.
    pub names_client: bool,
    /// Namespace and layout habits.
    pub style: Style,
}

/// How a frame carries its document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// base64 in `text[@mediaType='text/xml'][@representation='B64']`.
    Base64,
    /// An RFC 2557 MIME part in `text[@mediaType='multipart/related']`.
    Mime,
    /// It carries none: it names one, or a set.
    Nothing(Names),
}

/// The test archive's device (documents.md §6).
pub const TEST_ARCHIVE: &str = "1.2.246.556.18007.2";
/// The frame's root element and interaction id.
pub const STORE: &str = "RCMR_IN200002FI01";

impl FrameSpec {
    /// A frame around a document, as a well-behaved sender of the test environment makes it. The message's id follows from the document's and `message`:
    /// another number, another message.
    #[must_use]
    pub fn around(document: &DocumentSpec, message: u64) -> Self {
        Self {
            id: (document.id.replacen(".95.", ".18.", 1), Some(message.to_string())),
            root: STORE,
            interaction: STORE,
            version: "V3-2006",
            processing: "T",
            processing_mode: "T",
            accept: "ER",
            receiver: TEST_ARCHIVE.to_owned(),
            sender: document.controller.unit.to_owned(),
            service_request: Some(service_request(document)),
            purpose_first: false,
            carrier: Carrier::Base64,
            reason: None,
            document: document.clone(),
            names_client: true,
            style: document.style,
        }
    }

    /// The message's octets: the frame with these document octets in it.
    #[must_use]
    pub fn render(&self, document: &[u8]) -> Vec<u8> {
        let mut w = Writer::new(self.style, self.root, &[("ITSVersion", "XML_1.0")], document.len() * 3 / 2 + 6000);
        let created = &self.document.created;
        match &self.id.1 {
            Some(extension) => w.empty(Space::Hl7, "id", &[("root", &self.id.0), ("extension", extension)]),
            None => w.empty(Space::Hl7, "id", &[("root", &self.id.0)]),
        }
        w.empty(Space::Hl7, "creationTime", &[("value", created)]);
        w.empty(Space::Hl7, "versionCode", &[("code", self.version)]);
        w.empty(Space::Hl7, "interactionId", &[("root", "2.16.840.1.113883.1.6"), ("extension", self.interaction)]);
        w.empty(Space::Hl7, "processingCode", &[("code", self.processing)]);
        w.empty(Space::Hl7, "processingModeCode", &[("code", self.processing_mode)]);
        w.empty(Space::Hl7, "acceptAckCode", &[("code", self.accept)]);
        for (element, kind, id) in [("receiver", "RCV", &self.receiver), ("sender", "SND", &self.sender)] {
            w.open(Space::Hl7, element, &[("typeCode", kind)]);
            w.open(Space::Hl7, "device", &[("classCode", "DEV"), ("determinerCode", "INSTANCE")]);
            w.empty(Space::Hl7, "id", &[("root", id)]);
            (0..2).for_each(|_| w.close());
        }
        self.control_act(&mut w, document);
        w.finish()
    }

    fn control_act(&self, w: &mut Writer, document: &[u8]) {
        w.open(Space::Hl7, "controlActProcess", &[("classCode", "CACT"), ("moodCode", "EVN")]);
        w.empty(Space::Hl7, "code", &[("code", "RCMR_TE000102UV01"), ("codeSystem", "2.16.840.1.113883.1.18")]);
        if let Some(words) = self.reason.as_ref().and_then(|why| why.words.as_deref()) {
            w.text(Space::Hl7, "text", &[], words);
        }
        w.empty(Space::Hl7, "effectiveTime", &[("value", &self.document.created)]);
        let purpose = |w: &mut Writer| w.empty(Space::Hl7, "reasonCode", &terms::OWN_REGISTER.attributes(self.document.language));
        if self.purpose_first {
            purpose(w);
        }
        if let Some(code) = self.service_request {
            let (system, name) = terms::SERVICE_REQUESTS;
            w.empty(Space::Hl7, "reasonCode", &[("code", code), ("codeSystem", system), ("codeSystemName", name)]);
        }
        if !self.purpose_first {
            purpose(w);
        }
        if let Some(code) = self.reason.as_ref().and_then(|why| why.code) {
            w.empty(Space::Hl7, "reasonCode", &[("code", code), ("codeSystem", terms::REASONS)]);
        }
        w.open(Space::Hl7, "authorOrPerformer", &[("typeCode", "AUT")]);
        w.open(Space::Hl7, "assignedPerson", &[]);
        let worker = self.document.professional.unwrap_or(Professional::SAMPLE);
        w.empty(Space::Hl7, "id", &[("root", "1.2.246.537.26"), ("extension", worker.number)]);
        w.open(Space::Hl7, "assignedPerson", &[]);
        plain_name(w, Space::Hl7, &worker);
        w.close();
        w.open(Space::Hl7, "representedOrganization", &[]);
        w.empty(Space::Hl7, "id", &[("root", self.document.controller.unit)]);
        (0..3).for_each(|_| w.close());
        w.open(Space::Hl7, "subject", &[("typeCode", "SUBJ")]);
        w.open(Space::Hl7, "clinicalDocument", &[]);
        self.document_facts(w, document);
        (0..3).for_each(|_| w.close());
    }

    fn document_facts(&self, w: &mut Writer, octets: &[u8]) {
        let (d, l) = (&self.document, self.document.language);
        let names = if let Carrier::Nothing(names) = self.carrier { names } else { Names::VERSION };
        if names.id {
            w.empty(Space::Hl7, "id", &[("root", &d.id)]);
        }
        w.empty(Space::Hl7, "code", &terms::REGISTER.attributes(l));
        match self.carrier {
            Carrier::Base64 => w.text(Space::Hl7, "text", &[("mediaType", "text/xml"), ("representation", "B64")], &STANDARD.encode(octets)),
            Carrier::Mime => w.text(Space::Hl7, "text", &[("mediaType", "multipart/related")], &mime(&d.id, octets)),
            Carrier::Nothing(_) => {}
        }
        w.empty(Space::Hl7, "statusCode", &[("code", "completed")]);
        w.empty(Space::Hl7, "effectiveTime", &[("value", &d.authored)]);
        w.empty(Space::Hl7, "confidentialityCode", &terms::SECRET.attributes(l));
        w.empty(Space::Hl7, "languageCode", &[("code", d.language_code())]);
        if names.set {
            w.empty(Space::Hl7, "setId", &[("root", &d.set_id)]);
        }
        if names.version {
            w.empty(Space::Hl7, "versionNumber", &[("value", &d.version.to_string())]);
        }
        w.empty(Space::Hl7, "completionCode", &terms::COMPLETE.attributes(l));
        w.empty(Space::Hl7, "storageCode", &terms::ACTIVE.attributes(l));
        if self.names_client {
            w.open(Space::Hl7, "recordTarget", &[]);
            w.open(Space::Hl7, "patient", &[]);
            w.empty(Space::Hl7, "id", &[("root", HETU_ROOT), ("extension", &d.person.hetu)]);
            w.empty(Space::Hl7, "statusCode", &[("code", "active")]);
            w.open(Space::Hl7, "patientPerson", &[]);
            person_name(w, Space::Hl7, &d.person.given, d.person.family);
            (0..3).for_each(|_| w.close());
        }
        w.open(Space::Hl7, "author", &[]);
        w.empty(Space::Hl7, "time", &[("nullFlavor", "NA")]);
        w.open(Space::Hl7, "assignedAuthor", &[]);
        match &d.professional {
            Some(author) => w.empty(Space::Hl7, "id", &[("root", "1.2.246.537.26"), ("extension", author.number)]),
            None => w.empty(Space::Hl7, "id", &[("nullFlavor", "NA")]),
        }
        (0..2).for_each(|_| w.close());
        w.open(Space::Hl7, "custodian", &[]);
        w.open(Space::Hl7, "assignedCustodian", &[]);
        w.open(Space::Hl7, "representedOrganization", &[]);
        w.empty(Space::Hl7, "id", &[("root", d.controller.unit)]);
        w.text(Space::Hl7, "name", &[], d.controller.name(l));
        (0..3).for_each(|_| w.close());
    }
}

/// The service request that goes with a document: by its group, or a replacement (domain settlements; only SP1 and SP17 were seen).
#[must_use]
pub const fn service_request(document: &DocumentSpec) -> &'static str {
    if document.replaces.is_some() {
        return "SPX-REPLACE";
    }
    match document.group {
        Group::ClientRelation => "SP1",
        Group::Case => "SPX-CASE",
        Group::PhaseOne => "SPX-PHASE1",
        Group::Old => "SPX-OLD",
        Group::Client | Group::Other => "SP17",
        Group::Informing => "SPX-INFORMING",
        Group::Permission => "SPX-PERMISSION",
        Group::Denial => "SPX-DENIAL",
    }
}

/// The MIME entity: its own headers, one base64 part whose Content-ID is the document's id, lines of 76 characters.
fn mime(id: &str, octets: &[u8]) -> String {
    let encoded = STANDARD.encode(octets);
    let boundary = "----=_Part_1_arkki_testi";
    let mut out = String::with_capacity(encoded.len() + encoded.len() / 76 + 500);
    out.push_str("MIME-Version: 1.0\nContent-Type: multipart/related;\n boundary=\"");
    out.push_str(boundary);
    out.push_str("\"\n\n--");
    out.push_str(boundary);
    out.push_str("\nContent-Type: text/xml; charset=UTF-8\nContent-Transfer-Encoding: BASE64\nContent-ID: <");
    out.push_str(id);
    out.push_str(">\n\n");
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(76));
        out.push_str(line);
        out.push('\n');
        rest = after;
    }
    out.push_str("\n--");
    out.push_str(boundary);
    out.push_str("--\n");
    out
}
