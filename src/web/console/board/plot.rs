//! A line of numbers as a small picture (SVG), drawn by the server: no script is needed to see it.

use super::super::html::Html;

/// The picture's own units.
const WIDTH: f64 = 120.0;
const HEIGHT: f64 = 28.0;

/// Draws the numbers, the oldest at the left; nothing where there are fewer than two.
pub(super) fn draw(html: &mut Html, numbers: &[f64], name: &str) {
    if numbers.len() < 2 {
        return;
    }
    html.open("svg", &[("viewBox", &format!("0 0 {WIDTH} {HEIGHT}")), ("role", "img"), ("aria-label", name), ("preserveAspectRatio", "none")]);
    html.open("polyline", &[("points", &points(numbers))]);
    html.close("polyline");
    html.close("svg");
}

/// From 0 at the bottom to the greatest at the top.
#[allow(clippy::cast_precision_loss)] // some hundreds of points
fn points(numbers: &[f64]) -> String {
    let most = numbers.iter().copied().filter(|n| n.is_finite()).fold(f64::MIN_POSITIVE, f64::max);
    let step = WIDTH / (numbers.len().max(2) - 1) as f64;
    let point = |(at, number): (usize, &f64)| {
        let share = if number.is_finite() { (number / most).clamp(0.0, 1.0) } else { 1.0 };
        format!("{:.1},{:.1}", at as f64 * step, 1.0 + (HEIGHT - 2.0) * (1.0 - share))
    };
    numbers.iter().enumerate().map(point).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greatest_is_at_the_top_and_nothing_at_the_bottom() {
        assert_eq!(points(&[0.0, 5.0, 10.0]), "0.0,27.0 60.0,14.0 120.0,1.0");
        assert_eq!(points(&[0.0, 0.0]), "0.0,27.0 120.0,27.0");
        assert_eq!(points(&[f64::INFINITY, 1.0]), "0.0,1.0 120.0,1.0");
    }
}
