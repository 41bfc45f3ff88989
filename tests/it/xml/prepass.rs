//! Hostile and broken input: each is refused with its code, at its place, in bounded time.

use std::time::{Duration, Instant};

use arkki::domain::code::Code;
use arkki::domain::finding::Finding;
use arkki::domain::limits;
use arkki::xml::prepass::{Encoding, first_id, prepass, prepass_within};

use super::shared::{DOCUMENT, examples, schema, shared, told};

fn refused(octets: impl AsRef<[u8]>) -> Finding {
    let begun = Instant::now();
    let found = prepass(octets.as_ref(), Encoding::Utf8Only).unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?} for {:?}", begun.elapsed(), told(&found));
    let _named = first_id(octets.as_ref());
    found.into_iter().next().unwrap()
}

fn line(finding: &Finding) -> String {
    told(std::slice::from_ref(finding)).remove(0)
}

#[test]
fn good_text_is_counted_not_copied() {
    let good = prepass(DOCUMENT.as_bytes(), Encoding::Utf8Only).unwrap();
    assert_eq!(good.text.as_ptr(), DOCUMENT.as_ptr());
    assert_eq!((good.elements, good.depth), (39, 6));
    for (name, text) in examples() {
        assert!(prepass(text.as_bytes(), Encoding::Utf8Only).is_ok(), "{name}");
    }
}

#[test]
fn encodings() {
    assert_eq!(refused("").code, Code::E109);
    assert_eq!(refused(" \n").code, Code::E109);
    assert_eq!(line(&refused([b"\xEF\xBB\xBF", DOCUMENT.as_bytes()].concat())), "E106 1:1 / ");
    let wide = |pair: fn(u16) -> [u8; 2]| DOCUMENT.encode_utf16().flat_map(pair).collect::<Vec<u8>>();
    assert_eq!(refused(wide(u16::to_le_bytes)).code, Code::E107);
    assert_eq!(refused(wide(u16::to_be_bytes)).code, Code::E107);
    assert_eq!(refused([b"\xFF\xFE".as_slice(), &wide(u16::to_le_bytes)].concat()).code, Code::E107);
    let latin: Vec<u8> = DOCUMENT.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    assert_eq!(line(&refused(&latin)), "E101 13:27 /ClinicalDocument/recordTarget/patientRole/patient/name/given guess=ISO-8859-1");
    let declared = DOCUMENT.replace("UTF-8", "ISO-8859-1");
    assert_eq!(line(&refused(&declared)), "E101 1:21 / encoding=ISO-8859-1");
    let latin: Vec<u8> = declared.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    assert_eq!(refused(&latin).args, [("encoding", "ISO-8859-1".to_owned())]);
    assert!(prepass(DOCUMENT.replace("UTF-8", "utf-8").as_bytes(), Encoding::Utf8Only).is_ok());
}

#[test]
fn forbidden_characters() {
    for odd in ["\0", "\u{1}", "\u{B}", "\u{FFFE}", "\u{FFFF}"] {
        let found = refused(DOCUMENT.replace("Testström", &format!("ö{odd}")));
        let expected = if odd == "\0" { ("E115", "rule=nul-inside") } else { ("E108", "") };
        assert_eq!(line(&found), format!("{} 13:47 /ClinicalDocument/recordTarget/patientRole/patient/name/family {}", expected.0, expected.1), "{odd:?}");
    }
    let long = DOCUMENT.replace("PGRpdi8+", &"\u{FFFD}\u{F8FF}ﬁ".repeat(100_000));
    assert!(prepass(long.as_bytes(), Encoding::Utf8Only).is_ok());
    assert_eq!(refused(long.replace("<hl7fi:json>", "<hl7fi:json>\u{7}")).code, Code::E108);
}

#[test]
fn document_types_and_entities() {
    let bomb = |subset: &str| DOCUMENT.replacen('\n', &format!("\n<!DOCTYPE lolz [{subset}]>\n"), 1);
    let laughs: String = (1..30).map(|i| format!("<!ENTITY l{i} \"{}\">", format!("&l{};", i - 1).repeat(10))).collect();
    let quadratic = format!("<!ENTITY a \"{}\">", "a".repeat(100_000));
    for text in
        [bomb(&laughs), bomb(&quadratic), bomb("<!ENTITY x SYSTEM 'file:///etc/passwd'>"), bomb("<!ENTITY % x '<'"), bomb("").replace("DOCTYPE", "doctype")]
    {
        assert_eq!(line(&refused(&text)), "E102 2:1 / ");
    }
    assert_eq!(refused(DOCUMENT.replace("<name>Test", "<name>&nbsp;")).code, Code::E103);
    assert_eq!(refused("<a>&l9;</a>").code, Code::E103);
    assert_eq!(refused("<a><!DOCTYPE a></a>").code, Code::E102);
    assert!(prepass(b"<a><!-- <!DOCTYPE a> --><![CDATA[<!DOCTYPE a>]]></a>", Encoding::Utf8Only).is_ok());
}

