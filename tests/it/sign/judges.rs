//! Two judges who know nothing of Arkki, xmlsec1 and the JDK: they sign in our profile and we accept; we sign and they accept; one changed octet, and all three say the same.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use arkki::xml::tree;

use super::canonical::Chance;
use super::sealing::{sealed, text_of, unsigned};
use super::{FROM, Pair, UNIT, UNTIL, check, examples, moment, run, site, valid};
use crate::kit;

/// How many documents each of the two signs.
const EACH: usize = 100;
/// How many one-octet mutants each document has.
const MUTANTS: usize = 2;
/// How many documents are judged at once: the tools are processes that mostly start up.
const AT_ONCE: usize = 2;

const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";

/// A key and certificate in files, as the tools want them.
pub(super) struct Hand {
    pub pair: Pair,
    pub key: PathBuf,
    pub certificate: PathBuf,
}

/// Systems' hands with keys of these sizes, all issued by the test site's authority, and the authority's certificate in a file.
pub(super) fn hands(folder: &Path, sizes: &[u32]) -> (Vec<Hand>, PathBuf) {
    let anchor = folder.join("anchor.pem");
    let kept = site().authority.to_pem().unwrap();
    std::fs::write(&anchor, &kept.certificate_pem).unwrap();
    let unit = arkki::domain::oid::Oid::parse(UNIT).unwrap();
    let hand = |bits: &u32| {
        let authority = arkki::crypto::authority::Authority::from_pem(&kept.key_pem, &kept.certificate_pem).unwrap().issuing(*bits);
        let issued = authority.system("Testila", &unit, &format!("Arkki {bits}"), valid(FROM, UNTIL)).unwrap();
        let (key, certificate) = (folder.join(format!("{bits}.key")), folder.join(format!("{bits}.pem")));
        std::fs::write(&key, &issued.key_pem).unwrap();
        std::fs::write(&certificate, &issued.certificate_pem).unwrap();
        Hand { pair: super::pair(&issued), key, certificate }
    };
    (sizes.iter().map(hand).collect(), anchor)
}

/// Asks the JDK a list of questions in one run; its answers, without the kind, in the order of the questions.
pub(super) fn jdk(folder: &Path, questions: &[String]) -> Vec<String> {
    let list = folder.join("questions.tsv");
    std::fs::write(&list, questions.join("\n")).unwrap();
    let program = kit::repository().join("tests/it/sign/judge/Judge.java");
    let (answers, said, well) = run(kit::tool("java").to_str().unwrap(), &[program.to_str().unwrap(), list.to_str().unwrap()], b"");
    assert!(well, "the JDK's judge: {said}");
    String::from_utf8(answers).unwrap().lines().map(|line| line.split_once('\t').unwrap().1.to_owned()).collect()
}

/// Whether an answer of the JDK says VALID.
pub(super) fn is_valid(answer: &str) -> bool {
    answer.split('\t').nth(1) == Some("VALID")
}

/// xmlsec1's verdict on every signature of a file.
fn xmlsec1(path: &Path, count: usize, anchor: &Path) -> bool {
    xmlsec1_on_all(&[(path.to_owned(), count)], anchor)
}

/// Whether xmlsec1 takes every signature of every file: one run a signature's number, for it stops at the first that it does not take.
fn xmlsec1_on_all(files: &[(PathBuf, usize)], anchor: &Path) -> bool {
    let most = files.iter().map(|(_, count)| *count).max().unwrap_or(0);
    (1..=most).all(|n| {
        let nth = format!("(//*[local-name()=\"Signature\" and namespace-uri()=\"http://www.w3.org/2000/09/xmldsig#\"])[{n}]");
        let ids = ["--id-attr:ID", "urn:hl7-org:v3:nonXMLBody", "--id-attr:ID", "urn:hl7finland:signatureTimestamp"];
        let at = ["--trusted-pem", anchor.to_str().unwrap(), "--verification-gmt-time", "2026-11-22 12:00:00"];
        let paths: Vec<&str> = files.iter().filter(|(_, count)| *count >= n).map(|(path, _)| path.to_str().unwrap()).collect();
        run("xmlsec1", &[&["--verify", "--node-xpath", &nth], &ids[..], &at[..], &paths].concat(), b"").2
    })
}

