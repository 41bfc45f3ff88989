//! One walk over every page: each is loaded once a language, and all that can be seen of it is asked there: its language, WCAG 2.1 AA by axe-core in light and
//! dark, nothing out of the page or of its box from 320 to 1920 pixels, its weight; then the keyboard alone, and once without scripts.

use serde_json::{Value, json};

use super::{Both, Door, House, Page};
use crate::console::browser::Terminal;
use crate::kit::browser::{Chromium, TAB};

/// What a page may weigh: HTML, style and script, no document's body.
const WEIGHT: u64 = 100 * 1024;
/// The widths of a page in CSS pixels.
const WIDTHS: [u32; 3] = [320, 768, 1920];
/// Stops of the keyboard inside a frame: Chromium's PDF viewer has a bar of buttons.
const FRAME_STOPS: usize = 60;
/// Stops inside a field for a date: its parts and its calendar.
const DATE_STOPS: usize = 8;

/// What stands out of the page, is cut off by its box, or runs out of it.
const CLIPPED: &str = "
    const out = [], name = e => e.tagName + '.' + e.className + '#' + e.id + ' ' + (e.textContent || '').trim().slice(0, 40);
    for (const e of document.querySelectorAll('body *')) {
        if (e.closest('.unseen, .skip, svg') || !e.checkVisibility()) continue;
        const style = getComputedStyle(e), box = e.getBoundingClientRect();
        if (box.width > 0 && box.left + scrollX < -1) out.push('left ' + name(e));
        if (e.matches('select, input, textarea, iframe, option, optgroup') || style.display === 'inline') continue;
        const cut = e.scrollWidth > e.clientWidth + 1;
        if (cut && (style.overflowX === 'hidden' || style.overflowX === 'clip')) out.push('cut ' + name(e));
        if (cut && style.overflowX === 'visible' && e.matches('p, li, dd, dt, h1, h2, h3, label, legend, button, a, td, th, summary, .card, .tile')) out.push('runs out ' + name(e));
    }
    return out";

