//! A real browser: Debian's Chromium without a window, driven over WebDriver by chromedriver, with DevTools' emulation of widths, colours and a browser
//! without scripts; what it paints as [`Picture`]s; axe-core as the judge of accessibility. Nothing that a page asks of another machine leaves this one.
//!
//! Pictures are kept under `target/screenshots/`. Where no Chromium can be installed, `ARKKI_NO_BROWSER=1` leaves these tests out, and says so; without it
//! its absence is a failure.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

pub use super::picture::Picture;
use super::process::Process;
use super::{TempDir, ports, repository, temp_dir, tool, wait_until_blocking};

/// How long the browser may take for one command; a page that waits for the gateway is the slowest.
const LONGEST: Duration = Duration::from_secs(60);
/// How long what a page should show may take to come.
const SOON: Duration = Duration::from_secs(20);
/// The largest answer: a picture of a long page.
const ANSWER_OCTETS: u64 = 64 * 1024 * 1024;
/// WebDriver's name of an element in JSON.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// One browser at a time: each takes a processor while it paints.
static ONE: Mutex<()> = Mutex::new(());

/// Keys, as WebDriver writes them.
pub const TAB: &str = "\u{E004}";
pub const ENTER: &str = "\u{E007}";
pub const SPACE: &str = " ";

/// A running browser with one window; it ends with this value.
pub struct Chromium {
    session: String,
    agent: ureq::Agent,
    _driver: Process,
    _folder: TempDir,
    _turn: MutexGuard<'static, ()>,
}

/// An element of the page that is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element(String);

