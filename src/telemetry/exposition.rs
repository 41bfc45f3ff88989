//! Reads what `/metrics` writes: the text format of Prometheus, as far as Arkki writes it. Pure; what cannot be read is passed over.

/// The most series taken from one page: Arkki writes some hundreds.
const SERIES: usize = 20_000;

/// One series and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The metric's name.
    pub name: String,
    /// Label and value, as they came.
    pub labels: Vec<(String, String)>,
    /// The value.
    pub value: f64,
}

impl Sample {
    /// A label's value; empty where there is none.
    #[must_use]
    pub fn label(&self, name: &str) -> &str {
        self.labels.iter().find(|(label, _)| label == name).map_or("", |(_, value)| value)
    }
}

/// A page read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Samples(Vec<Sample>);

impl Samples {
    /// Reads a page.
    #[must_use]
    pub fn read(page: &str) -> Self {
        Self(page.lines().filter_map(line).take(SERIES).collect())
    }

    /// Every series of a metric.
    pub fn of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Sample> {
        self.0.iter().filter(move |sample| sample.name == name)
    }

    /// The sum over a metric's series; `None` where there is none.
    #[must_use]
    pub fn sum(&self, name: &str) -> Option<f64> {
        self.of(name).map(|s| s.value).fold(None, |sum, value| Some(sum.unwrap_or(0.0) + value))
    }

    /// The largest of a metric's series; `None` where there is none.
    #[must_use]
    pub fn most(&self, name: &str) -> Option<f64> {
        self.of(name).map(|s| s.value).reduce(f64::max)
    }

    /// The smallest of a metric's series; `None` where there is none.
    #[must_use]
    pub fn least(&self, name: &str) -> Option<f64> {
        self.of(name).map(|s| s.value).reduce(f64::min)
    }

    /// The sum over the series whose label has this value.
    #[must_use]
    pub fn sum_where(&self, name: &str, label: &str, value: &str) -> f64 {
        self.of(name).filter(|s| s.label(label) == value).map(|s| s.value).sum()
    }
}

fn line(text: &str) -> Option<Sample> {
    let text = text.trim();
    if text.is_empty() || text.starts_with('#') {
        return None;
    }
    let (series, value) = match text.split_once('{') {
        None => {
            let (name, value) = text.split_once(' ')?;
            ((name, Vec::new()), value)
        }
        Some((name, rest)) => {
            let (labels, value) = labels(rest)?;
            ((name, labels), value)
        }
    };
    let value: f64 = value.split_whitespace().next()?.parse().ok()?;
    value.is_finite().then(|| Sample { name: series.0.to_owned(), labels: series.1, value })
}

/// Labels up to the closing brace, and what follows it.
fn labels(mut rest: &str) -> Option<(Vec<(String, String)>, &str)> {
    let mut labels = Vec::new();
    // Each round takes a label off the line.
    loop {
        rest = rest.trim_start_matches([',', ' ']);
        if let Some(after) = rest.strip_prefix('}') {
            return Some((labels, after.trim_start()));
        }
        let (name, quoted) = rest.split_once("=\"")?;
        let mut value = String::new();
        let mut letters = quoted.char_indices();
        let end = loop {
            match letters.next()? {
                (at, '"') => break at + 1,
                (_, '\\') => match letters.next()?.1 {
                    'n' => value.push('\n'),
                    other => value.push(other),
                },
                (_, other) => value.push(other),
            }
        };
        labels.push((name.to_owned(), value));
        rest = quoted.get(end..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_with_its_labels_and_what_is_none_is_passed_over() {
        let page = "# HELP a b\n# TYPE a counter\na 3\nb{x=\"1\",y=\"a \\\"q\\\" } \\n\"} 2.5\nb{x=\"2\"} 4\nc NaN\nbroken{x=\"\n\nd{} 1 1700000000\n";
        let samples = Samples::read(page);
        assert_eq!(samples.sum("a"), Some(3.0));
        assert_eq!((samples.sum("b"), samples.most("b"), samples.least("b")), (Some(6.5), Some(4.0), Some(2.5)));
        assert_eq!(samples.of("b").next().map(|s| s.label("y")), Some("a \"q\" } \n"));
        assert_eq!(samples.sum_where("b", "x", "2"), 4.0);
        assert_eq!((samples.sum("c"), samples.sum("broken"), samples.sum("d")), (None, None, Some(1.0)));
    }
}