/// Remembers each element that the keyboard comes to, and those whose focus is not seen.
const LISTEN: &str = "
    const all = [...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex=\"0\"]')]
        .filter(e => !e.disabled && e.checkVisibility() && !e.closest('[inert]'));
    const first = new Map();
    for (const e of all.filter(e => e.type === 'radio')) if (!first.has(e.name) || e.checked) first.set(e.name, e);
    window.__stops = all.filter(e => e.type !== 'radio' || first.get(e.name) === e);
    window.__reached = new Set(); window.__unseen = new Set();
    document.addEventListener('focusin', event => {
        const e = event.target, style = getComputedStyle(e);
        window.__reached.add(e);
        if (e.tagName !== 'IFRAME' && !(style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0)) window.__unseen.add(e);
    });
    document.activeElement.blur();
    return [window.__stops.length, document.querySelectorAll('iframe').length, document.querySelectorAll('input[type=date], input[type=datetime-local]').length]";
const REACHED: &str = "
    const name = e => e.outerHTML.slice(0, 120);
    return [window.__stops.filter(e => !window.__reached.has(e)).map(name), [...window.__unseen].map(name)]";

fn strings(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// A picture's name of an address.
fn picture(address: &str) -> String {
    let plain: String = address.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).collect();
    let plain = plain.trim_matches('-');
    format!("page-{}", if plain.is_empty() { "board" } else { plain })
}

/// Everything of one page; what is wrong comes back, so that one walk tells of all.
fn look(browser: &Chromium, origin: &str, address: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let separator = if address.contains('?') { '&' } else { '?' };
    for language in ["sv", "en", "fi"] {
        browser.goto(&format!("{origin}{address}{separator}lang={language}"));
        let at = |width: u32| format!("{address} in {language} at {width}");
        if browser.run("return document.documentElement.lang", &[]) != json!(language) {
            wrong.push(format!("{} is in another language", at(1280)));
        }
        for dark in [true, false] {
            browser.dark(dark);
            wrong.extend(browser.violations().into_iter().map(|why| format!("{} dark {dark}: {why}", at(1280))));
        }
        for width in WIDTHS {
            browser.size(width, 900);
            wrong.extend(browser.sticks_out().into_iter().map(|what| format!("{} sticks out: {what}", at(width))));
            wrong.extend(strings(&browser.run(CLIPPED, &[])).into_iter().map(|what| format!("{}: {what}", at(width))));
        }
        browser.size(1280, 900);
        let weigh = "return performance.getEntries().filter(e => !/\\/body(\\.pdf)?$/.test(e.name)).reduce((n, e) => n + (e.encodedBodySize || 0), 0)";
        let octets = browser.run(weigh, &[]).as_u64().unwrap_or(u64::MAX);
        if octets == 0 || octets > WEIGHT {
            wrong.push(format!("{} weighs {octets} octets", at(1280)));
        }
    }
    if browser.picture(&picture(address)).colours() <= 3 {
        wrong.push(format!("{address} shows nothing"));
    }
    wrong.extend(keyboard(browser, address));
    wrong.extend(without_scripts(browser, origin, address));
    wrong
}

/// The keyboard alone reaches everything, is seen where it is, and gets out of everything again.
fn keyboard(browser: &Chromium, address: &str) -> Vec<String> {
    let counts = browser.run(LISTEN, &[]);
    let count = |at: usize| counts[at].as_u64().map_or(0, |n| usize::try_from(n).unwrap());
    let presses = count(0) + 2 + count(1) * FRAME_STOPS + count(2) * DATE_STOPS;
    // In steps: the browser's answer to a long row of keys is slow to come.
    for step in 0..presses.div_ceil(20) {
        browser.press(&TAB.repeat(20.min(presses - step * 20)));
        let missed = browser.run(REACHED, &[]);
        if strings(&missed[0]).is_empty() {
            break;
        }
    }
    let missed = browser.run(REACHED, &[]);
    let reached = strings(&missed[0]).into_iter().map(|what| format!("{address}: the keyboard does not reach {what}"));
    reached.chain(strings(&missed[1]).into_iter().map(|what| format!("{address}: the focus is not seen on {what}"))).collect()
}

/// What a page says in a browser that runs no script; only the board has one (and a replay that runs), so every other page and form is the same in both.
fn without_scripts(browser: &Chromium, origin: &str, address: &str) -> Vec<String> {
    let said = "return [[...document.querySelectorAll('h1, h2')].map(e => e.innerText), [...document.scripts].map(s => s.getAttribute('src') || 'inline'), document.querySelector('main').innerText.length]";
    let with = browser.run(said, &[]);
    browser.scripts(false);
    let separator = if address.contains('?') { '&' } else { '?' };
    browser.goto(&format!("{origin}{address}{separator}lang=fi"));
    browser.scripts(true);
    let without = browser.run(said, &[]);
    let mut wrong = Vec::new();
    if without[0] != with[0] || without[2].as_u64().unwrap_or(0) < 20 {
        wrong.push(format!("{address} without scripts says {without}, with them {with}"));
    }
    let allowed: &[&str] = if address == "/" { &["/board.js"] } else { &[] };
    if strings(&with[1]) != allowed {
        wrong.push(format!("{address} has scripts: {}", with[1]));
    }
    wrong
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_in_every_language_colour_and_width_by_the_keyboard_and_without_scripts() {
    let Some(browser) = Chromium::open() else { return };
    let house = House::open("").await;
    let mut terminal = Terminal::open(&house.gateway);
    let link = terminal.link();
    let origin = crate::desk::origin(&link);
    // First as somebody who is not in: the doors, and what a page says to strangers.
    let mut wrong = Vec::new();
    for (_, address) in house.addresses(&[Door]) {
        wrong.extend(look(&browser, &origin, &address));
    }
    wrong.extend(look(&browser, &origin, "/documents/1.2.3/form"));
    browser.goto(&terminal.another());
    assert_eq!(browser.url(), format!("{origin}/"));
    for (route, address) in house.addresses(&[Page, Both]) {
        let before = std::time::Instant::now();
        wrong.extend(look(&browser, &origin, &address));
        println!("{route}: {:?}", before.elapsed());
    }
    // What only a form leads to: findings beside their lines, and the second look before an invalidation.
    browser.goto(&format!("{origin}{}?lang=en", house.address("/messages/{refused}")));
    browser.fill("#why", "support case 7");
    browser.click("main form button");
    browser.shows("mark", "");
    wrong.extend(browser.violations());
    browser.size(320, 900);
    wrong.extend(browser.sticks_out());
    browser.picture("page-lines-320");
    browser.size(1280, 900);
    browser.picture("page-lines");
    wrong.extend(keyboard(&browser, "the lines"));
    assert!(wrong.is_empty(), "{} faults:\n{}", wrong.len(), wrong.join("\n"));
    drop(browser);
    terminal.end();
    house.end();
}
