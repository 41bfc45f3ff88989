//! Bad input through the real queue: each gets its refusal or lies in quarantine, in bounded time and memory; nothing crashes, is lost or sings.

mod samples;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use arkki::adapters::amqp::{AmqpClient, Secret};
use arkki::domain::ack::AckType;
use arkki::domain::code::Code;
use arkki::domain::language::Language;
use arkki::generate::family::Family;
use arkki::generate::hostile;
use arkki::v3::ack;
use lapin::BasicProperties;

use crate::amqp::hostile::{nested, of_every_type};
use crate::amqp::raw::{RawSender, long, short};
use crate::faults::mix::REPLIES;
use crate::faults::place::more;
use crate::faults::queue::{DEAD, Found};
use crate::faults::ways::{Bench, said};
use crate::kit::wait_until;

/// The longest one message may take in a debug build on a busy machine; the largest is 100 MB.
const EACH: Duration = Duration::from_secs(60);
/// The most memory, in megabytes, that `serve` may ever have had. 100 MB are refused only once they are there, and a refusal is archived with its octets:
/// the message itself (in a buffer that grew by doubling, 128), its copy among the statement's values (100), and the database client's write buffer,
/// which doubles too (256 at the moment it grows); and 200 that the allocator keeps of what came before. Not one of them grows with a second message: commits share 32 MB at most.
const PEAK: u64 = 700;
/// The same for what the limits let through to be looked at: 31 MB.
const PEAK_IN_LIMITS: u64 = 300;

const LARGEST: &str = "100 MB";

/// A good bare document of nobody's.
fn good(number: u64) -> String {
    let family = Family::new(number, 800_000 + number, Language::Fi);
    String::from_utf8(family.relation.render()).expect("UTF-8")
}

/// The most memory a process ever had, in megabytes.
fn peak(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a running process");
    let line = status.lines().find(|l| l.starts_with("VmHWM:")).expect("VmHWM");
    line.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok()).expect("kilobytes") / 1024
}

