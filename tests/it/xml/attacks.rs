//! Input that means harm, before pre-pass and schema in a process of its own that the kernel holds to a bound: so much memory, so much processor time.
//! A bound that is broken kills the child, whatever the machine is doing beside it. And schema files that are broken or missing.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use arkki::domain::limits;
use arkki::generate::hostile;
use arkki::xml::prepass::{Encoding, first_id, prepass};
use base64::Engine as _;
use base64::engine::general_purpose::GeneralPurpose;

use super::shared::{DOCUMENT, schema, shared, told};
use crate::kit;

/// The entries that attacks are held against.
const ENTRIES: [&str; 4] = ["xsd/kanta-social.xsd", "xsd/cda-r2.xsd", "xsd/cda-r2-sdtc.xsd", "xsd/kanta-patient.xsd"];
/// The child's address space, in KiB: 30 MiB of the smallest elements need 500 MiB of tree, the rest is the test binary itself.
const MEMORY: u32 = 2 * 1024 * 1024;
/// The child's processor time, in seconds: the slowest needs two of them in a build without optimisation, and a quadratic one would need hours.
const SECONDS: u32 = 60;
/// What tells a child what to look at.
const GIVEN: &str = "ARKKI_TEST_ATTACK";

/// What a child does; by itself nothing.
#[test]
fn in_a_child() {
    let Some(file) = std::env::var_os(GIVEN).map(PathBuf::from) else { return };
    let octets = std::fs::read(file).unwrap();
    let _named = first_id(&octets);
    match prepass(&octets, Encoding::Utf8Only) {
        Err(found) => println!("walked: {}", told(&found)[0]),
        Ok(good) => {
            // The other two are these with other extensions: the time is in what is common.
            for entry in &ENTRIES[..2] {
                let found = schema(entry).validate(good.text);
                assert!(found.len() <= 2 * limits::FINDINGS, "{} findings", found.len());
                assert!(found.iter().all(|f| f.place.line > 0 && f.place.path.len() < 10_000 && f.args.iter().all(|(_, word)| word.len() < 2_000)));
                println!("{entry}: {}", told(&found).first().map_or("valid", |line| line.as_str()));
            }
        }
    }
}

/// Runs the child on these octets within the bounds; what it said.
fn bounded(name: &str, octets: &[u8]) -> String {
    let folder = kit::temp_dir();
    let file = folder.path().join("attack.xml");
    std::fs::File::create(&file).unwrap().write_all(octets).unwrap();
    let run = Command::new("sh")
        .args(["-c", &format!("ulimit -v {MEMORY} && ulimit -t {SECONDS} && exec \"$0\" \"$@\"")])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "xml::attacks::in_a_child", "--nocapture", "--test-threads=1"])
        .env(GIVEN, &file)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(run.status.success(), "{name}: {} {:.600} {:.600}", run.status, said, String::from_utf8_lossy(&run.stderr));
    said
}

/// Each is refused by the walk with this code, or told apart by the schemas.
fn hold(attacks: Vec<(&'static str, Vec<u8>, &'static str)>) {
    let next = std::sync::Mutex::new(attacks.into_iter());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some((name, octets, code)) = next.lock().unwrap().next() else { break };
                    assert!(octets.len() <= limits::MESSAGE_OCTETS, "{name}: {} octets are refused unread", octets.len());
                    let said = bounded(name, &octets);
                    assert!(said.contains(&format!(": {code}")), "{name}: {said:.900}");
                }
            });
        }
    });
}

fn in_root(inside: &str) -> Vec<u8> {
    format!("<ClinicalDocument xmlns='urn:hl7-org:v3' xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xmlns:xs='http://www.w3.org/2001/XMLSchema'>{inside}</ClinicalDocument>").into_bytes()
}

fn doctype(subset: &str, used: &str) -> Vec<u8> {
    DOCUMENT.replacen('\n', &format!("\n<!DOCTYPE a [{subset}]>\n"), 1).replacen("Test<", &format!("{used}<"), 1).into_bytes()
}

const MEGA: usize = 1 << 20;

/// Sixty declarations, and elements below them that declare one each: a tree writes all of them down for each and compares them.
fn inherited(elements: usize) -> Vec<u8> {
    let declarations: String = (0..60).map(|i| format!(" xmlns:p{i}='u:{i}'")).collect();
    in_root(&format!("<a{declarations}>{}</a>", "<b xmlns:c='u'/>".repeat(elements)))
}

