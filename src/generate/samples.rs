//! The files of `samples/`: documentation and fixture at once. `examples/make_samples.rs` writes them, a test holds the folder to this list.

use super::disclosure::{BasisSpec, DisclosureSpec, ItemSpec};
use super::document::{Body, DocumentSpec};
use super::event::{self, Names, SPX_INVALIDATE, SPX_REINSTATE, Why};
use super::family::Family;
use super::fault::{Fault, Needs};
use super::frame::{Carrier, FrameSpec};
use super::hostile;
use super::person::Person;
use super::query::{Parameter, QuerySpec};
use super::signature::{Hand, Hands};
use super::writer::{Layout, Prefix, Style};
use crate::domain::code::Code;
use crate::domain::document::Group;
use crate::domain::language::Language;
use crate::domain::oid::Oid;
use crate::domain::will::{Denied, Said};

/// One file of the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Its path under `samples/`.
    pub path: String,
    /// Its octets.
    pub octets: Vec<u8>,
    /// What it is, in a few words.
    pub what: String,
    /// The code of its refusal or of its warning; `None` for what is accepted without a remark (and for the acknowledgement, which is noted and never answered).
    pub code: Option<Code>,
}

/// The family whose documents the accepted samples are: the client is the canary.
#[must_use]
pub fn finnish() -> Family {
    Family::of(Person::canary(), 1, 1, Language::Fi)
}

/// The other family of the accepted samples.
#[must_use]
pub fn swedish() -> Family {
    Family::new(2, 2, Language::Sv)
}

/// A good document of a group, unsigned: what the examples of rules change.
#[must_use]
pub fn good(group: Group) -> Vec<u8> {
    DocumentSpec { style: Style::default(), ..finnish().of_group(group).clone() }.render()
}

/// Every sample, accepted ones in an order in which their links resolve, then the refused ones in the order of their codes, then the hostile ones.
/// What needs a signature is left out when `hands` has none.
#[must_use]
pub fn all(hands: Option<&dyn Hands>) -> Vec<Sample> {
    let mut out = accepted(hands);
    out.extend(queries());
    out.extend(disclosures());
    out.extend(refused(hands));
    out.extend(warned(hands));
    out.extend(hostile());
    out
}

/// The accepted ones.
#[must_use]
pub fn accepted(hands: Option<&dyn Hands>) -> Vec<Sample> {
    let (fi, sv) = (finnish(), swedish());
    let styled = |spec: &DocumentSpec, prefix, layout| DocumentSpec { style: Style { prefix, layout }, ..spec.clone() };
    let plain = |spec: &DocumentSpec| styled(spec, Prefix::Root, Layout::Indented);
    let client_document = plain(&fi.client_document);
    let second_case = plain(&fi.case).replacement(&fi.id(20));
    let second_client_document = DocumentSpec { body: Body::Pdf, ..client_document.replacement(&fi.id(21)) };
    let old_xhtml = DocumentSpec { body: Body::Xhtml, ..plain(&fi.old_document).under(&fi.id(22)) };
    let frame = |spec: &DocumentSpec, carrier| {
        let mut frame = FrameSpec::around(spec, 1);
        frame.carrier = carrier;
        frame
    };
    let mut shelf = Shelf { hands, out: Vec::new(), between: 0 };
    shelf.bare("client-relation-fi", &plain(&fi.relation), "client relation, XHTML and JSON, bare");
    shelf.framed("case-fi-framed", &frame(&plain(&fi.case), Carrier::Base64), "open case, framed (base64)");
    shelf.bare("client-document-fi-signed", &client_document, "client plan, XHTML and JSON, signed by a professional, bare");
    shelf.framed("phase-one-fi-framed-mime", &frame(&plain(&fi.phase_one), Carrier::Mime), "client document of phase I, PDF/A, framed (MIME part)");
    shelf.bare("case-fi-version-2", &second_case, "version 2 of the case (RPLC), bare");
    let mut replacing = frame(&second_client_document, Carrier::Base64);
    replacing.purpose_first = true;
    shelf.framed(
        "client-document-fi-version-2-framed",
        &replacing,
        "version 2 of the client plan as PDF/A, signed, framed (SPX-REPLACE), purpose before service request",
    );
    shelf.framed("old-client-relation-fi-framed-mime", &frame(&plain(&fi.old_relation), Carrier::Mime), "client relation marked old, framed (MIME part)");
    shelf.bare("closed-case-fi", &styled(&fi.closed_case, Prefix::Each, Layout::Indented), "closed case under the old relation, ep2: on each element, bare");
    shelf.bare("old-document-fi-pdf", &plain(&fi.old_document), "old document of 1997, PDF/A, original service task, bare");
    shelf.framed("old-document-fi-xhtml-framed", &frame(&old_xhtml, Carrier::Base64), "old document, XHTML without JSON, framed (base64)");
    shelf.between("b-informing-fi", &plain(&fi.informing), "the client was informed of the Kanta services, bare");
    shelf.bare("permission-fi", &styled(&fi.permission, Prefix::Each, Layout::OneLine), "permission to disclose, one line, bare");
    shelf.framed("denial-fi-framed", &frame(&plain(&fi.denial), Carrier::Base64), "denial of disclosure, framed (base64)");
    shelf.bare(
        "client-relation-sv",
        &styled(&sv.relation, Prefix::Default, Layout::Indented),
        "client relation in Swedish, default namespace declared anew, bare",
    );
    let mut older = frame(&styled(&sv.case, Prefix::Default, Layout::OneLine), Carrier::Base64);
    older.version = "V3-2005";
    older.names_client = false;
    shelf.framed("case-sv-framed", &older, "open case in Swedish, framed (base64), V3-2005, frame without client");
    shelf.framed(
        "client-document-sv-signed-framed-mime",
        &frame(&plain(&sv.client_document), Carrier::Mime),
        "client plan in Swedish, signed, framed (MIME part)",
    );
    shelf.bare("phase-one-sv", &styled(&sv.phase_one, Prefix::Each, Layout::OneLine), "client document of phase I in Swedish, PDF/A, bare");
    shelf.between("b-informing-sv", &plain(&sv.informing), "the client was informed of the Kanta services, in Swedish, bare");
    shelf.bare("denial-sv", &styled(&sv.denial, Prefix::Default, Layout::OneLine), "denial in Swedish, bare");
    shelf.lifecycle(&fi);
    shelf.wills(&fi);
    shelf.out
}

