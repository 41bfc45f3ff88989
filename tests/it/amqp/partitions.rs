//! Partition queues on a real broker: declared and doctored, one partition a client, shared by instances, left in order, switched while messages flow.

mod handover;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use arkki::adapters::amqp::doctor::{Check, State, examine};
use arkki::adapters::amqp::switch::{Step, SwitchFault, switch};
use arkki::adapters::amqp::{AmqpConsumer, Through, partitions};
use arkki::ports::broker::Consumer;

use super::*;
use crate::kit::rabbit::{own_server_with, vhost};
use crate::kit::wait_until;

/// With the management API and so many partitions; balanced and handed over quickly.
fn partitioned(vhost: &Vhost, prefetch: u16, count: u16) -> AmqpSettings {
    let mut settings = settings(&vhost.amqp_url, prefetch);
    settings.management_url = Some(Secret::new(vhost.management_url.replace("://", "://guest:guest@")));
    settings.inbound[0].partitions = count;
    settings.balance = Duration::from_millis(200);
    settings.patience = Duration::from_secs(1);
    settings.missing = Duration::from_millis(300);
    settings
}

/// Message `number` of a client, through the exchange.
fn of_client(client: usize, number: usize) -> Outgoing {
    let partition = partitions::value(&arkki::crypto::sha256(format!("client {client}").as_bytes()));
    let through = Some(Through { exchange: partitions::exchange(IN), partition });
    Outgoing { through, message_id: Some(format!("{client}-{number}")), ..message(number) }
}

/// In this very order: of more than thirty futures `join_all` polls whichever is ready first.
async fn send_all(client: &AmqpClient, messages: Vec<Outgoing>) {
    for some in messages.chunks(25) {
        let sent = futures_util::future::join_all(some.iter().map(|m| client.send(m.clone()))).await;
        assert!(sent.iter().all(|s| *s == Ok(Published::Routed)), "{sent:?}");
    }
}

fn api(vhost: &Vhost, method: &str, path: &str, body: Option<&str>) -> u16 {
    tokio::task::block_in_place(|| vhost.api(method, &path.replace("{v}", &vhost.name), body).0)
}

fn not_well(checks: &[Check]) -> Vec<&Check> {
    checks.iter().filter(|c| c.state != State::Well).collect()
}

/// What one instance does: works a little on each delivery, notes it, settles it.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<(&'static str, String)>>>);

impl Log {
    fn note(&self, instance: &'static str, id: String) {
        self.0.lock().unwrap().push((instance, id));
    }

    fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    fn of(&self, instance: &str) -> usize {
        self.0.lock().unwrap().iter().filter(|(name, _)| *name == instance).count()
    }

