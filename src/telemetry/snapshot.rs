//! A gateway at a moment, as its operators see it: `arkki top` and the console's board show the same. Made from what the instances' `/metrics`
//! say and what stands in the broker's queues; rates are between two looks. Pure.

use std::collections::BTreeMap;

use super::exposition::Samples;
use crate::domain::time::Moment;

/// Everything, at a moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// When.
    pub at: Moment,
    /// Seconds since the look before; `None` at the first one, which knows no rates.
    pub since: Option<f64>,
    /// The instances, in the order asked.
    pub instances: Vec<Instance>,
    /// All instances together: rates and latencies add up.
    pub flow: Flow,
    /// What stands in the archive and waits, which all instances share: the greatest that one of them said.
    pub standing: Standing,
    /// Queues at the broker, inbound ones first.
    pub queues: Vec<Queue>,
    /// Alarms that are open, oldest first.
    pub alarms: Vec<OpenAlarm>,
}

/// One instance.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Instance {
    /// The address that was asked.
    pub name: String,
    /// Whether it answered.
    pub is_up: bool,
    /// Whether its broker connection stands.
    pub has_broker: bool,
    /// Parts that are out of its reach.
    pub outages: Vec<String>,
    /// Messages a second.
    pub per_second: Option<f64>,
    /// Deliveries in hand.
    pub in_hand: u64,
    /// Clients whose messages are under way.
    pub lanes: u64,
    /// Messages that wait for an earlier one of their client.
    pub lane_waits: u64,
}

/// What passes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Flow {
    /// Messages decided, a second.
    pub per_second: Option<f64>,
    /// Answers that left, a second.
    pub answers_per_second: Option<f64>,
    /// The same by ending (accepted, refused …).
    pub endings: BTreeMap<String, f64>,
    /// Messages decided since the instances began, by ending.
    pub totals: BTreeMap<String, u64>,
    /// Half of the messages of the last look took at most so many seconds; `None` when none passed.
    pub p50: Option<f64>,
    /// As `p50`, 99 of 100.
    pub p99: Option<f64>,
}

/// What stands and waits.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Standing {
    /// Critical time: the age of the oldest unanswered message, in seconds.
    pub oldest: f64,
    /// Answers waiting to leave.
    pub outbox: u64,
    /// The age of the oldest of them, in seconds.
    pub outbox_oldest: f64,
    /// Answers that no queue takes.
    pub unroutable: u64,
    /// Messages on hold.
    pub held: u64,
    /// The age of the oldest of them, in seconds.
    pub held_oldest: f64,
    /// Archived documents.
    pub documents: u64,
    /// Entries of the ledger.
    pub ledger: u64,
    /// What the reconciler cannot explain; `None` where it was not added up yet.
    pub unexplained: Option<u64>,
    /// Days until a signing certificate ends, by role.
    pub certificate_days: BTreeMap<String, i64>,
    /// The free share of each watched disk, 0 to 1, by folder.
    pub disk_free: BTreeMap<String, f64>,
}

/// A queue at the broker.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// What it is to us: inbound, notice, dead-letter or reply; empty for others.
    pub role: String,
    /// Messages in it, those handed over and not settled among them where the broker says so.
    pub messages: u64,
    /// Who reads it.
    pub consumers: u64,
}

/// An alarm that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenAlarm {
    /// Its name in [`super::alarms::RULES`].
    pub name: String,
    /// Since when.
    pub since: Moment,
}

/// What one instance said: its name and its page; `None` when it did not answer.
#[derive(Debug, Clone, Default)]
pub struct Scrape {
    /// The address.
    pub name: String,
    /// Its `/metrics`.
    pub page: Option<String>,
}

/// Remembers the look before, for rates.
#[derive(Debug, Default)]
pub struct Watcher {
    before: Option<(Moment, BTreeMap<String, Samples>)>,
    /// Since when an instance has not answered.
    down: Option<Moment>,
}

