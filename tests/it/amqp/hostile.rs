//! Properties no honest sender writes. Each must be harmless, and the message after it must come through.

use arkki::adapters::amqp::AmqpConsumer;
use arkki::ports::broker::Consumer;

use super::raw::{RawSender, long, short};
use super::*;
use crate::kit::rabbit::vhost;
use crate::kit::wait_until;

const HEADERS: u16 = 0x2000;
const MESSAGE_ID: u16 = 0x0080;
const REPLY_TO: u16 = 0x0200;
const CORRELATION_ID: u16 = 0x0400;

/// A table in a table in a table…, innermost empty: seven octets a level, as deep as one frame holds.
pub(crate) fn nested(levels: usize) -> Vec<u8> {
    let mut table = vec![];
    for level in (0..levels).rev() {
        let inner = u32::try_from((levels - 1 - level) * 6).unwrap();
        let mut outer = vec![0, b'F'];
        outer.extend_from_slice(&inner.to_be_bytes());
        table.push(outer);
    }
    table.reverse();
    long(&table.concat())
}

pub(crate) fn of_every_type() -> Vec<u8> {
    let mut table = Vec::new();
    for (kind, value) in [
        (b't', vec![7]),
        (b'b', vec![0xff]),
        (b's', vec![0xff, 0xff]),
        (b'I', vec![1; 4]),
        (b'l', vec![1; 8]),
        (b'f', vec![0x40, 0, 0, 0]),
        (b'd', vec![0x40, 0, 0, 0, 0, 0, 0, 0]),
        (b'D', vec![255, 1, 1, 1, 1]),
        (b'S', long(&[0xff; 20])),
        (b'A', long(&[b'V'; 500])),
        (b'T', vec![0xff; 8]),
        (b'F', long(b"\x02\xff\xfeV")),
        (b'V', vec![]),
        (b'x', long(&[0; 5])),
    ] {
        table.extend([short(&[0xff, kind]), vec![kind], value].concat());
    }
    // The broker's own words, in the wrong type.
    for name in ["x-delivery-count", "x-death", "x-first-death-queue"] {
        table.extend([short(name.as_bytes()), b"S".to_vec(), long(b"999999999999999999999")].concat());
    }
    long(&table)
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_properties_are_harmless() {
    let vhost = vhost().await;
    let settings = prepared(&vhost, 50).await;
    // A routing key is the sender's too, where a fanout stands before the inbound queue.
    let api = |method, path: String, body| tokio::task::block_in_place(|| vhost.api(method, &path, Some(body)).0);
    assert_eq!(api("PUT", format!("/api/exchanges/{}/front", vhost.name), r#"{"type":"fanout","durable":true}"#), 201);
    assert_eq!(api("POST", format!("/api/bindings/{}/e/front/q/{IN}", vhost.name), r#"{"routing_key":""}"#), 201);
    let consumer = AmqpConsumer::new(Arc::clone(&settings));
    let (deliveries_in, mut deliveries) = mpsc::channel(100);
    consumer.start(deliveries_in).await.unwrap();
    let url = vhost.amqp_url.clone();
    let sent = tokio::task::spawn_blocking(move || {
        let mut sender = RawSender::connect(&url);
        let mut sent = 0_usize;
        let mut send = |exchange: &[u8], key: &[u8], flags, properties: &[u8]| {
            assert!(sender.publish(exchange, key, flags, properties, b"octets"), "the broker took {sent}");
            sent += 1;
        };
        send(b"", IN.as_bytes(), HEADERS, &nested(20_000));
        send(b"", IN.as_bytes(), HEADERS, &of_every_type());
        send(b"", IN.as_bytes(), HEADERS, &long(&[short(&[b'k'; 255]), b"S".to_vec(), long(&[b'v'; 120_000])].concat()));
        send(b"", IN.as_bytes(), HEADERS, &long(&[b"\x01kV".as_slice(); 30_000].concat()));
        send(b"", IN.as_bytes(), MESSAGE_ID, &short(&[0xff, 0xfe]));
        send(b"", IN.as_bytes(), CORRELATION_ID, &short(&[0xc3]));
        send(b"", IN.as_bytes(), REPLY_TO, &short(b"arkki.reply.anonymous.\xff"));
        send(b"", IN.as_bytes(), MESSAGE_ID, &short(b"a\0b\r\nc"));
        send(b"front", &[0xff; 255], 0, b"");
        send(b"", IN.as_bytes(), 0, b"");
        send(b"", IN.as_bytes(), MESSAGE_ID, &short(b"the last"));
        sent
    })
    .await
    .unwrap();
    for n in 1..=sent {
        let delivery = receive(&mut deliveries).await;
        assert!(!delivery.redelivered, "{n}: the connection stood throughout");
        assert_eq!(delivery.envelope.octets.as_slice(), b"octets");
        assert_eq!(delivery.envelope.message_id.as_deref(), (n == sent).then_some("the last"), "{n}");
        assert_eq!(delivery.envelope.reply.as_ref().map(|r| r.queue.as_str()), Some("arkki.reply.route"), "{n}");
        delivery.settle.settle(Settlement::Done);
    }
    consumer.close(LONG).await;
    assert!(wait_until(LONG, || async { lying(&vhost, IN).await == Some((0, 0)) }).await);
}
