//! PDF: what it declares, what it may not do, and the reference samples.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use arkki::domain::document::Group;

use super::{RULES, decoded, family, read, seen, speaks, with};
use crate::kit;

/// The claim, or the codes.
fn judged(pdf: &[u8]) -> Result<String, Vec<String>> {
    let document = String::from_utf8(family().phase_one.render()).expect("UTF-8");
    let result = read(&with(&document, "<text ", pdf), &RULES, Group::PhaseOne);
    match &result {
        Ok(body) => {
            speaks(&body.warnings, &[]);
            Ok(body.declares.as_ref().expect("a claim").to_string())
        }
        Err(findings) => {
            speaks(findings, &["SECRET"]);
            Err(seen(&result))
        }
    }
}

/// A PDF of objects, with a right table.
fn file(objects: &[&str], trailer: &str) -> Vec<u8> {
    let mut out = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n".to_vec();
    let mut offsets = Vec::new();
    for (n, object) in objects.iter().enumerate() {
        offsets.push(out.len());
        out.extend_from_slice(format!("{} 0 obj\n{object}\nendobj\n", n + 1).as_bytes());
    }
    let start = out.len();
    out.extend_from_slice(format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).as_bytes());
    for offset in offsets {
        out.extend_from_slice(format!("{offset:010} 00000 n \n").as_bytes());
    }
    out.extend_from_slice(format!("trailer\n<< /Size {} /Root 1 0 R {trailer} >>\nstartxref\n{start}\n%%EOF\n", objects.len() + 1).as_bytes());
    out
}

fn metadata(claim: &str) -> String {
    let packet = format!(
        "<?xpacket begin=\"\u{feff}\"?><x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\
         <rdf:Description xmlns:pdfaid=\"http://www.aiim.org/pdfa/ns/id/\" {claim}/></rdf:RDF></x:xmpmeta><?xpacket end=\"w\"?>"
    );
    stream("/Type /Metadata /Subtype /XML", &packet)
}

fn stream(dictionary: &str, content: &str) -> String {
    format!("<< {dictionary} /Length {} >>\nstream\n{content}\nendstream", content.len())
}

const CATALOGUE: &str = "<< /Type /Catalog /Pages 2 0 R /Metadata 3 0 R >>";
const PAGES: &str = "<< /Type /Pages /Kids [] /Count 0 >>";
const A2B: &str = "pdfaid:part=\"2\" pdfaid:conformance=\"B\"";

fn more(objects: &[&str]) -> Vec<u8> {
    let metadata = metadata(A2B);
    file(&[&[CATALOGUE, PAGES, &metadata], objects].concat(), "")
}

#[test]
fn a_claim_is_repeated_and_nothing_more() {
    assert_eq!(judged(&more(&[])), Ok("PDF/A-2b".to_owned()));
    let claim = |claim: &str| judged(&file(&[CATALOGUE, PAGES, &metadata(claim)], ""));
    assert_eq!(claim("pdfaid:part=\"1\" pdfaid:conformance=\"A\""), Ok("PDF/A-1a".to_owned()));
    assert_eq!(claim("pdfaid:part=\"4\""), Ok("PDF/A-4".to_owned()));
    assert_eq!(claim("pdfaid:part=\"1\" pdfaid:conformance=\"U\""), Ok("PDF/A-1u".to_owned()), "with W951");
    assert_eq!(claim("pdfaid:part=\"7\""), Err(vec!["E512".to_owned()]));
    assert_eq!(claim("pdfaid:amd=\"2005\""), Err(vec!["E512".to_owned()]));
    assert_eq!(judged(&file(&["<< /Type /Catalog /Pages 2 0 R >>", PAGES], "")), Err(vec!["E512".to_owned()]));
    assert_eq!(judged(&file(&[CATALOGUE, PAGES, &stream("", "<SECRET")], "")), Err(vec!["E512".to_owned()]));
    assert_eq!(judged(b"%TXT-1.4 SECRET"), Err(vec!["E506".to_owned()]));
}

