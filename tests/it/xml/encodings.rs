//! Encodings held to xmllint and to Xerces (the JDK's): octets of one encoding under the declaration of another. What both read we read, what both
//! refuse we refuse; where they differ, either will do. Prints what it left out where a tool is absent.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use arkki::xml::identity::Identities;
use arkki::xml::prepass::{self, Encoding};

const JUDGE: &str = r#"
import java.io.*; import javax.xml.parsers.*; import org.xml.sax.*; import org.xml.sax.helpers.DefaultHandler;
public class Reader { public static void main(String[] a) throws Exception {
  SAXParserFactory factory = SAXParserFactory.newInstance(); factory.setNamespaceAware(true);
  BufferedReader names = new BufferedReader(new InputStreamReader(System.in));
  for (String name; (name = names.readLine()) != null; ) {
    String verdict = "good";
    try (InputStream in = new FileInputStream(name)) { factory.newSAXParser().parse(in, new DefaultHandler()); } catch (Exception e) { verdict = "bad"; }
    System.out.println(verdict);
  } } }"#;

/// Names that both take, and names that neither takes or only one.
const NAMES: [&str; 34] = [
    "UTF-8",
    "utf8",
    "UTF-16",
    "UTF-16LE",
    "UTF-16BE",
    "UTF-32",
    "ISO-10646-UCS-2",
    "ISO-10646-UCS-4",
    "ISO-8859-1",
    "iso-8859-1",
    "latin1",
    "l1",
    "ISO-8859-2",
    "ISO-8859-9",
    "ISO-8859-13",
    "ISO-8859-15",
    "latin9",
    "latin-9",
    "windows-1252",
    "cp1252",
    "windows-1257",
    "US-ASCII",
    "ascii",
    "iso-ir-6",
    "KOI8-R",
    "Shift_JIS",
    "EUC-JP",
    "GB18030",
    "Big5",
    "TIS-620",
    "x-foo",
    "utf-8x",
    "ebcdic",
    "csUnicode",
];

/// How the octets really are.
const WAYS: [&str; 10] = ["utf-8", "utf-8 marked", "16le", "16be", "16le marked", "16be marked", "32le", "32be", "32le marked", "latin-1"];

fn octets(way: &str, text: &str) -> Vec<u8> {
    let marked = if way.ends_with("marked") { format!("\u{FEFF}{text}") } else { text.to_owned() };
    match way.split(' ').next().unwrap() {
        "utf-8" => marked.into_bytes(),
        "16le" => marked.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        "16be" => marked.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        "32le" => marked.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect(),
        "32be" => marked.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect(),
        _ => marked.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect(),
    }
}

fn cases() -> Vec<(String, Vec<u8>)> {
    let mut cases = Vec::new();
    for way in WAYS {
        for name in NAMES.iter().map(Some).chain([None]) {
            for text in ["abc", "äb"] {
                let declared = name.map_or_else(|| "<?xml version=\"1.0\"?>".to_owned(), |n| format!("<?xml version=\"1.0\" encoding=\"{n}\"?>"));
                cases.push((format!("{way}, {name:?}, {text}"), octets(way, &format!("{declared}\n<a><b>{text}</b></a>"))));
            }
        }
        cases.push((format!("{way}, no declaration"), octets(way, "<a><b>äb</b></a>")));
    }
    for name in ["ISO-8859-1", "ISO-8859-9", "ISO-8859-15", "windows-1252", "US-ASCII"] {
        for octet in [0x80, 0x81, 0x85, 0x8D, 0x9F, 0xA0, 0xA4, 0xD0, 0xFF] {
            let text = format!("<?xml version='1.0' encoding='{name}'?><a>@</a>").replace('@', "\u{7}").into_bytes();
            cases.push((format!("{name} {octet:x}"), text.into_iter().map(|b| if b == 7 { octet } else { b }).collect()));
        }
    }
    let odd = |octets: &[u8]| ("odd".to_owned(), octets.to_vec());
    cases.extend([
        odd(b"\xEF\xBB\xBF\xEF\xBB\xBF<a/>"),
        odd(b"<?xml version='1.0' encoding=''?><a/>"),
        odd(b"<?xml version='1.0' encoding=' UTF-8'?><a/>"),
        odd(b"<?xml version='1.0' encoding='8UTF'?><a/>"),
        odd(b"<?xml version='1.0' encoding='UTF&#45;8'?><a/>"),
        odd(b"<?xml   version = \"1.0\"   encoding = 'UTF-8' ?><a/>"),
        odd(b"<?xml version='1.1' encoding='UTF-8'?><a/>"),
        odd(b"<?xml version='2.0' encoding='UTF-8'?><a/>"),
        odd(b"<a>\xED\xA0\x80</a>"),
        odd(b"<a>\xC0\xAF</a>"),
        odd(b"<a>\xEF\xBF\xBE</a>"),
        odd(b"\xFF\xFE<\0a\0>\0\x00\xD8<\0/\0a\0>\0"),
        odd(b"<a>&#0000000000000000000000000065;</a>"),
        odd(b"<a xmlns='urn:a&amp;b' xmlns:c='urn:a&#38;b'/>"),
        odd(b"<a>\r</a>\r\n"),
        odd(b"\n<?xml version='1.0'?><a/>"),
    ]);
    cases
}

