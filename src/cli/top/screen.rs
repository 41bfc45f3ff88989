//! The screen of `arkki top`: what fits is shown, what matters first. 80 columns show all of it, 40 the numbers without their frills.

use std::collections::VecDeque;
use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::shown::{age, alarm, count, latency, per_second};
use crate::domain::language::Language;
use crate::telemetry::alarms::{self, Severity};
use crate::telemetry::snapshot::{Instance, Queue, Snapshot};

/// Below so many columns the frills are left out.
const NARROW: u16 = 60;
/// How many looks the small plot remembers: no terminal is wider.
const REMEMBERED: usize = 500;
/// The letters of the small plot, lowest first.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// What the numbers mean.
const EXPLAINED: [&str; 10] = [
    "msg/s     messages decided a second, over all instances",
    "p50, p99  from arrival to durable commit, of the messages of the last look",
    "oldest    critical time: the age of the oldest unanswered message",
    "outbox    answers that wait to leave, and the oldest one's age",
    "held      messages that wait for a document, a case or a relation",
    "in hand   deliveries taken and not yet settled",
    "lanes     clients whose messages are under way, and messages that wait in them",
    "queues    what waits at the broker, and who reads it",
    "unexplained  what broker, archive and outbox do not agree on: must be 0",
    "cert      days until the first signing certificate ends",
];

/// A page of the view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Page {
    All,
    Queues,
    Alarms,
}

/// What is on the screen.
pub(super) struct View {
    /// Between two looks.
    pub pace: Duration,
    /// Nothing is looked at while it stands still.
    pub is_paused: bool,
    /// Whether the numbers are explained instead of shown.
    pub is_explained: bool,
    /// Lines scrolled past on a page.
    pub scroll: u16,
    page: Page,
    language: Language,
    snapshot: Option<Snapshot>,
    rates: VecDeque<f64>,
}

impl View {
    pub(super) const fn new(pace: Duration, language: Language) -> Self {
        Self { pace, is_paused: false, is_explained: false, scroll: 0, page: Page::All, language, snapshot: None, rates: VecDeque::new() }
    }

    /// Takes a look in.
    pub(super) fn take(&mut self, snapshot: Snapshot) {
        if let Some(rate) = snapshot.flow.per_second {
            if self.rates.len() >= REMEMBERED {
                self.rates.pop_front();
            }
            self.rates.push_back(rate);
        }
        self.snapshot = Some(snapshot);
    }

    /// Turns to the next page, or the one before.
    pub(super) const fn turn(&mut self, forward: bool) {
        self.page = match (self.page, forward) {
            (Page::All, true) | (Page::Alarms, false) => Page::Queues,
            (Page::Queues, true) | (Page::All, false) => Page::Alarms,
            (Page::Alarms, true) | (Page::Queues, false) => Page::All,
        };
        self.scroll = 0;
    }

    /// Draws.
    pub(super) fn draw(&self, frame: &mut Frame<'_>) {
        let [title, body, keys] = Layout::vertical([Constraint::Length(1), Constraint::Min(0), Constraint::Length(1)]).areas(frame.area());
        frame.render_widget(Paragraph::new(self.title(title.width)), title);
        frame.render_widget(Paragraph::new(self.keys(keys.width)), keys);
        let lines = match &self.snapshot {
            _ if self.is_explained => EXPLAINED.into_iter().map(Line::from).collect(),
            None => vec![Line::from("looking…")],
            Some(snapshot) => self.page(snapshot, body),
        };
        let last = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_sub(body.height);
        frame.render_widget(Paragraph::new(lines).scroll((self.scroll.min(last), 0)), body);
    }

