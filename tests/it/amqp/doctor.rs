//! The topology may be applied any number of times; the doctor finds each way to lose a message, by the management API and without it.

use arkki::adapters::amqp::doctor::{Check, State, examine};
use arkki::adapters::amqp::topology::{Declaration, plan};

use super::*;
use crate::kit::rabbit::vhost;

/// With the management API, or without.
pub(super) fn told(vhost: &Vhost, management: bool) -> AmqpSettings {
    let mut settings = settings(&vhost.amqp_url, 10);
    settings.management_url = management.then(|| Secret::new(vhost.management_url.replace("://", "://guest:guest@")));
    settings
}

pub(super) fn api(vhost: &Vhost, method: &str, path: &str, body: Option<&str>) -> u16 {
    tokio::task::block_in_place(|| vhost.api(method, &path.replace("{v}", &vhost.name), body).0)
}

/// Makes the inbound queue anew with these arguments.
pub(super) fn remade(vhost: &Vhost, arguments: &str) {
    assert_eq!(api(vhost, "DELETE", "/api/queues/{v}/arkki.in", None), 204);
    assert_eq!(api(vhost, "PUT", "/api/queues/{v}/arkki.in", Some(&format!(r#"{{"durable":true,"arguments":{{{arguments}}}}}"#))), 201);
}

fn unwell(checks: &[Check]) -> Vec<&Check> {
    checks.iter().filter(|c| c.state == State::Unwell).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn applied_twice_and_found_well() {
    let vhost = vhost().await;
    for _ in 0..2 {
        let applied = topology::apply(&told(&vhost, false)).await.unwrap();
        assert_eq!(applied.len(), plan(&told(&vhost, false)).len());
        assert!(applied.iter().all(|a| a.fault.is_none()), "{applied:?}");
    }
    let seen = examine(&told(&vhost, true)).await;
    assert!(seen.iter().all(|c| c.state == State::Well), "{seen:#?}");
    let blind = examine(&told(&vhost, false)).await;
    assert!(unwell(&blind).is_empty(), "{blind:#?}");
    let unseen: Vec<_> = blind.iter().filter(|c| c.state == State::Unseen).map(|c| c.name.as_str()).collect();
    assert_eq!(unseen, ["management", "binding arkki.dead -> arkki.dead", "policies"]);
    let (status, bindings) = tokio::task::block_in_place(|| vhost.api("GET", &format!("/api/queues/{}/arkki.dead/bindings", vhost.name), None));
    assert!(status == 200 && bindings.matches("\"source\":\"arkki.dead\"").count() == 1, "the doctor changed nothing: {bindings}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_wrong_argument_is_found_both_ways_and_named() {
    let vhost = vhost().await;
    topology::apply(&told(&vhost, false)).await.unwrap();
    let right = [
        ("x-queue-type", "\"quorum\""),
        ("x-delivery-limit", "100"),
        ("x-dead-letter-exchange", "\"arkki.dead\""),
        ("x-dead-letter-strategy", "\"at-least-once\""),
        ("x-overflow", "\"reject-publish\""),
    ];
    for (argument, wrong) in [
        ("x-delivery-limit", None),
        ("x-delivery-limit", Some("20")),
        ("x-dead-letter-exchange", None),
        ("x-dead-letter-exchange", Some("\"elsewhere\"")),
        ("x-dead-letter-strategy", None),
        ("x-dead-letter-strategy", Some("\"at-most-once\"")),
        ("x-overflow", None),
        ("x-overflow", Some("\"drop-head\"")),
    ] {
        let others = right.iter().filter(|(name, _)| *name != argument).map(|(name, value)| format!("\"{name}\":{value}"));
        let arguments: Vec<_> = others.chain(wrong.map(|value| format!("\"{argument}\":{value}"))).collect();
        remade(&vhost, &arguments.join(","));
        for management in [true, false] {
            let checks = examine(&told(&vhost, management)).await;
            let found = unwell(&checks);
            assert!(
                found.iter().any(|c| c.name == "inbound queue arkki.in" && c.what.contains(argument)),
                "{argument} {wrong:?}, management {management}: {checks:#?}"
            );
            assert!(found.iter().all(|c| c.mend.as_deref().unwrap().contains("delete_queue arkki.in && arkki topology apply")), "{found:#?}");
        }
        let applied = topology::apply(&told(&vhost, false)).await.unwrap();
        let faults: Vec<_> = applied.iter().filter_map(|a| a.fault.as_ref()).collect();
        assert!(matches!(faults.as_slice(), [fault] if fault.argument.as_deref() == Some(argument)), "{faults:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_classic_queue_a_missing_binding_a_missing_route_and_policies_are_found() {
    let vhost = vhost().await;
    let all = topology::apply(&told(&vhost, false)).await.unwrap();
    assert!(all.iter().any(|a| matches!(&a.declaration, Declaration::Queue { name, .. } if name == "arkki.reply.route")));
    remade(&vhost, "\"x-queue-type\":\"classic\"");
    for management in [true, false] {
        let checks = examine(&told(&vhost, management)).await;
        // Without the API the broker names only the first argument that differs.
        assert!(unwell(&checks).iter().any(|c| c.name == "inbound queue arkki.in" && (!management || c.what.contains("classic"))), "{checks:#?}");
    }
    assert_eq!(api(&vhost, "DELETE", "/api/queues/{v}/arkki.in", None), 204);
    assert_eq!(api(&vhost, "DELETE", "/api/queues/{v}/arkki.reply.route", None), 204);
    for management in [true, false] {
        let checks = examine(&told(&vhost, management)).await;
        let missing: Vec<_> = unwell(&checks).into_iter().filter(|c| c.what == "does not exist").map(|c| (c.name.as_str(), c.mend.as_deref())).collect();
        assert_eq!(missing, [("inbound queue arkki.in", Some("arkki topology apply")), ("reply route arkki.reply.route", Some("arkki topology apply"))]);
    }
    topology::apply(&told(&vhost, false)).await.unwrap();
    assert_eq!(api(&vhost, "DELETE", "/api/bindings/{v}/e/arkki.dead/q/arkki.dead/~", None), 204);
    let checks = examine(&told(&vhost, true)).await;
    assert!(matches!(unwell(&checks).as_slice(), [one] if one.name.starts_with("binding")), "{checks:#?}");
    let blind = examine(&told(&vhost, false)).await;
    assert!(blind.iter().any(|c| c.state == State::Unseen && c.name.starts_with("binding")), "{blind:#?}");
    topology::apply(&told(&vhost, false)).await.unwrap();
    // A policy that quarantines good messages after two restarts, and one that makes the queue vanish.
    let policy = r#"{"pattern":"^arkki\\.in$","apply-to":"queues","definition":{"delivery-limit":2,"expires":3600000}}"#;
    assert_eq!(api(&vhost, "PUT", "/api/policies/{v}/odd", Some(policy)), 201);
    let found = crate::kit::wait_until(LONG, || async {
        let checks = examine(&told(&vhost, true)).await;
        let has = |word: &str| unwell(&checks).iter().any(|c| c.what.contains(word));
        has("x-delivery-limit is 2") && has("expires is set")
    });
    assert!(found.await);
    let checks = examine(&told(&vhost, true)).await;
    assert!(checks.iter().any(|c| c.mend.as_deref().is_some_and(|m| m.contains("clear_policy") && m.ends_with(" odd"))), "{checks:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_may_have_made_its_route_as_it_likes() {
    let vhost = vhost().await;
    assert_eq!(api(&vhost, "PUT", "/api/queues/{v}/arkki.reply.route", Some(r#"{"durable":true,"arguments":{"x-queue-type":"classic"}}"#)), 201);
    assert!(topology::apply(&told(&vhost, false)).await.unwrap().iter().all(|a| a.fault.is_none()));
    for management in [true, false] {
        let checks = examine(&told(&vhost, management)).await;
        assert!(unwell(&checks).is_empty(), "{checks:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_seen_is_said_and_no_password_with_it() {
    let vhost = vhost().await;
    topology::apply(&told(&vhost, false)).await.unwrap();
    let user = format!("plain-{}", vhost.name);
    tokio::task::block_in_place(|| vhost.user(&user, "topsecret"));
    let mut settings = told(&vhost, false);
    settings.management_url = Some(Secret::new(vhost.management_url.replace("://", &format!("://{user}:topsecret@"))));
    let shut_out = examine(&settings).await;
    assert!(
        shut_out.iter().any(|c| c.name == "management" && c.state == State::Unseen && c.mend.as_deref().unwrap().contains("set_user_tags")),
        "{shut_out:#?}"
    );
    settings.management_url = Some(Secret::new("http://guest:topsecret@127.0.0.1:1"));
    let away = examine(&settings).await;
    assert!(away.iter().any(|c| c.name == "management" && c.state == State::Unseen));
    settings.url = Secret::new("amqp://guest:topsecret@127.0.0.1:1/x");
    let gone = examine(&settings).await;
    assert!(matches!(gone.as_slice(), [one] if one.state == State::Unseen));
    settings.url = Secret::new(vhost.amqp_url.replace(":guest@", ":topsecret@"));
    let refused = examine(&settings).await;
    assert!(matches!(refused.as_slice(), [one] if one.state == State::Unseen && one.what.contains("ACCESS_REFUSED")), "{refused:?}");
    for checks in [shut_out, away, gone, refused] {
        assert!(!format!("{checks:?}").contains("topsecret"), "{checks:?}");
    }
}
