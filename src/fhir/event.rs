//! Reads a disclosure event (`xsd/arkki/outside-disclosure.xsd`), whose schema has been checked: ids, times and codes, that one person is meant throughout,
//! and that recipient, tasks and data sets say enough for a notice (messaging.md §4.4).

use crate::codes::lilm::LISTS;
use crate::codes::rule_set::RuleSet;
use crate::codes::tasks::PairVerdict;
use crate::domain::ack::InstanceId;
use crate::domain::code::Code;
use crate::domain::document::{Date, Group};
use crate::domain::environment::Environment;
use crate::domain::finding::{Finding, Place};
use crate::domain::notice::{
    Basis, Coded, Item, NoticePlaces, Organisation, OutsideDisclosure, Permission, Person, Professional, Recipient, RecipientKind, Section,
};
use crate::domain::oid::Oid;
use crate::domain::person::{HETU_ROOT, Hetu, HetuFault};
use crate::domain::time::{Moment, iso_date};
use crate::xml::tree::{self, Document, Node};

/// The event's namespace.
pub const NAMESPACE: &str = "urn:arkki:outside-disclosure:1";
/// Its root element.
pub const ROOT: &str = "OutsideDisclosure";
/// Its schema's entry file.
pub const SCHEMA: &str = "xsd/arkki/outside-disclosure.xsd";
/// Code system of document types without a version.
const TYPES: &str = "document-type";

/// An event that can be decided.
#[derive(Debug)]
pub struct Read {
    /// The event.
    pub event: OutsideDisclosure,
    /// Where things stand in it.
    pub places: NoticePlaces,
    /// What the sender is told although it is taken.
    pub warnings: Vec<Finding>,
}

/// Whether a message is an event of this sort.
#[must_use]
pub fn is_event(document: &Document<'_>) -> bool {
    let name = document.root_element().tag_name();
    name.namespace() == Some(NAMESPACE) && name.name() == ROOT
}

/// The event's id, as far as it can be read: the acknowledgement names it.
#[must_use]
pub fn id_of(document: &Document<'_>) -> Option<InstanceId> {
    let root = child(document.root_element(), "id")?.attribute("root").filter(|root| Oid::parse(root).is_ok())?;
    Some(InstanceId { root: root.to_owned(), extension: None })
}

/// The sending system's device, as far as it can be read.
#[must_use]
pub fn system_of(document: &Document<'_>) -> Option<InstanceId> {
    let root = child(document.root_element(), "system")?.attribute("root").filter(|root| Oid::parse(root).is_ok())?;
    Some(InstanceId { root: root.to_owned(), extension: None })
}

/// The client's id as it is hashed: root, NUL, extension.
#[must_use]
pub fn client_octets(document: &Document<'_>) -> Option<Vec<u8>> {
    let client = child(document.root_element(), "client")?;
    Some(person_octets(client.attribute("root")?, client.attribute("extension")?))
}

/// A person's id as it is hashed.
#[must_use]
pub fn person_octets(root: &str, extension: &str) -> Vec<u8> {
    [root.as_bytes(), &[0], extension.as_bytes()].concat()
}

/// Reads an event.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read(document: &Document<'_>, rules: &RuleSet, environment: Environment) -> Result<Read, Vec<Finding>> {
    let root = document.root_element();
    let mut reader = Reader { rules, environment, out: Vec::new() };
    let read = reader.event(root);
    match read {
        Some((event, places)) if !reader.out.iter().any(Finding::is_error) => Ok(Read { event, places, warnings: reader.out }),
        // Where something could not be read, a finding says so.
        _ => Err(reader.out),
    }
}

struct Reader<'r> {
    rules: &'r RuleSet,
    environment: Environment,
    out: Vec<Finding>,
}

/// Who is meant: root and extension.
type PersonId = (String, String);