/// The documents that are signed: the bare samples, which the repository always has, and the examples where they are at hand. All without signatures.
fn bases() -> Vec<String> {
    let mut all: Vec<PathBuf> = std::fs::read_dir(kit::repository().join("samples/accepted")).unwrap().map(|e| e.unwrap().path()).collect();
    all.sort();
    let samples = all.iter().filter(|p| p.extension().is_some_and(|e| e == "xml")).map(|p| std::fs::read_to_string(p).unwrap());
    samples.filter(|text| text.contains("<ClinicalDocument")).chain(examples().into_iter().map(|(_, text)| text)).map(|text| unsigned(&text)).collect()
}

/// How one signature is written.
struct Way {
    prefix: &'static str,
    transforms: [&'static str; 2],
    body_first: bool,
    quote: char,
    between: &'static str,
    comment: &'static str,
}

impl Way {
    fn any(chance: &mut Chance) -> Self {
        Self {
            prefix: chance.pick(&["", "ds", "dsig", "ns2"]),
            transforms: [chance.pick(&["e", "v"]), chance.pick(&["e", "v"])],
            body_first: chance.below(2) == 0,
            quote: if chance.below(2) == 0 { '"' } else { '\'' },
            between: chance.pick(&["", "\n", "\r\n    ", "\t"]),
            comment: chance.pick(&["", "", "<!-- a & b -->"]),
        }
    }
}

/// A document that waits for its signatures: everything is there but what the tool writes.
struct Unsigned {
    text: String,
    ways: Vec<Way>,
    body_id: String,
    timestamps: Vec<String>,
}

/// `template` also writes a `ds:Signature` to be filled in, as xmlsec1 wants it.
fn prepare(base: &str, chance: &mut Chance, template: bool) -> Unsigned {
    let mut text = if chance.below(3) == 0 { base.replace('\n', "\r\n") } else { base.to_owned() };
    if chance.below(3) == 0 {
        text = text.replacen("</nonXMLBody>", "<!-- in the body --></nonXMLBody>", 1);
    }
    let document = tree::parse(&text).unwrap();
    let body = document.descendants().find(|n| n.tag_name().name() == "nonXMLBody").unwrap();
    let header = document.descendants().find(|n| n.tag_name().name() == "localSocialHeader").unwrap().range();
    let body_id = body.attribute("ID").unwrap().to_owned();
    let end = header.start + text[header].rfind("</").unwrap();
    let count = 1 + usize::from(chance.below(3) == 0);
    let ways: Vec<Way> = (0..count).map(|_| Way::any(chance)).collect();
    let timestamps: Vec<String> = (0..count).map(|n| format!("CDA-aikaleima.{n}.{}", chance.below(1000))).collect();
    let fi = chance.pick(&["", "hl7fi", "f"]);
    let (open, declared) = if fi.is_empty() { (String::new(), "xmlns".to_owned()) } else { (format!("{fi}:"), format!("xmlns:{fi}")) };
    let mut blocks = format!("<{open}signatureCollection {declared}='urn:hl7finland'>");
    for (n, (way, timestamp)) in ways.iter().zip(&timestamps).enumerate() {
        let dsig = if template { dsig_template(way, &body_id, timestamp) } else { String::new() };
        let _ = write!(
            blocks,
            "<{open}signature ID=\"sig.{n}\"><{open}signatureDescription codeSystem='1.2.246.537.5.40127.2006' code='3'/>{}<{open}signatureTimestamp\n  ID=\"{timestamp}\">2026-11-21T10:0{n}:00.1234567Z</{open}signatureTimestamp>{dsig}</{open}signature>",
            way.between
        );
    }
    let _ = write!(blocks, "</{open}signatureCollection>");
    let text = format!("{}{blocks}{}", &text[..end], &text[end..]);
    Unsigned { text, ways, body_id, timestamps }
}

fn dsig_template(way: &Way, body_id: &str, timestamp: &str) -> String {
    let p = if way.prefix.is_empty() { String::new() } else { format!("{}:", way.prefix) };
    let (q, s, c) = (way.quote, way.between, way.comment);
    let declared = if way.prefix.is_empty() { "xmlns".to_owned() } else { format!("xmlns:{}", way.prefix) };
    let reference = |id: &str, transforms: &str, named: &str| {
        let enveloped = if transforms == "v" { format!("<{p}Transform Algorithm={q}{ENVELOPED}{q}/>{s}") } else { String::new() };
        let attributes = if named.is_empty() { format!("URI={q}#{id}{q}") } else { format!("{named} URI={q}#{id}{q}") };
        format!(
            "<{p}Reference  {attributes}>{s}<{p}Transforms>{enveloped}<{p}Transform Algorithm={q}{EXCLUSIVE}{q}></{p}Transform></{p}Transforms>{c}<{p}DigestMethod Algorithm={q}http://www.w3.org/2001/04/xmlenc#sha256{q}/>{s}<{p}DigestValue/></{p}Reference>{s}"
        )
    };
    // The order of attributes in the source is not the canonical one.
    let named = if way.body_first { String::new() } else { format!("Id={q}r{q}") };
    let (first, second) = (reference(body_id, way.transforms[0], ""), reference(timestamp, way.transforms[1], &named));
    let references = if way.body_first { format!("{first}{second}") } else { format!("{second}{first}") };
    format!(
        "<{p}Signature {declared}={q}http://www.w3.org/2000/09/xmldsig#{q}>{s}<{p}SignedInfo>{c}<{p}CanonicalizationMethod Algorithm={q}{EXCLUSIVE}{q}/><{p}SignatureMethod Algorithm={q}http://www.w3.org/2001/04/xmldsig-more#rsa-sha256{q}/>{s}{references}</{p}SignedInfo>{s}<{p}SignatureValue/>{c}<{p}KeyInfo><{p}X509Data/></{p}KeyInfo>{s}</{p}Signature>"
    )
}

/// Has xmlsec1 sign a document's signatures, one after the other.
fn signed_by_xmlsec1(unsigned: &Unsigned, hand: &Hand, path: &Path) {
    std::fs::write(path, &unsigned.text).unwrap();
    let pair = format!("{},{}", hand.key.display(), hand.certificate.display());
    for n in 1..=unsigned.ways.len() {
        let nth = format!("(//*[local-name()=\"Signature\" and namespace-uri()=\"http://www.w3.org/2000/09/xmldsig#\"])[{n}]");
        let ids = ["--id-attr:ID", "urn:hl7-org:v3:nonXMLBody", "--id-attr:ID", "urn:hl7finland:signatureTimestamp"];
        let file = path.to_str().unwrap();
        let all = [&["--sign", "--node-xpath", &nth, "--privkey-pem", &pair], &ids[..], &["--output", file, file]].concat();
        let (_, said, well) = run("xmlsec1", &all, b"");
        assert!(well, "{}: {said}", path.display());
    }
}

/// What the JDK is told, to sign the `n`th signature.
fn jdk_signs(unsigned: &Unsigned, n: usize, hand: &Hand, from: &Path, to: &Path) -> String {
    let way = &unsigned.ways[n];
    [
        "S",
        from.to_str().unwrap(),
        to.to_str().unwrap(),
        hand.key.to_str().unwrap(),
        hand.certificate.to_str().unwrap(),
        &format!("sig.{n}"),
        if way.prefix.is_empty() { "-" } else { way.prefix },
        &unsigned.body_id,
        way.transforms[0],
        &unsigned.timestamps[n],
        way.transforms[1],
        if way.body_first { "b" } else { "t" },
    ]
    .join("\t")
}

/// The places where one octet is changed: text and attribute values of what is signed and of what signs. Left out is what is not signed and means nothing to the other two
/// (types of signatures, white space between a signature's parts) and the last quantum of base64, whose unused bits we want to be zero and they do not.
fn places(text: &str) -> Vec<usize> {
    let document = tree::parse(text).unwrap();
    let mut places = Vec::new();
    for root in document.descendants().filter(|n| ["nonXMLBody", "signatureTimestamp", "Signature"].contains(&n.tag_name().name())) {
        for node in root.descendants() {
            if node.is_text() {
                let base64 = ["DigestValue", "SignatureValue", "X509Certificate"].contains(&node.parent().unwrap().tag_name().name());
                let range = node.range();
                places.extend(range.start..range.end.saturating_sub(if base64 { 8 } else { 0 }));
            }
            places.extend(node.attributes().filter(|a| a.name() != "Id").flat_map(|a| a.range_value()));
        }
    }
    // Not inside a reference to a character, where one octet more or less is another character.
    let plain = |at: &usize| text.as_bytes()[*at].is_ascii_alphanumeric() && !text[..*at].ends_with(['&', '#', 'x']) && !text[..*at].ends_with("&#1");
    places.retain(plain);
    places
}

/// One octet of a signed document changed to another letter or digit.
fn mutant(text: &str, chance: &mut Chance) -> String {
    let places = places(text);
    loop {
        let at = places[usize::try_from(chance.below(places.len() as u64)).unwrap()];
        let to = chance.pick(&["0", "7", "A", "q", "z", "Z", "3", "e"]);
        if text.as_bytes()[at] != to.as_bytes()[0] {
            return format!("{}{to}{}", &text[..at], &text[at + 1..]);
        }
    }
}

#[test]
fn three_verdicts_on_what_others_sign_and_on_mutants_of_it() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path();
    let (hands, anchor) = hands(folder, &[2048, 3072, 4096]);
    let bases = bases();
    let mut chance = Chance(2026);
    let mut files: Vec<(PathBuf, usize)> = Vec::new();
    let mut by_xmlsec1 = Vec::new();
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for i in 0..EACH * 2 {
        let (base, hand) = (&bases[i % bases.len()], &hands[i % hands.len()]);
        let unsigned = prepare(base, &mut chance, i < EACH);
        let path = folder.join(format!("{i}.xml"));
        let count = unsigned.ways.len();
        if i < EACH {
            by_xmlsec1.push((unsigned, hand, path.clone()));
        } else {
            std::fs::write(&path, &unsigned.text).unwrap();
            first.push(jdk_signs(&unsigned, 0, hand, &path, &path));
            second.extend((count > 1).then(|| jdk_signs(&unsigned, 1, hand, &path, &path)));
        }
        files.push((path, count));
    }
    in_parallel(&by_xmlsec1, |(unsigned, hand, path)| signed_by_xmlsec1(unsigned, hand, path));
    jdk(folder, &[first, second].concat());