/// Queries that are answered, over the register of the accepted ones.
#[must_use]
pub fn queries() -> Vec<Sample> {
    let family = finnish();
    let hetu = family.person.hetu.clone();
    let case = family.case.case_id.clone().unwrap_or_default();
    let plan = family.client_document.id.as_str();
    let made = [
        ("metadata-by-client", QuerySpec::metadata(101, vec![Parameter::client(&hetu)]), "describing data of all the client's documents"),
        (
            "metadata-by-case-and-date",
            QuerySpec::metadata(102, vec![Parameter::ids("caseId", &[&case]), Parameter::authored(Some("20260101"), Some("20261231"))]),
            "describing data by case and date of authoring",
        ),
        (
            "metadata-every-version",
            QuerySpec::metadata(
                103,
                vec![
                    Parameter::client(&hetu),
                    Parameter::code("functionCode", "24"),
                    Parameter::code("documentGroup", "5"),
                    Parameter::code("documentState", "any"),
                    Parameter::value("allVersions", "true"),
                ],
            ),
            "client documents of a service task, every version, invalidated ones too",
        ),
        (
            "metadata-as-of",
            QuerySpec::metadata(104, vec![Parameter::client(&hetu), Parameter::value("asOfTime", "20260101")]),
            "what was valid on a day before anything was archived: nothing found",
        ),
        ("documents-by-id", QuerySpec::documents(105, vec![Parameter::ids("documentId", &[plan])]), "one document with its archived octets"),
        (
            "documents-by-case",
            QuerySpec::documents(106, vec![Parameter::ids("caseId", &[&case]), Parameter::code("documentGroup", "5")]),
            "the client documents of a case with their archived octets",
        ),
        (
            "wills-by-client",
            QuerySpec { service_request: "SPX-CONSENT-QUERY", ..QuerySpec::metadata(107, vec![Parameter::client(&hetu)]) },
            "a client's will expressions, whoever keeps them",
        ),
    ];
    let files = made.into_iter().enumerate().map(|(n, (name, spec, what))| Sample {
        path: format!("queries/{:02}-{name}.xml", n + 1),
        octets: spec.render(),
        what: what.to_owned(),
        code: None,
    });
    files.collect()
}

/// Disclosures outside the archive that are taken, after the accepted ones.
#[must_use]
pub fn disclosures() -> Vec<Sample> {
    let files = disclosures_of(&finnish()).into_iter().enumerate().map(|(n, (name, spec, what))| Sample {
        path: format!("disclosures/{:02}-{name}.xml", n + 1),
        octets: spec.render(),
        what: what.to_owned(),
        code: None,
    });
    files.collect()
}