#[test]
fn what_both_read_we_read() {
    let made = tempfile::tempdir().unwrap();
    let cases = cases();
    let write = |(n, (_, octets)): (usize, &(String, Vec<u8>))| {
        let path = made.path().join(format!("{n:04}.xml"));
        std::fs::write(&path, octets).unwrap();
        path
    };
    let files: Vec<PathBuf> = cases.iter().enumerate().map(write).collect();
    let (Some(xerces), Some(xmllint)) = (xerces(made.path(), &files), xmllint(&files)) else { return };
    let mut differ = Vec::new();
    let (mut good, mut disputed) = (0, 0);
    for (((name, octets), theirs), also) in cases.iter().zip(&xerces).zip(&xmllint) {
        if theirs != also {
            disputed += 1;
            continue;
        }
        let read = prepass::decode(octets, Encoding::Any, 1 << 20)
            .and_then(|decoded| prepass::walk(&decoded.text, &Identities::usual()).map(|walked| walked.elements));
        good += usize::from(*theirs);
        if read.is_ok() != *theirs {
            differ.push(format!("{name}: they {}, we {read:?}", if *theirs { "read it" } else { "refuse it" }));
        }
    }
    println!("{} texts, {good} that both read, {disputed} on which they differ", cases.len());
    assert!(good > 150 && good < cases.len() - 150);
    assert!(differ.is_empty(), "{} differ:\n{}", differ.len(), differ.join("\n"));
}

fn xmllint(files: &[PathBuf]) -> Option<Vec<bool>> {
    let mut verdicts = Vec::new();
    for file in files {
        let Ok(run) = Command::new("xmllint").args(["--nonet", "--noout"]).arg(file).output() else {
            println!("left out, no xmllint: encodings compared with it");
            return None;
        };
        verdicts.push(run.status.success() && !String::from_utf8_lossy(&run.stderr).contains(" error"));
    }
    Some(verdicts)
}

fn xerces(folder: &std::path::Path, files: &[PathBuf]) -> Option<Vec<bool>> {
    let runner = folder.join("Reader.java");
    std::fs::write(&runner, JUDGE).unwrap();
    let Ok(mut run) = Command::new("java").arg(&runner).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn() else {
        println!("left out, no java: encodings compared with Xerces");
        return None;
    };
    let names: String = files.iter().map(|f| format!("{}\n", f.display())).collect();
    run.stdin.take().unwrap().write_all(names.as_bytes()).unwrap();
    let said = run.wait_with_output().unwrap();
    let verdicts: Vec<bool> = String::from_utf8_lossy(&said.stdout).lines().map(|line| line == "good").collect();
    assert_eq!(verdicts.len(), files.len(), "Xerces gave no verdict on some");
    Some(verdicts)
}