#[test]
fn well_formedness_has_its_place() {
    let table = [
        (
            ("<author><time nullFlavor=\"NA\"/>", "<author><time nullFlavor=\"NA\">"),
            "E103 14:87 /ClinicalDocument/author/time rule=an end tag that closes nothing open",
        ),
        (("<custodian>", "<custodian a='1' a='2'>"), "E103 16:20 /ClinicalDocument/custodian rule=an attribute that is there twice"),
        (("<custodian>", "<custodian x:a='1'>"), "E103 16:14 /ClinicalDocument/custodian rule=a prefix that is not declared"),
        (("<custodian>", "<x:custodian>"), "E103 16:3 /ClinicalDocument/x:custodian"),
        (("<custodian>", "<custodian xmlns:a='u' xmlns:b='u' a:x='' b:x=''>"), "E103 16:45 /ClinicalDocument/custodian rule=an attribute that is there twice"),
        (("<custodian>", "]]><custodian>"), "E103 16:3 /ClinicalDocument rule=]]> in text"),
        (("</ClinicalDocument>", ""), "E103 28:1 /ClinicalDocument rule=the text ends before the root element does"),
        (("</ClinicalDocument>", "</ClinicalDocument>x"), "E103 27:20 / rule=text outside the root element"),
        (("</ClinicalDocument>", "</ClinicalDocument><a/>"), "E103 27:20 / rule=a second root element"),
        (("version=\"1.0\"", "version=\"2.0\""), "E103 1:7 / rule=an XML declaration that is not one"),
        (("version=\"1.0\"", "version=\"1.2\""), "E103 1:7 / rule=an XML declaration that is not one"),
    ];
    for ((from, to), expected) in table {
        let found = refused(DOCUMENT.replacen(from, to, 1));
        let expected = expected.replace("/x:custodian", "/custodian");
        assert!(line(&found).starts_with(&expected), "{to}: {}", line(&found));
    }
    for text in [
        "hello",
        "<",
        "<a",
        "<a/",
        "</a>",
        "<a></a",
        "<?xml",
        "<?xml version='1.0'",
        "<!-- ",
        "<a>]]></a>",
        "<a b=c/>",
        "&amp;",
        "<![CDATA[x]]>",
        "<?xml version='1.0'?>",
    ] {
        assert_eq!(refused(text).code, Code::E103, "{text}");
    }
    // A second author's fault names the second author.
    let second = DOCUMENT.rfind("<author>").unwrap();
    let broken = format!("{}<author></x>{}", &DOCUMENT[..second], &DOCUMENT[second + 8..]);
    assert!(line(&refused(broken)).starts_with("E103 15:11 /ClinicalDocument/author[2] "));
}