impl Chromium {
    /// Opens a window of 1280 × 900; `None`, said aloud, with `ARKKI_NO_BROWSER=1`.
    pub fn open() -> Option<Self> {
        if left_out() {
            return None;
        }
        let turn = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let (driver, chromium) = (tool("chromedriver"), tool("chromium"));
        let (folder, port) = (temp_dir(), ports::free());
        let log = folder.path().join("chromedriver.log");
        let process = Process::start(Command::new(driver).arg(format!("--port={port}")).env("TMPDIR", folder.path()).env("HOME", folder.path()), &log);
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(LONGEST)).proxy(None).build().into();
        let base = format!("http://127.0.0.1:{port}");
        let ready = || agent.get(format!("{base}/status")).call().is_ok();
        assert!(wait_until_blocking(LONGEST, ready), "{}", std::fs::read_to_string(&log).unwrap_or_default());
        let profile = format!("--user-data-dir={}", folder.path().join("profile").display());
        let mut args = vec![
            "--headless=new",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--force-device-scale-factor=1",
            "--hide-scrollbars",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-proxy-server",
            // Whatever a hostile document asks for, no name leads out of this machine.
            "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
            "--window-size=1280,900",
            &profile,
        ];
        // The sandbox of Chromium's processes cannot be had by root, as in containers.
        if super::run("id", ["-u"]).text().trim() == "0" {
            args.push("--no-sandbox");
        }
        let options = json!({ "binary": chromium, "args": args });
        let asked =
            json!({ "capabilities": { "alwaysMatch": { "browserName": "chrome", "goog:chromeOptions": options, "unhandledPromptBehavior": "ignore" } } });
        let made =
            send(&agent, &format!("{base}/session"), &asked).unwrap_or_else(|why| panic!("{why}\n{}", std::fs::read_to_string(&log).unwrap_or_default()));
        let session = format!("{base}/session/{}", made["sessionId"].as_str().expect("a session's id"));
        let browser = Self { session, agent, _driver: process, _folder: folder, _turn: turn };
        browser.size(1280, 900);
        Some(browser)
    }

    /// Goes to an address and waits until it has loaded.
    #[track_caller]
    pub fn goto(&self, url: &str) {
        self.post("url", &json!({ "url": url }));
    }

    /// The address that is shown.
    #[track_caller]
    pub fn url(&self) -> String {
        self.get("url").as_str().unwrap_or_default().to_owned()
    }

    /// The page's title.
    #[track_caller]
    pub fn title(&self) -> String {
        self.get("title").as_str().unwrap_or_default().to_owned()
    }

    /// The page's HTML.
    #[track_caller]
    pub fn source(&self) -> String {
        self.get("source").as_str().unwrap_or_default().to_owned()
    }

    /// Runs a function's body in the page, as a developer's console does: no page's policy forbids it. Its `return` comes back.
    #[track_caller]
    pub fn run(&self, script: &str, args: &[Value]) -> Value {
        self.post("execute/sync", &json!({ "script": script, "args": args }))
    }

    /// A command of the DevTools protocol.
    #[track_caller]
    pub fn devtools(&self, command: &str, params: &Value) -> Value {
        self.post("goog/cdp/execute", &json!({ "cmd": command, "params": params }))
    }

    /// The page's width and height in CSS pixels.
    #[track_caller]
    pub fn size(&self, width: u32, height: u32) {
        self.devtools("Emulation.setDeviceMetricsOverride", &json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false }));
    }

    /// Whether the person prefers dark colours.
    #[track_caller]
    pub fn dark(&self, dark: bool) {
        let value = if dark { "dark" } else { "light" };
        self.devtools("Emulation.setEmulatedMedia", &json!({ "features": [{ "name": "prefers-color-scheme", "value": value }] }));
    }

    /// Whether pages may run scripts. [`Self::run`] needs them.
    #[track_caller]
    pub fn scripts(&self, allowed: bool) {
        self.devtools("Emulation.setScriptExecutionDisabled", &json!({ "value": !allowed }));
    }

    /// The first element of a selector, once it is there; fails where none comes.
    #[track_caller]
    pub fn find(&self, css: &str) -> Element {
        let mut found = None;
        let _came = wait_until_blocking(SOON, || {
            found = self.look(css).into_iter().next();
            found.is_some()
        });
        found.unwrap_or_else(|| panic!("nothing is {css} on {}: {}", self.url(), self.source()))
    }

    /// Waits until an element of this selector reads so: a form that was sent, a link that was followed, takes its time.
    #[track_caller]
    pub fn shows(&self, css: &str, words: &str) {
        let script = json!({ "script": "const e = document.querySelector(arguments[0]); return e !== null && e.innerText.includes(arguments[1])", "args": [css, words] });
        // Between two pages there is nothing to ask.
        let is_shown = || send(&self.agent, &format!("{}/execute/sync", self.session), &script).is_ok_and(|shown| shown == json!(true));
        assert!(wait_until_blocking(SOON, is_shown), "{css} does not say {words:?} on {}: {}", self.url(), self.source());
    }

    /// Every element of a selector.
    #[track_caller]
    pub fn look(&self, css: &str) -> Vec<Element> {
        let found = self.post("elements", &json!({ "using": "css selector", "value": css }));
        found.as_array().into_iter().flatten().filter_map(|element| element[ELEMENT].as_str()).map(|id| Element(id.to_owned())).collect()
    }

    #[track_caller]
    pub fn click(&self, css: &str) {
        let element = self.find(css);
        self.post(&format!("element/{}/click", element.0), &json!({}));
    }

    /// Types into a field, behind what is there.
    #[track_caller]
    pub fn fill(&self, css: &str, text: &str) {
        let element = self.find(css);
        self.post(&format!("element/{}/value", element.0), &json!({ "text": text }));
    }

    /// What a person reads of an element.
    #[track_caller]
    pub fn text(&self, css: &str) -> String {
        let element = self.find(css);
        self.get(&format!("element/{}/text", element.0)).as_str().unwrap_or_default().to_owned()
    }

    /// Presses keys, wherever the focus is: the keyboard alone.
    #[track_caller]
    pub fn press(&self, keys: &str) {
        let strokes: Vec<Value> = keys
            .chars()
            .flat_map(|key| [json!({ "type": "keyDown", "value": key.to_string() }), json!({ "type": "keyUp", "value": key.to_string() })])
            .collect();
        self.post("actions", &json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": strokes }] }));
    }

    /// Presses Tab until the focus is on an element of this selector: what cannot be reached so fails.
    #[track_caller]
    pub fn tab_to(&self, css: &str) {
        for _ in 0..200 {
            if self.run("return document.activeElement !== null && document.activeElement.matches(arguments[0])", &[json!(css)]) == json!(true) {
                let seen =
                    self.run("const s = getComputedStyle(document.activeElement); return s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) > 0", &[]);
                assert_eq!(seen, json!(true), "the focus on {css} is not seen");
                return;
            }
            self.press(TAB);
        }
        panic!("the keyboard does not reach {css} on {}", self.url());
    }

    /// What the window shows, kept as `target/screenshots/NAME.png`.
    #[track_caller]
    pub fn picture(&self, name: &str) -> Picture {
        let shown = self.get("screenshot");
        let octets = STANDARD.decode(shown.as_str().expect("a picture")).expect("base64");
        let folder = screenshots();
        std::fs::create_dir_all(&folder).expect("a folder for pictures");
        std::fs::write(folder.join(format!("{name}.png")), &octets).expect("a picture");
        Picture::read(&octets)
    }

    /// Whether nothing of the page stands out of it sideways; what does comes back.
    #[track_caller]
    pub fn sticks_out(&self) -> Vec<String> {
        let found = self.run(
            "const w = document.documentElement.clientWidth; if (document.documentElement.scrollWidth <= w) return []; \
             return [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > w + 1).map(e => e.tagName + '.' + e.className + '#' + e.id).concat('scrollWidth ' + document.documentElement.scrollWidth)",
            &[],
        );
        found.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// Holds the page against WCAG 2.1 A and AA and axe-core's best practices; no violation is taken.
    #[track_caller]
    pub fn is_accessible(&self) {
        assert_eq!(self.violations(), Vec::<String>::new(), "{} at {}", self.title(), self.url());
    }

    /// What axe-core has against the page.
    #[track_caller]
    pub fn violations(&self) -> Vec<String> {
        if self.run("return window.axe === undefined", &[]) == json!(true) {
            self.post("execute/sync", &json!({ "script": axe(), "args": [] }));
        }
        let script = "const done = arguments[arguments.length - 1]; axe.run(document, { iframes: false, resultTypes: ['violations'], \
             runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'] }) \
             .then(r => done(r.violations.map(v => v.id + ': ' + v.help + ': ' + v.nodes.map(n => n.html + ' ' + n.failureSummary).join(' | ')))).catch(e => done(['axe: ' + e]))";
        let found = self.post("execute/async", &json!({ "script": script, "args": [] }));
        found.as_array().into_iter().flatten().map(|violation| violation.as_str().unwrap_or("?").to_owned()).collect()
    }

    /// How many windows are open: a page that opens another one is seen so.
    #[track_caller]
    pub fn windows(&self) -> usize {
        self.get("window/handles").as_array().map_or(0, Vec::len)
    }

    /// Clicks at a place of the window, whatever stands there: into a frame too.
    #[track_caller]
    pub fn click_at(&self, x: u32, y: u32) {
        for kind in ["mousePressed", "mouseReleased"] {
            self.devtools("Input.dispatchMouseEvent", &json!({ "type": kind, "x": x, "y": y, "button": "left", "clickCount": 1 }));
        }
    }

    #[track_caller]
    fn get(&self, path: &str) -> Value {
        let answer = self.agent.get(format!("{}/{path}", self.session)).call();
        read(answer).unwrap_or_else(|why| panic!("{path}: {why}"))
    }

    #[track_caller]
    fn post(&self, path: &str, body: &Value) -> Value {
        send(&self.agent, &format!("{}/{path}", self.session), body).unwrap_or_else(|why| panic!("{path}: {why}"))
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // Chromium ends with its session; chromedriver after it.
        let _gone = self.agent.delete(&self.session).call();
    }
}

/// Whether this run goes without a browser, and what is installed with it; said aloud.
pub fn left_out() -> bool {
    let left_out = std::env::var("ARKKI_NO_BROWSER").is_ok_and(|value| value == "1");
    if left_out {
        eprintln!("left out, for ARKKI_NO_BROWSER=1: what a real browser shows");
    }
    left_out
}

/// Every page of these addresses in three languages, light and dark, from 320 to 1920 pixels: nothing sticks out, axe finds nothing; a picture of each
/// address and width in Finnish, and of the dark page. Gives each page's weight in octets by its name.
#[track_caller]
pub fn walk(browser: &Chromium, origin: &str, pages: &[(&str, &str)]) -> BTreeMap<String, usize> {
    let mut weights = BTreeMap::new();
    for (name, path) in pages {
        let separator = if path.contains('?') { '&' } else { '?' };
        for language in ["sv", "en", "fi"] {
            browser.size(1280, 900);
            browser.goto(&format!("{origin}{path}{separator}lang={language}"));
            assert_eq!(browser.run("return document.documentElement.lang", &[]), json!(language), "{path}");
            for dark in [false, true] {
                browser.dark(dark);
                browser.is_accessible();
            }
            browser.picture(&format!("{name}-{language}-dark"));
            browser.dark(false);
            let widths: &[u32] = if language == "fi" { &[320, 375, 768, 1280, 1920] } else { &[320] };
            for width in widths {
                browser.size(*width, 900);
                assert_eq!(browser.sticks_out(), Vec::<String>::new(), "{path} in {language} at {width}");
                let picture = browser.picture(&format!("{name}-{language}-{width}"));
                assert!(picture.colours() > 3, "{path} at {width} shows nothing");
            }
            let octets = browser.run("return performance.getEntries().reduce((n, e) => n + (e.encodedBodySize || 0), 0)", &[]).as_u64().unwrap_or(0);
            weights.insert(format!("{name}-{language}"), usize::try_from(octets).unwrap_or(usize::MAX));
        }
        browser.size(1280, 900);
    }
    weights
}

/// Where pictures are kept.
pub fn screenshots() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from);
    target.join("screenshots")
}

