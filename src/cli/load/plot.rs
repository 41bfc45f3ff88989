//! A line plot as SVG: axes with round numbers, linear or logarithmic, colours by class, so that the page's style knows light and dark.

use std::fmt::Write as _;

use crate::xml::write;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 280.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 44.0;
/// About how many marks an axis has.
const MARKS: f64 = 6.0;

/// How an axis runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// From 0, evenly.
    Linear,
    /// By powers of ten.
    Log,
}

/// A plot.
pub struct Plot<'a> {
    /// What it shows, in a sentence: for those who do not see it.
    pub says: &'a str,
    /// What runs to the right.
    pub across: &'a str,
    /// What runs upwards, and how.
    pub upwards: (&'a str, Scale),
    /// The marks to the right with their words; empty: round numbers.
    pub marks: Vec<(f64, String)>,
    /// A stretch at the beginning that does not count, in the units of what runs to the right.
    pub grey: f64,
    /// The lines.
    pub lines: Vec<Line<'a>>,
}

/// A line of a plot: its name, its class, its points.
pub type Line<'a> = (&'a str, &'a str, Vec<Point>);

/// Rightwards and upwards.
pub type Point = (f64, f64);

impl Plot<'_> {
    /// The SVG.
    #[must_use]
    pub fn svg(&self) -> String {
        let points = || self.lines.iter().flat_map(|(.., points)| points.iter().copied());
        let across = points().map(|(x, _)| x).fold(0.0_f64, f64::max).max(self.marks.last().map_or(0.0, |(x, _)| *x)).max(1e-9);
        let scale = self.upwards.1;
        let highest = points().map(|(_, y)| y).fold(0.0_f64, f64::max).max(1e-3);
        let lowest = points().map(|(_, y)| y).filter(|y| *y > 0.0).fold(highest, f64::min);
        let (low, high, marks) = match scale {
            Scale::Linear => linear(highest),
            Scale::Log => logarithmic(lowest, highest),
        };
        let x = |value: f64| LEFT + value / across * (WIDTH - LEFT - RIGHT);
        let y = |value: f64| {
            let share = match scale {
                Scale::Linear => value / high,
                Scale::Log => (value.max(low).ln() - low.ln()) / (high.ln() - low.ln()).max(1e-9),
            };
            HEIGHT - BOTTOM - share.clamp(0.0, 1.0) * (HEIGHT - TOP - BOTTOM)
        };
        let mut svg = String::new();
        write::open(&mut svg, "svg", &[("viewBox", &format!("0 0 {WIDTH} {HEIGHT}")), ("role", "img"), ("aria-label", self.says)]);
        if self.grey > 0.0 {
            rectangle(&mut svg, x(0.0), TOP, x(self.grey.min(across)) - x(0.0), HEIGHT - TOP - BOTTOM);
        }
        for mark in marks {
            line(&mut svg, "grid", (LEFT, y(mark)), (WIDTH - RIGHT, y(mark)));
            words(&mut svg, "end", (LEFT - 6.0, y(mark) + 4.0), &number(mark));
        }
        let round = linear(across).2.into_iter().filter(|mark| *mark <= across).map(|mark| (mark, number(mark))).collect();
        for (mark, name) in if self.marks.is_empty() { round } else { self.marks.clone() } {
            line(&mut svg, "grid", (x(mark), HEIGHT - BOTTOM), (x(mark), HEIGHT - BOTTOM + 4.0));
            // The last one would stand half outside.
            let anchor = if x(mark) > WIDTH - 2.0 * RIGHT { "end" } else { "middle" };
            words(&mut svg, anchor, (x(mark), HEIGHT - BOTTOM + 17.0), &name);
        }
        words(&mut svg, "middle", ((LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 6.0), self.across);
        let _ = write!(svg, "<g transform=\"translate(13 {:.1}) rotate(-90)\">", (HEIGHT - BOTTOM + TOP) / 2.0);
        words(&mut svg, "middle", (0.0, 0.0), self.upwards.0);
        svg.push_str("</g>");
        for (_, class, points) in &self.lines {
            let path: Vec<String> = points.iter().map(|(a, b)| format!("{:.1},{:.1}", x(*a), y(*b))).collect();
            write::empty(&mut svg, "polyline", &[("class", class), ("points", &path.join(" "))]);
        }
        svg.push_str("</svg>");
        svg.push_str("<p class=\"legend\">");
        for (name, class, _) in &self.lines {
            write::element(&mut svg, "span", &[("class", class)], name);
        }
        svg.push_str("</p>");
        svg
    }
}

