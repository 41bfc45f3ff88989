//! The folder `samples/` through the real road: a broker, `arkki serve`, `arkki send`.

use std::time::Duration;

use arkki::generate::frame::TEST_ARCHIVE;

use super::root;
use crate::kit::process::Signal;
use crate::road::{Gateway, files};

#[tokio::test(flavor = "multi_thread")]
async fn samples_are_answered_as_their_names_say() {
    // Three refusals wait out the hold: two seconds do. One is for another receiver, which shows only where receivers are named.
    let more = format!("[limits]\nhold_seconds = 2\n[answer]\nreceivers = [\"{TEST_ARCHIVE}\"]\n");
    let gateway = Gateway::new(None, &more).await;
    let mut serve = gateway.serve(&[]);
    let mut wrong = Vec::new();
    // The refused ones need the accepted ones alone; what needs the disclosures lies apart.
    for part in ["accepted", "refused", "disclosures", "conflicts"] {
        let is_accepted = ["accepted", "disclosures"].contains(&part);
        for (file, answer, details) in gateway.send(&files(&root().join("samples").join(part))) {
            let name = file.rsplit('/').next().unwrap_or_default().to_owned();
            let named = name.split('-').next().unwrap_or_default();
            if (answer == "AA") != is_accepted || (!is_accepted && !details.starts_with(&format!("{named} "))) {
                wrong.push(format!("{name}: {answer} {details}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // An acknowledgement is never answered; everything else that means harm is.
    let hostile: Vec<_> = files(&root().join("samples/hostile")).into_iter().filter(|f| !f.ends_with("acknowledgement.xml")).collect();
    for (file, answer, details) in gateway.send(&hostile) {
        assert_eq!(answer, "AE", "{file}: {details}");
    }
    serve.signal(Signal::Term);
    assert!(serve.wait(Duration::from_secs(30)).is_some_and(|s| s.success()), "{}", gateway.log_text());
    gateway.arkki(&["audit"]).must();
}