#[test]
fn floods_end_in_time() {
    assert_eq!(refused(vec![b'x'; limits::MESSAGE_OCTETS + 1]).code, Code::E105);
    assert_eq!(prepass_within(DOCUMENT.as_bytes(), Encoding::Utf8Only, 10).unwrap_err()[0].code, Code::E105);
    let deep = refused("<a>".repeat(200_000));
    assert_eq!((deep.code, deep.place.column, deep.place.path.len()), (Code::E104, 769, 512));
    let attributes: String = (0..1_000_000).map(|i| format!(" a{i}='1'")).collect();
    assert_eq!(refused(format!("<a{attributes}/>")).code, Code::E110);
    let declarations: String = (0..1_000_000).map(|i| format!(" xmlns:a{i}='1'")).collect();
    assert_eq!(refused(format!("<a{declarations}/>")).code, Code::E110);
    assert_eq!(line(&refused(format!("<r><a b='{}'/></r>", "x".repeat(1_000_000)))), "E110 1:7 /r rule=an attribute value that is too long");
    assert_eq!(refused(format!("<r>{}</r>", "<a/>".repeat(limits::ELEMENTS))).code, Code::E111);
    assert_eq!(refused(format!("<r>{}", "<a/>".repeat(limits::ELEMENTS - 1))).code, Code::E103);
    assert_eq!(refused(format!("<r>{}</r>", (0..200_000).map(|i| format!("<a ID='x{i}'/>")).collect::<String>())).code, Code::E111);
    let scoped: String = (0..255).map(|i| format!("<a xmlns:p{i}='u'>")).collect();
    assert_eq!(refused(format!("{scoped}{}", "<b c='' d=''/>".repeat(1_000_000))).code, Code::E103);
    let value = |content: &str| format!("<r xmlns:d='http://www.w3.org/2000/09/xmldsig#'><d:X509Certificate>{content}</d:X509Certificate></r>");
    assert!(prepass(value(&"&#65;".repeat(52_000)).as_bytes(), Encoding::Utf8Only).is_ok());
    for piece in ["&#65;", "A<!---->", "A<![CDATA[]]>", "AAAAAAAA<d:b/>", "<?a?>A"] {
        assert_eq!(line(&refused(value(&piece.repeat(1_000_000)))), "E105 1:49 /r/d:X509Certificate limit=262144".replace("d:", "ds:"), "{piece}");
    }
    for unending in ["<a b='", "<!-- ", "<![CDATA[", "<?x ", "<a>&", "<a ", "</", "&"] {
        let text = format!("<r>{unending}{}", "x".repeat(limits::MESSAGE_OCTETS - 20));
        assert_ne!(refused(text).code, Code::E105, "{unending}");
    }
    let text = format!("<r>{}</r>", "x&amp;".repeat(5_000_000));
    assert!(prepass(text.as_bytes(), Encoding::Utf8Only).is_ok());
}

#[test]
fn identities() {
    let text = "<r xmlns:ds='http://www.w3.org/2000/09/xmldsig#'>\n <a ID='x'/><a id='x'/><ds:Signature Id=' x '/><b IDREF='y'/><b IDREF='x'/>\n <c referencedObject='x z'/></r>";
    let found = prepass(text.as_bytes(), Encoding::Utf8Only).unwrap_err();
    assert_eq!(
        told(&found),
        [
            "E205 2:38 /r/ds:Signature/@Id attribute=Id; element=ds:Signature",
            "E206 2:51 /r/b[1]/@IDREF attribute=IDREF; element=b",
            "E206 3:5 /r/c/@referencedObject attribute=referencedObject; element=c"
        ]
    );
    let many = format!("<r>{}</r>", "<a ID='x'/>".repeat(100_000));
    let begun = Instant::now();
    assert_eq!(prepass(many.as_bytes(), Encoding::Utf8Only).unwrap_err().len(), limits::FINDINGS);
    assert!(begun.elapsed() < Duration::from_secs(60));
}

#[test]
fn every_cut_ends_well() {
    let schema = schema("xsd/kanta-social.xsd");
    let texts: Vec<String> = examples().into_iter().map(|(_, text)| text).take(2).chain([DOCUMENT.to_owned()]).collect();
    for text in texts {
        let whole = first_id(text.as_bytes());
        assert!(whole.as_ref().is_some_and(|m| m.element == "ClinicalDocument" && m.id.is_some()));
        let id_ends = text.find("<id ").and_then(|at| text[at..].find("/>").map(|end| at + end + 2)).unwrap();
        for cut in (0..text.trim_end().len()).step_by(97) {
            let octets = &text.as_bytes()[..cut];
            assert!(prepass(octets, Encoding::Utf8Only).is_err(), "cut at {cut}");
            assert_eq!(first_id(octets) == whole, cut >= id_ends, "cut at {cut}");
            if let Ok(text) = std::str::from_utf8(octets) {
                assert!(!schema.validate(text).is_empty(), "cut at {cut}");
            }
        }
    }
}