#[test]
fn what_the_walk_refuses_costs_next_to_nothing() {
    let laughs: String = (1..40).map(|i| format!("<!ENTITY l{i} \"{}\">", format!("&l{};", i - 1).repeat(10))).collect();
    let attributes: String = (0..1_000_000).map(|i| format!(" a{i}='1'")).collect();
    let declarations: String = (0..1_000_000).map(|i| format!(" xmlns:a{i}='u'")).collect();
    let long = "n".repeat(20 * MEGA);
    hold(vec![
        ("a billion laughs", doctype(&laughs, "&l39;"), "E102"),
        ("quadratic entities", doctype(&format!("<!ENTITY a \"{}\">", "a".repeat(MEGA)), &"&a;".repeat(100_000)), "E102"),
        ("parameter entities", doctype("<!ENTITY % a '<!ENTITY b SYSTEM \"file:///dev/zero\">'> %a;", "&b;"), "E102"),
        ("a long document type", doctype(&format!("<!ELEMENT a ({}b)>", "(".repeat(MEGA)), ""), "E102"),
        ("200,000 levels", hostile::levels(200_000), "E104"),
        ("200,000 levels that never close", "<a>".repeat(200_000).into_bytes(), "E104"),
        ("a million attributes", in_root(&format!("<a{attributes}/>")), "E110"),
        ("a million declarations", in_root(&format!("<a{declarations}/>")), "E110"),
        ("declarations that everything below inherits", inherited(900_000), "E111"),
        ("a long attribute", in_root(&format!("<a b='{long}'/>")), "E110"),
        ("a long declaration", in_root(&format!("<a xmlns:b='{long}'/>")), "E110"),
        ("too many elements", hostile::crowd(limits::ELEMENTS), "E111"),
        ("a zero octet after 20 MiB", in_root(&format!("<a>{long}\0</a>")), "E115"),
        ("not UTF-8 after 20 MiB", [in_root(&long), vec![0xff]].concat(), "E101"),
        ("a lone surrogate", [b"<a>", &long.as_bytes()[..100], b"\xed\xa0\x80</a>"].concat(), "E101"),
        ("a reference to nothing, 20 MiB long", in_root(&format!("&{long};")), "E103"),
        ("a number without end", in_root(&format!("&#{};", "9".repeat(20 * MEGA))), "E103"),
        ("a prefix without end", in_root(&format!("<{long}:a/>")), "E1"),
        ("a comment without end", in_root(&format!("<!-- {long}")), "E103"),
        ("a comment of dashes", in_root(&format!("<!-- {} -->", "- ".repeat(10 * MEGA).replace("- - ", "--- "))), "E103"),
        ("an instruction without end", in_root(&format!("<?a {long}")), "E103"),
        (
            "pieces in a signature",
            in_root(&format!("<d:DigestValue xmlns:d='http://www.w3.org/2000/09/xmldsig#'>{}</d:DigestValue>", "&#65;".repeat(4_000_000))),
            "E105",
        ),
    ]);
}

