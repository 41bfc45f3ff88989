//! What wakes somebody: one table, from which the gateway opens and closes its alarms and from which `deploy/alerts.yml` is made. An alarm opens once,
//! when its condition has held for a while, and closes once, when it has not held for a while: a value that trembles at its limit rings one bell.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::exposition::Samples;
use crate::domain::language::Language;
use crate::domain::time::Moment;

/// How soon somebody must look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Now: messages do not pass, or something may be lost or wrong.
    Critical,
    /// In office hours.
    Warning,
}

impl Severity {
    /// The label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
        }
    }
}

/// The condition of an alarm over the metrics of one instance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum When {
    /// Some series of a gauge lies above a limit.
    Above(&'static str, f64),
    /// Some series of a gauge lies below a limit.
    Below(&'static str, f64),
    /// Some series of a gauge, of those with this label, lies above a limit.
    AboveWhere(&'static str, (&'static str, &'static str), f64),
    /// A counter grew within a time.
    Grew(&'static str, Duration),
    /// Of what a counter grew by within a time, at least so much in all, more than a share bears this label.
    Share {
        /// The counter.
        counter: &'static str,
        /// Label and value of the part.
        part: (&'static str, &'static str),
        /// The share, 0 to 1.
        above: f64,
        /// How much the part must have grown by to count at all.
        at_least: f64,
        /// Within.
        within: Duration,
    },
    /// The instance does not answer: seen from outside only.
    Silent,
}

/// One alarm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// Its name.
    pub name: &'static str,
    /// How soon somebody must look.
    pub severity: Severity,
    /// When.
    pub when: When,
    /// How long the condition holds before the alarm opens, and how long it must not hold before it closes.
    pub holds: (Duration, Duration),
    /// What it means: fi, sv, en.
    pub says: [&'static str; 3],
    /// What to do: a command, or a page.
    pub mend: &'static str,
}

impl Rule {
    /// What it means, in a language.
    #[must_use]
    pub const fn says(&self, language: Language) -> &'static str {
        let [fi, sv, en] = self.says;
        match language {
            Language::Fi => fi,
            Language::Sv => sv,
            Language::En => en,
        }
    }
}

/// The alarm of an instance that does not answer.
pub const INSTANCE_DOWN: &str = "InstanceDown";

const fn minutes(count: u64) -> Duration {
    Duration::from_secs(count * 60)
}

/// A gauge that trembles is given this long.
const SHORT: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(60));
/// What must be known at once, and is left alone when it is over.
const AT_ONCE: (Duration, Duration) = (Duration::ZERO, Duration::from_secs(60));
const DAY: f64 = 86_400.0;

/// Every alarm.
pub const RULES: [Rule; 25] = [
    Rule {
        name: INSTANCE_DOWN,
        severity: Severity::Critical,
        when: When::Silent,
        holds: (minutes(1), minutes(1)),
        says: ["Instanssi ei vastaa.", "En instans svarar inte.", "An instance does not answer."],
        mend: "systemctl status arkki",
    },
    Rule {
        name: "Outage",
        severity: Severity::Critical,
        when: When::Above("arkki_outage", 0.0),
        holds: (minutes(1), Duration::from_secs(30)),
        says: [
            "Jokin osa (arkisto, välittäjä, avain) ei vastaa: sanomat odottavat, mitään ei katoa.",
            "En del (arkivet, mäklaren, nyckeln) svarar inte: meddelanden väntar, inget går förlorat.",
            "A part (archive, broker, key) is out of reach: messages wait, nothing is lost.",
        ],
        mend: "arkki doctor",
    },
    Rule {
        name: "BrokerAway",
        severity: Severity::Critical,
        when: When::Below("arkki_broker_up", 1.0),
        holds: (minutes(1), Duration::from_secs(30)),
        says: ["Yhteyttä sanomanvälittäjään ei ole.", "Förbindelsen till meddelandemäklaren saknas.", "There is no connection to the broker."],
        mend: "arkki doctor",
    },
    Rule {
        name: "TopologyLosing",
        severity: Severity::Critical,
        when: When::Above("arkki_topology_losing", 0.0),
        holds: SHORT,
        says: [
            "Sanomanvälittäjä on asetettu niin, että sanomia voisi kadota.",
            "Meddelandemäklaren är inställd så att meddelanden kan gå förlorade.",
            "The broker is set up so that messages could be lost.",
        ],
        mend: "arkki doctor",
    },
    Rule {
        name: "Unanswered",
        severity: Severity::Critical,
        when: When::Above("arkki_unanswered_seconds", 180.0),
        holds: SHORT,
        says: [
            "Vanhin vastaamaton sanoma on odottanut yli kolme minuuttia.",
            "Det äldsta obesvarade meddelandet har väntat över tre minuter.",
            "The oldest unanswered message has waited for more than three minutes.",
        ],
        mend: "arkki top",
    },
    Rule {
        name: "OutboxOld",
        severity: Severity::Warning,
        when: When::Above("arkki_outbox_oldest_seconds", 120.0),
        holds: SHORT,
        says: [
            "Vanhin lähtevä vastaus on odottanut yli kaksi minuuttia.",
            "Det äldsta utgående svaret har väntat över två minuter.",
            "The oldest answer in the outbox has waited for more than two minutes.",
        ],
        mend: "arkki doctor",
    },
    Rule {
        name: "Unroutable",
        severity: Severity::Critical,
        when: When::Above("arkki_outbox_unroutable", 0.0),
        holds: SHORT,
        says: [
            "Vastauksia ei voi toimittaa: vastausjonoa ei ole.",
            "Svar kan inte levereras: svarskön finns inte.",
            "Answers cannot be delivered: their queue does not exist.",
        ],
        mend: "arkki topology apply",
    },
    Rule {
        name: "DeadLetters",
        severity: Severity::Warning,
        when: When::AboveWhere("arkki_queue_messages", ("role", "dead-letter"), 0.0),
        holds: SHORT,
        says: [
            "Hylättyjen jonossa on sanomia, joille ei ole vastausosoitetta.",
            "I kön för förkastade meddelanden finns sådana utan svarsadress.",
            "Messages without a reply address lie in the dead-letter queue.",
        ],
        mend: "docs/operating.md, Senders",
    },
    Rule {
        name: "QueueUnread",
        severity: Severity::Critical,
        when: When::Above("arkki_queue_unread", 0.0),
        holds: (minutes(1), Duration::from_secs(30)),
        says: [
            "Saapuvien jonossa on sanomia, eikä kukaan lue sitä.",
            "I den inkommande kön finns meddelanden och ingen läser den.",
            "Messages lie in an inbound queue that nobody reads.",
        ],
        mend: "arkki doctor",
    },
    Rule {
        name: "HoldsFill",
        severity: Severity::Warning,
        when: When::Above("arkki_held_share", 0.8),
        holds: SHORT,
        says: [
            "Odottavia sanomia on yli neljä viidesosaa siitä, mitä saa olla.",
            "Väntande meddelanden är över fyra femtedelar av det tillåtna antalet.",
            "More than four fifths of the messages that may be on hold are.",
        ],
        mend: "docs/operating.md, What to watch",
    },
    Rule {
        name: "RefusalsFlood",
        severity: Severity::Warning,
        when: When::Share { counter: "arkki_endings_total", part: ("ending", "refused"), above: 0.5, at_least: 20.0, within: minutes(5) },
        holds: SHORT,
        says: [
            "Yli puolet sanomista hylätään: onko jonkin lähettäjän uusi versio viallinen?",
            "Över hälften av meddelandena avvisas: är någon avsändares nya version felaktig?",
            "More than half of the messages are refused: is a sender's new release broken?",
        ],
        mend: "arkki refusals groups",
    },
    Rule {
        name: "SecurityRefusals",
        severity: Severity::Warning,
        when: When::Grew("arkki_security_refusals_total", minutes(15)),
        holds: AT_ONCE,
        says: [
            "Hylkäys, jonka syy on turvallisuus: lähettäjä, henkilö tai allekirjoitus ei ole se, miksi se sanoo itseään.",
            "Ett avvisande av säkerhetsskäl: avsändaren, personen eller underskriften är inte vad den uppger sig vara.",
            "A refusal for security's sake: a sender, a person or a signature is not what it says.",
        ],
        mend: "docs/operating.md, Security refusals",
    },
    Rule {
        name: "Defect",
        severity: Severity::Warning,
        when: When::Grew("arkki_defects_total", minutes(15)),
        holds: AT_ONCE,
        says: ["Sanoma paljasti ohjelman vian.", "Ett meddelande avslöjade ett fel i programmet.", "A message met a defect of ours."],
        mend: "docs/operating.md, What to watch",
    },
    Rule {
        name: "CertificateSoon",
        severity: Severity::Warning,
        when: When::Below("arkki_certificate_seconds_left", 30.0 * DAY),
        holds: AT_ONCE,
        says: [
            "Allekirjoitusvarmenne vanhenee alle 30 päivässä.",
            "Underskriftscertifikatet går ut inom 30 dagar.",
            "A signing certificate ends within 30 days.",
        ],
        mend: "docs/signatures.md",
    },
    Rule {
        name: "CertificateEnds",
        severity: Severity::Critical,
        when: When::Below("arkki_certificate_seconds_left", 3.0 * DAY),
        holds: AT_ONCE,
        says: [
            "Allekirjoitusvarmenne vanhenee alle kolmessa päivässä tai on vanhentunut.",
            "Underskriftscertifikatet går ut inom tre dagar eller har gått ut.",
            "A signing certificate ends within three days, or has ended.",
        ],
        mend: "docs/signatures.md",
    },
    Rule {
        name: "DiskLow",
        severity: Severity::Warning,
        when: When::Below("arkki_disk_free_share", 0.15),
        holds: SHORT,
        says: ["Levystä on vapaana alle 15 %.", "Mindre än 15 % av disken är ledigt.", "Less than 15 % of a disk is free."],
        mend: "docs/operating.md, The disk fills",
    },
    Rule {
        name: "DiskFull",
        severity: Severity::Critical,
        when: When::Below("arkki_disk_free_share", 0.05),
        holds: SHORT,
        says: ["Levystä on vapaana alle 5 %.", "Mindre än 5 % av disken är ledigt.", "Less than 5 % of a disk is free."],
        mend: "docs/operating.md, The disk fills",
    },
    Rule {
        name: "Unexplained",
        severity: Severity::Critical,
        when: When::Above("arkki_unexplained", 0.0),
        holds: AT_ONCE,
        says: [
            "Välittäjä, arkisto ja lähtevät vastaukset eivät täsmää.",
            "Mäklaren, arkivet och de utgående svaren stämmer inte överens.",
            "Broker, archive and outbox do not add up.",
        ],
        mend: "arkki reconcile",
    },
    Rule {
        name: "NoticesMissing",
        severity: Severity::Critical,
        when: When::Above("arkki_notices_missing", 0.0),
        holds: AT_ONCE,
        says: [
            "Luovutukselta puuttuu luovutusilmoitus tai lokirivi.",
            "Ett utlämnande saknar sin anmälan eller sina loggrader.",
            "A disclosure lacks its notice or its log rows.",
        ],
        mend: "arkki lilm reconcile",
    },
    Rule {
        name: "NoticesStopped",
        severity: Severity::Warning,
        when: When::Above("arkki_notices_stopped", 0.0),
        holds: AT_ONCE,
        says: ["FHIR-palvelin hylkää luovutusilmoituksia.", "FHIR-servern avvisar anmälningar.", "The FHIR server refuses notices."],
        mend: "arkki lilm list --standing stopped",
    },
    Rule {
        name: "CheckpointsFail",
        severity: Severity::Warning,
        when: When::Grew("arkki_checkpoint_failures_total", minutes(15)),
        holds: AT_ONCE,
        says: [
            "Pääkirjan tarkistuspistettä ei voi tehdä tai kirjoittaa.",
            "Liggarens kontrollpunkt kan inte göras eller skrivas.",
            "A checkpoint of the ledger cannot be made or written.",
        ],
        mend: "docs/checkpoints.md",
    },
    Rule {
        name: "CheckpointsDisagree",
        severity: Severity::Critical,
        when: When::Grew("arkki_checkpoint_disagreements_total", minutes(60)),
        holds: AT_ONCE,
        says: ["Pääkirja ei ole se, joka allekirjoitettiin.", "Liggaren är inte den som undertecknades.", "The ledger is not what was signed."],
        mend: "arkki audit --checkpoint FILE",
    },
    Rule {
        name: "TimestampsFail",
        severity: Severity::Warning,
        when: When::Grew("arkki_timestamp_failures_total", minutes(15)),
        holds: AT_ONCE,
        says: ["Aikaleimapalvelu ei anna aikaleimoja.", "Tidsstämplingstjänsten ger inga stämplar.", "The time-stamping authority gives no stamps."],
        mend: "docs/checkpoints.md",
    },
    Rule {
        name: "DisclosureDisagrees",
        severity: Severity::Critical,
        when: When::Grew("arkki_disclosure_disagreements_total", minutes(60)),
        holds: AT_ONCE,
        says: [
            "Haku löysi asiakirjan, jonka luovutuspäätös kieltää. Sitä ei annettu.",
            "En sökning fann en handling som beslutet nekar. Den gavs inte ut.",
            "A search found a document that the decision denies. It was not given.",
        ],
        mend: "docs/disclosure.md",
    },
    Rule {
        name: "OcspSilent",
        severity: Severity::Warning,
        when: When::Grew("arkki_ocsp_failures_total", minutes(15)),
        holds: (minutes(2), minutes(1)),
        says: ["OCSP-palvelu ei anna käyttökelpoisia vastauksia.", "OCSP-tjänsten ger inga användbara svar.", "The OCSP responder gives no usable answers."],
        mend: "docs/signatures.md",
    },
];

/// The alarm with this name.
#[must_use]
pub fn rule(name: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.name == name)
}