    fn title(&self, width: u16) -> Line<'static> {
        let (up, all) = self.snapshot.as_ref().map_or((0, 0), |s| (s.instances.iter().filter(|i| i.is_up).count(), s.instances.len()));
        let at = self.snapshot.as_ref().map_or_else(String::new, |s| s.at.to_iso().get(11..19).unwrap_or_default().to_owned());
        let mut text = format!(" arkki top  {up}/{all} up  {at} UTC");
        if self.is_paused {
            text.push_str("  PAUSED");
        } else if width >= NARROW {
            text.push_str(&format!("  every {} s", self.pace.as_secs_f32()));
        }
        let style = Style::new().add_modifier(Modifier::REVERSED);
        Line::styled(format!("{text:<width$}", width = usize::from(width)), style)
    }

    fn keys(&self, width: u16) -> Line<'static> {
        let text = if width >= NARROW { " q quit  p pause  + - pace  Tab page  ↑↓ scroll  ? help" } else { " q quit p pause +- pace Tab page ? help" };
        Line::styled(format!("{text:<width$}", width = usize::from(width)), Style::new().add_modifier(Modifier::REVERSED))
    }

    fn page(&self, snapshot: &Snapshot, area: Rect) -> Vec<Line<'static>> {
        let narrow = area.width < NARROW;
        match self.page {
            Page::Queues => queues(&snapshot.queues, narrow, usize::MAX),
            Page::Alarms => self.alarms(snapshot, usize::MAX),
            Page::All => {
                let mut lines = self.flow(snapshot, area.width);
                lines.extend(standing(snapshot, narrow));
                lines.push(Line::default());
                lines.extend(self.alarms(snapshot, 5));
                lines.push(Line::default());
                lines.extend(instances(&snapshot.instances, narrow));
                lines.push(Line::default());
                // What is left of the screen is the queues'; the page of queues has them all.
                let left = usize::from(area.height).saturating_sub(lines.len() + 1).max(3);
                lines.extend(queues(&snapshot.queues, narrow, left));
                lines
            }
        }
    }

    fn flow(&self, snapshot: &Snapshot, width: u16) -> Vec<Line<'static>> {
        let flow = &snapshot.flow;
        let ending = |name: &str| per_second(flow.endings.get(name).copied().or(snapshot.since.map(|_| 0.0)));
        let mut lines = vec![Line::from(vec![
            head("msg/s "),
            Span::from(format!("{:<8}", per_second(flow.per_second))),
            head("p50 "),
            Span::from(format!("{:<8}", latency(flow.p50))),
            head("p99 "),
            Span::from(latency(flow.p99)),
        ])];
        let mut split =
            vec![head("accepted "), Span::from(format!("{:<6}", ending("accepted"))), head("refused "), Span::from(format!("{:<6}", ending("refused")))];
        if width >= NARROW {
            split.extend([
                head("answered "),
                Span::from(format!("{:<6}", ending("answered"))),
                head("answers/s "),
                Span::from(per_second(flow.answers_per_second)),
            ]);
        }
        lines.push(Line::from(split));
        lines.push(Line::styled(plot(&self.rates, usize::from(width)), Style::new().fg(Color::Cyan)));
        lines
    }

    fn alarms(&self, snapshot: &Snapshot, most: usize) -> Vec<Line<'static>> {
        if snapshot.alarms.is_empty() {
            return vec![Line::from(vec![head("alarms "), Span::styled("none", Style::new().fg(Color::Green))])];
        }
        let mut lines = vec![Line::from(vec![head("alarms "), Span::styled(snapshot.alarms.len().to_string(), bad(true))])];
        for open in snapshot.alarms.iter().take(most) {
            let critical = alarms::rule(&open.name).is_some_and(|rule| rule.severity == Severity::Critical);
            let colour = if critical { Color::Red } else { Color::Yellow };
            lines.push(Line::styled(format!(" ! {}", alarm(open, snapshot.at, self.language)), Style::new().fg(colour)));
        }
        if snapshot.alarms.len() > most {
            lines.push(Line::from(format!("   and {} more: Tab", snapshot.alarms.len() - most)));
        }
        lines
    }
}