fn line(svg: &mut String, class: &str, from: (f64, f64), to: (f64, f64)) {
    let _ = write!(svg, "<line class=\"{class}\" x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\"/>", from.0, from.1, to.0, to.1);
}

fn rectangle(svg: &mut String, x: f64, y: f64, width: f64, height: f64) {
    let _ = write!(svg, "<rect class=\"grey\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>");
}

fn words(svg: &mut String, anchor: &str, at: (f64, f64), words: &str) {
    write::element(svg, "text", &[("text-anchor", anchor), ("x", &format!("{:.1}", at.0)), ("y", &format!("{:.1}", at.1))], words);
}

/// From 0 to a round number above, with marks.
fn linear(highest: f64) -> (f64, f64, Vec<f64>) {
    let rough = highest / MARKS;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|n| n * power).find(|step| *step >= rough).unwrap_or(power * 10.0);
    let count = (highest / step).ceil().max(1.0);
    // At most ten or so.
    let marks = (0_u32..).map(f64::from).take_while(|n| *n <= count).map(|n| n * step).collect();
    (0.0, count * step, marks)
}

/// From a power of ten below to one above, with marks at 1, 2 and 5 where they have room.
fn logarithmic(lowest: f64, highest: f64) -> (f64, f64, Vec<f64>) {
    let from = lowest.max(1e-3).log10().floor();
    let to = highest.max(1e-3).log10().ceil().max(from + 1.0);
    let steps: &[f64] = if to - from <= 3.0 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let high = 10_f64.powf(to);
    let powers = (0_u32..20).map(|n| from + f64::from(n)).take_while(|power| *power <= to);
    let marks: Vec<f64> = powers.flat_map(|power| steps.iter().map(move |n| n * 10_f64.powf(power))).filter(|mark| *mark <= high * 1.000_001).collect();
    // From the last mark below everything to the first above it.
    let first = marks.iter().rposition(|mark| *mark <= lowest * 1.000_001).unwrap_or(0);
    let last = marks.iter().position(|mark| *mark >= highest * 0.999_999).unwrap_or(marks.len().saturating_sub(1)).max(first + 1);
    let marks: Vec<f64> = marks.into_iter().take(last + 1).skip(first).collect();
    (marks.first().copied().unwrap_or(1e-3), marks.last().copied().unwrap_or(high), marks)
}

/// A number as short as it can be.
fn number(value: f64) -> String {
    let text = if value >= 10.0 || value == 0.0 { format!("{value:.0}") } else { format!("{value:.3}") };
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_have_round_marks_that_hold_everything() {
        for highest in [0.004, 0.7, 1.0, 9.9, 100.0, 1234.5, 9.1e6] {
            let (low, high, marks) = linear(highest);
            assert!(low == 0.0 && high >= highest && (2..=12).contains(&marks.len()), "{highest}: {marks:?}");
            let (low, high, marks) = logarithmic(highest / 50.0, highest);
            assert!(low <= highest / 50.0 * 1.001 + 1e-3 && high >= highest * 0.999 && marks.len() >= 2, "{highest}: {low} {high} {marks:?}");
        }
        assert_eq!([0.0, 0.5, 2.0, 1500.0].map(number), ["0", "0.5", "2", "1500"]);
    }

    #[test]
    fn a_plot_without_points_is_drawn_too() {
        let plot = Plot { says: "a < b", across: "s", upwards: ("ms", Scale::Log), marks: Vec::new(), grey: 0.0, lines: vec![("none", "a", Vec::new())] };
        let svg = plot.svg();
        assert!(svg.contains("a &lt; b") && !svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