/// What became of an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It opened.
    Opened,
    /// It closed; it was open for so long.
    Closed(Duration),
}

/// Where each alarm stands. One for a process.
#[derive(Debug, Default)]
pub struct Alarms {
    states: BTreeMap<&'static str, State>,
}

#[derive(Debug, Default)]
struct State {
    /// Since when the condition has been what it is.
    held: Option<(bool, Moment)>,
    /// Since when the alarm is open.
    open: Option<Moment>,
    /// What the counter and its part showed at the looks within the rule's time, oldest first.
    past: VecDeque<(Moment, f64, f64)>,
}

/// The most looks remembered for one counter: an hour at a look every five seconds, and some.
const LOOKS: usize = 1000;

impl Alarms {
    /// Looks at the metrics of a moment; gives what opened or closed. A condition whose metric is not there does not hold.
    pub fn step(&mut self, samples: &Samples, at: Moment) -> Vec<(&'static Rule, Change)> {
        let mut changes = Vec::new();
        for rule in &RULES {
            let state = self.states.entry(rule.name).or_default();
            let holds = state.holds(rule, samples, at);
            let since = match state.held {
                Some((before, since)) if before == holds => since,
                _ => at,
            };
            state.held = Some((holds, since));
            let length = age(since, at);
            match state.open {
                None if holds && length >= rule.holds.0 => {
                    state.open = Some(at);
                    changes.push((rule, Change::Opened));
                }
                Some(open) if !holds && length >= rule.holds.1 => {
                    state.open = None;
                    changes.push((rule, Change::Closed(age(open, at))));
                }
                _ => {}
            }
        }
        changes
    }

