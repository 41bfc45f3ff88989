//! Every page of the console in a real browser, and everything that somebody may do to it. The pages are known in one place, [`ROUTES`], which is held
//! against the console's own source: a page that is added and not walked fails the first test here.
//!
//! * `every`: languages, colours, widths, accessibility, weight, the keyboard, no scripts
//! * `doors`: another organisation's ids, forged forms, sessions that have ended
//! * `hostile`: what a document, a message and a person's name may carry does nothing

mod doors;
mod every;
mod hostile;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::kit;
use crate::kit::process::{Process, Signal};
use crate::road::{Gateway, files};

/// Whose documents the samples are, and somebody else.
const OWN: &str = "1.2.246.10.99999992.10.0";
const OTHER: &str = "1.2.246.10.99999984.10.0";

/// What a route is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A page of HTML: all of its addresses are walked.
    Page,
    /// A page that also takes its form.
    Both,
    /// Takes a form only.
    Form,
    /// A page's part, or octets: no page of its own.
    Part,
    /// Lets people in: who has no session is told how to come in.
    Door,
}
use Kind::{Both, Door, Form, Page, Part};

/// Every route of the console, what it is, and where to look at it. A new page is one line here. What stands in braces in an address is a value of the
/// archive ([`House::address`]).
const ROUTES: &[(&str, Kind, &[&str])] = &[
    ("/", Page, &["/"]),
    ("/board/stream", Part, &["/board/stream"]),
    ("/board.js", Part, &["/board.js"]),
    ("/style.css", Part, &["/style.css"]),
    ("/enter/{token}", Door, &["/enter/0000000000000000000000000000000000000000000000000000000000000000"]),
    ("/enter/card", Door, &["/enter/card"]),
    ("/enter/openid/begin", Door, &["/enter/openid/begin"]),
    ("/enter/openid", Door, &["/enter/openid"]),
    ("/leave", Form, &["/leave"]),
    ("/disclosures/new", Both, &["/disclosures/new"]),
    ("/people", Both, &["/people"]),
    ("/glass", Both, &["/glass"]),
    ("/doctor", Page, &["/doctor"]),
    ("/officer", Page, &["/officer"]),
    ("/officer/client", Form, &["/officer/client"]),
    ("/officer/export", Form, &["/officer/export"]),
    ("/officer/notices", Page, &["/officer/notices"]),
    ("/documents", Both, &["/documents", "/documents?document={relation}"]),
    ("/documents/{id}", Page, &["/documents/{structured}", "/documents/{pdf}", "/documents/{case}", "/documents/1.2.3"]),
    ("/documents/{id}/body", Part, &["/documents/{structured}/body"]),
    ("/documents/{id}/body.pdf", Part, &["/documents/{pdf}/body.pdf"]),
    ("/documents/{id}/form", Page, &["/documents/{structured}/form"]),
    ("/documents/{id}/signature", Page, &["/documents/{structured}/signature"]),
    ("/documents/{id}/compare", Page, &["/documents/{case}/compare?with={before}"]),
    ("/documents/{id}/invalidate", Both, &["/documents/{structured}/invalidate"]),
    ("/messages", Page, &["/messages", "/messages?state=refused"]),
    ("/messages/{name}", Page, &["/messages/{refused}", "/messages/{accepted}", "/messages/00000000"]),
    ("/messages/{name}/lines", Form, &["/messages/{refused}/lines"]),
    ("/refusals", Page, &["/refusals", "/refusals?code=E305"]),
    ("/refusals/group", Page, &["/refusals/group?code=E305"]),
    ("/refusals/deeds", Both, &["/refusals/deeds?id=1"]),
    ("/refusals/undo", Form, &["/refusals/undo"]),
    ("/refusals/replay", Both, &["/refusals/replay?code=E305"]),
    ("/refusals/jobs", Page, &["/refusals/jobs"]),
    ("/refusals/jobs/{id}", Both, &["/refusals/jobs/1"]),
    ("/refusals/jobs/{id}/stream", Part, &["/refusals/jobs/1/stream"]),
    ("/rehearsal", Both, &["/rehearsal"]),
    ("/rules", Page, &["/rules"]),
    ("/rules/codes/{code}", Page, &["/rules/codes/E308"]),
    ("/rules/groups/{group}", Page, &["/rules/groups/5"]),
];

/// A gateway with the accepted samples and a refused one in its archive, by the road.
struct House {
    gateway: Gateway,
    serve: Process,
    values: BTreeMap<&'static str, String>,
}

