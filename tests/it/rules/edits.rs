//! Properties over generated documents: what is built to the templates is accepted; a single violation gives exactly its code, whoever wrote the document;
//! random edits neither crash nor hang the examiner, and no finding repeats a personal value.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arkki::codes::rules::{Edit, Stage};
use arkki::domain::document::Group;
use arkki::domain::environment::Environment;
use arkki::domain::finding::Finding;
use arkki::domain::language::Language;
use arkki::generate::family::Family;
use arkki::generate::person::Person;
use arkki::generate::random::Random;
use arkki::generate::samples;
use arkki::rules::examples;
use arkki::xml::tree;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::RULES;
use crate::generate::judged::EXAMINER;

fn family(seed: u64) -> Family {
    Family::new(seed, 9_000 + seed, if seed.is_multiple_of(2) { Language::Fi } else { Language::Sv })
}

/// Optional elements come and go at random; then whatever is demanded is put there and whatever is forbidden is taken away.
fn built(random: &mut Random, text: String, group: Group) -> String {
    let fields = RULES.templates.fields();
    let edit = |text: &str, edit: Edit| RULES.templates.edited(text, &edit).expect("editable");
    let one = |key: &str| vec![key.to_owned()];
    let mut text = text;
    // A register number is two attributes; one of them alone is no good value.
    for field in fields.iter().filter(|f| f.good().is_some() && !matches!(f.kind(), "client" | "professional")) {
        let document = tree::parse(&text).expect("well-formed");
        let at = fields.iter().position(|f| f.key() == field.key()).expect("there");
        if !matches!(RULES.templates.settled(&document, group, at), "optional" | "recommended") || !random.one_in(3) {
            continue;
        }
        text = if random.one_in(2) {
            edit(&text, Edit { remove: one(field.key()), ..Edit::default() })
        } else {
            edit(&text, Edit { set: [(field.key().to_owned(), field.good().unwrap_or("").to_owned())].into(), ..Edit::default() })
        };
    }
    for _ in 0..4 {
        for (at, field) in fields.iter().enumerate() {
            let Some(good) = field.good() else { continue };
            let document = tree::parse(&text).expect("well-formed");
            let bare = edit(&text, Edit { remove: one(field.key()), ..Edit::default() });
            match RULES.templates.settled(&document, group, at) {
                "mandatory" if bare == text => text = edit(&text, Edit { set: [(field.key().to_owned(), good.to_owned())].into(), ..Edit::default() }),
                "forbidden" => text = bare,
                _ => {}
            }
        }
    }
    text
}

#[test]
fn a_document_built_to_the_templates_is_accepted() {
    let mut random = Random::new(41);
    for seed in 0..5 {
        let family = family(seed);
        for group in Group::ALL {
            let text = String::from_utf8(family.of_group(group).render()).expect("UTF-8");
            let text = built(&mut random, text, group);
            let document = tree::parse(&text).expect("well-formed");
            let errors: Vec<Finding> = RULES.templates.check(&document, Environment::Test).into_iter().filter(Finding::is_error).collect();
            assert!(errors.is_empty(), "seed {seed}, group {}: {errors:?}", group.number());
        }
    }
}

#[test]
fn a_single_violation_gives_exactly_its_code_whoever_wrote_the_document() {
    for seed in 50..54 {
        let family = family(seed);
        let trials = examples::run(&RULES, &|group| family.of_group(group).render());
        let wrong: Vec<String> = trials.iter().filter_map(|t| Some(format!("{} group {}: {}", t.rule, t.group.number(), t.fault.as_ref()?))).collect();
        assert!(wrong.is_empty(), "seed {seed}\n{}", wrong.join("\n"));
    }
}

/// What random edits put in.
const SCRAPS: [&str; 30] = [
    "<",
    ">",
    "&",
    "\"",
    "'",
    "/>",
    "</",
    "]]>",
    "<!--",
    "-->",
    "<?x?>",
    "&#0;",
    "&amp;",
    "&#xD;",
    "\u{0}",
    "\u{fffe}",
    "å",
    "\u{1f600}",
    "1.2.246.",
    "99999999999999999999",
    "-1",
    "+",
    "20261332",
    "080885-902M",
    "1.2.246.21",
    "urn:hl7finland",
    "xmlns=\"\"",
    "nullFlavor=\"NA\"",
    "root=\"\"",
    "\r\n",
];

fn below(random: &mut Random, limit: usize) -> usize {
    usize::try_from(random.below(limit.max(1) as u64)).unwrap_or(0)
}

/// Octets changed at random: deleted, doubled, moved, overwritten, scraps put in.
fn octets_edited(random: &mut Random, octets: &mut Vec<u8>) {
    let (a, length) = (below(random, octets.len()), below(random, 60));
    let end = (a + length).min(octets.len());
    match random.below(6) {
        0 => drop(octets.drain(a..end)),
        1 => {
            let piece = octets[a..end].to_vec();
            octets.splice(end..end, piece);
        }
        2 => {
            let piece: Vec<u8> = octets.drain(a..end).collect();
            let to = below(random, octets.len());
            octets.splice(to..to, piece);
        }
        3 if !octets.is_empty() => octets[a.min(end.saturating_sub(1))] = u8::try_from(random.below(256)).unwrap_or(b'x'),
        _ => {
            let scrap = SCRAPS[below(random, SCRAPS.len())];
            octets.splice(a..a, scrap.bytes());
        }
    }
}

