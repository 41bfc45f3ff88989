//! A snapshot in words and numbers: as lines, and as JSON.

use serde_json::{Value, json};

use crate::domain::language::Language;
use crate::domain::time::Moment;
use crate::telemetry::alarms;
use crate::telemetry::snapshot::{OpenAlarm, Snapshot};

/// For people without a screen, and for scripts that read lines.
pub(super) fn lines(snapshot: &Snapshot, language: Language) -> String {
    let (flow, standing) = (&snapshot.flow, &snapshot.standing);
    let mut text = format!("{} UTC\n\n", snapshot.at.to_iso());
    let mut line = |name: &str, value: String| text.push_str(&format!("{name:<14}{value}\n"));
    line("msg/s", per_second(flow.per_second));
    let endings = flow.endings.iter().filter(|(_, rate)| **rate > 0.0).map(|(ending, rate)| format!("{ending} {}", per_second(Some(*rate))));
    line("endings", endings.collect::<Vec<_>>().join(", "));
    line("latency", format!("p50 {}, p99 {}", latency(flow.p50), latency(flow.p99)));
    line("oldest", age(standing.oldest));
    line("outbox", format!("{} (oldest {}, unroutable {})", count(standing.outbox), age(standing.outbox_oldest), count(standing.unroutable)));
    line("held", format!("{} (oldest {})", count(standing.held), age(standing.held_oldest)));
    line("documents", count(standing.documents));
    line("ledger", count(standing.ledger));
    line("unexplained", standing.unexplained.map_or_else(|| "not added up yet".to_owned(), count));
    for (role, days) in &standing.certificate_days {
        line("certificate", format!("{role}: {days} days left"));
    }
    for (folder, free) in &standing.disk_free {
        line("disk", format!("{folder}: {:.0} % free", free * 100.0));
    }
    for one in &snapshot.instances {
        let state = if !one.is_up {
            "DOWN".to_owned()
        } else if one.outages.is_empty() {
            format!("{} msg/s, {} in hand, {} lanes", per_second(one.per_second), one.in_hand, one.lanes)
        } else {
            format!("out of reach: {}", one.outages.join(", "))
        };
        line("instance", format!("{}: {state}", one.name));
    }
    for queue in &snapshot.queues {
        line("queue", format!("{}: {} messages, {} readers", queue.name, queue.messages, queue.consumers));
    }
    for open in &snapshot.alarms {
        line("ALARM", alarm(open, snapshot.at, language));
    }
    if snapshot.alarms.is_empty() {
        line("alarms", "none".to_owned());
    }
    text
}

/// For machines.
pub(super) fn json(snapshot: &Snapshot, language: Language) -> Value {
    let (flow, standing) = (&snapshot.flow, &snapshot.standing);
    let instances = snapshot.instances.iter().map(|i| {
        json!({
            "name": i.name, "up": i.is_up, "broker": i.has_broker, "outages": i.outages,
            "per_second": i.per_second, "in_hand": i.in_hand, "lanes": i.lanes, "lane_waits": i.lane_waits,
        })
    });
    let queues = snapshot.queues.iter().map(|q| json!({ "name": q.name, "role": q.role, "messages": q.messages, "consumers": q.consumers }));
    let open = snapshot.alarms.iter().map(|open| {
        let rule = alarms::rule(&open.name);
        json!({
            "name": open.name,
            "since": open.since.to_iso(),
            "severity": rule.map(|r| r.severity.as_str()),
            "says": rule.map(|r| r.says(language)),
            "mend": rule.map(|r| r.mend),
        })
    });
    json!({
        "at": snapshot.at.to_iso(),
        "per_second": flow.per_second,
        "answers_per_second": flow.answers_per_second,
        "endings": flow.endings,
        "totals": flow.totals,
        "p50_seconds": flow.p50,
        "p99_seconds": flow.p99,
        "oldest_seconds": standing.oldest,
        "outbox": standing.outbox,
        "outbox_oldest_seconds": standing.outbox_oldest,
        "unroutable": standing.unroutable,
        "held": standing.held,
        "held_oldest_seconds": standing.held_oldest,
        "documents": standing.documents,
        "ledger": standing.ledger,
        "unexplained": standing.unexplained,
        "certificate_days": standing.certificate_days,
        "disk_free": standing.disk_free,
        "instances": instances.collect::<Vec<_>>(),
        "queues": queues.collect::<Vec<_>>(),
        "alarms": open.collect::<Vec<_>>(),
    })
}

/// An open alarm: name, age, what it means, what to do.
pub(super) fn alarm(open: &OpenAlarm, at: Moment, language: Language) -> String {
    #[allow(clippy::cast_precision_loss)] // seconds of an alarm
    let since = age((at.seconds() - open.since.seconds()).max(0) as f64);
    alarms::rule(&open.name).map_or_else(|| format!("{} {since}", open.name), |rule| format!("{} {since}  {} → {}", open.name, rule.says(language), rule.mend))
}

/// A rate.
pub(super) fn per_second(rate: Option<f64>) -> String {
    match rate {
        None => "–".to_owned(),
        Some(rate) if rate < 10.0 && rate > 0.0 => format!("{rate:.1}"),
        Some(rate) => format!("{rate:.0}"),
    }
}

/// A latency, from seconds.
pub(super) fn latency(seconds: Option<f64>) -> String {
    match seconds {
        None => "–".to_owned(),
        Some(seconds) if seconds < 1.0 => format!("{:.0} ms", seconds * 1000.0),
        Some(seconds) => format!("{seconds:.1} s"),
    }
}

/// A time of waiting, from seconds.
pub(super) fn age(seconds: f64) -> String {
    match seconds {
        s if s < 10.0 => format!("{s:.1} s"),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.0} h", s / 3600.0),
        s => format!("{:.0} d", s / 86_400.0),
    }
}

/// A count, in groups of three.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}
