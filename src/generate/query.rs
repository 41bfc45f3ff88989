//! Query frames RCMR_IN200029FI01 and RCMR_IN200031FI01 (messaging.md §1.7 d), with the placeholder names of `codes/query.toml`.

use super::document::{Organisation, Professional};
use super::frame::TEST_ARCHIVE;
use super::terms;
use super::writer::{Space, Style, Writer};
use crate::domain::language::Language;
use crate::domain::person::HETU_ROOT;

/// Asks for describing data.
pub const METADATA: &str = "RCMR_IN200029FI01";
/// Asks for documents.
pub const DOCUMENTS: &str = "RCMR_IN200031FI01";

/// A query frame before it is octets. The fields are open: a test makes one of its own by changing some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuerySpec {
    /// The message's own id: root and extension.
    pub id: (String, String),
    /// The root element and interaction.
    pub root: &'static str,
    /// The service request's code.
    pub service_request: &'static str,
    /// The ground in law that a further reasonCode names.
    pub grounds: Vec<&'static str>,
    /// Whether it names a purpose of use.
    pub has_purpose: bool,
    /// `sender/device/id/@root`.
    pub sender: String,
    /// `processingCode/@code`.
    pub processing: &'static str,
    /// The organisation on whose behalf it asks; `None` names none.
    pub organisation: Option<String>,
    /// `queryId/@extension`.
    pub query_id: String,
    /// `initialQuantity/@value`.
    pub quantity: Option<String>,
    /// The parameters, in order.
    pub parameters: Vec<Parameter>,
}

/// One parameter of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its element.
    pub element: &'static str,
    /// The attributes of each of its values.
    pub values: Vec<Vec<(&'static str, String)>>,
    /// `low` and `high` inside the one value, where it is an interval.
    pub interval: Option<(Option<String>, Option<String>)>,
}

impl Parameter {
    /// A client by identity code.
    #[must_use]
    pub fn client(hetu: &str) -> Self {
        Self { values: vec![vec![("root", HETU_ROOT.to_owned()), ("extension", hetu.to_owned())]], ..Self::new("patientId") }
    }

    /// Ids.
    #[must_use]
    pub fn ids(element: &'static str, ids: &[&str]) -> Self {
        Self { values: ids.iter().map(|id| vec![("root", (*id).to_owned())]).collect(), ..Self::new(element) }
    }

    /// A code.
    #[must_use]
    pub fn code(element: &'static str, code: &str) -> Self {
        Self { values: vec![vec![("code", code.to_owned())]], ..Self::new(element) }
    }

    /// A value.
    #[must_use]
    pub fn value(element: &'static str, value: &str) -> Self {
        Self { values: vec![vec![("value", value.to_owned())]], ..Self::new(element) }
    }

    /// An interval of dates of authoring.
    #[must_use]
    pub fn authored(low: Option<&str>, high: Option<&str>) -> Self {
        Self { interval: Some((low.map(str::to_owned), high.map(str::to_owned))), ..Self::new("documentCreationTime") }
    }

    const fn new(element: &'static str) -> Self {
        Self { element, values: Vec::new(), interval: None }
    }
}

impl QuerySpec {
    /// A query for describing data in the sample organisation's own register. Another number, another message.
    #[must_use]
    pub fn metadata(number: u64, parameters: Vec<Parameter>) -> Self {
        let node = Organisation::SAMPLE.node;
        Self {
            id: (format!("{node}.18.2026.29"), number.to_string()),
            root: METADATA,
            service_request: "SPX-META-QUERY",
            grounds: Vec::new(),
            has_purpose: true,
            sender: Organisation::SAMPLE.unit.to_owned(),
            processing: "T",
            organisation: Some(Organisation::SAMPLE.unit.to_owned()),
            query_id: format!("q-{number}"),
            quantity: None,
            parameters,
        }
    }

    /// A query for documents.
    #[must_use]
    pub fn documents(number: u64, parameters: Vec<Parameter>) -> Self {
        Self { root: DOCUMENTS, service_request: "SPX-DOC-QUERY", ..Self::metadata(number, parameters) }
    }