fn standing(snapshot: &Snapshot, narrow: bool) -> Vec<Line<'static>> {
    let s = &snapshot.standing;
    let oldest = Span::styled(format!("{:<8}", age(s.oldest)), bad(s.oldest > 60.0));
    let outbox = Span::styled(format!("{} ({})", count(s.outbox), age(s.outbox_oldest)), bad(s.unroutable > 0));
    let held = Span::from(format!("{} ({})", count(s.held), age(s.held_oldest)));
    let unexplained = s.unexplained.map_or_else(|| Span::from("–"), |n| Span::styled(count(n), bad(n > 0)));
    let days = s.certificate_days.values().min();
    let cert = days.map_or_else(|| Span::from("–"), |days| Span::styled(format!("{days} d"), bad(*days < 30)));
    let disk = s.disk_free.values().copied().reduce(f64::min);
    let disk = disk.map_or_else(|| Span::from("–"), |free| Span::styled(format!("{:.0} %", free * 100.0), bad(free < 0.15)));
    if narrow {
        return vec![
            Line::from(vec![head("oldest "), oldest, head("outbox "), outbox]),
            Line::from(vec![head("held "), held, head("  unexpl. "), unexplained]),
            Line::from(vec![head("cert "), cert, head("  disk free "), disk]),
        ];
    }
    let documents = format!("{:<12}", count(s.documents));
    vec![
        Line::from(vec![head("oldest "), oldest, head("outbox "), outbox, head("  held "), held, head("  unexplained "), unexplained]),
        Line::from(vec![
            head("documents "),
            Span::from(documents),
            head("ledger "),
            Span::from(format!("{:<12}", count(s.ledger))),
            head("cert "),
            cert,
            head("  disk free "),
            disk,
        ]),
    ]
}

fn instances(instances: &[Instance], narrow: bool) -> Vec<Line<'static>> {
    let title = if narrow {
        format!("{:<20}{:>7}{:>8}", "instance", "msg/s", "in hand")
    } else {
        format!("{:<28}{:>8}{:>9}{:>7}{:>7}  state", "instance", "msg/s", "in hand", "lanes", "waits")
    };
    let mut lines = vec![Line::styled(title, Style::new().add_modifier(Modifier::BOLD))];
    for one in instances {
        let state = if !one.is_up {
            "DOWN".to_owned()
        } else if !one.outages.is_empty() {
            format!("no {}", one.outages.join(", "))
        } else if one.has_broker {
            "well".to_owned()
        } else {
            "no broker".to_owned()
        };
        let style = bad(state != "well");
        let text = if narrow {
            let word = if state == "well" { per_second(one.per_second) } else { "!".to_owned() };
            format!("{:<20}{word:>7}{:>8}", cut(&one.name, 19), one.in_hand)
        } else {
            format!("{:<28}{:>8}{:>9}{:>7}{:>7}  {state}", cut(&one.name, 27), per_second(one.per_second), one.in_hand, one.lanes, one.lane_waits)
        };
        lines.push(Line::styled(text, style));
    }
    lines
}

fn queues(queues: &[Queue], narrow: bool, most: usize) -> Vec<Line<'static>> {
    let wide = if narrow { 24 } else { 44 };
    let title = if narrow {
        format!("{:<wide$}{:>9}{:>6}", "queue", "messages", "read")
    } else {
        format!("{:<wide$}{:<13}{:>10}{:>9}", "queue", "role", "messages", "readers")
    };
    let mut lines = vec![Line::styled(title, Style::new().add_modifier(Modifier::BOLD))];
    for queue in queues.iter().take(most) {
        let style = bad(queue.messages > 0 && (queue.role == "dead-letter" || (queue.role == "inbound" && queue.consumers == 0)));
        let name = cut(&queue.name, wide - 1);
        let text = if narrow {
            format!("{name:<wide$}{:>9}{:>6}", queue.messages, queue.consumers)
        } else {
            format!("{name:<wide$}{:<13}{:>10}{:>9}", queue.role, queue.messages, queue.consumers)
        };
        lines.push(Line::styled(text, style));
    }
    if queues.len() > most {
        lines.push(Line::from(format!("and {} more: Tab", queues.len() - most)));
    }
    lines
}

