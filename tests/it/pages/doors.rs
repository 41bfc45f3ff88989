//! What is not one's own, and who is not one: another organisation's id in every address that has one, forged forms at every route that takes one, cookies of
//! sessions that have ended. An expired card is refused before any page (`who`).

use super::{Both, Form, House, OTHER, OWN, Page, Part, ROUTES};
use crate::console::browser::{Browser, Terminal};

/// Forms that one session may send in a minute, less a few.
const FORMS: usize = 24;
/// The attempts on each route that takes forms.
const FORGED: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn another_organisations_id_is_nowhere_to_be_found() {
    let house = House::open(&format!("[console]\norganisation = \"{OTHER}\"\n")).await;
    // Whose the sender is, for the console: nothing of its messages' inside is another organisation's.
    house.configure(
        "[console]",
        &format!("[registrations.own]\nuser = \"guest\"\nprofile = \"storing\"\norganisation = \"{OWN}\"\ndevices = [\"{OWN}\"]\n[console]"),
    );
    let mut terminal = Terminal::open(&house.gateway);
    let mut stranger = Browser::enter(&terminal.link());
    let csrf = stranger.get("/documents").field("csrf");
    let secrets = ["060666-966W", "Häkkilintunen", "Sosionomi"];
    let mut asked = 0;
    for (route, address) in house.addresses(&[Page, Both, Part]) {
        let answer = stranger.get_head(&address);
        let is_anothers = route.starts_with("/documents/{");
        if is_anothers {
            assert_eq!(answer.status, 404, "{address}");
            asked += 1;
        }
        for secret in secrets {
            assert!(!answer.body.contains(secret), "{secret} at {address}");
        }
    }
    // A replay is the house's own, no organisation's.
    for (route, address) in house.addresses(&[Both, Form]).into_iter().filter(|(route, _)| route.contains('{') && !route.starts_with("/refusals/")) {
        let answer = stranger.post(&address, &[("csrf", &csrf), ("scope", "version"), ("words", "x"), ("why", "support"), ("sure", "yes"), ("action", "send")]);
        assert_eq!(answer.status, 404, "{route}: {}", answer.body);
        asked += 1;
    }
    assert!(asked >= 9, "{asked}");
    // Every route with a parameter is one of these, or of the rules and messages, which are no organisation's.
    for (route, ..) in ROUTES.iter().filter(|(route, ..)| route.contains('{')) {
        assert!(
            ["/documents/{", "/messages/{", "/rules/", "/enter/{", "/refusals/", "/rehearsals/"].iter().any(|known| route.starts_with(known)),
            "{route}: whose is it?"
        );
    }
    let found = stranger.post("/documents", &[("csrf", &csrf), ("client", "060666-966W"), ("state", "any")]);
    assert!(found.status == 200 && !found.body.contains("/documents/1."), "{}", found.body);
    terminal.end();
    house.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_form_is_refused_at_every_route_and_does_nothing() {
    let house = House::open("").await;
    let mut terminal = Terminal::open(&house.gateway);
    let mut other = Browser::enter(&terminal.link());
    let others = other.get("/documents").field("csrf");
    let before = house.gateway.arkki(&["audit"]).must();
    for routes in house.addresses(&[Both, Form]).chunks(FORMS / FORGED) {
        // A session takes thirty forms a minute.
        let mut browser = Browser::enter(&terminal.another());
        let own = browser.get("/documents").field("csrf");
        for (_, address) in routes {
            let address = address.split('?').next().unwrap();
            let rest = [
                ("action", "send"),
                ("sure", "yes"),
                ("scope", "version"),
                ("words", "x"),
                ("why", "support"),
                ("reason", "A long enough reason"),
                ("confirm", "yes"),
            ];
            for forged in [None, Some(""), Some("0000000000000000000000000000000000000000000000000000000000000000"), Some(others.as_str())] {
                let fields: Vec<(&str, &str)> = forged.map(|csrf| ("csrf", csrf)).into_iter().chain(rest).collect();
                let answer = browser.post(address, &fields);
                assert_eq!(answer.status, 403, "{address} {forged:?}");
            }
            // The right secret from a page of another's: before the form is read.
            let body = format!("csrf={own}&action=send&sure=yes");
            for headers in [
                &[("Origin", "http://evil.example"), ("Sec-Fetch-Site", "cross-site")][..],
                &[("Origin", "null"), ("Sec-Fetch-Site", "cross-site")],
                &[("Origin", "null")],
                &[],
                &[("Sec-Fetch-Site", "same-site")],
                &[("Origin", "null"), ("Sec-Fetch-Site", "same-origin"), ("Host", "evil.example")],
            ] {
                assert_eq!(browser.request("POST", address, headers, &body).status, 403, "{address} {headers:?}");
            }
        }
        // Still in: none of it ended the session either.
        assert_eq!(browser.get("/").status, 200);
    }
    assert_eq!(house.gateway.arkki(&["audit"]).must(), before, "a forged form left something behind");
    // The same secret as an address's parameter changes nothing: what changes takes forms only.
    for (_, address) in house.addresses(&[Form]) {
        assert_eq!(other.get(&format!("{address}?csrf={others}")).status, 405, "{address}");
    }
    terminal.end();
    house.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_of_a_session_that_has_ended_opens_nothing() {
    let house = House::open("").await;
    let mut terminal = Terminal::open(&house.gateway);
    let mut left = Browser::enter(&terminal.link());
    let csrf = left.get("/documents").field("csrf");
    let replayed = left.cookie.clone();
    assert_eq!(left.post("/leave", &[("csrf", &csrf)]).status, 200);
    left.cookie = replayed;
    // Another session is ended by an administrator.
    let mut ended = Browser::enter(&terminal.another());
    let ended_csrf = ended.get("/documents").field("csrf");
    let page = ended.get("/people");
    let mark = page.between("name=\"end\" value=\"", "\"");
    assert_eq!(ended.post("/people", &[("csrf", &ended_csrf), ("end", &mark)]).status, 303);
    // And somebody who never was in, with a cookie of the right form.
    let mut nobody = Browser::at(&terminal.link());
    nobody.cookie = left.cookie.as_ref().map(|cookie| format!("{}={}", cookie.split('=').next().unwrap(), "0".repeat(64)));
    for (browser, csrf) in [(&mut left, csrf.as_str()), (&mut ended, ended_csrf.as_str()), (&mut nobody, csrf.as_str())] {
        for (_, address) in house.addresses(&[Page, Both, Part]) {
            if ["/style.css", "/board.js"].contains(&address.as_str()) {
                continue;
            }
            assert_eq!(browser.get_head(&address).status, 403, "{address}");
        }
        for (_, address) in house.addresses(&[Both, Form]) {
            assert_eq!(browser.post(address.split('?').next().unwrap(), &[("csrf", csrf)]).status, 403, "{address}");
        }
    }
    terminal.end();
    house.end();
}
