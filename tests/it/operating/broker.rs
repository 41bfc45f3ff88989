//! `arkki serve` and a broker that could lose messages: not started on, told while running, and mended by the very command that is printed.

use super::{LONG, exits, gauge};
use crate::kit::process::Signal;
use crate::kit::{self, rabbit};
use crate::road::Gateway;

const POLICY: &str = r#"{"pattern":"^arkki\\.inbound$","apply-to":"queues","definition":{"message-ttl":60000}}"#;

fn put_policy(gateway: &Gateway) {
    let path = format!("/api/policies/{}/odd", gateway.vhost.name);
    assert_eq!(gateway.vhost.api("PUT", &path, Some(POLICY)).0, 201);
    let queue = format!("/api/queues/{}/arkki.inbound", gateway.vhost.name);
    let seen = || gateway.vhost.api("GET", &queue, None).1.contains("message-ttl");
    assert!(kit::wait_until_blocking(LONG, seen), "the broker does not show the policy");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_consumed_until_the_printed_command_was_run() {
    let gateway = Gateway::new(None, "[broker]\ntopology_seconds = 1\n").await;
    put_policy(&gateway);
    let refused = gateway.arkki(&["serve"]);
    exits(&refused, 2);
    let errors = refused.errors();
    let mend = errors.lines().find_map(|line| line.trim().strip_prefix("→ rabbitmqctl ")).unwrap_or_else(|| panic!("{errors}")).to_owned();
    assert!(errors.contains("nothing is consumed") && errors.contains("inbound queue arkki.inbound"), "{errors}");
    assert_eq!(mend, format!("clear_policy -p {} odd", gateway.vhost.name));
    let words: Vec<&str> = mend.split(' ').collect();
    let done = tokio::task::block_in_place(|| rabbit::server().ctl(&words));
    assert!(done.ok(), "{} {}", done.text(), done.errors());
    let queue = format!("/api/queues/{}/arkki.inbound", gateway.vhost.name);
    assert!(kit::wait_until_blocking(LONG, || !gateway.vhost.api("GET", &queue, None).1.contains("message-ttl")));
    let mut serve = gateway.serve(&[]);
    assert!(kit::wait_until_blocking(LONG, || gauge(gateway.port, "arkki_topology_losing") == Some(0.0)));
    // The same while it runs: told once with its command, counted while it lasts, and told when it is over.
    put_policy(&gateway);
    assert!(kit::wait_until_blocking(LONG, || gauge(gateway.port, "arkki_topology_losing") == Some(1.0)), "{}", gateway.log_text());
    std::thread::sleep(std::time::Duration::from_millis(2500));
    let told = gateway.log_text().matches("messages could be lost").count();
    assert!(told == 1 && gateway.log_text().contains("clear_policy"), "told {told} times: {}", gateway.log_text());
    assert_eq!(gateway.vhost.api("DELETE", &format!("/api/policies/{}/odd", gateway.vhost.name), None).0, 204);
    assert!(kit::wait_until_blocking(LONG, || gauge(gateway.port, "arkki_topology_losing") == Some(0.0)), "{}", gateway.log_text());
    assert_eq!(gateway.log_text().matches("this is over").count(), 1, "{}", gateway.log_text());
    serve.signal(Signal::Term);
    assert!(serve.wait(LONG).is_some_and(|s| s.success()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_forgets_is_not_started_on_and_the_command_makes_it_anew() {
    let gateway = Gateway::new(None, "").await;
    let path = format!("/api/queues/{}/arkki.inbound", gateway.vhost.name);
    assert_eq!(gateway.vhost.api("DELETE", &path, None).0, 204);
    assert_eq!(gateway.vhost.api("PUT", &path, Some(r#"{"durable":true,"arguments":{"x-queue-type":"classic"}}"#)).0, 201);
    for management in [true, false] {
        let mut command = gateway.command(&["serve"]);
        if !management {
            command.env_remove("ARKKI_MANAGEMENT_URL");
        }
        let refused = kit::run_command(&mut command, b"");
        exits(&refused, 2);
        assert!(refused.errors().contains("delete_queue arkki.inbound && arkki topology apply"), "{}", refused.errors());
    }
    assert_eq!(gateway.vhost.api("DELETE", &path, None).0, 204);
    gateway.arkki(&["topology", "apply"]).must();
    let mut serve = gateway.serve(&[]);
    serve.signal(Signal::Term);
    assert!(serve.wait(LONG).is_some_and(|s| s.success()));
}
