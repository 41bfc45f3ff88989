//! A rate as people write it: `50/s`, `300/min`, `0.5/s`, `50`.

/// The highest rate that makes sense on one connection, messages a second.
const MOST: f64 = 100_000.0;

/// Messages a second.
///
/// # Errors
/// How a rate is written.
pub fn parse(text: &str) -> Result<f64, String> {
    let (number, seconds) = match text.split_once('/') {
        None | Some((_, "s")) => (text.split('/').next().unwrap_or(text), 1.0),
        Some((number, "min")) => (number, 60.0),
        Some((number, "h")) => (number, 3600.0),
        Some(_) => return Err("write 50/s, 300/min or 1000/h".to_owned()),
    };
    match number.trim().parse::<f64>().map(|number| number / seconds) {
        Ok(rate) if rate > 0.0 && rate <= MOST => Ok(rate),
        _ => Err(format!("write 50/s, 300/min or 1000/h: more than 0, at most {MOST} a second")),
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn rates_are_read_and_nonsense_is_not() {
        for (text, rate) in [("50", 50.0), ("50/s", 50.0), ("300/min", 5.0), ("0.5/s", 0.5), ("7200/h", 2.0)] {
            assert!(parse(text).is_ok_and(|r| (r - rate).abs() < 1e-9), "{text}");
        }
        for nonsense in ["", "0", "-1/s", "50/day", "nan", "inf", "1e9/s", "/s"] {
            assert!(parse(nonsense).is_err(), "{nonsense}");
        }
    }
}