#[test]
fn what_runs_hides_or_is_locked_is_refused() {
    let packed = |objects: &str, first: usize| {
        let content = miniz_oxide::deflate::compress_to_vec_zlib(objects.as_bytes(), 6);
        // Octets as characters of one octet each: the file is made of text here.
        (content, first)
    };
    for (object, code) in [
        ("<< /S /JavaScript >>", "E514"),
        ("<< /JS (SECRET) >>", "E514"),
        ("<< /S /Java#53cript >>", "E514"),
        ("<< /Names << /JavaScript << /Names [] >> >> >>", "E514"),
        ("<< /A << /S /Launch /F (SECRET.exe) >> >>", "E514"),
        ("<< /AA [ << /O << /S /ImportData >> >> ] >>", "E514"),
        ("<< /AcroForm << /XFA 9 0 R >> >>", "E514"),
        ("<< /Type /Annot /Subtype /RichMedia >>", "E514"),
        ("<< /Type /Filespec /F (SECRET.exe) /EF << /F 5 0 R >> >>", "E515"),
        ("<< /Type /Filespec /UF <FEFF0061002E006A0061007200> /EF << /F 5 0 R >> >>", "E515"),
    ] {
        assert_eq!(judged(&more(&[object])), Err(vec![code.to_owned()]), "{object}");
    }
    assert_eq!(judged(&file(&[CATALOGUE, PAGES, &metadata(A2B), "<< /Filter /Standard >>"], "/Encrypt 4 0 R")), Err(vec!["E513".to_owned()]));
    // Embedded: by its first octets whatever its name, and never in part 1.
    let embeds = "<< /Type /Filespec /F (letter.pdf) /EF << /F 5 0 R >> >>";
    assert_eq!(judged(&more(&[embeds, &stream("/Type /EmbeddedFile", "%PDF-1.4 letter")])), Ok("PDF/A-2b".to_owned()));
    assert_eq!(judged(&more(&[embeds, &stream("/Type /EmbeddedFile", "MZ SECRET")])), Err(vec!["E515".to_owned()]));
    assert_eq!(judged(&more(&[embeds, &stream("/Type /EmbeddedFile /Filter /LZWDecode", "xx")])), Err(vec!["E515".to_owned()]));
    let part1 = metadata("pdfaid:part=\"1\" pdfaid:conformance=\"B\"");
    assert_eq!(judged(&file(&[CATALOGUE, PAGES, &part1, embeds, &stream("", "x")], "")), Err(vec!["E515".to_owned()]));
    // In an object stream, unpacked or packed.
    let inside = "7 0 8 5 null << /S /Launch >>";
    assert_eq!(judged(&more(&[&stream("/Type /ObjStm /N 2 /First 8", inside)])), Err(vec!["E514".to_owned()]));
    let (content, first) = packed(inside, 8);
    let mut whole = more(&[&stream(&format!("/Type /ObjStm /N 2 /First {first} /Filter /FlateDecode"), &"@".repeat(content.len()))]);
    let at = whole.windows(content.len()).position(|w| w.iter().all(|b| *b == b'@')).expect("the place");
    whole[at..at + content.len()].copy_from_slice(&content);
    assert_eq!(judged(&whole), Err(vec!["E514".to_owned()]));
}