/// What the pre-pass lets through, xmllint and the tree must be able to read; what they cannot read it must not let through.
#[test]
fn the_walk_agrees_with_the_tree_on_damaged_documents() {
    let mut seed = 0x5DEE_CE66_D1CE_4E5B_u64;
    let mut random = move |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % below as u64).unwrap()
    };
    let pieces = [
        "<",
        ">",
        "&",
        "\"",
        "'",
        "/",
        "<a>",
        "</a>",
        "=",
        " ",
        "]]>",
        "--",
        "<!--",
        "-->",
        "&#65;",
        "&amp;",
        ":",
        "x:y",
        "xmlns=\"\"",
        "é",
        "<?x?>",
        "<![CDATA[",
    ];
    let mut accepted = 0;
    for _ in 0..6_000 {
        let mut text = DOCUMENT.to_owned();
        for _ in 0..=random(2) {
            let mut at = random(text.len());
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            let mut end = (at + random(8)).min(text.len());
            while !text.is_char_boundary(end) {
                end += 1;
            }
            text.replace_range(at..end, if random(3) == 0 { "" } else { pieces[random(pieces.len())] });
        }
        let tree = arkki::xml::tree::parse(&text);
        match prepass(text.as_bytes(), Encoding::Utf8Only) {
            Ok(_) => {
                accepted += 1;
                assert!(tree.is_ok(), "the tree refuses what the walk took: {text}");
            }
            Err(found) if tree.is_ok() => assert!(!found.is_empty(), "{text}"),
            Err(_) => {}
        }
    }
    assert!((150..5_850).contains(&accepted), "{accepted} of 6000 accepted: the damage is too small or too large to tell anything");
}

#[test]
fn hostile_files_of_others_are_refused_or_bounded() {
    let Some(folder) = shared("the attack files") else { return };
    let schema = schema("xsd/kanta-social.xsd");
    let mut stack = vec![folder.join("reference/attacks")];
    let mut seen = 0;
    while let Some(path) = stack.pop() {
        if path.is_dir() {
            stack.extend(std::fs::read_dir(path).unwrap().map(|e| e.unwrap().path()));
            continue;
        }
        let octets = std::fs::read(&path).unwrap();
        seen += 1;
        let _named = first_id(&octets);
        if let Ok(good) = prepass(&octets, Encoding::Utf8Only) {
            assert!(!schema.validate(good.text).is_empty(), "{}", path.display());
        }
    }
    assert!(seen > 10);
}

/// 155 real documents and 606 mutants of them, with the verdicts of xmllint and Xerces: what they cannot read is refused, and what they can is refused
/// only by a policy of ours.
#[test]
fn documents_of_others_are_judged_as_others_judge_them() {
    let Some(folder) = shared("the reference documents and mutants") else { return };
    let folder = folder.join("reference");
    let policies = [Code::E101, Code::E102, Code::E104, Code::E105, Code::E106, Code::E107, Code::E110, Code::E205, Code::E206];
    let schema = schema("xsd/kanta-social.xsd");
    let (mut read, mut refused_here, mut patients) = (0, 0, 0);
    for (table, column) in [("verdicts.tsv", 2), ("mutant_verdicts.tsv", 6)] {
        for row in std::fs::read_to_string(folder.join(table)).unwrap().lines().skip(1) {
            let cells: Vec<&str> = row.split('\t').collect();
            let octets = std::fs::read(folder.join(cells[0])).unwrap();
            let repeats_id = column == 6 && cells[4] == "dup_id";
            let readable = cells[column] != "malformed";
            match prepass(&octets, Encoding::Utf8Only) {
                Ok(good) => {
                    assert!(!repeats_id, "{}: a repeated ID was not seen", cells[0]);
                    assert!(readable, "{}: xmllint cannot read what the walk took", cells[0]);
                    assert!(arkki::xml::tree::parse(good.text).is_ok(), "{}", cells[0]);
                    let found = schema.validate(good.text);
                    assert!(found.iter().any(Finding::is_error), "{}: no social-welfare document is here", cells[0]);
                    let is_patients = good.text.contains("localHeader") && cells[column] == "valid" && cells[0].contains("/fi-");
                    assert!(!is_patients || found.iter().any(|f| f.code == Code::E203), "{}: {:#?}", cells[0], told(&found));
                    patients += usize::from(is_patients);
                    read += 1;
                }
                Err(found) => {
                    refused_here += 1;
                    // An undeclared prefix is xmllint's "invalid" and our "not well-formed".
                    let valid = cells[column] == "valid";
                    assert!(!readable || policies.contains(&found[0].code) || (found[0].code == Code::E103 && !valid), "{}: {:?}", cells[0], told(&found));
                }
            }
        }
    }
    println!("{read} read, {refused_here} refused by the walk, {patients} patient documents told apart");
    assert!(read > 500 && refused_here > 50 && patients > 50);
}