    /// Alarms that are open, and since when.
    pub fn open(&self) -> impl Iterator<Item = (&'static str, Moment)> {
        self.states.iter().filter_map(|(name, state)| Some((*name, state.open?)))
    }
}

fn age(since: Moment, at: Moment) -> Duration {
    Duration::from_micros(u64::try_from(at.micros() - since.micros()).unwrap_or(0))
}

impl State {
    fn holds(&mut self, rule: &Rule, samples: &Samples, at: Moment) -> bool {
        match rule.when {
            When::Above(gauge, limit) => samples.most(gauge).is_some_and(|value| value > limit),
            When::Below(gauge, limit) => samples.least(gauge).is_some_and(|value| value < limit),
            When::AboveWhere(gauge, (label, wanted), limit) => samples.of(gauge).any(|s| s.label(label) == wanted && s.value > limit),
            When::Grew(counter, within) => {
                let (grown, _) = self.grown(samples.sum(counter).unwrap_or(0.0), 0.0, within, at);
                grown > 0.0
            }
            When::Share { counter, part: (label, value), above, at_least, within } => {
                let part = samples.sum_where(counter, label, value);
                let (all, part) = self.grown(samples.sum(counter).unwrap_or(0.0), part, within, at);
                part >= at_least && part > above * all
            }
            When::Silent => false,
        }
    }