/// The disclosures of a family's data: a name, the event, and what it is. The last one corrects the first.
#[must_use]
pub fn disclosures_of(family: &Family) -> Vec<(&'static str, DisclosureSpec, &'static str)> {
    let paper = |number: u64| DisclosureSpec::paper(family.id(700 + number), family.person.clone());
    let to_court = ("authority", None, Some("Testilän käräjäoikeus".to_owned()));
    let given_at = "2026-11-19T10:00:00+02:00".to_owned();
    let given = |kind, scope: &str| BasisSpec::Given(kind, "client", given_at.clone(), family.person.hetu.clone(), scope.to_owned());
    let archived = ItemSpec {
        document: Some(family.client_document.id.clone()),
        set: Some(family.client_document.set_id.clone()),
        general: Some(("13", "Suunnitelma")),
        tasks: vec!["25"],
        ..ItemSpec::default()
    };
    let old = ItemSpec {
        authored: Some("1997-03-04".to_owned()),
        original: family.old_document.original_task.iter().map(|task| (task.system, task.code)).collect(),
        tasks: vec![family.old_document.task.code],
        ..ItemSpec::words("Päätös vuodelta 1997, paperilla arkistokaapissa", "25")
    };
    let paper_copy = paper(1);
    let corrected =
        DisclosureSpec { corrects: Some(paper_copy.id.clone()), description: Some("Luovutettiin arvio kahdesta asiasta, ei yhdestä.".to_owned()), ..paper(7) };
    vec![
        ("paper-to-another-county", paper_copy, "a paper copy to another county, by statute"),
        (
            "by-word-to-a-court",
            DisclosureSpec {
                kind: "information",
                purpose: "authority",
                manner: "oral",
                recipient: to_court,
                basis: given("consent", "Olosuhteet oikeudelle"),
                ..paper(2)
            },
            "told to a court by word, with a consent that is in no archive",
        ),
        (
            "to-the-client",
            DisclosureSpec {
                purpose: "client-request", recipient: ("client", None, None), description: Some("Asiakkaan tietopyyntö.".to_owned()), ..paper(3)
            },
            "a copy to the client who asked for it",
        ),
        (
            "archived-document",
            DisclosureSpec { manner: "electronic", registers: vec![("1", vec![archived])], ..paper(4) },
            "an archived document through an integration of one's own",
        ),
        (
            "two-registers-sv",
            DisclosureSpec {
                language: Language::Sv,
                basis: given("permission", "Alla klientuppgifter inom socialvården"),
                registers: vec![
                    ("1", vec![ItemSpec::words("Bedömning av servicebehovet", "25"), ItemSpec::words("Anteckningar 2025", "24")]),
                    ("2", vec![ItemSpec::words("Barnskyddsanmälan", "10")]),
                ],
                ..paper(5)
            },
            "data of two registers, in Swedish, with a permission that is in no archive",
        ),
        ("old-data", DisclosureSpec { registers: vec![("1", vec![old])], ..paper(6) }, "data of 1997 with their original service task"),
        ("correction", corrected, "corrects the notice of the first one"),
    ]
}

/// The refused ones: every fault there is, but for those too large to keep.
#[must_use]
pub fn refused(hands: Option<&dyn Hands>) -> Vec<Sample> {
    let family = finnish();
    let made = Fault::all().enumerate().filter_map(|(n, fault)| Some((fault, fault.make(&family, hands, 1000 + n as u64)?)));
    made.map(|(fault, octets)| {
        let needs = match fault.needs {
            Needs::Nothing => "",
            Needs::Archive => ", after the accepted ones",
            Needs::Notices => ", after the accepted ones and the disclosures",
            Needs::Hold => ", after the accepted ones and the hold's time",
        };
        let what = format!("{}{needs}", fault.why.replace('-', " "));
        // What needs more than the accepted ones lies apart: whoever sends `refused` after `accepted` gets every code that is named.
        let folder = if fault.needs == Needs::Notices { "conflicts" } else { "refused" };
        Sample { path: format!("{folder}/{}.xml", fault.name()), octets, what, code: Some(fault.code) }
    })
    .collect()
}

/// Those that are taken with a warning.
#[must_use]
pub fn warned(hands: Option<&dyn Hands>) -> Vec<Sample> {
    let family = finnish();
    let made = Fault::warnings().enumerate().filter_map(|(n, warning)| Some((warning, warning.make(&family, hands, 3000 + n as u64)?)));
    made.map(|(warning, octets)| Sample {
        path: format!("warned/{}.xml", warning.name()),
        octets,
        what: warning.why.replace('-', " "),
        code: Some(warning.code),
    })
    .collect()
}

/// The small hostile ones.
#[must_use]
pub fn hostile() -> Vec<Sample> {
    let family = finnish();
    let mut spec = family.case.under(&family.id(900));
    spec.style = Style::default();
    let made = hostile::small(&spec.render());
    made.into_iter()
        .map(|h| Sample { path: format!("hostile/{}.xml", h.name), octets: h.octets, what: h.name.replace('-', " "), code: h.code.and_then(Code::parse) })
        .collect()
}

