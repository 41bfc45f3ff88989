//! Moments and HL7 timestamps (documents.md §6). No clock here: a moment comes from the `Clock` port or from a document.

use std::fmt;

use super::document::Date;

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(i64);

const MICROS: i64 = 1_000_000;
const DAY: i64 = 86_400;

impl Moment {
    /// From microseconds since the epoch.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// From whole seconds since the epoch.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(MICROS))
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(MICROS)
    }

    /// This moment and `length` more.
    #[must_use]
    pub fn plus(self, length: std::time::Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(length.as_micros()).unwrap_or(i64::MAX)))
    }

    /// `2026-11-22T08:00:00.123Z`: xs:dateTime in UTC with milliseconds, as signature timestamps are written.
    #[must_use]
    pub fn to_iso(self) -> String {
        let (date, second) = self.civil(0);
        let millis = self.0.rem_euclid(MICROS) / 1000;
        format!("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{millis:03}Z", date.year, date.month, date.day, second / 3600, second / 60 % 60, second % 60)
    }

    /// `20261122100000+0200`: an HL7 timestamp in Finnish time with its offset.
    #[must_use]
    pub fn to_hl7(self) -> String {
        let offset = helsinki_offset(self.seconds());
        let (date, second) = self.civil(offset);
        format!(
            "{:04}{:02}{:02}{:02}{:02}{:02}+{:02}{:02}",
            date.year,
            date.month,
            date.day,
            second / 3600,
            second / 60 % 60,
            second % 60,
            offset / 3600,
            offset / 60 % 60
        )
    }

    /// The calendar date in Finnish time.
    #[must_use]
    pub fn helsinki_date(self) -> Date {
        self.civil(helsinki_offset(self.seconds())).0
    }

    fn civil(self, offset: i64) -> (Date, i64) {
        let seconds = self.seconds() + offset;
        (date_of_days(seconds.div_euclid(DAY)), seconds.rem_euclid(DAY))
    }

    /// Reads an xs:dateTime with a zone (`Z` or `±hh:mm`) and up to 9 fraction digits, as `signatureTimestamp` holds it. `None` when it is none or names no real moment.
    #[must_use]
    pub fn parse_iso(text: &str) -> Option<Self> {
        let (date, rest) = text.split_once('T')?;
        let mut parts = date.split('-');
        let (y, m, d) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() || y.len() != 4 || m.len() != 2 || d.len() != 2 {
            return None;
        }
        let (clock, offset) = match rest.strip_suffix('Z') {
            Some(clock) => (clock, 0),
            None => {
                let at = rest.rfind(['+', '-'])?;
                let (clock, zone) = rest.split_at(at);
                let (h, mi) = zone.get(1..)?.split_once(':')?;
                if h.len() != 2 || mi.len() != 2 {
                    return None;
                }
                let size = digits(h)? * 3600 + digits(mi)? * 60;
                if size > 14 * 3600 || digits(mi)? > 59 {
                    return None;
                }
                (clock, if zone.starts_with('-') { -size } else { size })
            }
        };
        let (clock, fraction) = clock.split_once('.').map_or((clock, None), |(c, f)| (c, Some(f)));
        let mut parts = clock.split(':');
        let (h, mi, s) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() || h.len() != 2 || mi.len() != 2 || s.len() != 2 {
            return None;
        }
        let micros = fraction.map_or(Some(0), micros_of_fraction)?;
        let date = real_date(digits(y)?, digits(m)?, digits(d)?)?;
        let second = real_second(digits(h)?, digits(mi)?, digits(s)?)?;
        Some(Self((days_of_date(date) * DAY + second - offset) * MICROS + micros))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_iso())
    }
}

/// How an HL7 timestamp is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeFault {
    /// Not `YYYY[MM[DD[hh[mm[ss[.f]]]]]][±ZZZZ]`.
    Syntax,
    /// No such day or time in the calendar (month 13, 30 February, hour 25).
    NoSuchTime,
}

/// An HL7 TS: a date of some precision, perhaps a time, perhaps an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hl7Time {
    /// The date; missing month and day count as 1.
    pub date: Date,
    /// How many digits stood before fraction and offset: 4, 6, 8, 10, 12 or 14.
    pub digits: u8,
    /// The moment it begins; without an offset, in Finnish time (documents.md §6).
    pub moment: Moment,
    /// Whether an offset stood there.
    pub has_offset: bool,
}