#[test]
fn what_cannot_be_followed_is_refused() {
    let good = more(&["<< /S /GoTo >>"]);
    let text = |from: &str, to: &str| {
        let at = good.windows(from.len()).rposition(|w| w == from.as_bytes()).expect("there");
        [&good[..at], to.as_bytes(), &good[at + from.len()..]].concat()
    };
    assert_eq!(judged(&good), Ok("PDF/A-2b".to_owned()));
    for broken in [
        text("startxref\n", "startxref\n9"),
        text("startxref\n", "startyref\n"),
        text("<< /S /GoTo >>", "<< /S /GoTo"),
        text("<< /S /GoTo >>", &"[".repeat(1_000)),
        text("trailer", "tralier"),
        text("00000 n", "00000 x"),
        good[..good.len() / 2].to_vec(),
    ] {
        let found = judged(&broken).expect_err("refused");
        assert!(found.contains(&"E516".to_owned()), "{found:?}");
    }
    // An object that only the table names, inside another object's stream.
    let hidden = stream("", "9 0 obj << /S /Launch >> endobj");
    let mut sly = more(&[&hidden, "null"]);
    let place = sly.windows(8).position(|w| w == b"9 0 obj ").expect("there");
    let entry = sly.windows(8).rposition(|w| w == b"00000 n ").expect("an entry") - 11;
    sly[entry..entry + 10].copy_from_slice(format!("{place:010}").as_bytes());
    assert_eq!(judged(&sly), Err(vec!["E514".to_owned()]));
}

#[test]
fn bombs_stop_within_their_bound() {
    let started = Instant::now();
    let content = miniz_oxide::deflate::compress_to_vec_zlib(&vec![b' '; 100_000_000], 9);
    for kind in ["/Type /ObjStm /N 1 /First 4", "/Type /XRef /W [1 2 1]"] {
        let mut bomb = more(&[&stream(&format!("{kind} /Filter /FlateDecode"), &"@".repeat(content.len()))]);
        let at = bomb.windows(64).position(|w| w.iter().all(|b| *b == b'@')).expect("the place");
        bomb[at..at + content.len()].copy_from_slice(&content);
        let found = judged(&bomb).expect_err("refused");
        assert!(found.contains(&"E516".to_owned()), "{found:?}");
    }
    for flood in ["1 ".repeat(1_000_000), "(".repeat(1_000_000), "<<".repeat(1_000_000), "1 0 obj ".repeat(200_000), "% \n".repeat(500_000)] {
        assert!(judged(&[b"%PDF-1.4\n", flood.as_bytes()].concat()).is_err());
    }
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
}

/// Files that a PDF/A judge passed declare what their folder says; files that it failed mostly declare it too: a claim is not conformance.
#[test]
fn the_reference_files_declare_what_they_are_filed_under() {
    let Some(shared) = kit::shared() else {
        println!("left out: the reference folder is absent");
        return;
    };
    let reference = shared.join("reference");
    let verdicts = std::fs::read_to_string(reference.join("pdf_verdicts.tsv")).expect("verdicts");
    let (mut seen, mut failed) = (0, BTreeMap::new());
    for line in verdicts.lines().skip(1) {
        let [path, profile, expected] = line.split('\t').take(3).collect::<Vec<_>>()[..] else { panic!("{line}") };
        let octets = std::fs::read(reference.join(path)).expect(path);
        let verdict = judged(&octets);
        let claim = profile.replace("PDF_A", "PDF/A");
        match expected {
            "pass" => assert_eq!(verdict, Ok(claim), "{path}"),
            _ => {
                *failed.entry(format!("{:?}", verdict.map(|c| c == claim))).or_insert(0) += 1;
            }
        }
        seen += 1;
    }
    println!("{seen} files; of those that a judge failed: {failed:?}");
    assert_eq!(seen, 68);
    assert!(failed.get("Ok(true)").is_some_and(|n| *n >= 25), "{failed:?}");
}

#[test]
fn generated_files_declare_their_level_however_they_are_packed() {
    for octets in [0, 30_000] {
        let packed = arkki::generate::pdf::packed(7, octets);
        assert!(packed.len() >= octets);
        assert_eq!(judged(&packed), Ok("PDF/A-2b".to_owned()));
    }
    let document = String::from_utf8(family().phase_one.render()).expect("UTF-8");
    assert_eq!(judged(&decoded(&document, "<text ")), Ok("PDF/A-1b".to_owned()));
}

#[test]
fn the_examples_declare_pdf_a_1b() {
    let Some(examples) = super::super::examples::examples() else { return };
    for number in ["03", "04", "07"] {
        assert_eq!(judged(&decoded(&examples[number], "<text ")), Ok("PDF/A-1b".to_owned()), "{number}");
    }
}