    // One octet changed, twice of each.
    for n in 0..EACH * 2 {
        let (path, count) = files[n].clone();
        let text = std::fs::read_to_string(&path).unwrap();
        for m in 0..MUTANTS {
            let path = folder.join(format!("{n}-{m}.xml"));
            std::fs::write(&path, mutant(&text, &mut chance)).unwrap();
            files.push((path, count));
        }
    }
    let questions: Vec<String> = files.iter().map(|(path, _)| format!("V\t{}\t{}", path.display(), anchor.display())).collect();
    let theirs = jdk(folder, &questions);
    let ours = |path: &Path| {
        let text = std::fs::read_to_string(path).unwrap();
        tree::parse(&text).is_ok() && check(&text, &site().anchors).is_ok()
    };
    // What they signed is good to xmlsec1 in one run; of the mutants each is asked by itself.
    let (whole, mutants) = files.split_at(EACH * 2);
    let together = xmlsec1_on_all(whole, &anchor);
    let mut verdicts = in_parallel(whole, |(path, count)| (ours(path), together || xmlsec1(path, *count, &anchor)));
    verdicts.extend(in_parallel(mutants, |(path, count)| (ours(path), xmlsec1(path, *count, &anchor))));
    let mut accepted = 0;
    for (n, ((ours, xmlsec1), jdk)) in verdicts.iter().zip(&theirs).enumerate() {
        let text = || std::fs::read_to_string(&files[n].0).unwrap();
        let found = || tree::parse(&text()).map(|_| check(&text(), &site().anchors)).ok();
        assert!(*ours == *xmlsec1 && *ours == is_valid(jdk), "{n}: ours {ours}, xmlsec1 {xmlsec1}, JDK {jdk}\n{:?}\n{}", found(), text());
        assert!(*ours || n >= EACH * 2, "{n}: what they signed is accepted: {:?}", found());
        accepted += usize::from(*ours);
    }
    println!("{} documents signed by others and {} mutants: three verdicts equal, {accepted} accepted", EACH * 2, files.len() - EACH * 2);
    assert!(accepted < EACH * 2 + 40, "mutants are there to be refused");
}