impl Hl7Time {
    /// Reads an HL7 timestamp and checks that the calendar has it.
    ///
    /// # Errors
    /// Whether the form or the calendar is at fault.
    pub fn parse(text: &str) -> Result<Self, TimeFault> {
        let (stamp, zone) = match text.find(['+', '-']) {
            Some(at) => (text.get(..at).ok_or(TimeFault::Syntax)?, text.get(at..)),
            None => (text, None),
        };
        let (whole, fraction) = stamp.split_once('.').map_or((stamp, None), |(w, f)| (w, Some(f)));
        if !matches!(whole.len(), 4 | 6 | 8 | 10 | 12 | 14) || !whole.bytes().all(|b| b.is_ascii_digit()) {
            return Err(TimeFault::Syntax);
        }
        let part = |from: usize, to: usize, default: i64| whole.get(from..to).map_or(Ok(default), |t| digits(t).ok_or(TimeFault::Syntax));
        let micros = match fraction {
            Some(f) if whole.len() == 14 => micros_of_fraction(f).ok_or(TimeFault::Syntax)?,
            Some(_) => return Err(TimeFault::Syntax),
            None => 0,
        };
        let date = real_date(part(0, 4, 1)?, part(4, 6, 1)?, part(6, 8, 1)?).ok_or(TimeFault::NoSuchTime)?;
        let second = real_second(part(8, 10, 0)?, part(10, 12, 0)?, part(12, 14, 0)?).ok_or(TimeFault::NoSuchTime)?;
        let local = days_of_date(date) * DAY + second;
        let offset = match zone {
            None => helsinki_offset(local - 2 * 3600),
            Some(z) => {
                let rest = z.get(1..).filter(|r| r.len() == 4 || r.len() == 2).ok_or(TimeFault::Syntax)?;
                let (h, m) = (
                    digits(rest.get(..2).ok_or(TimeFault::Syntax)?).ok_or(TimeFault::Syntax)?,
                    rest.get(2..4).map_or(Some(0), digits).ok_or(TimeFault::Syntax)?,
                );
                if h > 14 || m > 59 {
                    return Err(TimeFault::NoSuchTime);
                }
                let size = h * 3600 + m * 60;
                if z.starts_with('-') { -size } else { size }
            }
        };
        Ok(Self { date, digits: u8::try_from(whole.len()).unwrap_or(0), moment: Moment((local - offset) * MICROS + micros), has_offset: zone.is_some() })
    }
}

fn digits(text: &str) -> Option<i64> {
    if text.is_empty() || text.len() > 9 || !text.bytes().all(|b| b.is_ascii_digit()) { None } else { text.parse().ok() }
}

fn micros_of_fraction(text: &str) -> Option<i64> {
    if text.is_empty() || text.len() > 9 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let six: String = text.chars().chain(std::iter::repeat('0')).take(6).collect();
    digits(&six)
}

fn real_second(hour: i64, minute: i64, second: i64) -> Option<i64> {
    (hour < 24 && minute < 60 && second < 60).then_some(hour * 3600 + minute * 60 + second)
}

/// The date if the Gregorian calendar has it, years 1–9999.
#[must_use]
pub fn real_date(year: i64, month: i64, day: i64) -> Option<Date> {
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let length = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    if !(1..=9999).contains(&year) || !(1..=length).contains(&day) {
        return None;
    }
    Some(Date { year: u16::try_from(year).ok()?, month: u8::try_from(month).ok()?, day: u8::try_from(day).ok()? })
}

/// Reads `YYYY-MM-DD`, as JSON and rule files write days; `None` for another form or a day the calendar does not have.
#[must_use]
pub fn iso_date(text: &str) -> Option<Date> {
    let mut parts = text.split('-');
    let mut part = |length: usize| parts.next().filter(|p| p.len() == length).and_then(digits);
    let date = real_date(part(4)?, part(2)?, part(2)?)?;
    parts.next().is_none().then_some(date)
}

/// The last microsecond of a day in Finnish time.
#[must_use]
pub fn end_of_day(date: Date) -> Moment {
    Moment(midnight(days_of_date(date) + 1).0 - 1)
}

/// The first microsecond of a day in Finnish time: what a time that names only the day is read as.
#[must_use]
pub fn start_of_day(date: Date) -> Moment {
    midnight(days_of_date(date))
}

/// The midnight that begins a day, by its number.
fn midnight(day: i64) -> Moment {
    let midnight = day * DAY;
    // The offset never changes at midnight.
    let offset = helsinki_offset(midnight - 2 * 3600);
    Moment((midnight - offset) * MICROS)
}

