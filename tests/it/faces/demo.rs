//! `arkki demo`: the main job on one screen, on embedded parts and on a real RabbitMQ.

use super::{arkki, exits, json};
use crate::kit;

fn samples() -> usize {
    ["accepted", "disclosures", "refused", "hostile"].iter().map(|f| std::fs::read_dir(kit::repository().join("samples").join(f)).unwrap().count()).sum()
}

#[test]
fn on_embedded_parts_every_answer_is_as_promised_and_the_archive_can_be_audited() {
    let folder = kit::temp_dir();
    let archive = folder.path().join("try");
    let archive = archive.to_str().unwrap();
    let output = arkki(&["demo", "--archive", archive]);
    exits(&output, 0);
    let text = output.text();
    assert!(text.starts_with("sample ") && text.contains("Every answer is the one the sample's name promises."), "{text}");
    assert!(text.contains("accepted/01-client-relation-fi.xml") && text.contains("E305"), "{text}");
    assert_eq!(text.lines().take_while(|l| !l.is_empty()).count(), samples() + 1, "{text}");
    // What it says to try next works as written.
    let config = format!("{archive}/arkki.toml");
    assert!(text.contains(&format!("arkki --config {config} audit")), "{text}");
    exits(&arkki(&["--config", &config, "audit"]), 0);
    assert!(text.contains("arkki codes E305"));
    // Each notice has left on its queue.
    let notices = arkki(&["--config", &config, "lilm", "list"]).text();
    assert!(notices.contains("emitted") && !notices.contains("leaving"), "{notices}");
    // Again in the same folder; a folder of somebody else's is left alone.
    let again = json(&arkki(&["demo", "--json", "--archive", archive]));
    assert_eq!(again["messages"].as_array().map(Vec::len), Some(samples()));
    assert_eq!(again["not_as_promised"].as_array().map(Vec::len), Some(0));
    std::fs::write(folder.path().join("diary.txt"), "mine").unwrap();
    let refused = arkki(&["demo", "--archive", folder.path().to_str().unwrap()]);
    exits(&refused, 2);
    assert!(refused.errors().contains("--archive") && folder.path().join("diary.txt").exists());
    exits(&arkki(&["demo", "--samples", folder.path().to_str().unwrap(), "--archive", archive]), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_real_broker_the_answers_are_the_same() {
    let vhost = kit::rabbit::vhost().await;
    let folder = kit::temp_dir();
    let archive = folder.path().join("try");
    for _ in 0..2 {
        let output = arkki(&["demo", "--json", "--archive", archive.to_str().unwrap(), "--amqp", &vhost.amqp_url]);
        exits(&output, 0);
        assert_eq!(json(&output)["messages"].as_array().map(Vec::len), Some(samples()));
    }
    assert!(!std::fs::read_to_string(archive.join("arkki.toml")).unwrap().contains("guest:guest"), "a password was written down");
    exits(&arkki(&["demo", "--archive", archive.to_str().unwrap(), "--amqp", "amqp://u:s3cret@127.0.0.1:1/v"]), 2);
}
