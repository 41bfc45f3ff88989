//! Random edits of bodies: never a panic, never work without end.

use std::time::{Duration, Instant};

use super::{RULES, decoded, family, read, with};
use crate::kit;

/// How long one edited body may take in a debug build on a busy machine.
const LONGEST: Duration = Duration::from_secs(10);

/// SplitMix64: the same edits every time.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

fn edit(random: &mut Random, octets: &mut Vec<u8>, words: &[&[u8]]) {
    for _ in 0..=random.below(4) {
        let length = octets.len() as u64;
        if length == 0 {
            return;
        }
        let at = random.below(length) as usize;
        match random.below(5) {
            0 => octets[at] = random.below(256) as u8,
            1 => drop(octets.drain(at..(at + random.below(40) as usize + 1).min(octets.len()))),
            2 => {
                let end = (at + random.below(200) as usize + 1).min(octets.len());
                let copy = octets[at..end].to_vec();
                let to = random.below(length) as usize;
                drop(octets.splice(to..to, copy));
            }
            3 => drop(octets.splice(at..at, words[random.below(words.len() as u64) as usize].iter().copied())),
            _ => octets[at] = b"0123456789<>/[]()\"{}:,"[random.below(22) as usize],
        }
    }
}

fn storm(seed: u64, rounds: u32, document: &str, tag: &str, group: arkki::domain::document::Group, originals: &[Vec<u8>], words: &[&[u8]]) {
    let mut random = Random(seed);
    let mut refused = 0;
    for round in 0..rounds {
        let mut octets = originals[round as usize % originals.len()].clone();
        edit(&mut random, &mut octets, words);
        let started = Instant::now();
        let result = read(&with(document, tag, &octets), &RULES, group);
        assert!(started.elapsed() < LONGEST, "round {round}");
        refused += u32::from(result.is_err());
    }
    assert!(refused > rounds / 20, "edits do something: {refused} of {rounds}");
}

#[test]
fn edited_pdfs_never_crash_the_reader() {
    let spec = family().phase_one;
    let document = String::from_utf8(spec.render()).expect("UTF-8");
    let mut originals = vec![decoded(&document, "<text ")];
    if let Some(shared) = kit::shared() {
        for name in ["PDF_A-2u/veraPDF_test_suite_6-2-11-7-2-t01-pass-j.pdf", "PDF_A-3b/veraPDF_test_suite_6-8-t02-pass-g.pdf"] {
            originals.push(std::fs::read(shared.join("reference/pdf").join(name)).expect(name));
        }
    }
    let words: [&[u8]; 12] = [
        b"/Length 99999999999",
        b"/Length -1",
        b" obj ",
        b"endstream",
        b"stream\n",
        b"<<",
        b"xref\n0 99999999\n",
        b"/Type /ObjStm /N 9 /First 9",
        b"trailer",
        b"(",
        b"/W [8 8 8]",
        b"startxref 18446744073709551615",
    ];
    storm(1, 1_500, &document, "<text ", spec.group, &originals, &words);
}

#[test]
fn edited_xhtml_never_crashes_the_reader() {
    let spec = family().case;
    let document = String::from_utf8(spec.render()).expect("UTF-8");
    let words: [&[u8]; 8] = [b"<script>", b" onclick=\"x\"", b"<p style=\"url(\">", b"&#0;", b"<!--", b"<![CDATA[", b"]]>", b"xmlns=\"urn:x\" "];
    storm(2, 1_500, &document, "<text ", spec.group, &[decoded(&document, "<text ")], &words);
}

#[test]
fn edited_json_never_crashes_the_reader() {
    let spec = family().relation;
    let document = String::from_utf8(spec.render()).expect("UTF-8");
    let words: [&[u8]; 9] =
        [b"[[[[", b"{\"a\":", b"1e999", b"\\ud800", b"null,", b"\"turvakielto\": true, ", b"99999999999999999999", b"\"asiakas\": [], ", b"-"];
    storm(3, 1_500, &document, "<hl7fi:json", spec.group, &[decoded(&document, "<hl7fi:json")], &words);
}