/// A metadata element changed at random, so that the edit gets past the parser.
fn element_edited(random: &mut Random, text: &str) -> Option<String> {
    let fields = RULES.templates.fields();
    let pick = |random: &mut Random| fields[below(random, fields.len())].key().to_owned();
    let mut edit = Edit::default();
    match random.below(4) {
        0 => edit.remove.push(pick(random)),
        1 => edit.repeat.push(pick(random)),
        2 => {
            let other = &fields[below(random, fields.len())];
            let value = other.bad().map_or(other.good(), |(bad, _)| Some(bad)).unwrap_or("").to_owned();
            edit.set.insert(pick(random), value);
        }
        _ => {
            let scrap = SCRAPS[below(random, SCRAPS.len())].replace(['\u{0}', '\u{fffe}'], "");
            let attribute = ["", "@codeSystem", "@root", "@extension", "@displayName", "@nullFlavor"][below(random, 6)];
            edit.set.insert(format!("{}{attribute}", pick(random)), scrap);
        }
    }
    RULES.templates.edited(text, &edit)
}

/// The content of a base64 element changed at random.
fn body_edited(random: &mut Random, text: &str) -> Option<String> {
    let mark = if random.one_in(2) { "<text " } else { "json" };
    let at = text.find(mark)?;
    let from = at + text.get(at..)?.find('>')? + 1;
    let to = from + text.get(from..)?.find('<')?;
    let mut content = STANDARD.decode(text.get(from..to)?.trim()).ok()?;
    octets_edited(random, &mut content);
    Some(format!("{}{}{}", text.get(..from)?, STANDARD.encode(content), text.get(to..)?))
}

/// Which random edits: the first five thousand in every run, the hundred thousand on demand, in parts if need be (`ARKKI_EDITS=0..100000`).
fn range() -> std::ops::Range<u64> {
    let text = std::env::var("ARKKI_EDITS").unwrap_or_else(|_| "0..5000".to_owned());
    let (from, to) = text.split_once("..").expect("ARKKI_EDITS is a range");
    from.parse().expect("a number")..to.parse().expect("a number")
}

#[test]
fn random_edits_neither_crash_nor_hang_nor_tell_of_persons() {
    let bases: Vec<Vec<u8>> = samples::accepted(Some(&crate::generate::keys())).into_iter().map(|s| s.octets).collect();
    let canary = Person::canary();
    let (all, refused, slowest) = (range(), AtomicU64::new(0), AtomicU64::new(0));
    let one = |number: u64| {
        let mut random = Random::new(0xED17 ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut octets = bases[below(&mut random, bases.len())].clone();
        for _ in 0..=random.below(3) {
            let text = std::str::from_utf8(&octets).ok().filter(|text| tree::parse(text).is_ok());
            let edited = match (random.below(3), text) {
                (0, Some(text)) => element_edited(&mut random, text).map(String::into_bytes),
                (1, Some(text)) => body_edited(&mut random, text).map(String::into_bytes),
                _ => None,
            };
            match edited {
                Some(edited) => octets = edited,
                None => octets_edited(&mut random, &mut octets),
            }
        }
        let begin = Instant::now();
        let stage = arkki::pipeline::examine::Stage::All;
        let mut found = EXAMINER.validate(&octets, stage);
        // What the schema stops would never reach the rules: they look at it all the same.
        if let Ok(text) = std::str::from_utf8(&octets) {
            found.extend(examples::judge(&RULES, text, Stage::Test));
        }
        refused.fetch_add(u64::from(found.iter().any(Finding::is_error)), Ordering::Relaxed);
        if let Ok(text) = std::str::from_utf8(&octets) {
            found.extend(examples::judge(&RULES, text, Stage::Production));
        }
        let took = u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX);
        slowest.fetch_max(took, Ordering::Relaxed);
        for finding in &found {
            let words = format!("{:?} {:?}", finding.args, finding.place);
            assert!(!words.contains(&canary.hetu), "edit {number}: {}", finding.code.as_str());
            // An edit can make a name an element's own; elements are named, texts are not.
            let is_element =
                || String::from_utf8_lossy(&octets).match_indices(canary.family).any(|(at, _)| octets[..at].iter().rev().take(40).any(|b| *b == b'<'));
            assert!(!words.contains(canary.family) || is_element(), "edit {number}: {}", finding.code.as_str());
        }
    };
    std::thread::scope(|scope| {
        for half in 0..2 {
            let (one, all) = (&one, all.clone());
            scope.spawn(move || all.filter(|n| n % 2 == half).for_each(one));
        }
    });
    let slowest = Duration::from_micros(slowest.into_inner());
    println!("{all:?} random edits, {} refused, slowest {slowest:?}", refused.into_inner());
    assert!(slowest < Duration::from_secs(10), "an edit took {slowest:?}");
}