/// Works through a list with a few threads; what came of each, in order.
fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let size = items.len().div_ceil(AT_ONCE).max(1);
    std::thread::scope(|scope| {
        let threads: Vec<_> = items.chunks(size).map(|part| scope.spawn(|| part.iter().map(&work).collect::<Vec<_>>())).collect();
        threads.into_iter().flat_map(|t| t.join().unwrap()).collect()
    })
}

#[test]
fn every_signature_we_make_is_valid_to_both() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path();
    let (hands, anchor) = hands(folder, &[2048, 3072, 4096]);
    let mut files = Vec::new();
    for (i, base) in bases().iter().enumerate() {
        for (j, hand) in hands.iter().enumerate() {
            let point = super::sealing::locate(base).unwrap();
            let sign = |octets: &[u8]| Ok(hand.pair.key.sign_sha256(octets).unwrap());
            let once = arkki::cda::seal::seal(base.as_bytes(), &point, hand.pair.certificate.der(), moment(super::NOW), sign).unwrap();
            // And beside another of ours.
            let text = if j == 0 { text_of(&sealed(&text_of(&once))) } else { text_of(&once) };
            let path = folder.join(format!("{i}-{j}.xml"));
            std::fs::write(&path, &text).unwrap();
            assert!(check(&text, &site().anchors).is_ok());
            files.push((path, if j == 0 { 2 } else { 1 }));
        }
    }
    let questions: Vec<String> = files.iter().map(|(path, _)| format!("V\t{}\t{}", path.display(), anchor.display())).collect();
    let jdk = jdk(folder, &questions);
    assert!(xmlsec1_on_all(&files, &anchor), "xmlsec1 takes every one");
    for (answer, (path, _)) in jdk.iter().zip(&files) {
        assert!(is_valid(answer), "{}: JDK {answer}", path.display());
    }
    println!("{} documents of ours, valid to xmlsec1 and to the JDK", files.len());
}

/// What only we refuse: unused bits of base64 that are not zero, so that no two texts mean one value.
#[test]
fn base64_has_one_way_to_be_written() {
    let base = bases().swap_remove(0);
    let text = text_of(&sealed(&base));
    let end = text.find("</DigestValue>").unwrap();
    let last = text.as_bytes()[end - 2];
    let other = char::from(last + 1);
    let mutant = format!("{}{other}{}", &text[..end - 2], &text[end - 1..]);
    assert_eq!(super::codes(&mutant, &site().anchors).first(), Some(&"E601"));
}
