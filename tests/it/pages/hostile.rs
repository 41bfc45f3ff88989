//! Hostile content in every field that a document can carry, in message ids, reply queues, people's names and what is typed: every view of it is opened, and
//! the browser bears witness that nothing ran, nothing was asked of anybody, no window came up and no page led away.
//!
//! The gateway refuses what is active in a body (E510, E511, E514). Here its list for XHTML is opened wide, so that the console has to stand alone.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arkki::adapters::amqp::{AmqpClient, Outgoing, Secret};
use arkki::domain::language::Language;
use arkki::generate::document::DocumentSpec;
use arkki::generate::family::Family;
use arkki::generate::person::Person;
use arkki::generate::signature::{Hand, Hands as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{House, OWN};
use crate::console::browser::{Terminal, encoded};
use crate::generate::keys;
use crate::kit;
use crate::kit::browser::{Chromium, ENTER, SPACE};

/// The documents that are looked at in all their views at least: of person, versions, PDF, JSON, body and attributes.
const LEAST_TAKEN: usize = 8;
/// How long after the last page something may still come.
const AFTER: Duration = Duration::from_secs(2);

/// Where the trap shows the same words unescaped: the proof that it can catch.
const PAGE: &str = "/page";

fn words(port: u16, of: &str) -> String {
    let at = format!("//127.0.0.1:{port}/{of}");
    format!("\"'></title><img src={at} onerror=document.title='owned'><script>document.title='owned'</script>")
}

/// A listener that nobody has a reason to talk to, and what was asked of it.
struct Trap {
    port: u16,
    caught: Arc<Mutex<Vec<String>>>,
}

impl Trap {
    fn set() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, caught) = (listener.local_addr().unwrap().port(), Arc::new(Mutex::new(Vec::new())));
        let seen = Arc::clone(&caught);
        // It ends with the tests' process.
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut head = [0; 512];
                let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
                let read = stream.read(&mut head).unwrap_or(0);
                // Chromium connects to where an address points before it asks the page's policy, and then asks for nothing: that carries no word.
                let Some(asked) = String::from_utf8_lossy(&head[..read]).lines().next().map(str::to_owned) else { continue };
                let page = if asked.contains(PAGE) { format!("<title>t</title><p title=\"{}", words(port, "control")) } else { String::new() };
                let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{page}", page.len());
                if page.is_empty() {
                    seen.lock().unwrap().push(asked);
                }
            }
        });
        Self { port, caught }
    }

    fn caught(&self) -> Vec<String> {
        self.caught.lock().unwrap().clone()
    }

    /// What leaves an attribute or a text and runs, where somebody forgot to escape it.
    fn words(&self, of: &str) -> String {
        words(self.port, of)
    }

    /// A whole page of ways to run, to fetch and to lead away, as XHTML.
    fn body(&self, id: &str) -> String {
        let at = format!("http://127.0.0.1:{}", self.port);
        format!(
            "<div xmlns=\"http://www.w3.org/1999/xhtml\" class=\"soc-document\" id=\"OID{id}\" onclick=\"top.document.title='owned'\" onmouseover=\"top.document.title='owned'\">\
             <script>document.title='owned';top.document.title='owned';alert('owned');fetch('{at}/fetch');open('{at}/open')</script>\
             <script src=\"{at}/script\"></script><meta http-equiv=\"refresh\" content=\"0;url={at}/refresh\"/><base href=\"{at}/base/\"/>\
             <link rel=\"stylesheet\" href=\"{at}/link\"/><style>@import url({at}/import); body {{ background: url({at}/background) }}</style>\
             <p style=\"background: url({at}/style)\">a</p><img src=\"{at}/img\" onerror=\"top.document.title='owned'\" alt=\"\"/><img src=\"x\" onerror=\"top.document.title='owned'\" alt=\"\"/>\
             <iframe src=\"{at}/iframe\"></iframe><iframe srcdoc=\"&lt;script&gt;top.document.title='owned'&lt;/script&gt;\"></iframe>\
             <object data=\"{at}/object\"></object><embed src=\"{at}/embed\"/><video src=\"{at}/video\" autoplay=\"\"></video><audio src=\"{at}/audio\" autoplay=\"\"></audio>\
             <form action=\"{at}/form\" id=\"f\"><input name=\"x\" autofocus=\"\" onfocus=\"top.document.title='owned'\"/><button>go</button></form>\
             <a href=\"javascript:top.document.title='owned'\" id=\"link\" style=\"display: block; position: fixed; left: 0; top: 0; width: 100%; height: 100%\">a</a>\
             <h1 class=\"soc-fulltitle\">x</h1></div>"
        )
    }
}

