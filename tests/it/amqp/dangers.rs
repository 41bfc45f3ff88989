//! What the doctor calls a danger: only what could lose a message, each found by its real cause, with the command that mends it.

use arkki::adapters::amqp::doctor::{Check, State, dangers, examine};
use arkki::pipeline::door::SenderRules;

use super::doctor::{api, remade, told};
use super::*;
use crate::kit::rabbit::vhost;

/// The names of what could lose a message.
fn losing(checks: &[Check]) -> Vec<&str> {
    dangers(checks).map(|check| check.name.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_argument_is_a_danger_only_when_it_can_lose_something() {
    let vhost = vhost().await;
    topology::apply(&told(&vhost, false)).await.unwrap();
    assert!(losing(&examine(&told(&vhost, true)).await).is_empty());
    let right = [
        ("x-queue-type", "\"quorum\""),
        ("x-delivery-limit", "100"),
        ("x-dead-letter-exchange", "\"arkki.dead\""),
        ("x-dead-letter-strategy", "\"at-least-once\""),
        ("x-overflow", "\"reject-publish\""),
    ];
    for (argument, wrong, loses) in [
        ("x-queue-type", Some("\"classic\""), true),
        ("x-delivery-limit", Some("20"), false),
        ("x-dead-letter-exchange", None, true),
        ("x-dead-letter-strategy", Some("\"at-most-once\""), true),
        ("x-overflow", Some("\"drop-head\""), true),
    ] {
        // A classic queue knows none of the others.
        let others = right.iter().filter(|(name, _)| *name != argument && argument != "x-queue-type").map(|(name, value)| format!("\"{name}\":{value}"));
        let arguments: Vec<_> = others.chain(wrong.map(|value| format!("\"{argument}\":{value}"))).collect();
        remade(&vhost, &arguments.join(","));
        for management in [true, false] {
            let checks = examine(&told(&vhost, management)).await;
            assert_eq!(losing(&checks).contains(&"inbound queue arkki.in"), loses, "{argument} {wrong:?}, management {management}: {checks:#?}");
            assert!(checks.iter().any(|c| c.name == "inbound queue arkki.in" && c.state == State::Unwell), "{checks:#?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_that_lose_messages_are_dangers_and_the_command_takes_them_away() {
    let vhost = vhost().await;
    topology::apply(&told(&vhost, false)).await.unwrap();
    for (kind, queue, definition, loses) in [
        ("policies", "arkki.in", r#"{"message-ttl":60000}"#, true),
        ("policies", "arkki.in", r#"{"expires":3600000}"#, true),
        ("policies", "arkki.dead", r#"{"max-length":10}"#, true),
        ("operator-policies", "arkki.dead", r#"{"max-length-bytes":1000}"#, true),
        ("operator-policies", "arkki.in", r#"{"message-ttl":60000}"#, true),
        ("operator-policies", "arkki.in", r#"{"delivery-limit":5}"#, false),
        // A reader's own queue is the reader's: told, and no reason to stand still.
        ("policies", "arkki.reply.route", r#"{"message-ttl":60000}"#, false),
    ] {
        let policy = format!(r#"{{"pattern":"^{}$","apply-to":"queues","definition":{definition}}}"#, queue.replace('.', "\\\\."));
        assert_eq!(api(&vhost, "PUT", &format!("/api/{kind}/{{v}}/odd"), Some(&policy)), 201, "{policy}");
        let mut checks = Vec::new();
        let found = crate::kit::wait_until(LONG, || {
            let settings = told(&vhost, true);
            async move { examine(&settings).await.iter().any(|c| c.state == State::Unwell) }
        });
        assert!(found.await, "{kind} {definition} is not seen");
        checks.extend(examine(&told(&vhost, true)).await);
        assert_eq!(losing(&checks).iter().any(|name| name.ends_with(queue)), loses, "{kind} {definition}: {checks:#?}");
        let mend = checks.iter().find(|c| c.state == State::Unwell).and_then(|c| c.mend.clone()).unwrap();
        let verb = if kind == "policies" { "clear_policy" } else { "clear_operator_policy" };
        assert_eq!(mend, format!("rabbitmqctl {verb} -p {} odd", vhost.name), "{checks:#?}");
        // The very words, without a shell.
        let words: Vec<&str> = mend.split(' ').skip(1).collect();
        let done = tokio::task::block_in_place(|| crate::kit::rabbit::server().ctl(&words));
        assert!(done.ok(), "{mend}: {} {}", done.text(), done.errors());
        let mended = crate::kit::wait_until(LONG, || {
            let settings = told(&vhost, true);
            async move { examine(&settings).await.iter().all(|c| c.state == State::Well) }
        });
        assert!(mended.await, "{mend} mends nothing: {:#?}", examine(&told(&vhost, true)).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_exchange_or_binding_for_what_is_quarantined_is_a_danger() {
    let vhost = vhost().await;
    topology::apply(&told(&vhost, false)).await.unwrap();
    assert_eq!(api(&vhost, "DELETE", "/api/bindings/{v}/e/arkki.dead/q/arkki.dead/~", None), 204);
    assert_eq!(losing(&examine(&told(&vhost, true)).await), ["binding arkki.dead -> arkki.dead"]);
    assert_eq!(api(&vhost, "DELETE", "/api/exchanges/{v}/arkki.dead", None), 204);
    assert_eq!(losing(&examine(&told(&vhost, true)).await), ["exchange arkki.dead", "binding arkki.dead -> arkki.dead"]);
    assert_eq!(losing(&examine(&told(&vhost, false)).await), ["exchange arkki.dead"]);
    topology::apply(&told(&vhost, false)).await.unwrap();
    assert!(losing(&examine(&told(&vhost, true)).await).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_that_are_taken_back_too_soon_are_told() {
    let vhost = vhost().await;
    topology::apply(&told(&vhost, false)).await.unwrap();
    let policy = r#"{"pattern":"^arkki\\.in$","apply-to":"queues","definition":{"consumer-timeout":60000}}"#;
    if api(&vhost, "PUT", "/api/policies/{v}/odd", Some(policy)) != 201 {
        println!("left out: this RabbitMQ knows no policy of that name (3.12 does)");
        return;
    }
    let found = crate::kit::wait_until(LONG, || {
        let settings = told(&vhost, true);
        async move { examine(&settings).await.iter().any(|c| c.state == State::Unwell && c.what.starts_with("consumer-timeout is 60000 ms") && !c.loses) }
    });
    assert!(found.await, "{:#?}", examine(&told(&vhost, true)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_are_held_against_each_queue_and_the_way_out() {
    let vhost = vhost().await;
    topology::apply(&told(&vhost, false)).await.unwrap();
    let user = format!("narrow-{}", vhost.name);
    let url = tokio::task::block_in_place(|| vhost.user(&user, "narrow"));
    for (read, write, word) in [
        ("^arkki\\\\.reply", ".*", Some("may not read arkki.in")),
        ("^arkki\\\\.in$", "^arkki\\\\.", Some("may not write to the default exchange")),
        ("", ".*", Some("may not read arkki.in")),
        ("^arkki\\\\.in$", "^amq\\\\.default$", None),
    ] {
        let rights = format!(r#"{{"configure":"","write":"{write}","read":"{read}"}}"#);
        assert!(api(&vhost, "PUT", &format!("/api/permissions/{{v}}/{user}"), Some(&rights)) < 300);
        let mut settings = told(&vhost, true);
        settings.url = Secret::new(url.clone());
        let checks = examine(&settings).await;
        let check = checks.iter().find(|c| c.name == format!("rights of user {user}")).unwrap_or_else(|| panic!("{checks:#?}"));
        match word {
            None => assert_eq!(check.state, State::Well, "{check:?}"),
            Some(word) => {
                assert!(check.state == State::Unwell && check.what.starts_with(word), "{check:?}");
                let mend = check.mend.clone().unwrap();
                assert!(mend.starts_with(&format!("rabbitmqctl set_permissions -p {} {user} '' ", vhost.name)) && mend.contains("'.*'"), "{mend}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_without_a_queue_for_its_answers_is_named() {
    let vhost = vhost().await;
    let mut settings = told(&vhost, true);
    let rules = Rules::new(true, [IN.to_owned(), DEAD.to_owned(), "arkki.notice".to_owned()])
        .with_sender("east", SenderRules::default())
        .with_sender("west", SenderRules { replies: None, route: Some("arkki.reply.west-route".into()) });
    settings.rules = Arc::new(rules);
    topology::apply(&settings).await.unwrap();
    let seen = |checks: Vec<Check>, name: &str| checks.into_iter().find(|c| c.name == format!("replies of sender {name}")).unwrap();
    let east = seen(examine(&settings).await, "east");
    assert!(east.state == State::Odd && east.mend.as_deref().is_some_and(|m| m.contains("[senders.east] route")), "{east:?}");
    let west = seen(examine(&settings).await, "west");
    assert!(west.state == State::Well && west.what.contains("arkki.reply.west-route"), "{west:?}");
    assert_eq!(api(&vhost, "PUT", "/api/queues/{v}/arkki.reply.east.1", Some(r#"{"durable":true,"arguments":{}}"#)), 201);
    let found = crate::kit::wait_until(LONG, || {
        let settings = settings.clone();
        async move { examine(&settings).await.iter().any(|c| c.name == "replies of sender east" && c.state == State::Well) }
    });
    assert!(found.await, "{:#?}", examine(&settings).await);
}
