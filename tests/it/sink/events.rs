//! Disclosure events of every sort: bases, recipients, registers, data sets with and without documents, in both languages; each determined by its number.

use std::fmt::Write as _;

use arkki::domain::language::Language;
use arkki::generate::person::Person;
use arkki::generate::random::Random;

const BASE: &str = "1.2.246.10.99999992";
const HETU: &str = "1.2.246.21";

/// What should become of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is archived as a notice.
    Taken,
    /// It is refused: nobody received anything.
    Refused,
}

/// An event.
pub struct Event {
    pub id: String,
    pub octets: Vec<u8>,
    pub fate: Fate,
    /// Recorded more than a day after the disclosure.
    pub late: bool,
}

/// The n-th event of a run.
pub fn event(run: u32, n: u32) -> Event {
    let mut random = Random::new(u64::from(run) << 32 | u64::from(n));
    let language = if n.is_multiple_of(2) { Language::Fi } else { Language::Sv };
    let person = Person::random(&mut random, language);
    let client = format!("root=\"{HETU}\" extension=\"{}\"", person.hetu);
    let (fate, late) = (if n % 20 == 7 { Fate::Refused } else { Fate::Taken }, n % 50 == 1);
    let id = format!("{BASE}.95.2026.{run}.{n}");
    let recipient = match (fate, n % 5) {
        (Fate::Refused, _) => "<recipient kind=\"authority\"/>".to_owned(),
        (Fate::Taken, 0) => {
            format!("<recipient kind=\"controller\"><organisation root=\"1.2.246.10.99999984.10.{n}\"/><name>Toinen hyvinvointialue</name></recipient>")
        }
        (Fate::Taken, 1) => "<recipient kind=\"authority\"><organisation root=\"1.2.246.10.99999968\"/><name>Poliisi &amp; Polis</name></recipient>".to_owned(),
        (Fate::Taken, 2) => format!("<recipient kind=\"client\"><person {client}/></recipient>"),
        (Fate::Taken, 3) => "<recipient kind=\"private\"><name>Testi \"Äiti\" Östman</name></recipient>".to_owned(),
        (Fate::Taken, _) => "<recipient kind=\"other\"><name>Testisäätiö</name></recipient>".to_owned(),
    };
    let basis = match n % 4 {
        0 => format!("<given kind=\"consent\" by=\"client\" at=\"2026-01-02T10:00:00Z\"><client {client}/><scope>Palvelutarpeen arvio</scope></given>"),
        1 => format!(
            "<given kind=\"permission\" by=\"representative\" at=\"2026-01-02T10:00:00+02:00\"><client {client}/><scope>Alla handlingar\nav ärendet</scope></given>"
        ),
        _ => "<statute>703/2023 64 §</statute>".to_owned(),
    };
    let registers = (0..=u32::from(n.is_multiple_of(3))).fold(String::new(), |mut out, r| {
        let items = (0..=(n % 4)).fold(String::new(), |mut out, i| {
            let document = if i % 2 == 1 { format!("<document root=\"{BASE}.95.2025.{n}.{r}.{i}\"/>") } else { String::new() };
            let kind = if i % 3 == 0 { "<generalType code=\"3\" displayName=\"Arvio\"/>" } else { "<description>Puhelimessa kerrottu</description>" };
            let _ = write!(out, "<item>{document}{kind}<serviceTask code=\"25\"/></item>");
            out
        });
        let _ = write!(
            out,
            "<register type=\"{}\"><controller root=\"{BASE}.10.{}\" name=\"Testilan hyvinvointialue\"/>{items}</register>",
            1 + r,
            u32::from(n.is_multiple_of(6))
        );
        out
    });
    let day = if late { "2026-01-14" } else { "2026-01-15" };
    let octets = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<OutsideDisclosure xmlns=\"urn:arkki:outside-disclosure:1\" language=\"{}\" processingCode=\"T\">\
         <id root=\"{id}\"/><system root=\"{BASE}.18.5\"/><client {client}><family>{}</family><given>{}</given></client>\
         <disclosedAt value=\"{day}T09:30:00+02:00\"/><recordedAt value=\"2026-01-15T09:35:00.125+02:00\"/>\
         <type code=\"document\"/><purpose code=\"authority\"/><manner code=\"paper\"/><basis>{basis}</basis>\
         <discloser authentication=\"1\"><person root=\"1.2.246.537.26\" extension=\"90000000017\"><family>Työntekijä</family><given>Testi</given></person>\
         <title>Sosiaalityöntekijä</title><organisation root=\"{BASE}\" name=\"Testilan hyvinvointialue\"/></discloser>{recipient}{registers}</OutsideDisclosure>",
        if language == Language::Fi { "fi" } else { "sv" },
        person.family,
        person.given_names(),
    );
    Event { id, octets: octets.into_bytes(), fate, late }
}