/// As an attribute's value or a text.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The same document with every value of an attribute of this name changed.
fn with_attribute(text: &str, name: &str, value: &str) -> String {
    let begin = format!(" {name}=\"");
    let mut parts = text.split(&begin);
    let mut out = parts.next().unwrap().to_owned();
    for part in parts {
        out.push_str(&begin);
        out.push_str(&escaped(value));
        out.push_str(&part[part.find('"').unwrap()..]);
    }
    out
}

/// The names of the elements with a text, without prefixes; the bodies left out.
fn texts(text: &str) -> BTreeSet<String> {
    let closing = text.split("</").skip(1).map(|rest| rest.split('>').next().unwrap().rsplit(':').next().unwrap().to_owned());
    closing.filter(|name| !["text", "json"].contains(&name.as_str()) && with_text(text, name, "?") != text).collect()
}

/// The same document with the text of every element of this name changed.
fn with_text(text: &str, name: &str, value: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("</") {
        let close = &rest[at + 2..];
        let local = close.split('>').next().unwrap().rsplit(':').next().unwrap();
        let begin = rest[..at].rfind('>').map_or(0, |begin| begin + 1);
        let is_text = local == name && !rest[begin..at].trim().is_empty();
        out.push_str(if is_text { &rest[..begin] } else { &rest[..at] });
        if is_text {
            out.push_str(&escaped(value));
        }
        out.push_str("</");
        rest = close;
    }
    out + rest
}