    /// Every id, and what was taken more than once: the place in the log of each time, who took it.
    fn ids(&self) -> (BTreeSet<String>, Vec<String>) {
        let mut places: BTreeMap<String, Vec<(usize, &'static str)>> = BTreeMap::new();
        for (place, (name, id)) in self.0.lock().unwrap().iter().enumerate() {
            places.entry(id.clone()).or_default().push((place, name));
        }
        let twice = places.iter().filter(|(_, at)| at.len() > 1).map(|(id, at)| format!("{id}: {at:?}")).collect();
        (places.into_keys().collect(), twice)
    }

    /// Every client's messages `0..each` once and in order, whoever took them.
    fn is_in_order(&self, clients: usize, each: usize) {
        let mut seen: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (_, id) in self.0.lock().unwrap().iter() {
            let (client, number) = id.split_once('-').unwrap();
            seen.entry(client.parse().unwrap()).or_default().push(number.parse().unwrap());
        }
        let exact: Vec<usize> = (0..each).collect();
        for client in 0..clients {
            assert_eq!(seen.remove(&client).unwrap_or_default(), exact, "client {client}");
        }
        assert!(seen.is_empty(), "{seen:?}");
    }
}

/// An instance that works one after the other, `pace` each.
async fn instance(settings: &AmqpSettings, name: &'static str, log: &Log, pace: Duration) -> Arc<AmqpConsumer> {
    let consumer = Arc::new(AmqpConsumer::new(Arc::new(settings.clone())));
    let (sender, mut deliveries) = mpsc::channel(4);
    consumer.start(sender).await.unwrap();
    let log = log.clone();
    tokio::spawn(async move {
        while let Some(delivery) = deliveries.recv().await {
            tokio::time::sleep(pace).await;
            log.note(name, delivery.envelope.message_id.clone().unwrap_or_default());
            delivery.settle.settle(Settlement::Done);
        }
    });
    consumer
}

async fn all_empty(vhost: &Vhost, count: u16) -> bool {
    for queue in partitions::queues(IN, count) {
        if lying(vhost, &queue).await != Some((0, 0)) {
            return false;
        }
    }
    true
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_are_declared_twice_found_well_and_each_fault_is_named() {
    let vhost = vhost().await;
    let settings = partitioned(&vhost, 10, 4);
    for _ in 0..2 {
        assert!(topology::apply(&settings).await.unwrap().iter().all(|a| a.fault.is_none()));
    }
    let seen = examine(&settings).await;
    assert!(not_well(&seen).is_empty(), "{seen:#?}");
    assert!(seen.iter().any(|c| c.name == "plugin rabbitmq_consistent_hash_exchange"), "{seen:#?}");
    let blind = examine(&AmqpSettings { management_url: None, ..settings.clone() }).await;
    assert!(blind.iter().all(|c| c.state != State::Unwell), "{blind:#?}");
    let bindings = "/api/bindings/{v}/e/arkki.in.by-client/q";
    let found = async |words: &[&str]| {
        let checks = examine(&settings).await;
        let bad = not_well(&checks);
        assert!(words.iter().all(|w| bad.iter().any(|c| c.state == State::Unwell && c.what.contains(w))), "{words:?}: {bad:#?}");
        assert!(bad.iter().all(|c| c.mend.as_deref().is_some_and(|m| m.contains("arkki topology apply"))), "{bad:#?}");
        checks
    };
    // A binding is missing.
    assert_eq!(api(&vhost, "DELETE", &format!("{bindings}/arkki.in.p02/1"), None), 204);
    found(&["arkki.in.p02 missing"]).await;
    topology::apply(&settings).await.unwrap();
    // A partition with twice the weight.
    assert_eq!(api(&vhost, "POST", &format!("{bindings}/arkki.in.p03"), Some(r#"{"routing_key":"2","arguments":{}}"#)), 201);
    found(&["weights differ"]).await;
    assert_eq!(api(&vhost, "DELETE", &format!("{bindings}/arkki.in.p03/2"), None), 204);
    // A queue that nobody knows is bound as well.
    assert_eq!(api(&vhost, "PUT", "/api/queues/{v}/arkki.in.p05", Some(r#"{"durable":true,"arguments":{"x-queue-type":"quorum"}}"#)), 201);
    assert_eq!(api(&vhost, "POST", &format!("{bindings}/arkki.in.p05"), Some(r#"{"routing_key":"1","arguments":{}}"#)), 201);
    found(&["also lead to arkki.in.p05", "also arkki.in.p05"]).await;
    assert_eq!(api(&vhost, "DELETE", "/api/queues/{v}/arkki.in.p05", None), 204);
    // A partition without its single active consumer, and one that is not there.
    assert_eq!(api(&vhost, "DELETE", "/api/queues/{v}/arkki.in.p01", None), 204);
    let arguments = r#""x-queue-type":"quorum","x-delivery-limit":100,"x-dead-letter-exchange":"arkki.dead","x-dead-letter-strategy":"at-least-once","x-overflow":"reject-publish""#;
    assert_eq!(api(&vhost, "PUT", "/api/queues/{v}/arkki.in.p01", Some(&format!(r#"{{"durable":true,"arguments":{{{arguments}}}}}"#))), 201);
    assert_eq!(api(&vhost, "DELETE", "/api/queues/{v}/arkki.in.p04", None), 204);
    found(&["x-single-active-consumer is not set", "arkki.in.p01, arkki.in.p04 missing", "does not exist"]).await;
    let blind = examine(&AmqpSettings { management_url: None, ..settings.clone() }).await;
    let unwell: Vec<_> = blind.iter().filter(|c| c.state == State::Unwell).map(|c| c.name.as_str()).collect();
    assert_eq!(unwell, ["partition queue arkki.in.p01", "partition queue arkki.in.p04"], "{blind:#?}");
    // The exchange hashes something else.
    assert_eq!(api(&vhost, "DELETE", "/api/exchanges/{v}/arkki.in.by-client", None), 204);
    found(&["nowhere to send"]).await;
    assert_eq!(api(&vhost, "PUT", "/api/exchanges/{v}/arkki.in.by-client", Some(r#"{"type":"x-consistent-hash","durable":true}"#)), 201);
    found(&["of the routing key"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_plugin_the_command_that_enables_it_is_named() {
    let server = tokio::task::spawn_blocking(|| own_server_with(&["rabbitmq_management"])).await.unwrap();
    let vhost = server.vhost().await;
    let settings = partitioned(&vhost, 10, 2);
    let mend = "rabbitmq-plugins enable rabbitmq_consistent_hash_exchange";
    let applied = topology::apply(&settings).await.unwrap();
    let faults: Vec<_> = applied.iter().filter_map(|a| a.fault.as_ref()).collect();
    assert!(faults[0].mend.contains(mend), "{faults:#?}");
    assert!(applied.iter().any(|a| a.fault.is_none()), "the rest is declared all the same");
    let checks = examine(&settings).await;
    assert!(checks.iter().any(|c| c.state == State::Unwell && c.mend.as_deref() == Some(mend)), "{checks:#?}");
    let mut none = |_: &Step| ControlFlow::Continue(());
    let refused = switch(&settings, &settings.inbound[0], 2, LONG, &mut none).await.unwrap_err();
    assert!(matches!(&refused, SwitchFault::Refused { mend: m, .. } if m == mend), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_has_one_partition_and_messages_without_the_header_go_to_one_which_the_doctor_says() {
    let vhost = vhost().await;
    let settings = partitioned(&vhost, 10, 4);
    topology::apply(&settings).await.unwrap();
    let sender = client(&settings).await;
    send_all(&sender, (0..600).map(|n| of_client(n % 150, n / 150)).collect()).await;
    let mut each = Vec::new();
    for queue in partitions::queues(IN, 4) {
        assert!(wait_until(LONG, || async { lying(&vhost, &queue).await.is_some() }).await);
        let mut answers = sender.answers(&queue).await.unwrap();
        let mut clients: BTreeMap<String, usize> = BTreeMap::new();
        while let Some(answer) = answers.next(Duration::from_millis(700)).await.unwrap() {
            *clients.entry(answer.message_id.unwrap().split_once('-').unwrap().0.to_owned()).or_default() += 1;
        }
        assert!(clients.values().all(|n| *n == 4), "all of a client's messages in one partition: {clients:?}");
        each.push(clients.len());
    }
    println!("150 clients over 4 partitions: {each:?}");
    assert_eq!(each.iter().sum::<usize>(), 150);
    assert!(each.iter().all(|n| *n > 15), "{each:?}");
    let spread = |checks: &[Check]| checks.iter().find(|c| c.name.starts_with("header x-partition")).cloned().unwrap();
    let counted = || async { spread(&examine(&settings).await).what.starts_with("600 ") };
    assert!(wait_until(LONG, counted).await, "{:?}", spread(&examine(&settings).await));
    assert_eq!(spread(&examine(&settings).await).state, State::Well);
    // A sender by hand, without the header: all to one.
    let mut raw = tokio::task::block_in_place(|| raw::RawSender::connect(&vhost.amqp_url));
    tokio::task::block_in_place(|| (0..600).for_each(|_| assert!(raw.publish(b"arkki.in.by-client", b"", 0, b"", b"x"))));
    let mut depths = Vec::new();
    for queue in partitions::queues(IN, 4) {
        assert!(wait_until(LONG, || async { lying(&vhost, &queue).await.is_some_and(|(ready, _)| ready == 0 || ready == 600) }).await);
        depths.push(lying(&vhost, &queue).await.unwrap().0);
    }
    depths.sort_unstable();
    assert_eq!(depths, [0, 0, 0, 600]);
    let told = || async {
        let check = spread(&examine(&settings).await);
        check.state == State::Odd && check.what.contains("of 1200 messages") && check.mend.is_some_and(|m| m.contains("HMAC-SHA-256"))
    };
    assert!(wait_until(LONG, told).await, "{:?}", spread(&examine(&settings).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_grow_and_shrink_under_load_and_each_message_is_taken_once() {
    const CLIENTS: usize = 60;
    let vhost = vhost().await;
    let settings = partitioned(&vhost, 90, 8);
    topology::apply(&partitioned(&vhost, 90, 2)).await.unwrap();
    let sender = client(&settings).await;
    let log = Log::default();
    // The instances know of eight; so many as there are, they consume.
    let instances = [instance(&settings, "first", &log, Duration::from_millis(1)).await, instance(&settings, "second", &log, Duration::from_millis(1)).await];
    let stop = std::sync::atomic::AtomicBool::new(false);
    let load = async {
        let mut sent = 0;
        while !stop.load(std::sync::atomic::Ordering::Acquire) {
            send_all(&sender, (0..CLIENTS).map(|c| of_client(c, sent)).collect()).await;
            sent += 1;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        sent
    };
    let switching = async {
        let mut steps = Vec::new();
        for count in [8, 3, 5, 0, 4] {
            let mut told = |step: &Step| {
                steps.push(format!("{count}: {step}"));
                ControlFlow::Continue(())
            };
            switch(&settings, &settings.inbound[0], count, LONG * 3, &mut told).await.unwrap();
            let wanted = AmqpSettings { inbound: vec![InboundQueue { partitions: count, ..settings.inbound[0].clone() }], ..settings.clone() };
            let checks = examine(&wanted).await;
            assert!(checks.iter().all(|c| c.state != State::Unwell), "{count}: {checks:#?}");
        }
        stop.store(true, std::sync::atomic::Ordering::Release);
        steps
    };
    let (sent, steps) = tokio::join!(load, switching);
    println!("{}", steps.join("\n"));
    assert!(wait_until(LONG * 2, || async { log.len() >= sent * CLIENTS }).await, "{} of {}", log.len(), sent * CLIENTS);
    let (ids, twice) = log.ids();
    assert_eq!((ids.len(), twice), (sent * CLIENTS, Vec::new()), "each once");
    println!("{} messages over {} switches", log.len(), 5);
    for consumer in instances {
        consumer.close(LONG).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_broken_off_after_any_step_is_ended_by_the_next() {
    let vhost = vhost().await;
    let settings = partitioned(&vhost, 90, 4);
    let inbound = &settings.inbound[0];
    topology::apply(&settings).await.unwrap();
    let sender = client(&settings).await;
    send_all(&sender, (0..40).map(|n| of_client(n, 0)).collect()).await;
    // Broken off after the first step, after the second, and so on, until it comes through to where it waits; then back again the same way.
    let mut broken = 0;
    for count in [2, 4, 1, 0, 4] {
        for steps in 1_usize.. {
            let mut taken = 0;
            let mut told = |_: &Step| {
                taken += 1;
                if taken >= steps { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            match switch(&settings, inbound, count, Duration::ZERO, &mut told).await {
                Err(SwitchFault::BrokenOff) => broken += 1,
                Ok(()) | Err(SwitchFault::Full(_)) => break,
                Err(other) => panic!("{count} after {steps}: {other:?}"),
            }
        }
    }
    println!("broken off {broken} times");
    let mut total = 0;
    for queue in partitions::queues(IN, 4) {
        assert!(wait_until(LONG, || async { lying(&vhost, &queue).await.is_some() }).await);
        total += lying(&vhost, &queue).await.unwrap().0;
    }
    assert_eq!(total, 40, "nothing that nobody took was deleted");
    let checks = examine(&settings).await;
    assert!(not_well(&checks).is_empty(), "{checks:#?}");
    // With somebody to consume them they run empty and go.
    let log = Log::default();
    let consumer = instance(&settings, "one", &log, Duration::ZERO).await;
    let began = Instant::now();
    switch(&settings, inbound, 1, LONG, &mut |_: &Step| ControlFlow::Continue(())).await.unwrap();
    println!("three queues drained and deleted in {:.1} s", began.elapsed().as_secs_f32());
    assert_eq!(log.len(), 40);
    assert_eq!(lying(&vhost, "arkki.in.p02").await, None);
    consumer.close(LONG).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_somebody_binds_again_is_not_deleted() {
    let vhost = vhost().await;
    let settings = partitioned(&vhost, 10, 3);
    topology::apply(&settings).await.unwrap();
    let mut others = Vec::new();
    let fault = switch(&settings, &settings.inbound[0], 1, LONG, &mut |step: &Step| {
        if matches!(step, Step::Unbound(_)) {
            // What a deploy job does whose configuration still says three.
            let configured = settings.clone();
            others.push(tokio::spawn(async move { topology::apply(&configured).await.unwrap() }));
        }
        ControlFlow::Continue(())
    })
    .await
    .unwrap_err();
    assert!(matches!(&fault, SwitchFault::Refused { said, .. } if said.contains("bound again")), "{fault:?}");
    for other in others {
        other.await.unwrap();
    }
    assert_eq!(lying(&vhost, "arkki.in.p03").await.map(|(messages, _)| messages), Some(0), "it stands");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_see_the_depths_changes_nothing() {
    let vhost = vhost().await;
    let settings = partitioned(&vhost, 10, 3);
    topology::apply(&settings).await.unwrap();
    let user = format!("plain-{}", vhost.name);
    tokio::task::block_in_place(|| vhost.user(&user, "topsecret"));
    let shut_out = Secret::new(vhost.management_url.replace("://", &format!("://{user}:topsecret@")));
    for management_url in [None, Some(shut_out), Some(Secret::new("http://guest:topsecret@127.0.0.1:1"))] {
        let blind = AmqpSettings { management_url, ..settings.clone() };
        let fault = switch(&blind, &settings.inbound[0], 1, LONG, &mut |step: &Step| panic!("{step}")).await.unwrap_err();
        assert!(matches!(fault, SwitchFault::Blind { .. }), "{fault:?}");
        assert!(!format!("{fault:?}").contains("topsecret"), "{fault:?}");
    }
    let checks = examine(&settings).await;
    assert!(not_well(&checks).is_empty(), "{checks:#?}");
}
