//! Order with several instances: chains of a client's messages, each hanging on the one before, through one queue and through partitions; one instance is
//! killed and comes back. The end is exact either way, for what must be right is checked in the archive; partitions save holds.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use arkki::domain::language::Language;
use arkki::generate::document::DocumentSpec;
use arkki::generate::event;
use arkki::generate::family::Family;
use arkki::generate::random::Random;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};

use crate::faults::mix::{Fate, REPLIES, Sent};
use crate::faults::place::{REST, Run, more};
use crate::faults::queue::{Desk, INBOUND};
use crate::faults::verdict::Thoroughness;
use crate::kit::{self, wait_until};
use crate::road::Gateway;

const CLIENTS: u64 = 120;
const PARTITIONS: u16 = 6;
/// The site key of every gateway of the kit.
const SITE_KEY: [u8; 32] = [7; 32];
const EXCHANGE: &str = "arkki.inbound.by-client";

/// A message and its client's header value.
struct Link {
    sent: Sent,
    partition: String,
}

/// By openssl's own command line, so that code that is wrong in sender and test alike would show.
fn partition(spec: &DocumentSpec) -> String {
    let client = [b"1.2.246.21".as_slice(), b"\0", spec.person.hetu.as_bytes()].concat();
    let key: String = SITE_KEY.iter().map(|b| format!("{b:02x}")).collect();
    let output = kit::run_with_input("openssl", ["dgst", "-sha256", "-mac", "HMAC", "-macopt", &format!("hexkey:{key}")], &client).must();
    output.trim().rsplit(' ').next().unwrap()[..16].to_owned()
}

/// Relation, case, two documents, and a second and third version of each, client by client.
fn chain(number: u64) -> Vec<DocumentSpec> {
    let family = Family::new(5_000 + number, 8_000_000 + number, Language::Fi);
    let mut specs = vec![family.relation.clone(), family.case.clone()];
    let firsts = [200, 300].map(|n| family.phase_one.under(&family.id(n)));
    let seconds = [(0, 201), (1, 301)].map(|(of, n): (usize, u64)| firsts[of].replacement(&family.id(n)));
    let thirds = [(0, 202), (1, 302)].map(|(of, n): (usize, u64)| seconds[of].replacement(&family.id(n)));
    specs.extend(firsts.into_iter().chain(seconds).chain(thirds));
    specs
}

/// All chains, interleaved; each in its order.
fn chains() -> Vec<Link> {
    let mut open: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let specs = chain(client);
            let partition = partition(&specs[0]);
            let links = specs.into_iter().enumerate().map(move |(n, spec)| {
                let octets = spec.render();
                let fate = Fate::Accepted { document: spec.id };
                Link { sent: Sent { id: format!("{client}-{n}"), octets, reply: Some(REPLIES[n % 2]), fate }, partition: partition.clone() }
            });
            links.collect::<Vec<_>>().into_iter()
        })
        .collect();
    let mut random = Random::new(17);
    let mut all = Vec::new();
    while !open.is_empty() {
        let at = usize::try_from(random.below(open.len() as u64)).unwrap();
        match open[at].next() {
            Some(link) => all.push(link),
            None => drop(open.swap_remove(at)),
        }
    }
    all
}

fn properties(link: &Link, with_header: bool) -> BasicProperties {
    let mut properties = BasicProperties::default().with_message_id(link.sent.id.as_str().into()).with_user_id("guest".into());
    if let Some(reply) = link.sent.reply {
        properties = properties.with_reply_to(reply.into());
    }
    if with_header {
        let mut headers = FieldTable::default();
        headers.insert("x-partition".into(), AMQPValue::LongString(link.partition.as_str().into()));
        properties = properties.with_headers(headers);
    }
    properties
}

fn queues(partitions: u16) -> Vec<String> {
    (1..=partitions).map(|n| format!("{INBOUND}.p{n:02}")).chain([INBOUND.to_owned()]).collect()
}

fn lines(gateway: &Gateway, what: &str) -> usize {
    gateway.log_text().lines().filter(|l| l.contains(what)).count()
}