/// The content of an element in base64, changed.
fn with_body(text: &str, name: &str, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> String {
    let end = text.find(&format!("{name}>\n")).or_else(|| text.rfind(&format!("{name}>"))).and_then(|at| text[..at].rfind("</")).unwrap();
    let begin = text[..end].rfind('>').unwrap() + 1;
    let old = STANDARD.decode(text[begin..end].trim()).unwrap();
    format!("{}{}{}", &text[..begin], STANDARD.encode(change(old)), &text[end..])
}

/// The longest text of a JSON value.
fn longest(value: &mut Value) -> Option<&mut String> {
    match value {
        Value::String(text) => Some(text),
        Value::Array(items) => items.iter_mut().filter_map(longest).max_by_key(|text| text.len()),
        Value::Object(members) => members.values_mut().filter_map(longest).max_by_key(|text| text.len()),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// The generator's PDF with something more in its catalogue and over its whole page, and a right cross-reference.
fn pdf(octets: &[u8], catalogue: &str, action: &str) -> Vec<u8> {
    let find = |octets: &[u8], what: &[u8]| octets.windows(what.len()).position(|window| window == what).unwrap();
    let trailer_at = octets.windows(7).rposition(|window| window == b"trailer").unwrap();
    let table_at = octets[..trailer_at].windows(5).rposition(|window| window == b"xref\n").unwrap();
    let trailer = String::from_utf8_lossy(&octets[trailer_at..]).into_owned();
    let dictionary = &trailer[trailer.find("<<").unwrap()..trailer.rfind(">>").unwrap() + 2];
    let insert = |octets: &[u8], before: &[u8], what: &str| {
        let at = find(octets, before);
        [&octets[..at], what.as_bytes(), &octets[at..]].concat()
    };
    let mut out = insert(&octets[..table_at], b"/Pages 2 0 R", catalogue);
    out = insert(&out, b"/MediaBox", "/Annots [8 0 R] ");
    out.extend_from_slice(
        format!("8 0 obj\n<< /Type /Annot /Subtype /Link /Rect [0 0 595 842] /Border [0 0 0] /F 4 /A << /Type /Action {action} >> >>\nendobj\n").as_bytes(),
    );
    let start = out.len();
    let mut table = "xref\n0 9\n0000000000 65535 f \n".to_owned();
    for number in 1..=8 {
        let at = find(&out, format!("\n{number} 0 obj\n").as_bytes()) + 1;
        table.push_str(&format!("{at:010} 00000 n \n"));
    }
    let dictionary = dictionary.replace("/Size 8", "/Size 9");
    out.extend_from_slice(format!("{table}trailer\n{dictionary}\nstartxref\n{start}\n%%EOF\n").as_bytes());
    out
}

/// A document that means harm: what of it, its file, its id, and whether a professional signed it.
struct Sent {
    what: String,
    file: PathBuf,
    id: String,
}

/// The family whose every field is hostile, in the order in which it can be archived.
fn sent(trap: &Trap, folder: &std::path::Path) -> Vec<Sent> {
    let keys = keys();
    let name: &'static str = Box::leak(trap.words("name").into_boxed_str());
    let family = Family::of(Person::new((1990, 1, 1), 951, vec![name], name), 7, 77, Language::Fi);
    let mut out = Vec::new();
    let mut put = |what: &str, id: &str, text: String, signed: bool| {
        let octets = if signed { keys.sign(text.as_bytes(), Hand::Professional).unwrap_or_else(|| text.into_bytes()) } else { text.into_bytes() };
        let file = folder.join(format!("{:02}-{what}.xml", out.len()));
        std::fs::write(&file, octets).unwrap();
        out.push(Sent { what: what.to_owned(), file, id: id.to_owned() });
    };
    let text = |spec: &DocumentSpec| String::from_utf8(spec.render()).unwrap();
    for (what, spec) in [("relation", &family.relation), ("case", &family.case), ("plan", &family.client_document), ("phase-one", &family.phase_one)] {
        put(what, &spec.id, text(spec), spec.signed);
    }
    let plan = &family.client_document;
    let second = plan.replacement(&family.id(120));
    put("plan-second-version", &second.id, text(&second), true);
    let mut number = 130;
    let mut next = |spec: &DocumentSpec| {
        number += 1;
        spec.under(&family.id(number))
    };
    // Each attribute and each text by itself: what the gateway refuses is looked at as a message, what it takes as a document.
    for attribute in ["displayName", "extension", "codeSystemName", "representation", "mediaType", "nullFlavor", "code", "value", "ID", "root"] {
        let spec = next(plan);
        let changed = with_attribute(&text(&spec), attribute, &trap.words(attribute));
        put(&format!("attribute-{attribute}"), &spec.id, changed, !["ID", "root"].contains(&attribute));
    }
    for element in texts(&text(plan)) {
        let spec = next(plan);
        put(&format!("text-{element}"), &spec.id, with_text(&text(&spec), &element, &trap.words(&element)), true);
    }
    let spec = next(plan);
    let hostile = with_body(&text(&spec), "json", |octets| {
        let mut value: Value = serde_json::from_slice(&octets).unwrap();
        *longest(&mut value).unwrap() = trap.words("json");
        value.to_string().into_bytes()
    });
    put("json-text", &spec.id, hostile, true);
    let spec = next(plan);
    let hostile = with_body(&text(&spec), "json", |octets| {
        let mut value: Value = serde_json::from_slice(&octets).unwrap();
        value.as_object_mut().unwrap().insert(trap.words("member"), json!({ "__proto__": trap.words("value") }));
        value.to_string().into_bytes()
    });
    put("json-member", &spec.id, hostile, true);
    let spec = next(plan);
    put("body", &spec.id, with_body(&text(&spec), "text", |_| trap.body(&spec.id).into_bytes()), true);
    let at = format!("http://127.0.0.1:{}", trap.port);
    for (what, catalogue, action) in [
        ("pdf-link-script", String::new(), "/S /URI /URI (javascript:document.title='owned')".to_owned()),
        ("pdf-opens-address", format!("/OpenAction << /Type /Action /S /URI /URI ({at}/pdf) >> "), format!("/S /URI /URI ({at}/link)")),
        ("pdf-script", "/OpenAction << /S /JavaScript /JS (app.alert\\('owned'\\)) >> ".to_owned(), format!("/S /SubmitForm /F ({at}/submit)")),
    ] {
        let spec = next(&family.phase_one);
        put(what, &spec.id, with_body(&text(&spec), "text", |octets| pdf(&octets, &catalogue, &action)), spec.signed);
    }
    out
}

/// The rules of the repository with the list for XHTML opened wide.
fn open_rules(folder: &std::path::Path) {
    for part in ["codes", "templates", "xsd"] {
        kit::copy_folder(&kit::repository().join(part), &folder.join(part));
    }
    let file = folder.join("codes/body.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let (mut out, mut is_xhtml) = (String::new(), false);
    for line in text.lines() {
        is_xhtml = if line.starts_with('[') { line == "[xhtml]" } else { is_xhtml };
        let line = match line {
            "elements = [" if is_xhtml => {
                "elements = [\n\"script\", \"base\", \"link\", \"iframe\", \"object\", \"embed\", \"audio\", \"video\", \"form\", \"input\", \"button\","
            }
            _ if is_xhtml && line.starts_with("outside = ") => "outside = []",
            _ if is_xhtml && line.starts_with("attribute_beginnings = ") => "attribute_beginnings = [\"\"]",
            _ if is_xhtml && line.starts_with("  { attribute = ") => "",
            _ if is_xhtml && line.starts_with("style_forbids = ") => "style_forbids = []",
            _ if is_xhtml && line.starts_with("http_equiv = ") => "http_equiv = [\"refresh\"]",
            line => line,
        };
        out.push_str(line);
        out.push('\n');
    }
    std::fs::write(file, out).unwrap();
}

/// What the browser saw of a page: nothing, or what happened.
#[track_caller]
fn quiet(browser: &Chromium, trap: &Trap, at: &str) {
    assert!(!browser.title().contains("owned"), "{at}: a script ran");
    assert_eq!(browser.windows(), 1, "{at}: a window came up");
    let made = "return [...document.querySelectorAll('main script:not([src=\"/board.js\"]), main img, main object, main embed, main form[action*=\"//\"], body > script:not([src=\"/board.js\"])')].map(e => e.outerHTML)";
    assert_eq!(browser.run(made, &[]), json!([]), "{at}: something became an element");
    assert_eq!(trap.caught(), Vec::<String>::new(), "{at}: something was asked for");
}

#[track_caller]
fn open(browser: &Chromium, trap: &Trap, address: &str) {
    browser.goto(address);
    quiet(browser, trap, address);
    assert!(browser.url() == address || browser.url().starts_with(address), "{address} led to {}", browser.url());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_a_document_a_message_or_a_name_carries_runs_or_asks_for_anything() {
    let Some(browser) = Chromium::open() else { return };
    // The trap can catch: the same words where nobody escapes them.
    let control = Trap::set();
    browser.goto(&format!("http://127.0.0.1:{}{PAGE}", control.port));
    assert!(kit::wait_until_blocking(Duration::from_secs(20), || browser.title() == "owned" && !control.caught().is_empty()), "{:?}", control.caught());

    let (trap, rules) = (Trap::set(), kit::temp_dir());
    open_rules(rules.path());
    let roles = "roles = [\"operator\", \"archivist\", \"data-protection-officer\", \"administrator\"]";
    let more = format!(
        "[rules]\nfolder = {:?}\n[console]\nlink = \"eve\"\n[people.eve]\nname = {}\norganisation = \"{OWN}\"\n{roles}\n",
        rules.path(),
        json!("\"><script>document.title='owned'</script>")
    );
    let house = House::open(&more).await;
    let folder = kit::temp_dir();
    let all = sent(&trap, folder.path());
    let answers = house.gateway.send(&all.iter().map(|one| one.file.clone()).collect::<Vec<_>>());
    let told: Vec<_> = all.iter().zip(&answers).map(|(one, (_, answer, details))| format!("{}: {answer} {details:.160}", one.what)).collect();
    println!("{}", told.join("\n"));
    let of = |what: &str| all.iter().zip(&answers).find(|(one, _)| one.what == what).map(|(one, answer)| (one, answer.1.as_str(), answer.2.as_str())).unwrap();
    for must in ["relation", "case", "plan", "plan-second-version", "phase-one", "json-text", "body", "pdf-link-script"] {
        assert_eq!(of(must).1, "AA", "{must}: {}", of(must).2);
    }
    // A script in a PDF is not taken: browsers' viewers would run it.
    assert!(of("pdf-script").2.contains("E514"), "{}", of("pdf-script").2);
    let id = letter(&house, &trap, std::fs::read(&of("attribute-root").0.file).unwrap()).await;
    let mut terminal = Terminal::open(&house.gateway);
    let link = terminal.link();
    let origin = crate::desk::origin(&link);
    browser.goto(&link);
    quiet(&browser, &trap, "home");
    let taken: Vec<&Sent> = all.iter().zip(&answers).filter(|(_, (_, answer, _))| answer == "AA").map(|(one, _)| one).collect();
    assert!(taken.len() >= LEAST_TAKEN, "{answers:?}");
    views(&browser, &trap, &origin, &taken);
    clicks(&browser, &trap, &origin, &taken);
    browser.goto(&format!("{origin}/documents/{}", of("body").0.id));
    browser.picture("hostile-body");
    open(&browser, &trap, &format!("{origin}/documents/{}/compare?with={}", of("plan").0.id, of("plan-second-version").0.id));
    // The message page of each, and the lines of those that were refused.
    let hash = |one: &Sent| arkki::crypto::sha256(&std::fs::read(&one.file).unwrap()).to_hex();
    for (one, (_, answer, _)) in all.iter().zip(&answers) {
        open(&browser, &trap, &format!("{origin}/messages/{}", hash(one)));
        if answer != "AA" && browser.look("#why").len() == 1 {
            browser.fill("#why", "support case 7");
            browser.press(ENTER);
            assert!(kit::wait_until_blocking(Duration::from_secs(20), || browser.url().ends_with("/lines")), "{}", browser.url());
            browser.shows("main", "");
            quiet(&browser, &trap, &one.what);
        }
    }
    for page in ["/", "/messages", "/people", "/officer", "/officer/notices", "/doctor", "/rules", "/documents", "/disclosures/new"] {
        open(&browser, &trap, &format!("{origin}{page}"));
    }
    open(&browser, &trap, &format!("{origin}/messages?id={}", encoded(&id)));
    assert!(!browser.look("main td").is_empty(), "the message is not found by its hostile id: {}", browser.text("main"));
    typed(&browser, &trap, &origin);
    for page in ["/", "/people", "/glass"] {
        open(&browser, &trap, &format!("{origin}{page}"));
    }
    std::thread::sleep(AFTER);
    quiet(&browser, &trap, "at last");
    drop(browser);
    terminal.end();
    house.end();
}

/// A message whose id and reply queue mean harm; its id.
async fn letter(house: &House, trap: &Trap, octets: Vec<u8>) -> String {
    let (id, reply) = (trap.words("message"), format!("arkki.reply.guest.{}", trap.words("reply")));
    let client = AmqpClient::connect(&Secret::new(house.gateway.vhost.amqp_url.clone()), "hostile").await.unwrap();
    client.declare_reply_queue(&reply).await.unwrap();
    let mut replies = client.answers(&reply).await.unwrap();
    let octets = [octets, b"\n<!-- again -->".to_vec()].concat();
    let outgoing = Outgoing {
        queue: "arkki.inbound".into(),
        message_id: Some(id.clone()),
        reply_to: Some(reply),
        user_id: Some("guest".into()),
        body: Arc::new(octets),
        ..Outgoing::default()
    };
    client.send(outgoing).await.unwrap();
    assert!(replies.next(Duration::from_secs(60)).await.unwrap().is_some(), "no answer to the hostile reply queue");
    id
}

/// Every view of the documents.
fn views(browser: &Chromium, trap: &Trap, origin: &str, taken: &[&Sent]) {
    for one in taken {
        let document = format!("{origin}/documents/{}", one.id);
        for rest in ["", "/body", "/form", "/signature", "/invalidate"] {
            if !(one.what.contains("pdf") && rest == "/body") {
                open(browser, trap, &format!("{document}{rest}"));
            }
        }
        open(browser, trap, &format!("{document}?lang=sv"));
    }
}

/// What waits for a click, in the frame and alone.
fn clicks(browser: &Chromium, trap: &Trap, origin: &str, taken: &[&Sent]) {
    for (what, alone) in [("body", "/body"), ("pdf-link-script", "/body.pdf"), ("pdf-opens-address", "/body.pdf")] {
        let Some(one) = taken.iter().find(|one| one.what == what) else { continue };
        for rest in ["", alone] {
            let address = format!("{origin}/documents/{}{rest}", one.id);
            browser.goto(&address);
            std::thread::sleep(Duration::from_secs(1));
            if what != "pdf-opens-address" {
                let (x, y) = if rest.is_empty() { middle(browser) } else { (640, 450) };
                browser.click_at(x, y);
                std::thread::sleep(Duration::from_secs(1));
            }
            assert!(!browser.title().contains("owned") && browser.url() == address, "{address}: {}", browser.url());
            assert_eq!((browser.windows(), trap.caught()), (1, vec![]), "{address}");
        }
    }
}

/// What people type comes back as words: a search, a reason for breaking the glass.
fn typed(browser: &Chromium, trap: &Trap, origin: &str) {
    browser.goto(&format!("{origin}/documents"));
    browser.fill("#client", &trap.words("typed"));
    browser.press(ENTER);
    browser.shows("[role='alert'], .fault", "");
    quiet(browser, trap, "a search");
    browser.goto(&format!("{origin}/glass"));
    browser.fill("#reason", &trap.words("reason"));
    browser.tab_to("button[value='break']");
    browser.press(SPACE);
    browser.shows("main", "script");
    quiet(browser, trap, "the glass");
}

/// The middle of the page's frame, brought into sight.
fn middle(browser: &Chromium) -> (u32, u32) {
    let at = browser.run("const f = document.querySelector('iframe'); f.scrollIntoView({ block: 'center' }); const b = f.getBoundingClientRect(); return [b.x + b.width / 2, b.y + Math.min(b.height, 600) / 2]", &[]);
    let number = |at: &Value| at.as_f64().map_or(0, |n| n as u32);
    (number(&at[0]), number(&at[1]))
}
