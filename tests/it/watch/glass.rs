//! Glass that somebody breaks at a real console rings at whoever watches the gateway, and falls silent when its time is over.

use std::time::Duration;

use sqlx::Connection as _;

use super::metrics;
use super::prometheus::Prometheus;
use crate::console::browser::{Browser, Terminal};
use crate::kit::process::Signal;
use crate::kit::{self, wait_until_blocking};
use crate::road::Gateway;

const SOON: Duration = Duration::from_secs(60);
const PEOPLE: &str = "[console]\nlink = \"olga\"\n[people.olga]\nname = \"Olga\"\norganisation = \"1.2.246.10.99999992.10.0\"\nroles = [\"operator\"]\n";

#[tokio::test(flavor = "multi_thread")]
async fn broken_glass_rings_until_its_time_is_over() {
    let gateway = Gateway::new(Some(kit::postgres::database().await.url), PEOPLE).await;
    let mut serve = gateway.serve(&[]);
    let prometheus = Prometheus::start(&[gateway.port]);
    assert!(!prometheus.firing().contains(&"ArkkiGlassBroken".to_owned()));
    let mut terminal = Terminal::open(&gateway);
    let mut browser = Browser::enter(&terminal.link());
    let csrf = browser.get("/glass").field("csrf");
    // A reason that is none breaks nothing, and rings nothing.
    assert_eq!(browser.post("/glass", &[("csrf", &csrf), ("action", "break"), ("reason", "now")]).status, 422);
    assert!(metrics(&gateway).contains("\narkki_glass_broken 0"), "{}", metrics(&gateway));
    let broken = browser.post("/glass", &[("csrf", &csrf), ("action", "break"), ("reason", "A child is in danger tonight")]);
    assert_eq!(broken.status, 303, "{}", broken.body);
    prometheus.rings(&["GlassBroken"]);
    let opened = || gateway.log_text().lines().any(|line| line.contains("alarm opened") && line.contains("\"GlassBroken\""));
    assert!(wait_until_blocking(SOON, opened), "{}", gateway.log_text());
    // The board asks the gateway every few seconds.
    assert!(wait_until_blocking(SOON, || browser.get("/?lang=en").body.contains("GlassBroken")), "the board does not name the alarm");
    // A quarter of an hour goes by.
    let mut line = sqlx::PgConnection::connect(&gateway.archive_url).await.unwrap();
    let earlier = "UPDATE access_log SET at = at - 900000000 WHERE action = 'break-glass'";
    assert_eq!(sqlx::query(earlier).execute(&mut line).await.unwrap().rows_affected(), 1);
    // What is asked every few seconds reads its own small index, however long the log is.
    let plan: Vec<String> = sqlx::query_scalar("EXPLAIN SELECT max(at) FROM access_log WHERE action = 'break-glass'").fetch_all(&mut line).await.unwrap();
    assert!(plan.iter().any(|step| step.contains("access_log_glass")), "{plan:?}");
    line.close().await.unwrap();
    prometheus.is_silent(&["GlassBroken"]);
    // The gateway's own bell: opened once, closed once.
    let said = |what: &str| gateway.log_text().lines().filter(|line| line.contains(&format!("alarm {what}")) && line.contains("\"GlassBroken\"")).count();
    assert!(wait_until_blocking(3 * SOON, || said("closed") > 0), "{}", metrics(&gateway));
    assert_eq!((said("opened"), said("closed")), (1, 1), "{}", gateway.log_text());
    assert!(metrics(&gateway).contains("\narkki_glass_broken 0"), "{}", metrics(&gateway));
    assert!(!gateway.log_text().contains("danger"), "the reason stands in the access log alone");
    terminal.end();
    serve.signal(Signal::Term);
    assert!(serve.wait(SOON).is_some_and(|s| s.success()), "{}", gateway.log_text());
}