/// The folder of packages that `scripts/setup test` took from npm, pinned in `tests/it/npm`.
#[track_caller]
pub fn npm() -> PathBuf {
    let lock = repository().join("tests/it/npm/package-lock.json");
    let sum = super::run_with_input("cksum", Vec::<String>::new(), &std::fs::read(&lock).expect("the lock file")).must();
    let name = format!("npm-{}", sum.split(' ').next().unwrap_or_default());
    let cache = std::env::var_os("XDG_CACHE_HOME").map_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache"), PathBuf::from);
    let folder = std::env::var_os("ARKKI_JUDGES").map_or_else(|| cache.join("arkki"), PathBuf::from).join(name);
    assert!(folder.join("complete").is_file(), "{} is missing: `scripts/setup test` installs it", folder.display());
    folder.join("node_modules")
}

#[track_caller]
fn axe() -> String {
    std::fs::read_to_string(npm().join("axe-core/axe.min.js")).expect("axe-core")
}

fn send(agent: &ureq::Agent, url: &str, body: &Value) -> Result<Value, String> {
    read(agent.post(url).content_type("application/json").send(body.to_string()))
}

fn read(answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<Value, String> {
    let mut answer = answer.map_err(|e| e.to_string())?;
    let text = answer.body_mut().with_config().limit(ANSWER_OCTETS).read_to_string().map_err(|e| e.to_string())?;
    let said: Value = serde_json::from_str(&text).map_err(|e| format!("{e}: {text}"))?;
    if answer.status().is_success() { Ok(said["value"].clone()) } else { Err(format!("{}: {}", said["value"]["error"], said["value"]["message"])) }
}