fn head(text: &'static str) -> Span<'static> {
    Span::styled(text, Style::new().add_modifier(Modifier::DIM))
}

const fn bad(is_bad: bool) -> Style {
    if is_bad { Style::new().fg(Color::Red).add_modifier(Modifier::BOLD) } else { Style::new() }
}

/// The first so many letters, with a sign where more follow.
fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most { text.to_owned() } else { text.chars().take(most.saturating_sub(1)).chain(['…']).collect() }
}

/// The last rates as bars, newest at the right, the highest one full.
fn plot(rates: &VecDeque<f64>, width: usize) -> String {
    let shown: Vec<f64> = rates.iter().skip(rates.len().saturating_sub(width)).copied().collect();
    let most = shown.iter().copied().fold(1.0, f64::max);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 0 to 7
    let bar = |rate: f64| BARS.get((rate / most * 7.0).round() as usize).copied().unwrap_or(' ');
    shown.into_iter().map(bar).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::domain::time::Moment;
    use crate::telemetry::snapshot::{Scrape, Watcher};

    /// Two looks at an instance that carries messages, one at an instance that is down.
    fn snapshot() -> Snapshot {
        let page = |n: u32| {
            format!(
                "arkki_messages_total{{ending=\"accepted\"}} {n}\narkki_broker_up 1\narkki_in_hand 12\narkki_unanswered_seconds 3.2\narkki_documents 1234567\n\
                 arkki_message_seconds_bucket{{le=\"0.05\"}} {n}\narkki_message_seconds_bucket{{le=\"+Inf\"}} {n}\n\
                 arkki_queue_messages{{queue=\"arkki.inbound\",role=\"inbound\"}} 42\narkki_alarm_since_seconds{{alarm=\"DeadLetters\"}} 1799999000\n\
                 arkki_certificate_seconds_left{{role=\"system\"}} 1000000\n"
            )
        };
        let mut watcher = Watcher::default();
        let scrapes =
            |n| [Scrape { name: "gw1:9464".into(), page: Some(page(n)) }, Scrape { name: "gateway-with-a-very-long-name.example:9464".into(), page: None }];
        watcher.look(Moment::from_seconds(1_800_000_000), &scrapes(0), Vec::new());
        watcher.look(Moment::from_seconds(1_800_000_002), &scrapes(200), Vec::new())
    }

    fn drawn(view: &View, width: u16, height: u16) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| view.draw(frame)).unwrap();
        let buffer = terminal.backend().buffer();
        (0..height).map(|y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned()).collect()
    }

    #[test]
    fn everything_that_matters_is_on_80_by_24_and_on_40_columns() {
        let mut view = View::new(Duration::from_secs(2), Language::En);
        assert!(drawn(&view, 80, 24)[1].contains("looking"));
        view.take(snapshot());
        for (width, wanted) in [
            (
                80,
                &[
                    "1/2 up",
                    "msg/s 100",
                    "p99 50 ms",
                    "oldest 3.2 s",
                    "documents 1 234 567",
                    "cert 11 d",
                    "DeadLetters",
                    "InstanceDown",
                    "DOWN",
                    "arkki.inbound",
                    "q quit",
                ][..],
            ),
            (40, &["1/2 up", "msg/s 100", "p99 50 ms", "oldest 3.2 s", "cert 11 d", "DeadLetters", "arkki.inbound", "42", "q quit"]),
        ] {
            let lines = drawn(&view, width, 24);
            for part in wanted {
                assert!(lines.iter().any(|line| line.contains(part)), "{part:?} at {width}: {lines:#?}");
            }
            assert!(lines[23].contains("q quit"), "{lines:#?}");
        }
        view.turn(true);
        assert!(drawn(&view, 40, 10)[1].starts_with("queue"));
        view.turn(true);
        assert!(drawn(&view, 80, 10)[1].starts_with("alarms 2"));
        view.is_explained = true;
        assert!(drawn(&view, 80, 24)[1].starts_with("msg/s"));
        // A terminal too small for anything is no reason to end.
        for (width, height) in [(1, 1), (5, 2), (40, 3), (200, 60)] {
            drawn(&view, width, height);
        }
    }
}