impl House {
    async fn open(more: &str) -> Self {
        let gateway = Gateway::new(None, more).await;
        gateway.arkki(&["migrate"]).must();
        let serve = gateway.serve(&[]);
        let samples = |folder: &str| files(&kit::repository().join("samples").join(folder));
        let (accepted, refused) = (samples("accepted"), samples("refused").into_iter().find(|file| file.to_str().unwrap().contains("/E305")).unwrap());
        let mut sent = accepted.clone();
        sent.push(refused.clone());
        let answers = gateway.send(&sent);
        let wrong: Vec<_> = answers.iter().enumerate().filter(|(at, (_, answer, _))| answer != if *at < accepted.len() { "AA" } else { "AE" }).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
        // A replay that is over: the refused message is refused once more.
        gateway.arkki(&["refusals", "replay", "--all", "--why", "the rule was mended", "--yes", "--wait"]).must();
        let hash = |file: &Path| arkki::crypto::sha256(&std::fs::read(file).unwrap()).to_hex();
        let document = |number: u32| format!("1.2.246.10.99999992.95.2026.1.{number}");
        let values = BTreeMap::from([
            ("relation", document(1)),
            ("before", document(2)),
            ("structured", document(4)),
            ("pdf", document(7)),
            ("case", document(20)),
            ("accepted", hash(&accepted[0])),
            ("refused", hash(&refused)),
        ]);
        Self { gateway, serve, values }
    }

    /// An address with the archive's values in the places of their names.
    fn address(&self, address: &str) -> String {
        let filled = self.values.iter().fold(address.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value));
        assert!(!filled.contains('{'), "{address}: no value for what is in braces");
        filled
    }

    /// The addresses of the routes of these kinds, filled; each with its route.
    fn addresses(&self, kinds: &[Kind]) -> Vec<(&'static str, String)> {
        let of = |(route, _, addresses): &(&'static str, Kind, &[&str])| addresses.iter().map(|address| (*route, self.address(address))).collect::<Vec<_>>();
        ROUTES.iter().filter(|(_, kind, _)| kinds.contains(kind)).flat_map(of).collect()
    }

    /// Writes something of the configuration anew; for consoles that are opened after it.
    fn configure(&self, from: &str, to: &str) {
        let config = self.gateway.folder.path().join("arkki.toml");
        let text = std::fs::read_to_string(&config).unwrap();
        assert!(text.contains(from), "{from}: {text}");
        std::fs::write(&config, text.replace(from, to)).unwrap();
    }

    fn end(mut self) {
        self.serve.signal(Signal::Term);
        assert!(self.serve.wait(Duration::from_secs(60)).is_some_and(|status| status.success()), "{}", self.gateway.log_text());
        self.gateway.arkki(&["audit"]).must();
    }
}

/// The source of the console: each file's module name and text.
fn sources(folder: &Path, out: &mut Vec<(String, String)>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let stem = path.file_stem().unwrap().to_str().unwrap();
            let module = if stem == "mod" { folder.file_name().unwrap().to_str().unwrap() } else { stem };
            out.push((module.to_owned(), std::fs::read_to_string(&path).unwrap()));
        }
    }
}

/// The arguments of each `.route(…)` of a text: path and methods.
fn routes_of(text: &str) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for rest in text.split(".route(").skip(1) {
        let (mut depth, mut comma, mut end, mut quoted) = (0_usize, None, rest.len(), false);
        for (at, c) in rest.char_indices() {
            match c {
                '"' => quoted = !quoted,
                _ if quoted => {}
                '(' | '{' => depth += 1,
                ')' if depth == 0 => {
                    end = at;
                    break;
                }
                ')' | '}' => depth -= 1,
                ',' if depth == 0 && comma.is_none() => comma = Some(at),
                _ => {}
            }
        }
        let comma = comma.expect("a path and its methods");
        out.push((rest[..comma].trim().to_owned(), rest[comma + 1..end].trim().to_owned()));
    }
    out
}

#[test]
fn every_route_of_the_console_is_on_the_list() {
    let mut files = Vec::new();
    sources(&kit::repository().join("src/web/console"), &mut files);
    // `const PATH: &str = "/documents";` by `documents::PATH`.
    let mut constants = BTreeMap::new();
    for (module, text) in &files {
        for line in text.lines().filter(|line| line.contains("const ") && line.contains(": &str = \"/")) {
            let name = line.split("const ").nth(1).and_then(|rest| rest.split(':').next()).unwrap();
            constants.insert(format!("{module}::{name}"), line.split('"').nth(1).unwrap().to_owned());
        }
    }
    let (mut found, mut posts) = (BTreeSet::new(), BTreeSet::new());
    for (module, text) in &files {
        for (path, methods) in routes_of(text) {
            let named = if path.contains("::") { path.rsplitn(3, "::").take(2).collect::<Vec<_>>() } else { vec![path.as_str(), module.as_str()] };
            let path = path.strip_prefix('"').map_or_else(
                || constants.get(&format!("{}::{}", named[1], named[0])).unwrap_or_else(|| panic!("what path is {path} in {module}?")).clone(),
                |literal| literal.trim_end_matches('"').to_owned(),
            );
            if methods.contains("post(") {
                posts.insert(path.clone());
            }
            found.insert(path);
        }
    }
    let listed: BTreeSet<String> = ROUTES.iter().map(|(route, ..)| (*route).to_owned()).collect();
    assert_eq!(listed, found, "tests/it/pages.rs: ROUTES");
    let forms: BTreeSet<String> = ROUTES.iter().filter(|(_, kind, _)| matches!(kind, Both | Form)).map(|(route, ..)| (*route).to_owned()).collect();
    assert_eq!(forms, posts, "tests/it/pages.rs: who takes forms");
}