/// The table of `samples/README.md`.
#[must_use]
pub fn table(samples: &[Sample]) -> String {
    let mut out = String::from("| file | what | answer |\n|---|---|---|\n");
    for sample in samples {
        let answer = match sample.code {
            // A warning's acknowledgement type is AA.
            Some(code) => format!("{} {}", code.ack_type().as_str(), code.as_str()),
            None if ["accepted/", "queries/", "disclosures/"].iter().any(|folder| sample.path.starts_with(folder)) => "AA".to_owned(),
            None => "none".to_owned(),
        };
        out.push_str(&format!("| `{}` | {} | {answer} |\n", sample.path, sample.what));
    }
    out
}

struct Shelf<'a> {
    hands: Option<&'a dyn Hands>,
    out: Vec<Sample>,
    /// How many stand under the number of the one before.
    between: usize,
}

impl Shelf<'_> {
    /// What a client denies and no longer denies, and a permission that ends.
    fn wills(&mut self, fi: &Family) {
        let will = |of: &DocumentSpec, number, said| DocumentSpec { style: Style::default(), said: Some(said), ..of.under(&fi.id(number)) };
        let oid = |text: &str| Oid::parse(text).into_iter();
        let denied = oid(&fi.client_document.set_id).map(Denied::Document).chain([Denied::Task("25".to_owned())]);
        let denial = will(&fi.denial, 40, Said::Denials(denied.collect()));
        self.between("b-denial-fi-of-a-document-and-a-task", &denial, "denial of a document and of a service task, bare");
        let ended = will(&fi.denial, 41, Said::Cancelled(oid(&denial.id).collect()));
        self.between("c-denial-fi-cancelled", &ended, "the cancellation of that denial, a document of its own, bare");
        let withdrawn = will(&fi.permission, 42, Said::Permitted(false));
        self.between("d-permission-fi-no-longer", &withdrawn, "the client no longer permits disclosure, bare");
    }

    /// What is archived, invalidated and reinstated, in every form.
    fn lifecycle(&mut self, fi: &Family) {
        let (withdrawn, case) = (fi.withdrawn(), fi.withdrawn_case());
        self.bare("permission-fi-stored-twice", &withdrawn, "a permission that will be invalidated, bare");
        let why = Why { code: Some("stored-twice"), words: Some("Sama lupa tallennettiin jo aiemmin.".to_owned()) };
        self.event("invalidation-fi", &event::about(&withdrawn, Names::VERSION, SPX_INVALIDATE, why, 2), "invalidation of one version, with a code and words");
        let back = Why::code("mistake");
        self.event("reinstatement-fi", &event::about(&withdrawn, Names::VERSION, SPX_REINSTATE, back, 3), "the invalidation taken back, with a code");
        let again = Why::words("Tillståndet arkiverades två gånger.");
        let whole = event::about(&withdrawn, Names::SET, SPX_INVALIDATE, again, 4);
        self.event("invalidation-sv-whole-set", &whole, "invalidation of a whole set, with words");
        self.bare("case-fi-of-the-wrong-client", &case, "a case that will be invalidated, bare");
        let version = case.replacement(&fi.id(32));
        self.framed(
            "case-fi-invalidating-version",
            &event::invalidating(&version, Why::code("wrong-client"), 1),
            "version 2 that invalidates its case, framed (SPX-INVALIDATE)",
        );
    }

    /// A document that came to the folder later and must come before others: under the number before theirs, with a letter.
    fn between(&mut self, name: &str, spec: &DocumentSpec, what: &str) {
        let octets = spec.render();
        let path = format!("accepted/{:02}{name}.xml", self.out.len() - self.between);
        self.out.push(Sample { path, octets, what: what.to_owned(), code: None });
        self.between += 1;
    }

    fn event(&mut self, name: &str, frame: &FrameSpec, what: &str) {
        self.put(name, FrameSpec { style: Style::default(), ..frame.clone() }.render(&[]), what);
    }

    fn bare(&mut self, name: &str, spec: &DocumentSpec, what: &str) {
        if let Some(octets) = self.document(spec) {
            self.put(name, octets, what);
        }
    }

    fn framed(&mut self, name: &str, frame: &FrameSpec, what: &str) {
        if let Some(octets) = self.document(&frame.document) {
            self.put(name, frame.render(&octets), what);
        }
    }

    fn document(&self, spec: &DocumentSpec) -> Option<Vec<u8>> {
        let octets = spec.render();
        if spec.signed { self.hands?.sign(&octets, Hand::Professional) } else { Some(octets) }
    }

    fn put(&mut self, name: &str, octets: Vec<u8>, what: &str) {
        let path = format!("accepted/{:02}-{name}.xml", self.out.len() - self.between + 1);
        self.out.push(Sample { path, octets, what: what.to_owned(), code: None });
    }
}