#[tokio::test(flavor = "multi_thread")]
async fn octets_that_mean_harm_get_their_code_in_bounded_time_and_memory() {
    let mut bench = Bench::new(&more("")).await;
    let text = good(1);
    let swapped = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1).into_bytes()
    };
    let body_id = text
        .split("<nonXMLBody")
        .nth(1)
        .or_else(|| text.split("nonXMLBody").nth(1))
        .and_then(|t| t.split('"').find(|p| p.starts_with("OID")))
        .expect("a body with an id")
        .to_owned();
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("truncated", text.as_bytes()[..text.len() / 2].to_vec(), "E103"),
        ("empty", Vec::new(), "E109"),
        ("latin 1", text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).chain(*b"<!-- \xe4 -->").collect(), "E101"),
        ("another encoding declared", swapped("UTF-8", "ISO-8859-1"), "E101"),
        ("byte order mark", [b"\xef\xbb\xbf", text.as_bytes()].concat(), "E106"),
        ("UTF-16", hostile::utf_16(text.as_bytes()), "E107"),
        ("NUL", swapped("<realmCode", "\0<realmCode"), "E115"),
        ("200,000 levels", hostile::levels(200_000), "E104"),
        ("a megabyte in an attribute", hostile::long_attribute(text.as_bytes(), 1_000_000), "E110"),
        ("2,500,000 elements", hostile::crowd(2_500_000), "E111"),
        ("100,000 namespaces", hostile::namespaces(100_000), "E111"),
        ("duplicate id", swapped("<component>", &format!("<component ID=\"{body_id}\">")), "E205"),
        ("wrong namespace", swapped("urn:hl7-org:v3\"", "urn:hl7-org:v4\""), "E210"),
        ("patient side", text.replace("localSocialHeader", "localHeader").into_bytes(), "E203"),
        ("unknown root", b"<Asiakirja xmlns=\"urn:hl7-org:v3\"/>".to_vec(), "E201"),
        ("30 MB of levels", hostile::levels(4_200_000), "E104"),
        ("30 MB of a comment", hostile::padded(text.as_bytes(), 30_000_000), "E105"),
        (LARGEST, hostile::padded(text.as_bytes(), 100_000_000), "E105"),
    ];
    let mut slowest = (Duration::ZERO, "");
    let mut told = Vec::new();
    for (name, octets, code) in &cases {
        let began = Instant::now();
        let before = peak(bench.serve.pid());
        assert!(*name != LARGEST || before <= PEAK_IN_LIMITS, "{before} MB; {told:?}");
        let answer = tokio::time::timeout(EACH, bench.ask(octets, name)).await.unwrap_or_else(|_| panic!("{name}: no answer in {EACH:?}"));
        slowest = slowest.max((began.elapsed(), name));
        let after = peak(bench.serve.pid());
        if after > before + 5 {
            told.push(format!("{name}: {after} MB"));
        }
        assert_eq!(said(&answer), (Code::parse(code).expect("a code").ack_type(), *code), "{name}: {:?}", answer.details.first());
        assert!(bench.serve.exit_status().is_none(), "{name}: the gateway lives");
    }
    assert_eq!(said(&bench.ask(good(2).as_bytes(), "a good one").await).0, AckType::Accept, "and goes on working");
    let most = peak(bench.serve.pid());
    println!("hostile octets: {} messages, slowest {:?}; memory {most} MB at most; {}", cases.len(), slowest, told.join(", "));
    assert!(most <= PEAK, "{most} MB; {told:?}");
    assert_eq!(bench.sql("SELECT count(*) FROM inbox"), (cases.len() + 1).to_string(), "each is decided, none is lost");
    bench.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn properties_that_mean_harm_are_answered_or_quarantined() {
    let bench = Bench::new(&more("")).await;
    let (url, reply) = (bench.gateway.vhost.amqp_url.clone(), short(REPLIES[0].as_bytes()));
    // Flags in wire order: content type, encoding, headers, …, correlation id, reply to, …, message id, …, user id.
    let (content_type, headers, correlation, reply_to, message_id, user_id) = (0x8000, 0x2000, 0x0400, 0x0200, 0x0080, 0x0010);
    let user = short(b"guest");
    let good_table = |table: Vec<u8>| (headers | reply_to | user_id, [table, reply.clone(), user.clone()].concat());
    type Case = (&'static str, (u16, Vec<u8>), bool);
    let cases: [Case; 11] = [
        ("headers 15,000 levels deep", good_table(nested(15_000)), true),
        ("headers of every type, none fitting", good_table(of_every_type()), true),
        ("a header of 120,000 octets", good_table(long(&[short(&[b'k'; 255]), b"S".to_vec(), long(&[b'v'; 120_000])].concat())), true),
        ("30,000 headers of one name", good_table(long(&[b"\x01kV".as_slice(); 30_000].concat())), true),
        ("a message id that is no UTF-8", (reply_to | message_id | user_id, [reply.clone(), short(&[0xff, 0xfe]), user.clone()].concat()), true),
        ("a correlation id that is no UTF-8", (correlation | reply_to | user_id, [short(&[0xc3]), reply.clone(), user.clone()].concat()), true),
        ("control characters in the message id", (reply_to | message_id | user_id, [reply.clone(), short(b"a\0b\r\nc"), user.clone()].concat()), true),
        ("a content type of something else", (content_type | reply_to | user_id, [short(b"image/png"), reply.clone(), user.clone()].concat()), true),
        ("a content type that is no UTF-8", (content_type | reply_to | user_id, [short(&[0xff; 255]), reply.clone(), user.clone()].concat()), true),
        ("a reply address that is no UTF-8", (reply_to | user_id, [short(b"arkki.reply.guest.\xff"), user.clone()].concat()), false),
        ("no property at all", (0, Vec::new()), false),
    ];
    // By Arkki's own client: an ordinary one takes a string that is no UTF-8 for a broken connection.
    let client = AmqpClient::connect(&Secret::new(url.as_str()), "test").await.unwrap();
    let mut dead_letters = client.answers(DEAD).await.unwrap();
    for (number, (name, (flags, properties), answered)) in cases.iter().enumerate() {
        let octets = good(100 + number as u64);
        let sent = tokio::task::block_in_place(|| RawSender::connect(&url).publish(b"", b"arkki.inbound", *flags, properties, octets.as_bytes()));
        assert!(sent, "{name}: the broker took it");
        if *answered {
            let found = bench.next(REPLIES[0]).await;
            assert_eq!(said(&ack::read(&found.body).unwrap()).0, AckType::Accept, "{name}: properties are no reason to refuse a document");
            assert!(found.correlation().is_empty(), "{name}: nothing to correlate with");
        } else {
            let found = dead_letters.next(EACH).await.unwrap().unwrap_or_else(|| panic!("{name}: not quarantined"));
            assert_eq!(found.body, octets.as_bytes(), "{name}: quarantined as it came");
        }
    }
    assert_eq!(bench.gateway.log_text().matches("broker connection lost").count(), 0, "the connection stood throughout");
    bench.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_reply_address_is_no_address() {
    let bench = Bench::new(&more("")).await;
    let forged =
        ["arkki.inbound", DEAD, "arkki.notice", "arkki.reply.other.a", "amq.gen-abc", "arkki.reply.guest.", "arkki.reply.*.a", "arkki.reply.guest", ""];
    bench.desk.declare("arkki.reply.other.a").await;
    // `amq.rabbitmq.reply-to` is refused by the broker itself unless somebody listens there, and what is sent there is not kept.
    for (number, queue) in forged.iter().enumerate() {
        let octets = good(200 + number as u64);
        bench.send(octets.as_bytes(), Bench::honest(queue, queue)).await;
        let dead = bench.next(DEAD).await;
        assert_eq!((dead.message_id().as_str(), dead.body.as_slice()), (*queue, octets.as_bytes()), "quarantined as it came");
    }
    assert_eq!(bench.desk.ready("arkki.reply.other.a").await, 0, "nothing went to another sender's queue");
    assert_eq!(bench.sql("SELECT count(*) FROM document"), "0");
    assert_eq!(bench.sql("SELECT DISTINCT code FROM inbox"), "E903");
    bench.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_sender_a_message_is_refused_where_the_default_route_leads() {
    let bench = Bench::new(&format!("{}[reply]\ndefault_route = \"arkki.reply.nobody\"\n", more(""))).await;
    let octets = good(300);
    // Its own reply address is nobody's word.
    let properties = BasicProperties::default().with_reply_to(REPLIES[0].into()).with_message_id("nobody".into());
    bench.send(octets.as_bytes(), properties).await;
    let answer = bench.next("arkki.reply.nobody").await;
    let read = ack::read(&answer.body).unwrap();
    assert_eq!(said(&read), (AckType::Reject, "E813"));
    assert_eq!(answer.correlation(), "nobody");
    assert_eq!(bench.desk.ready(REPLIES[0]).await, 0);
    assert_eq!(said(&bench.ask(octets.as_bytes(), "somebody").await).0, AckType::Accept, "from a sender the same octets are taken");
    assert!(wait_until(EACH, || async { bench.sql("SELECT count(*) FROM outbox") == "0" }).await);
    bench.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_message_repeated_without_end_is_answered_as_often() {
    const REPEATS: usize = 1_500;
    let bench = Bench::new(&more("hold_seconds = 300")).await;
    let family = Family::new(400, 800_400, Language::Fi);
    let case = family.case.render();
    let ids: Vec<String> = (0..REPEATS).map(|n| format!("again {n}")).collect();
    for some in ids.chunks(100) {
        bench.desk.publish(some.iter().map(|id| (case.as_slice(), Bench::honest(id, REPLIES[0])))).await;
    }
    let waiting = wait_until(EACH, || async { bench.sql("SELECT count(*) FROM held_reply") == REPEATS.to_string() }).await;
    assert!(waiting, "{}", bench.gateway.log_text());
    bench.send(&family.relation.render(), Bench::honest("what it waits for", REPLIES[1])).await;
    assert_eq!(said(&ack::read(&bench.next(REPLIES[1]).await.body).unwrap()).0, AckType::Accept);
    let answered = wait_until(EACH, || async { bench.desk.ready(REPLIES[0]).await as usize >= REPEATS }).await;
    assert!(answered, "{} of {REPEATS}", bench.desk.ready(REPLIES[0]).await);
    let answers = bench.desk.take_all(REPLIES[0]).await;
    let told: BTreeSet<String> = answers.iter().map(Found::correlation).collect();
    assert_eq!((answers.len(), told), (REPEATS, ids.into_iter().collect()), "each once");
    assert!(answers.iter().all(|answer| answer.body == answers[0].body));
    assert_eq!(said(&ack::read(&answers[0].body).unwrap()).0, AckType::Accept);
    assert_eq!(bench.sql("SELECT (SELECT count(*) FROM held) + (SELECT count(*) FROM held_reply)"), "0");
    bench.stop();
}