#[test]
fn what_comes_to_the_schema_is_told_in_bounded_time() {
    let typed = "xsi:type='xs:string'";
    let long = "n".repeat(20 * MEGA);
    let chopped = ["A&#65;", "A<!---->", "A<![CDATA[A]]>", "A<?a?>"].map(|piece| piece.repeat(16 * MEGA / piece.len()));
    let mut attacks = vec![
        // Many beside each other, known and unknown, good and bad.
        ("unknown siblings", hostile::crowd(1_900_000), "E202"),
        ("a million namespaces", hostile::namespaces(700_000), "E111"),
        ("as many inherited declarations as are taken", inherited(60_000), "E202"),
        ("siblings that are allowed without number", in_root(&"<templateId root='1.2'/>".repeat(1_200_000)), "E204"),
        ("siblings each with a fault", in_root(&format!("<realmCode code='FI'/>{}", "<templateId/>".repeat(1_900_000))), "E"),
        (
            "siblings each without what is mandatory",
            DOCUMENT.replacen("<author>", &"<author/>".repeat(1_500_000), 1).replacen("<author/>", "<author>", 1).into_bytes(),
            "E",
        ),
        (
            "siblings in the wrong order",
            DOCUMENT.replacen("<custodian>", &format!("{}<setId root='1'/><custodian>", "<author/><informant/>".repeat(700_000)), 1).into_bytes(),
            "E",
        ),
        (
            "siblings whose order alternates",
            DOCUMENT.replacen("<custodian>", &format!("{}<custodian>", "<informant/><author/>".repeat(700_000)), 1).into_bytes(),
            "E",
        ),
        ("a wide and deep tree", in_root(&format!("{}{}", "<a b='1'>".repeat(250), "<c/>".repeat(1_000_000) + &"</a>".repeat(250))), "E202"),
        (
            "attributes without number on elements without number",
            in_root(&format!("<a {}/>", (0..200).map(|i| format!("a{i}='' ")).collect::<String>()).repeat(14_000)),
            "E202",
        ),
        // Nothing but different names: libxml2 keeps each in a table that grows no more after sixteen thousand.
        ("two million names", in_root(&(0..1_900_000).map(|i| format!("<a{i}/>")).collect::<String>()), "E111"),
        (
            "two million names of attributes",
            in_root(&(0..10_000).map(|e| format!("<a{}/>", (0..250).map(|i| format!(" a{}=''", e * 250 + i)).collect::<String>())).collect::<String>()),
            "E111",
        ),
        ("two million names of instructions", in_root(&(0..1_900_000).map(|i| format!("<?a{i}?>")).collect::<String>()), "E111"),
        ("half a million names of types", in_root(&(0..600_000).map(|i| format!("<id xsi:type='a{i}'/>")).collect::<String>()), "E111"),
        // Long things.
        ("20 MiB of text where none may stand", in_root(&long), "E211"),
        ("20 MiB of text in the body", DOCUMENT.replacen("PGRpdi8+", &long, 1).into_bytes(), "valid"),
        ("20 MiB of text in a name", DOCUMENT.replacen("Testström", &long, 1).into_bytes(), "valid"),
        ("20 MiB of text in the JSON", DOCUMENT.replacen("e30=", &long, 1).into_bytes(), "valid"),
        ("a long name", in_root(&format!("<{long}/>")), "E"),
        ("a long attribute's name", in_root(&format!("<a {}='1'/>", &long[..10 * MEGA])), "E"),
        ("many long names", in_root(&format!("<{}/>", "n".repeat(50_000)).repeat(400)), "E202"),
        ("a long comment", in_root(&format!("<!--{long}-->")), "E204"),
        ("a long instruction", in_root(&format!("<?a {long}?>")), "E"),
        ("a million comments", in_root(&"<!---->".repeat(3_000_000)), "E204"),
        ("comments before the root", [b"<?xml version='1.0'?>".as_slice(), "<!--a--><?b?>".repeat(1_500_000).as_bytes(), &in_root("")].concat(), "E204"),
        ("comments behind the root", [in_root("").as_slice(), "<!--a--><?b?>\n".repeat(1_500_000).as_bytes()].concat(), "E204"),
        ("long values with a pattern", in_root(&format!("<templateId root='{}'/>", "1.".repeat(32_000)).repeat(400)), "E"),
        ("types without number", in_root(&"<effectiveTime xsi:type='NONE'/>".repeat(600_000)), "E"),
        ("schema locations without number", in_root(&"<templateId root='1.2' xsi:schemaLocation='a file:///dev/zero'/>".repeat(400_000)), "E204"),
    ];
    for (n, pieces) in chopped.iter().enumerate() {
        // References and sections run together into one text; comments and instructions cut it into more pieces than are taken.
        let taken = |code| if n % 2 == 0 { code } else { "E111" };
        let name = |what: &'static [&'static str; 4]| what[n];
        attacks.push((
            name(&["references in a name", "comments in a name", "sections in a name", "instructions in a name"]),
            DOCUMENT.replacen("Testström", pieces, 1).into_bytes(),
            taken("valid"),
        ));
        attacks.push((
            name(&["references between elements", "comments between elements", "sections between elements", "instructions between elements"]),
            in_root(pieces),
            taken("E211"),
        ));
        attacks.push((
            name(&["references in the JSON", "comments in the JSON", "sections in the JSON", "instructions in the JSON"]),
            DOCUMENT.replacen("e30=", pieces, 1).into_bytes(),
            taken("valid"),
        ));
        attacks.push((
            name(&["references in a typed root", "comments in a typed root", "sections in a typed root", "instructions in a typed root"]),
            format!("<r xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xmlns:xs='http://www.w3.org/2001/XMLSchema' {typed}>{pieces}</r>").into_bytes(),
            taken("E201"),
        ));
    }
    hold(attacks);
}

/// The attack files of others, those in base64 decoded: no schema of ours takes one.
#[test]
fn the_attacks_of_others_are_refused() {
    let Some(folder) = shared("the attack files") else { return };
    let lenient = GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        base64::engine::GeneralPurposeConfig::new().with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent),
    );
    let schemas = ENTRIES.map(schema);
    let (mut stack, mut seen, mut walked) = (vec![folder.join("reference/attacks")], 0, 0);
    while let Some(path) = stack.pop() {
        if path.is_dir() {
            stack.extend(std::fs::read_dir(path).unwrap().map(|e| e.unwrap().path()));
            continue;
        }
        let octets = std::fs::read(&path).unwrap();
        let packed: Vec<u8> = octets.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
        for octets in [Some(octets), lenient.decode(packed).ok()].into_iter().flatten() {
            seen += 1;
            let _named = first_id(&octets);
            if let Ok(good) = prepass(&octets, Encoding::Utf8Only) {
                walked += 1;
                for schema in &schemas {
                    let found = schema.validate(good.text);
                    assert!(found.iter().any(arkki::domain::finding::Finding::is_error), "{}", path.display());
                }
            }
        }
    }
    println!("{seen} attacks, {walked} of them well-formed and refused by every schema");
    assert!(seen > 90 && walked > 20, "{seen} {walked}");
}