/// Days from 1970-01-01 to a date (Gregorian, proleptic), by counting years from March so that the leap day is last.
#[must_use]
pub fn days_of_date(date: Date) -> i64 {
    let (y, m, d) = (i64::from(date.year), i64::from(date.month), i64::from(date.day));
    let y = if m <= 2 { y - 1 } else { y };
    let era = y.div_euclid(400);
    let year_of_era = y.rem_euclid(400);
    let day_of_year = (153 * ((m + 9) % 12) + 2) / 5 + d - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn date_of_days(days: i64) -> Date {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    Date {
        year: u16::try_from(year).unwrap_or(u16::MAX),
        month: u8::try_from(month).unwrap_or(1),
        day: u8::try_from(day_of_year - (153 * shifted + 2) / 5 + 1).unwrap_or(1),
    }
}

/// Finland's offset from UTC in seconds: two hours, three from the last Sunday of March 01:00 UTC to the last Sunday of October 01:00 UTC
/// (the European Union's rule since 1996; earlier dates take it too, an hour's error that no rule here depends on).
fn helsinki_offset(seconds: i64) -> i64 {
    let year = i64::from(date_of_days(seconds.div_euclid(DAY)).year);
    let switch = |month: u8| {
        let last = days_of_date(Date { year: u16::try_from(year).unwrap_or(1970), month, day: 31 });
        (last - (last + 4).rem_euclid(7)) * DAY + 3600
    };
    if (switch(3)..switch(10)).contains(&seconds) { 3 * 3600 } else { 2 * 3600 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_agree_for_every_day_of_four_centuries() {
        let mut days = days_of_date(Date { year: 1800, month: 1, day: 1 });
        for year in 1800..2200 {
            for month in 1..=12 {
                for day in 1..=31 {
                    if let Some(date) = real_date(year, month, day) {
                        assert_eq!(days_of_date(date), days);
                        assert_eq!(date_of_days(days), date);
                        days += 1;
                    }
                }
            }
        }
        assert_eq!(days_of_date(Date { year: 1970, month: 1, day: 1 }), 0);
    }

    #[test]
    fn hl7_times_need_a_real_calendar() {
        for (text, want) in [
            ("20260228", Ok(())),
            ("20240229", Ok(())),
            ("20260229", Err(TimeFault::NoSuchTime)),
            ("20261301", Err(TimeFault::NoSuchTime)),
            ("202611222460", Err(TimeFault::NoSuchTime)),
            ("20261122093016+0200", Ok(())),
            ("20261122093016.123+0200", Ok(())),
            ("2026112209301", Err(TimeFault::Syntax)),
            ("20261122T09", Err(TimeFault::Syntax)),
            ("", Err(TimeFault::Syntax)),
            ("+0200", Err(TimeFault::Syntax)),
        ] {
            assert_eq!(Hl7Time::parse(text).map(|_| ()), want, "{text}");
        }
    }

    #[test]
    fn finnish_time_has_summer() {
        let summer = Hl7Time::parse("20260717130652").map(|t| t.moment.to_iso());
        assert_eq!(summer.as_deref(), Ok("2026-07-17T10:06:52.000Z"));
        let winter = Hl7Time::parse("20261122093016").map(|t| t.moment.to_iso());
        assert_eq!(winter.as_deref(), Ok("2026-11-22T07:30:16.000Z"));
        let said = Hl7Time::parse("20260717130652+0300").map(|t| t.moment);
        assert_eq!(said.map(Moment::to_hl7).as_deref(), Ok("20260717130652+0300"));
        // The switch itself: 2026-03-29 01:00 UTC.
        assert_eq!(Moment::parse_iso("2026-03-29T00:59:59Z").map(Moment::to_hl7).as_deref(), Some("20260329025959+0200"));
        assert_eq!(Moment::parse_iso("2026-03-29T01:00:00Z").map(Moment::to_hl7).as_deref(), Some("20260329040000+0300"));
    }

    #[test]
    fn iso_reads_what_signatures_write() {
        let a = Moment::parse_iso("2026-07-17T10:06:56.4257383Z").map(Moment::micros);
        assert_eq!(a.map(|m| m % MICROS), Some(425_738));
        assert_eq!(Moment::parse_iso("2015-02-12T08:50:54+02:00"), Moment::parse_iso("2015-02-12T06:50:54Z"));
        for bad in ["2026-13-01T00:00:00Z", "2026-01-01T00:00:00", "2026-1-1T0:0:0Z", "x", "T", "2026-01-01T00:00:00+aa:bb"] {
            assert_eq!(Moment::parse_iso(bad), None, "{bad}");
        }
    }
}