    /// How much both grew within the time.
    fn grown(&mut self, all: f64, part: f64, within: Duration, at: Moment) -> (f64, f64) {
        while self.past.len() >= LOOKS || self.past.front().is_some_and(|(then, ..)| age(*then, at) > within) {
            self.past.pop_front();
        }
        self.past.push_back((at, all, part));
        self.past.front().map_or((0.0, 0.0), |(_, first, first_part)| (all - first, part - first_part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Moment {
        Moment::from_seconds(1_800_000_000 + seconds)
    }

    fn names(changes: &[(&'static Rule, Change)]) -> Vec<(&'static str, bool)> {
        changes.iter().map(|(rule, change)| (rule.name, *change == Change::Opened)).collect()
    }

    #[test]
    fn an_alarm_opens_once_and_closes_once_however_its_value_trembles() {
        let mut alarms = Alarms::default();
        let page = |on: bool| Samples::read(if on { "arkki_outage{part=\"archive\"} 1\n" } else { "arkki_outage{part=\"archive\"} 0\n" });
        let mut told = Vec::new();
        // On for two minutes, then trembling every five seconds for ten, then off.
        for second in (0..1200).step_by(5) {
            let on = second < 120 || (second < 720 && second % 10 == 0);
            told.extend(names(&alarms.step(&page(on), at(second))));
        }
        assert_eq!(told, [("Outage", true), ("Outage", false)]);
        assert_eq!(alarms.open().count(), 0);
    }

    #[test]
    fn what_lasts_too_short_a_time_rings_nothing() {
        let mut alarms = Alarms::default();
        let page = Samples::read("arkki_outage{part=\"key\"} 1\n");
        for second in [0, 30, 55] {
            assert!(alarms.step(&page, at(second)).is_empty());
        }
        assert!(alarms.step(&Samples::read("arkki_outage{part=\"key\"} 0\n"), at(58)).is_empty());
    }

    #[test]
    fn a_counter_rings_when_it_grows_and_not_for_what_it_was() {
        let mut alarms = Alarms::default();
        let page = |count: u32| Samples::read(&format!("arkki_defects_total {count}\n"));
        assert!(alarms.step(&page(7), at(0)).is_empty());
        assert!(alarms.step(&page(7), at(5)).is_empty());
        assert_eq!(names(&alarms.step(&page(8), at(10))), [("Defect", true)]);
        assert!(alarms.step(&page(9), at(15)).is_empty());
        let mut closed = Vec::new();
        for second in (20..3000).step_by(5) {
            closed.extend(alarms.step(&page(9), at(second)).into_iter().map(|(rule, _)| (rule.name, second)));
        }
        assert!(matches!(closed[..], [("Defect", 900..1200)]), "{closed:?}");
    }

    #[test]
    fn a_flood_is_a_share_of_enough_messages() {
        let ring = |accepted: u32, refused: u32| {
            let mut alarms = Alarms::default();
            let page =
                |a: u32, r: u32| Samples::read(&format!("arkki_endings_total{{ending=\"accepted\"}} {a}\narkki_endings_total{{ending=\"refused\"}} {r}\n"));
            alarms.step(&page(1000, 1000), at(0));
            let mut told = Vec::new();
            for second in (5..100).step_by(5) {
                told.extend(alarms.step(&page(1000 + accepted, 1000 + refused), at(second)));
            }
            names(&told).contains(&("RefusalsFlood", true))
        };
        assert!(ring(10, 25));
        assert!(!ring(100, 25), "a fifth is no flood");
        assert!(!ring(0, 19), "nineteen are no flood");
    }

    #[test]
    fn every_alarm_has_a_name_of_its_own_and_words() {
        for rule in &RULES {
            assert_eq!(RULES.iter().filter(|other| other.name == rule.name).count(), 1, "{}", rule.name);
            assert!(rule.says.iter().all(|words| words.ends_with('.') || words.ends_with('?')) && !rule.mend.is_empty(), "{}", rule.name);
        }
    }
}