/// One run to its exact end; how many messages were put on hold.
async fn two_instances(name: &'static str, partitions: u16) -> usize {
    let links = tokio::task::block_in_place(chains);
    let more = format!("{}[inbound.main]\npartitions = {partitions}\nprefetch = 56\n", more("hold_seconds = 300"));
    let mut run = Run::with(name, links.iter().map(|l| l.sent.clone()).collect(), &more).await;
    let other = Gateway::on(run.gateway.vhost.clone(), Some(run.database.url.clone()), &more);
    let desk = run.desk().await;
    for queue in REPLIES {
        desk.declare(queue).await;
    }
    let exchange = if partitions > 0 { EXCHANGE } else { "" };
    let publish = async |links: &[Link]| {
        for some in links.chunks(100) {
            desk.publish_through(exchange, some.iter().map(|l| (l.sent.octets.as_slice(), properties(l, partitions > 0)))).await;
        }
    };
    let all = run.messages.len();
    let (early, late) = links.split_at(all / 4);
    publish(early).await;
    let mut first = run.gateway.serve(&[]);
    let second = other.serve(&[]);
    // Both have their share before the bulk comes.
    let shared = wait_until(REST, || async { partitions == 0 || lines(&run.gateway, "partition yielded") > 0 }).await;
    assert!(shared, "{name}: not shared\n{}", run.tail());
    publish(late).await;
    run.until_decided(all / 2).await;
    first.kill9();
    let killed = run.decided();
    // The other goes on with what the dead one had.
    run.until_decided((killed + all / 8).min(all)).await;
    let first = run.gateway.serve(&[]);
    let back = run.decided();
    for queue in queues(partitions) {
        let empty = wait_until(REST, || async { desk.ready(&queue).await == 0 && run.unacknowledged(&queue).await == Some(0) }).await;
        assert!(empty, "{name}: {queue} is not empty\n{}", run.tail());
    }
    desk.close().await;
    run.until_at_rest().await;
    in_order(&run);
    let decided = [&*run.gateway, &other].map(|g| lines(g, "\"ending\":"));
    let held = [&*run.gateway, &other].map(|g| lines(g, "\"ending\":\"held\"")).iter().sum();
    let taken = [&*run.gateway, &other].map(|g| (lines(g, "partition taken"), lines(g, "partition yielded")));
    assert!(decided.iter().all(|n| *n > 0), "{name}: both took part: {decided:?}");
    run.tell(format!(
        "{partitions} partitions, {held} holds; killed at {killed} decided, back at {back}; decided {decided:?}, partitions taken and yielded {taken:?}"
    ));
    run.finish(vec![first, second], Thoroughness::Sample).await;
    held
}