impl Watcher {
    /// Looks. `queues` are those that the management API named; without them the depths that the instances know are taken.
    pub fn look(&mut self, at: Moment, scrapes: &[Scrape], queues: Vec<Queue>) -> Snapshot {
        let now: BTreeMap<String, Samples> = scrapes.iter().filter_map(|s| Some((s.name.clone(), Samples::read(s.page.as_deref()?)))).collect();
        let before = self.before.take();
        #[allow(clippy::cast_precision_loss)] // seconds between two looks
        let since = before.as_ref().map(|(then, _)| (at.micros() - then.micros()) as f64 / 1e6).filter(|seconds| *seconds > 0.0);
        let empty = BTreeMap::new();
        let earlier = before.as_ref().map_or(&empty, |(_, samples)| samples);
        let mut flow = Flow::default();
        let mut buckets = Buckets::default();
        let mut instances = Vec::new();
        for scrape in scrapes {
            let Some(samples) = now.get(&scrape.name) else {
                instances.push(Instance { name: scrape.name.clone(), ..Instance::default() });
                continue;
            };
            let then = earlier.get(&scrape.name);
            instances.push(instance(&scrape.name, samples, then, since));
            add_flow(&mut flow, samples, then, since);
            if let Some(then) = then {
                buckets.add(samples, then);
            }
        }
        (flow.p50, flow.p99) = (buckets.quantile(0.5), buckets.quantile(0.99));
        let standing = standing(now.values());
        let mut alarms = alarms(now.values());
        self.down = instances.iter().any(|instance| !instance.is_up).then(|| self.down.unwrap_or(at));
        alarms.extend(self.down.map(|since| OpenAlarm { name: super::alarms::INSTANCE_DOWN.to_owned(), since }));
        let mut queues = if queues.is_empty() { depths(now.values()) } else { queues };
        queues.sort_by(|a, b| (rank(&a.role), &a.name).cmp(&(rank(&b.role), &b.name)));
        self.before = Some((at, now));
        Snapshot { at, since, instances, flow, standing, queues, alarms }
    }
}

fn rank(role: &str) -> u8 {
    match role {
        "inbound" => 0,
        "dead-letter" => 1,
        "notice" => 2,
        "reply" => 3,
        _ => 4,
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // counts are whole and not negative
fn whole(value: Option<f64>) -> u64 {
    value.unwrap_or(0.0).max(0.0) as u64
}

/// How much a counter grew; a counter that fell was begun anew with its process.
fn grown(now: f64, then: f64) -> f64 {
    if now >= then { now - then } else { now }
}

fn rate(samples: &Samples, then: Option<&Samples>, since: Option<f64>, name: &str) -> Option<f64> {
    let (then, since) = (then?, since?);
    Some(grown(samples.sum(name).unwrap_or(0.0), then.sum(name).unwrap_or(0.0)) / since)
}

fn instance(name: &str, samples: &Samples, then: Option<&Samples>, since: Option<f64>) -> Instance {
    Instance {
        name: name.to_owned(),
        is_up: true,
        has_broker: samples.sum("arkki_broker_up").unwrap_or(0.0) > 0.0,
        outages: samples.of("arkki_outage").filter(|s| s.value > 0.0).map(|s| s.label("part").to_owned()).collect(),
        per_second: rate(samples, then, since, "arkki_messages_total"),
        in_hand: whole(samples.sum("arkki_in_hand")),
        lanes: whole(samples.sum("arkki_lanes")),
        lane_waits: whole(samples.sum("arkki_lane_waits")),
    }
}

fn add_flow(flow: &mut Flow, samples: &Samples, then: Option<&Samples>, since: Option<f64>) {
    let add = |sum: &mut Option<f64>, more: Option<f64>| {
        if let Some(more) = more {
            *sum = Some(sum.unwrap_or(0.0) + more);
        }
    };
    add(&mut flow.per_second, rate(samples, then, since, "arkki_messages_total"));
    add(&mut flow.answers_per_second, rate(samples, then, since, "arkki_answers_total"));
    let endings: std::collections::BTreeSet<&str> = samples.of("arkki_messages_total").map(|s| s.label("ending")).collect();
    for ending in endings {
        let now = samples.sum_where("arkki_messages_total", "ending", ending);
        *flow.totals.entry(ending.to_owned()).or_default() += whole(Some(now));
        if let (Some(then), Some(since)) = (then, since) {
            *flow.endings.entry(ending.to_owned()).or_default() += grown(now, then.sum_where("arkki_messages_total", "ending", ending)) / since;
        }
    }
}

fn standing<'a>(pages: impl Iterator<Item = &'a Samples> + Clone) -> Standing {
    let most = |name: &str| pages.clone().filter_map(|p| p.most(name)).reduce(f64::max);
    let mut standing = Standing {
        oldest: most("arkki_unanswered_seconds").unwrap_or(0.0),
        outbox: whole(most("arkki_outbox")),
        outbox_oldest: most("arkki_outbox_oldest_seconds").unwrap_or(0.0),
        unroutable: whole(most("arkki_outbox_unroutable")),
        held: whole(most("arkki_held")),
        held_oldest: most("arkki_held_oldest_seconds").unwrap_or(0.0),
        documents: whole(most("arkki_documents")),
        ledger: whole(most("arkki_ledger_entries")),
        unexplained: most("arkki_unexplained").map(|n| whole(Some(n))),
        ..Standing::default()
    };
    for sample in pages.clone().flat_map(|p| p.of("arkki_certificate_seconds_left")) {
        #[allow(clippy::cast_possible_truncation)] // days of a certificate's life
        let days = (sample.value / 86_400.0).floor() as i64;
        standing.certificate_days.entry(sample.label("role").to_owned()).and_modify(|least| *least = days.min(*least)).or_insert(days);
    }
    for sample in pages.flat_map(|p| p.of("arkki_disk_free_share")) {
        let least = standing.disk_free.entry(sample.label("folder").to_owned()).or_insert(sample.value);
        *least = least.min(sample.value);
    }
    standing
}

fn alarms<'a>(pages: impl Iterator<Item = &'a Samples>) -> Vec<OpenAlarm> {
    let mut open: BTreeMap<&str, Moment> = BTreeMap::new();
    for sample in pages.flat_map(|p| p.of("arkki_alarm_since_seconds")).filter(|s| s.value > 0.0) {
        #[allow(clippy::cast_possible_truncation)] // seconds since 1970
        let since = Moment::from_seconds(sample.value as i64);
        open.entry(sample.label("alarm")).and_modify(|first| *first = since.min(*first)).or_insert(since);
    }
    let mut alarms: Vec<OpenAlarm> = open.into_iter().map(|(name, since)| OpenAlarm { name: name.to_owned(), since }).collect();
    alarms.sort_by_key(|alarm| alarm.since);
    alarms
}