    /// The message's octets.
    #[must_use]
    pub fn render(&self) -> Vec<u8> {
        let mut w = Writer::new(Style::default(), self.root, &[("ITSVersion", "XML_1.0")], 4000);
        w.empty(Space::Hl7, "id", &[("root", &self.id.0), ("extension", &self.id.1)]);
        w.empty(Space::Hl7, "creationTime", &[("value", "20260701090000+0300")]);
        w.empty(Space::Hl7, "versionCode", &[("code", "V3-2006")]);
        w.empty(Space::Hl7, "interactionId", &[("root", "2.16.840.1.113883.1.6"), ("extension", self.root)]);
        w.empty(Space::Hl7, "processingCode", &[("code", self.processing)]);
        w.empty(Space::Hl7, "processingModeCode", &[("code", "T")]);
        w.empty(Space::Hl7, "acceptAckCode", &[("code", "NE")]);
        for (element, kind, id) in [("receiver", "RCV", TEST_ARCHIVE), ("sender", "SND", self.sender.as_str())] {
            w.open(Space::Hl7, element, &[("typeCode", kind)]);
            w.open(Space::Hl7, "device", &[("classCode", "DEV"), ("determinerCode", "INSTANCE")]);
            w.empty(Space::Hl7, "id", &[("root", id)]);
            (0..2).for_each(|_| w.close());
        }
        w.open(Space::Hl7, "controlActProcess", &[("classCode", "CACT"), ("moodCode", "EVN")]);
        let (system, name) = terms::SERVICE_REQUESTS;
        w.empty(Space::Hl7, "reasonCode", &[("code", self.service_request), ("codeSystem", system), ("codeSystemName", name)]);
        if self.has_purpose {
            w.empty(Space::Hl7, "reasonCode", &terms::OWN_REGISTER.attributes(Language::Fi));
        }
        for ground in &self.grounds {
            w.empty(Space::Hl7, "reasonCode", &[("code", ground), ("codeSystem", terms::GROUNDS)]);
        }
        w.open(Space::Hl7, "authorOrPerformer", &[("typeCode", "AUT")]);
        w.open(Space::Hl7, "assignedPerson", &[]);
        w.empty(Space::Hl7, "id", &[("root", "1.2.246.537.26"), ("extension", Professional::SAMPLE.number)]);
        if let Some(organisation) = &self.organisation {
            w.open(Space::Hl7, "representedOrganization", &[]);
            w.empty(Space::Hl7, "id", &[("root", organisation)]);
            w.close();
        }
        (0..2).for_each(|_| w.close());
        self.query(&mut w);
        w.finish()
    }

    fn query(&self, w: &mut Writer) {
        w.open(Space::Hl7, "queryByParameter", &[]);
        w.empty(Space::Hl7, "queryId", &[("root", &self.id.0), ("extension", &self.query_id)]);
        w.empty(Space::Hl7, "statusCode", &[("code", "new")]);
        w.empty(Space::Hl7, "responseModalityCode", &[("code", "R")]);
        w.empty(Space::Hl7, "responsePriorityCode", &[("code", "I")]);
        if let Some(quantity) = &self.quantity {
            w.empty(Space::Hl7, "initialQuantity", &[("value", quantity)]);
        }
        w.open(Space::Hl7, "parameterList", &[]);
        for parameter in &self.parameters {
            w.open(Space::Hl7, parameter.element, &[]);
            if let Some((low, high)) = &parameter.interval {
                w.open(Space::Hl7, "value", &[]);
                for (name, bound) in [("low", low), ("high", high)] {
                    if let Some(bound) = bound {
                        w.empty(Space::Hl7, name, &[("value", bound)]);
                    }
                }
                w.close();
            }
            for value in &parameter.values {
                let attributes: Vec<(&str, &str)> = value.iter().map(|(name, value)| (*name, value.as_str())).collect();
                w.empty(Space::Hl7, "value", &attributes);
            }
            w.close();
        }
        (0..2).for_each(|_| w.close());
    }
}