impl Reader<'_> {
    fn event(&mut self, root: Node<'_, '_>) -> Option<(OutsideDisclosure, NoticePlaces)> {
        if !root.attribute("processingCode").is_some_and(|code| self.environment.takes(code)) {
            let expected = self.environment.processing_codes().join(", ");
            self.out.push(Finding::new(Code::E809, tree::attribute_place(root, "processingCode")).with("expected", expected));
        }
        let id = self.identifier(root, "id");
        let corrects = self.identifier(root, "corrects");
        let system = self.identifier(root, "system");
        let client = child(root, "client").map(|node| (node, self.person(node, "client")));
        let client_id = client.as_ref().and_then(|(_, person)| person.id.clone())?;
        let (disclosed, recorded) = (self.time(root, "disclosedAt"), self.time(root, "recordedAt"));
        if let (Some(disclosed), Some(recorded)) = (disclosed, recorded)
            && recorded < disclosed
        {
            self.out.push(Finding::new(Code::E884, value_place(root, "recordedAt")).with("rule", "time-recorded-before"));
        }
        let [kind, purpose, manner] = ["type", "purpose", "manner"].map(|name| self.listed(root, name, name));
        let basis = self.basis(root, &client_id, disclosed);
        let discloser = child(root, "discloser").and_then(|node| self.professional(node));
        let author = child(root, "author").map(|node| self.professional(node));
        let recipient = child(root, "recipient").and_then(|node| self.recipient(node, &client_id));
        let mut sections: Vec<Section> = Vec::new();
        let mut documents = Vec::new();
        for node in children(root, "register") {
            if let Some(section) = self.section(node, &client_id, &mut documents) {
                let is_twice = sections.iter().any(|s| s.controller.id == section.controller.id && s.register == section.register);
                if is_twice {
                    self.out.push(Finding::new(Code::E891, tree::place(node)));
                }
                sections.push(section);
            }
        }
        self.recipient_is_another(root, recipient.as_ref(), &sections);
        let event = OutsideDisclosure {
            id: id?,
            corrects,
            language: root.attribute("language").unwrap_or("fi").to_owned(),
            system: system?,
            client: client?.1,
            disclosed_at: disclosed?,
            recorded_at: recorded?,
            kind: kind?,
            purpose: purpose?,
            manner: manner?,
            basis: basis?,
            discloser: discloser?,
            author: match author {
                None => None,
                Some(author) => Some(author?),
            },
            recipient: recipient?,
            sections,
            description: child(root, "description").map(|node| words(node)),
        };
        if event.is_late() {
            self.out.push(Finding::new(Code::W935, value_place(root, "recordedAt")));
        }
        if event.corrects.as_ref() == Some(&event.id) {
            self.out.push(Finding::new(Code::E886, value_at(root, "corrects", "root")).with("rule", "corrects-itself"));
        }
        let places = NoticePlaces {
            id: value_at(root, "id", "root"),
            corrects: value_at(root, "corrects", "root"),
            disclosed: value_place(root, "disclosedAt"),
            recorded: value_place(root, "recordedAt"),
            permission: child(root, "basis").and_then(|n| child(n, "permission")).map_or_else(Place::whole, |n| tree::attribute_place(n, "root")),
            documents,
        };
        Some((event, places))
    }

    /// An element that may stand there with an OID as its root.
    fn identifier(&mut self, parent: Node<'_, '_>, name: &str) -> Option<Oid> {
        self.oid(child(parent, name)?, "root", name)
    }

    fn oid(&mut self, node: Node<'_, '_>, attribute: &str, field: &str) -> Option<Oid> {
        match Oid::parse(node.attribute(attribute).unwrap_or("").trim()) {
            Ok(oid) => Some(oid),
            Err(fault) => {
                self.out.push(Finding::new(Code::E304, tree::attribute_place(node, attribute)).with("field", field).with("rule", fault.word()));
                None
            }
        }
    }

    /// A person's id: an identity code that is checked, or another root's.
    fn person_id(&mut self, node: Node<'_, '_>, field: &str) -> Option<PersonId> {
        let root = self.oid(node, "root", field)?;
        let extension = node.attribute("extension").unwrap_or("");
        if root.as_str() == HETU_ROOT {
            let at = || tree::attribute_place(node, "extension");
            match Hetu::parse(extension).map(|hetu| hetu.misplaced_in(self.environment)) {
                Err(fault) => self.out.push(Finding::new(Code::E305, at()).with("field", field).with("rule", HetuFault::word(fault))),
                Ok(Some(rule)) => self.out.push(Finding::new(Code::E308, at()).with("field", field).with("rule", rule)),
                Ok(None) => {}
            }
        }
        Some((root.as_str().to_owned(), extension.to_owned()))
    }

    fn person(&mut self, node: Node<'_, '_>, field: &str) -> Person {
        Person { id: self.person_id(node, field), family: child(node, "family").map(words), given: child(node, "given").map(words) }
    }

    fn professional(&mut self, node: Node<'_, '_>) -> Option<Professional> {
        let person = child(node, "person").map(|node| self.person(node, "professional"))?;
        let authentication = match node.attribute("authentication") {
            None => None,
            Some(code) => {
                self.known(node, "authentication", "authentication", code);
                Some(code.to_owned())
            }
        };
        let organisation = child(node, "organisation").and_then(|node| self.organisation(node));
        let unit = child(node, "unit").map(|node| self.organisation(node));
        Some(Professional {
            person,
            title: child(node, "title").map(words),
            authentication,
            organisation: organisation?,
            unit: match unit {
                None => None,
                Some(unit) => Some(unit?),
            },
        })
    }

    fn organisation(&mut self, node: Node<'_, '_>) -> Option<Organisation> {
        Some(Organisation { id: self.oid(node, "root", "organisation")?, name: node.attribute("name").unwrap_or("").to_owned() })
    }

    fn time(&mut self, root: Node<'_, '_>, name: &str) -> Option<Moment> {
        let node = child(root, name)?;
        self.moment(node, "value", name)
    }

    fn moment(&mut self, node: Node<'_, '_>, attribute: &str, field: &str) -> Option<Moment> {
        let moment = Moment::parse_iso(node.attribute(attribute).unwrap_or("").trim());
        if moment.is_none() {
            let found = Finding::new(Code::E306, tree::attribute_place(node, attribute)).with("field", field.to_owned()).with("rule", "time-zone");
            self.out.push(found);
        }
        moment
    }

    /// The code of an element, of a list of `codes/lilm.toml`.
    fn listed(&mut self, parent: Node<'_, '_>, name: &str, list: &'static str) -> Option<String> {
        let node = child(parent, name)?;
        let code = node.attribute("code")?;
        self.known(node, "code", list, code);
        Some(code.to_owned())
    }

    fn known(&mut self, node: Node<'_, '_>, attribute: &str, list: &'static str, code: &str) {
        debug_assert!(LISTS.contains(&list), "a list of ours");
        let lilm = &self.rules.lilm;
        if lilm.coding(list, code, crate::domain::language::Language::Fi).is_none() {
            let finding =
                Finding::new(Code::E883, tree::attribute_place(node, attribute)).with("field", format!("lilm-{list}")).with("allowed", lilm.codes(list));
            self.out.push(shown(finding, "value", code));
        }
    }

    fn basis(&mut self, root: Node<'_, '_>, client: &PersonId, disclosed: Option<Moment>) -> Option<Basis> {
        let node = child(root, "basis")?;
        if let Some(statute) = child(node, "statute") {
            return Some(Basis::Statute(words(statute)));
        }
        if child(node, "permission").is_some() {
            return self.identifier(node, "permission").map(Basis::Permission);
        }
        let given = child(node, "given")?;
        self.same_person(given, client);
        let given_at = self.moment(given, "at", "given")?;
        if disclosed.is_some_and(|disclosed| given_at > disclosed) {
            self.out.push(Finding::new(Code::E884, tree::attribute_place(given, "at")).with("rule", "time-given-after"));
        }
        Some(Basis::Embedded(Permission {
            is_consent: given.attribute("kind") == Some("consent"),
            by_representative: given.attribute("by") == Some("representative"),
            given_at,
            scope: child(given, "scope").map(words)?,
        }))
    }

    /// Whoever a `client` element inside names is the client.
    fn same_person(&mut self, node: Node<'_, '_>, client: &PersonId) {
        let Some(named) = child(node, "client") else { return };
        if self.person_id(named, "client").is_some_and(|id| id != *client) {
            self.out.push(Finding::new(Code::E880, tree::place(named)));
        }
    }

    fn recipient(&mut self, node: Node<'_, '_>, client: &PersonId) -> Option<Recipient> {
        let kind = RecipientKind::parse(node.attribute("kind")?)?;
        let organisation = self.identifier(node, "organisation");
        let person = child(node, "person").and_then(|n| self.person_id(n, "recipient").map(|id| (n, id)));
        let name = child(node, "name").map(words).filter(|name| !name.is_empty());
        match (kind, &person) {
            (RecipientKind::Client, Some((at, id))) if id != client => self.out.push(Finding::new(Code::E880, tree::place(*at))),
            _ => {}
        }
        let is_named = match kind {
            RecipientKind::Controller => organisation.is_some(),
            RecipientKind::Authority | RecipientKind::Other => organisation.is_some() || person.is_some() || name.is_some(),
            RecipientKind::Private => person.is_some() || name.is_some(),
            RecipientKind::Client => true,
        };
        if !is_named {
            self.out.push(Finding::new(Code::E881, tree::place(node)).with("rule", "recipient-none"));
        }
        Some(Recipient { kind, organisation, person: person.map(|(_, id)| id), name })
    }

    /// What stays with its controller is use, not disclosure.
    fn recipient_is_another(&mut self, root: Node<'_, '_>, recipient: Option<&Recipient>, sections: &[Section]) {
        let to = recipient.filter(|r| r.kind == RecipientKind::Controller).and_then(|r| r.organisation.as_ref());
        if let Some(to) = to
            && sections.iter().any(|section| section.controller.id == *to)
        {
            let at = child(root, "recipient").and_then(|n| child(n, "organisation")).map_or_else(Place::whole, |n| tree::attribute_place(n, "root"));
            self.out.push(Finding::new(Code::E881, at).with("rule", "recipient-own"));
        }
    }

    fn section(&mut self, node: Node<'_, '_>, client: &PersonId, documents: &mut Vec<(Oid, Oid, Place)>) -> Option<Section> {
        let register = node.attribute("type").unwrap_or("").to_owned();
        self.known(node, "type", "register", &register);
        let controller = child(node, "controller").and_then(|node| self.organisation(node));
        let mut items = Vec::new();
        for node in children(node, "item") {
            self.same_person(node, client);
            let item = self.item(node, controller.as_ref());
            if let (Some(document), Some(controller)) = (&item.document, &controller) {
                let place = child(node, "document").map_or_else(Place::whole, |n| tree::attribute_place(n, "root"));
                documents.push((document.clone(), controller.id.clone(), place));
            }
            items.push(item);
        }
        Some(Section { controller: controller?, register, items })
    }

    fn item(&mut self, node: Node<'_, '_>, controller: Option<&Organisation>) -> Item {
        let authored = node.attribute("authored").and_then(|text| iso_date(text.trim()));
        if let (Some(_), None) = (node.attribute("authored"), authored) {
            self.out.push(Finding::new(Code::E306, tree::attribute_place(node, "authored")).with("field", "authored").with("rule", "time-none"));
        }
        let tasks: Vec<String> = children(node, "serviceTask").filter_map(|task| self.task(task)).collect();
        let coded = |name| child(node, name).and_then(|n| self.coded(n));
        let (general_type, precise_type) = (coded("generalType"), coded("preciseType"));
        let description = child(node, "description").map(words).filter(|words| !words.is_empty());
        if general_type.is_none() && precise_type.is_none() && description.is_none() {
            self.out.push(Finding::new(Code::E889, tree::place(node)));
        }
        let original_tasks = self.original_tasks(node, authored, controller, &tasks);
        Item {
            document: self.identifier(node, "document"),
            set_id: self.identifier(node, "set"),
            authored,
            general_type,
            precise_type,
            description,
            tasks,
            original_tasks,
        }
    }

    fn coded(&self, node: Node<'_, '_>) -> Option<Coded> {
        let system = self.rules.lilm.system(TYPES).to_owned();
        Some(Coded { system, code: node.attribute("code")?.to_owned(), display: node.attribute("displayName")?.to_owned() })
    }

    fn task(&mut self, node: Node<'_, '_>) -> Option<String> {
        let code = node.attribute("code")?;
        if self.rules.systems.get("serviceTask").is_some_and(|system| system.value(code).is_none()) {
            self.out.push(shown(Finding::new(Code::E882, tree::attribute_place(node, "code")), "value", code));
        }
        Some(code.to_owned())
    }

    /// The original tasks: named where the data are old, each with a task that it may go with (OLD §5.2).
    fn original_tasks(&mut self, node: Node<'_, '_>, authored: Option<Date>, controller: Option<&Organisation>, tasks: &[String]) -> Vec<PersonId> {
        let mut found = Vec::new();
        for original in children(node, "originalServiceTask") {
            let (Some(system), Some(code)) = (original.attribute("codeSystem"), original.attribute("code")) else { continue };
            let at = tree::attribute_place(original, "code");
            let verdicts: Vec<PairVerdict> = tasks.iter().map(|task| self.rules.tasks.judge(system, code, Some(task))).collect();
            if !verdicts.contains(&PairVerdict::Allowed) {
                match verdicts.into_iter().next() {
                    Some(PairVerdict::Forbidden { allowed }) => {
                        let finding = Finding::new(Code::E407, at).with("allowed", allowed);
                        self.out.push(shown(finding, "original", code));
                    }
                    Some(PairVerdict::Unknown) => self.out.push(shown(Finding::new(Code::W906, at), "original", code)),
                    Some(PairVerdict::Allowed) | None => {}
                }
            }
            found.push((system.to_owned(), code.to_owned()));
        }
        let demanded = authored.zip(controller).and_then(|(day, controller)| self.rules.tasks.demand(Group::Old, day, &controller.id));
        if let (Some(rule), true) = (demanded, found.is_empty()) {
            self.out.push(Finding::new(Code::E406, tree::place(node)).under(rule));
        }
        found
    }
}

/// A code in a finding, where it looks like one: else it could be anything, an identity code too.
fn shown(finding: Finding, name: &'static str, code: &str) -> Finding {
    let is_code = code.len() <= 8 && code.bytes().all(|b| b.is_ascii_alphanumeric());
    if is_code { finding.with(name, code) } else { finding }
}

fn child<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    tree::child(node, NAMESPACE, name)
}

fn children<'a, 'i, 'n>(node: Node<'a, 'i>, name: &'n str) -> impl Iterator<Item = Node<'a, 'i>> + use<'a, 'i, 'n> {
    tree::children(node, NAMESPACE, name)
}

fn words(node: Node<'_, '_>) -> String {
    tree::text_of(node).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn value_place(root: Node<'_, '_>, name: &str) -> Place {
    value_at(root, name, "value")
}

fn value_at(root: Node<'_, '_>, name: &str, attribute: &str) -> Place {
    child(root, name).map_or_else(Place::whole, |node| tree::attribute_place(node, attribute))
}