/// A copy of the rules with one file changed.
fn rules(change: impl FnOnce(&Path)) -> tempfile::TempDir {
    let folder = kit::temp_dir();
    for name in arkki::codes::source::embedded().keys().filter(|name| ["codes/", "templates/", "xsd/"].iter().any(|f| name.starts_with(f))) {
        let to = folder.path().join(name);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(kit::repository().join(name), to).unwrap();
    }
    change(folder.path());
    folder
}

/// The real program on such rules: how it ended and what it said.
fn started(command: &[&str], folder: &Path) -> (Option<i32>, String) {
    std::fs::write(folder.join("site.key"), [7; 32]).unwrap();
    let config = folder.join("arkki.toml");
    let listen = format!("127.0.0.1:{}", kit::ports::free());
    let (rules, key) = (folder, folder.join("site.key"));
    let text = format!("[rules]\nfolder = {rules:?}\n[sign]\ntrust = []\n[archive]\nsite_key_file = {key:?}\n[telemetry]\nlisten = {listen:?}\n");
    std::fs::write(&config, text).unwrap();
    let run = Command::new(kit::arkki()).arg("--config").arg(&config).args(command).output().unwrap();
    (run.status.code(), String::from_utf8_lossy(&run.stdout).into_owned() + &String::from_utf8_lossy(&run.stderr))
}

#[test]
fn a_broken_schema_file_keeps_the_gateway_from_starting_and_is_named() {
    let sample = kit::repository().join("samples/accepted/01-client-relation-fi.xml");
    let validate = ["validate", "--stage", "schema", sample.to_str().unwrap()];
    let whole = rules(|_| ());
    let (code, said) = started(&validate, whole.path());
    assert_eq!(code, Some(0), "{said}");
    let spoil = |name: &'static str, from: &'static str, to: &'static str| {
        move |folder: &Path| {
            let text = std::fs::read_to_string(folder.join(name)).unwrap();
            assert!(text.contains(from), "{name}");
            std::fs::write(folder.join(name), text.replacen(from, to, 1)).unwrap();
        }
    };
    type Change = Box<dyn FnOnce(&Path)>;
    let table: Vec<(&str, &str, Change)> = vec![
        ("missing entry", "xsd/kanta-social.xsd", Box::new(|folder| std::fs::remove_file(folder.join("xsd/kanta-social.xsd")).unwrap())),
        ("missing include", "xsd/dsig/xmldsig.xsd", Box::new(|folder| std::fs::remove_file(folder.join("xsd/dsig/xmldsig.xsd")).unwrap())),
        ("empty", "xsd/cda/datatypes.xsd", Box::new(|folder| std::fs::write(folder.join("xsd/cda/datatypes.xsd"), "").unwrap())),
        (
            "cut short",
            "xsd/cda/header.xsd",
            Box::new(|folder| {
                let octets = std::fs::read(folder.join("xsd/cda/header.xsd")).unwrap();
                std::fs::write(folder.join("xsd/cda/header.xsd"), &octets[..octets.len() / 2]).unwrap();
            }),
        ),
        ("no XML", "xsd/cda/vocabulary.xsd", Box::new(|folder| std::fs::write(folder.join("xsd/cda/vocabulary.xsd"), b"\0\xff").unwrap())),
        ("type that is nowhere", "xsd/fi/social-header.xsd", Box::new(spoil("xsd/fi/social-header.xsd", "type=\"hl7:TS\"", "type=\"hl7:NOWHERE\""))),
        (
            "a name twice",
            "xsd/cda/datatypes-basic.xsd",
            Box::new(spoil("xsd/cda/datatypes-basic.xsd", "</xs:schema>", "<xs:complexType name=\"II\"/></xs:schema>")),
        ),
    ];
    for (what, file, change) in table {
        let folder = rules(change);
        for command in [&validate[..], &["serve"], &["doctor"]] {
            let (code, said) = started(command, folder.path());
            assert!(code.is_some_and(|code| code != 0), "{what}, {command:?}: {code:?} {said}");
            // Why, beside where.
            let line = said.lines().find(|line| line.contains(file)).unwrap_or_else(|| panic!("{what}, {command:?} does not name {file}: {said}"));
            assert!(line.split(file).last().unwrap().trim_matches([':', ' ', '0']).len() > 5, "{what}, {command:?} does not say why: {line}");
        }
    }
}