/// What the instances themselves say of the queues: each sees the same ones.
fn depths<'a>(pages: impl Iterator<Item = &'a Samples> + Clone) -> Vec<Queue> {
    let mut queues: BTreeMap<String, Queue> = BTreeMap::new();
    let both = pages
        .clone()
        .flat_map(|p| p.of("arkki_queue_messages"))
        .map(|s| (s, false))
        .chain(pages.flat_map(|p| p.of("arkki_queue_consumers")).map(|s| (s, true)));
    for (sample, is_consumers) in both {
        let name = sample.label("queue").to_owned();
        let queue = queues.entry(name.clone()).or_insert_with(|| Queue { name, role: sample.label("role").to_owned(), ..Queue::default() });
        let count = whole(Some(sample.value));
        if is_consumers { queue.consumers = queue.consumers.max(count) } else { queue.messages = queue.messages.max(count) }
    }
    queues.into_values().collect()
}

/// The buckets of the latency histogram, over all instances, between two looks.
#[derive(Debug, Default)]
struct Buckets(Vec<(f64, f64)>);

impl Buckets {
    fn add(&mut self, now: &Samples, then: &Samples) {
        const NAME: &str = "arkki_message_seconds_bucket";
        for sample in now.of(NAME) {
            let text = sample.label("le");
            let bound = if text == "+Inf" { f64::INFINITY } else { text.parse().unwrap_or(f64::INFINITY) };
            let more = grown(sample.value, then.sum_where(NAME, "le", text));
            match self.0.iter_mut().find(|(known, _)| *known == bound) {
                Some((_, count)) => *count += more,
                None => self.0.push((bound, more)),
            }
        }
        self.0.sort_by(|a, b| a.0.total_cmp(&b.0));
    }

    /// The least bound under which this share of the messages lies, drawn straight between two bounds; beyond the last one, that one.
    fn quantile(&self, share: f64) -> Option<f64> {
        let all = self.0.last().map(|(_, count)| *count).filter(|count| *count > 0.0)?;
        let (mut low, mut under) = (0.0, 0.0);
        for (bound, count) in &self.0 {
            if *count >= share * all {
                if bound.is_infinite() || *count <= under {
                    return Some(low);
                }
                return Some(low + (bound - low) * (share * all - under) / (count - under));
            }
            (low, under) = (*bound, *count);
        }
        Some(low)
    }
}
