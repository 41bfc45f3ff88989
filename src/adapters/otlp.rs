//! Spans to an OpenTelemetry collector: OTLP over HTTP with JSON bodies, many spans a request. Telemetry never holds a message up: what finds no room, or
//! no collector, is counted and forgotten.

use std::time::Duration;

use tokio::sync::mpsc;

use super::post::{Address, post};
use crate::domain::time::Moment;
use crate::domain::trace::{Kind, Named, Span, hex};
use crate::ports::spans::Spans;
use crate::telemetry;

/// How many spans may wait: some seconds of a full road.
const WAITING: usize = 16_384;
/// How many go in one request.
const TOGETHER: usize = 1024;
/// How long the first of a request waits for others.
const GATHER: Duration = Duration::from_millis(500);
/// How long a request may take.
const WITHIN: Duration = Duration::from_secs(5);
/// The largest answer read: a collector says next to nothing.
const ANSWER_OCTETS: usize = 64 * 1024;
/// The path of traces under a collector's address (OTLP/HTTP).
const PATH: &str = "v1/traces";

/// Takes spans and sends them.
pub struct Exporter {
    spans: mpsc::Sender<Span>,
}

impl Exporter {
    /// Begins to send to a collector, `http://host:4318`. Ends when it is dropped and what waited has been sent.
    ///
    /// # Errors
    /// Why its address cannot be used.
    pub fn start(collector: &Address, instance: &str) -> Result<Self, String> {
        let base = collector.to_string();
        let to = Address::parse(&format!("{}/{PATH}", base.trim_end_matches('/').trim_end_matches(PATH).trim_end_matches('/')))?;
        let (spans, waiting) = mpsc::channel(WAITING);
        tokio::spawn(run(to, instance.to_owned(), waiting));
        Ok(Self { spans })
    }
}

impl Spans for Exporter {
    fn take(&self, span: Span) {
        if self.spans.try_send(span).is_err() {
            telemetry::spans_dropped(1);
        }
    }
}

async fn run(to: Address, instance: String, mut waiting: mpsc::Receiver<Span>) {
    let mut is_away = false;
    let mut batch = Vec::with_capacity(TOGETHER);
    // Ends with the last of who gives spans.
    while waiting.recv_many(&mut batch, TOGETHER).await > 0 {
        if batch.len() < TOGETHER {
            let until = tokio::time::Instant::now() + GATHER;
            while batch.len() < TOGETHER
                && let Ok(Some(span)) = tokio::time::timeout_at(until, waiting.recv()).await
            {
                batch.push(span);
            }
        }
        match post(&to, "application/json", body(&instance, &batch).as_bytes(), ANSWER_OCTETS, WITHIN).await {
            Ok(_) => {
                telemetry::spans_sent(batch.len());
                is_away = false;
            }
            Err(why) => {
                telemetry::spans_dropped(batch.len());
                // Told once for each time that it goes away.
                if !is_away {
                    telemetry::collector_away(&why);
                }
                is_away = true;
            }
        }
        batch.clear();
    }
}

/// The request as OTLP's JSON: ids as hexadecimal digits, times as nanoseconds in strings.
fn body(instance: &str, spans: &[Span]) -> String {
    let mut text = String::with_capacity(512 * spans.len());
    text.push_str("{\"resourceSpans\":[{\"resource\":{\"attributes\":[");
    let resource = [("service.name", "arkki"), ("service.version", env!("CARGO_PKG_VERSION")), ("service.instance.id", instance)];
    joined(&mut text, resource.iter(), |text, (name, value)| attribute(text, name, &Named::Text((*value).to_owned())));
    text.push_str("]},\"scopeSpans\":[{\"scope\":{\"name\":\"arkki\"},\"spans\":[");
    joined(&mut text, spans.iter(), one);
    text.push_str("]}]}]}");
    text
}

fn one(text: &mut String, span: &Span) {
    let kind = match span.kind {
        Kind::Internal => 1,
        Kind::Producer => 4,
        Kind::Consumer => 5,
    };
    let nanos = |moment: Moment| i128::from(moment.micros()) * 1000;
    text.push_str(&format!("{{\"traceId\":\"{}\",\"spanId\":\"{}\",", hex(&span.context.trace), hex(&span.context.span)));
    if let Some(parent) = span.parent {
        text.push_str(&format!("\"parentSpanId\":\"{}\",", hex(&parent)));
    }
    text.push_str(&format!("\"name\":{},\"kind\":{kind},", quoted(span.name)));
    text.push_str(&format!("\"startTimeUnixNano\":\"{}\",\"endTimeUnixNano\":\"{}\",\"attributes\":[", nanos(span.start), nanos(span.end)));
    joined(text, span.attributes.iter(), |text, (name, value)| attribute(text, name, value));
    text.push_str("]}");
}

fn attribute(text: &mut String, name: &str, value: &Named) {
    let value = match value {
        Named::Text(word) => format!("\"stringValue\":{}", quoted(word)),
        Named::Number(number) => format!("\"intValue\":\"{number}\""),
    };
    text.push_str(&format!("{{\"key\":{},\"value\":{{{value}}}}}", quoted(name)));
}

fn joined<T>(text: &mut String, parts: impl Iterator<Item = T>, write: impl Fn(&mut String, T)) {
    for (at, part) in parts.enumerate() {
        if at > 0 {
            text.push(',');
        }
        write(text, part);
    }
}

/// A JSON string.
fn quoted(word: &str) -> String {
    let mut text = String::with_capacity(word.len() + 2);
    text.push('"');
    for letter in word.chars() {
        match letter {
            '"' | '\\' => text.extend(['\\', letter]),
            letter if letter.is_control() => text.push_str(&format!("\\u{:04x}", u32::from(letter))),
            letter => text.push(letter),
        }
    }
    text.push('"');
    text
}
