//! Refused messages at the console: grouped, put aside, discarded, taken back, replayed with preview, progress, stop and resume, by two people at once; and other rules
//! rehearsed. In plain HTTP, and in a real browser with and without scripts.

mod browser;
mod pages;
mod rehearsal;

use std::sync::Arc;
use std::time::Duration;

use arkki::adapters::clock::SystemEntropy;
use arkki::adapters::store;
use arkki::ports::archive::Archive as _;

use crate::console::browser::Browser;
use crate::kit::wait_until_blocking;
use crate::refusals::road::{QUEUE, as_guest};
use crate::road::Gateway;
use crate::store::make::done;

/// The group that all of these are in.
const GROUP: &str = "/refusals/group?code=E305&finding=%2FClinicalDocument%2FrecordTarget";

/// Refusals of one group in the archive, and the queue for their answers; gives their hashes.
async fn refused(gateway: &Gateway, many: u32) -> Vec<String> {
    let declared = gateway.vhost.api("PUT", &format!("/api/queues/{}/{QUEUE}", gateway.vhost.name), Some(r#"{"durable":true}"#));
    drop(declared);
    let archive = store::open_store(&gateway.archive_url, "maker", Arc::new(SystemEntropy::open().unwrap())).await.unwrap();
    let mut hashes = Vec::new();
    for n in 0..many {
        let message = format!("<sent n=\"{n}\"/>").into_bytes();
        hashes.push(arkki::crypto::sha256(&message).to_hex());
        done(archive.commit(as_guest(&message)).await.unwrap());
    }
    hashes
}

/// Waits as a person does, who looks a few times a second: a session may ask for so many pages a minute only.
fn comes(mut condition: impl FnMut() -> bool) -> bool {
    wait_until_blocking(Duration::from_secs(120), || {
        std::thread::sleep(Duration::from_millis(200));
        condition()
    })
}

/// A number of a page's list, by its id.
fn number(browser: &mut Browser, path: &str, id: &str) -> u64 {
    let page = browser.get(path);
    let text = page.between(&format!("<dd id=\"{id}\">"), "<");
    text.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or_else(|| panic!("{id} on {path}: {}", page.body))
}