/// The ledger has each set's versions one after the other, from the first, and each case after its relation.
fn in_order(run: &Run) {
    let sql = "SELECT set_id, version FROM document ORDER BY position";
    let rows = tokio::task::block_in_place(|| run.place.postgres.sql(&run.database.name, sql));
    let mut versions: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for row in rows.lines() {
        let (set, version) = row.split_once('|').unwrap();
        versions.entry(set.to_owned()).or_default().push(version.parse().unwrap());
    }
    assert_eq!(versions.len(), usize::try_from(CLIENTS).unwrap() * 4);
    assert!(versions.values().all(|v| *v == [1] || *v == [1, 2, 3]), "{versions:?}");
    let early = "SELECT count(*) FROM document d JOIN case_file c ON c.id = d.case_id JOIN document m ON m.id = c.document_id WHERE d.position < m.position";
    assert_eq!(tokio::task::block_in_place(|| run.place.postgres.sql(&run.database.name, early)), "0", "a document before its case");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_instances_and_a_killed_one_keep_every_clients_order_and_partitions_save_holds() {
    let without = two_instances("one queue", 0).await;
    let with = two_instances("partitions", PARTITIONS).await;
    println!("holds: {without} through one queue, {with} through {PARTITIONS} partitions");
    assert!(with <= without, "{with} holds with partitions, {without} without");
}

/// Writes the generated documents of one chain as files.
fn files(folder: &std::path::Path, client: u64) -> Vec<PathBuf> {
    let write = |(n, spec): (usize, DocumentSpec)| {
        let path = folder.join(format!("{n}.xml"));
        std::fs::write(&path, spec.render()).unwrap();
        path
    };
    chain(client).into_iter().enumerate().map(write).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn send_leads_a_clients_messages_to_one_partition_and_says_nothing_of_the_client() {
    let gateway = Gateway::new(None, "[inbound.main]\npartitions = 4\n").await;
    let folder = kit::temp_dir();
    let mut paths = files(folder.path(), 3);
    let (broken, invalidation) = (folder.path().join("broken.xml"), folder.path().join("invalidation.xml"));
    std::fs::write(&broken, b"<ClinicalDocument").unwrap();
    let frame = event::about(&chain(3)[2], event::Names::VERSION, "SPX-INVALIDATE", event::Why::words("wrong client"), 77);
    std::fs::write(&invalidation, frame.render(&[])).unwrap();
    paths.extend([broken, invalidation]);
    let names: Vec<&str> = paths.iter().map(|p| p.to_str().unwrap()).collect();
    let unanswered = gateway.arkki(&[&["send", "--json", "--timeout", "1"], names.as_slice()].concat());
    assert_eq!(unanswered.code, Some(1), "{}", unanswered.errors());
    let desk = Desk::open(&gateway.vhost.amqp_url).await;
    let (spec, mut found) = (chain(3).remove(0), Vec::new());
    for queue in queues(4) {
        let here = desk.take_all(&queue).await;
        assert!(queue != INBOUND || here.is_empty(), "past the partitions");
        found.extend(here.into_iter().map(|m| (queue.clone(), m)));
    }
    assert_eq!(found.len(), 10);
    let header = |m: &crate::faults::queue::Found| {
        let headers = m.properties.headers().clone().unwrap();
        headers.inner().iter().find_map(|(name, value)| match value {
            AMQPValue::LongString(text) if name.as_str() == "x-partition" => Some(text.to_string()),
            _ => None,
        })
    };
    let (of_client, others): (Vec<_>, Vec<_>) = found.iter().partition(|(_, m)| header(m) == Some(partition(&spec)));
    assert_eq!((of_client.len(), others.len()), (9, 1), "eight documents and the event about one of them");
    assert!(of_client.iter().all(|(queue, _)| *queue == of_client[0].0), "one partition");
    assert!(header(&others[0].1).is_some_and(|h| h.len() == 16 && h.bytes().all(|b| b.is_ascii_hexdigit())), "the unreadable one is spread by its octets");
    for (_, message) in &found {
        assert!(!format!("{:?} {}", message.properties, message.routing_key).contains(&spec.person.hetu), "never the identity code");
    }
    assert!(!unanswered.text().contains(&spec.person.hetu) && !unanswered.errors().contains(&spec.person.hetu));
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_switches_while_an_instance_serves() {
    let gateway = Gateway::new(None, "[inbound.main]\npartitions = 4\n").await;
    let mut serve = gateway.serve(&[]);
    let folder = kit::temp_dir();
    let answers = |client: u64| gateway.send(&files(folder.path(), client)).into_iter().map(|(_, answer, _)| answer).collect::<Vec<_>>();
    assert_eq!(answers(1), ["AA"; 8]);
    assert_eq!(gateway.arkki(&["topology", "apply", "--partitions", "65"]).code, Some(2));
    let blind = kit::run_command(gateway.command(&["topology", "apply", "--partitions", "2"]).env_remove("ARKKI_MANAGEMENT_URL"), b"");
    assert!(blind.code == Some(2) && blind.errors().contains("management_url"), "{}", blind.errors());
    let shrunk = gateway.arkki(&["topology", "apply", "--partitions", "2"]).must();
    assert!(shrunk.contains("unbound   arkki.inbound.p04") && shrunk.contains("deleted   arkki.inbound.p03"), "{shrunk}");
    assert!(shrunk.contains("write [inbound.main] partitions = 2"), "{shrunk}");
    assert_eq!(answers(2), ["AA"; 8], "the instance serves on");
    let odd = gateway.arkki(&["doctor"]);
    assert!(odd.code == Some(1) && odd.text().contains("arkki.inbound.p03"), "{}", odd.text());
    let path = gateway.folder.path().join("arkki.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, config.replace("partitions = 4", "partitions = 2")).unwrap();
    let well = gateway.arkki(&["doctor"]);
    assert!(well.code == Some(0), "{}", well.text());
    serve.signal(kit::process::Signal::Term);
    assert!(serve.wait(Duration::from_secs(30)).is_some_and(|s| s.success()), "{}", gateway.log_text());
    let mut serve = gateway.serve(&[]);
    assert_eq!(answers(3), ["AA"; 8]);
    // Nobody consumes the third: it is led to and fills, and is not deleted on the way back before an instance takes it.
    assert!(gateway.arkki(&["topology", "apply", "--partitions", "3"]).must().contains("bound     arkki.inbound.p03"));
    serve.signal(kit::process::Signal::Term);
    assert!(serve.wait(Duration::from_secs(30)).is_some_and(|s| s.success()), "{}", gateway.log_text());
    let relations = (4..16).map(|client| {
        let path = folder.path().join(format!("relation-{client}.xml"));
        std::fs::write(&path, chain(client)[0].render()).unwrap();
        path
    });
    let names: Vec<PathBuf> = relations.collect();
    let names: Vec<&str> = names.iter().map(|p| p.to_str().unwrap()).collect();
    gateway.arkki(&[&["send", "--timeout", "1"], names.as_slice()].concat());
    let full = gateway.arkki(&["topology", "apply", "--partitions", "2", "--wait", "1"]);
    assert!(full.code == Some(1) && full.text().contains("nobody consumes it"), "{} {}", full.text(), full.errors());
    std::fs::write(&path, config.replace("partitions = 4", "partitions = 3")).unwrap();
    let mut serve = gateway.serve(&[]);
    assert!(gateway.arkki(&["topology", "apply", "--partitions", "2"]).must().contains("deleted   arkki.inbound.p03"));
    serve.signal(kit::process::Signal::Term);
    assert!(serve.wait(Duration::from_secs(30)).is_some_and(|s| s.success()), "{}", gateway.log_text());
    println!("{}", gateway.arkki(&["audit"]).must());
}
