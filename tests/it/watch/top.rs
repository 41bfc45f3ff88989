//! `arkki top` on a real terminal: tmux is the terminal, presses the keys and reads the screen. And once, for scripts.

use std::time::Duration;

use super::{publish, samples};
use crate::faces::{exits, json};
use crate::kit::terminal::Terminal;
use crate::kit::{self, process::Signal, wait_until_blocking};
use crate::road::Gateway;

const SOON: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn the_live_view_shows_the_gateway_and_obeys_its_keys() {
    let gateway = Gateway::new(Some(kit::postgres::database().await.url), "").await;
    let mut serve = gateway.serve(&[]);
    // A message without a reply address: something to be alarmed about.
    publish(&gateway.vhost, &samples("refused", &["E305"])[0], None, &serde_json::json!({}));
    gateway.send(&samples("accepted", &["01", "02", "03", "13", "17"]));
    let wide = Terminal::open(80, 24, &gateway.command(&["top", "--every", "0.5"]));
    let screen = wide.shows(&["arkki top", "1/1 up", "documents 5", "arkki.inbound", "arkki.dead-letter", "oldest", "outbox", "unexplained", "well", "q quit"]);
    assert!(screen.len() <= 24 && screen.iter().all(|line| line.chars().count() <= 80), "{screen:#?}");
    assert!(screen.last().is_some_and(|keys| keys.contains("q quit")), "{screen:#?}");
    // It is live: what passes now is a rate now.
    std::thread::scope(|scope| {
        scope.spawn(|| gateway.send(&crate::road::files(&kit::repository().join("samples/refused"))));
        let rate = || {
            wide.screen()
                .iter()
                .any(|line| line.strip_prefix("msg/s ").and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok()).is_some_and(|n| n > 0.0))
        };
        assert!(wait_until_blocking(SOON, rate), "{}", wide.screen().join("\n"));
    });
    wide.press("p");
    wide.shows(&["PAUSED"]);
    wide.press("p");
    wide.press("?");
    wide.shows(&["critical time"]);
    wide.press("?");
    wide.press("Tab");
    wide.shows(&["queue ", "role", "readers", "dead-letter"]);
    wide.press("Tab");
    wide.shows(&["alarms"]);
    wide.press("Tab");
    wide.shows(&["msg/s"]);
    if let Some(path) = std::env::var_os("ARKKI_CAPTURES") {
        std::fs::write(std::path::Path::new(&path).join("top.txt"), wide.screen().join("\n") + "\n").unwrap();
    }
    wide.press("q");
    // The terminal is as it was.
    wide.shows(&["ended 0"]);

    let narrow = Terminal::open(40, 24, &gateway.command(&["top"]));
    let screen = narrow.shows(&["arkki top", "1/1 up", "msg/s", "oldest", "outbox", "arkki.inbound", "q quit"]);
    assert!(screen.iter().all(|line| line.chars().count() <= 40), "{screen:#?}");
    narrow.press("C-c");
    narrow.shows(&["ended 0"]);

    // A database that goes away and an instance that does not answer are seen by who does not look at a screen, too.
    let once = gateway.arkki(&["top", "--once"]);
    assert!(once.text().contains("documents     ") && once.text().contains("instance"), "{}", once.text());
    let machine = json(&gateway.arkki(&["top", "--once", "--json"]));
    assert_eq!((machine["documents"].as_u64() >= Some(5), machine["instances"][0]["up"].as_bool()), (true, Some(true)), "{machine}");
    assert!(machine["queues"].as_array().is_some_and(|q| q.iter().any(|q| q["name"] == "arkki.dead-letter" && q["messages"] == 1)), "{machine}");
    let half = gateway.arkki(&["top", "--once", "--json", "--instance", &format!("127.0.0.1:{}", gateway.port), "--instance", "127.0.0.1:1"]);
    exits(&half, 1);
    assert_eq!(json(&half)["alarms"].as_array().map(|a| a.iter().any(|a| a["name"] == "InstanceDown")), Some(true));
    exits(&gateway.arkki(&["top"]), 2);
    serve.signal(Signal::Term);
    assert!(serve.wait(SOON).is_some_and(|s| s.success()), "{}", gateway.log_text());
    let gone = gateway.arkki(&["top", "--once"]);
    exits(&gone, 2);
    assert!(gone.errors().contains("no instance answers"), "{}", gone.errors());
}
