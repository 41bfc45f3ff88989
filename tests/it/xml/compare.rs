//! Our schemas held against the official sets, type by type: elements, attributes, how often, in which order, types, lists, patterns.
//! What differs must stand in `docs/schemas-differences.md`, with a reason; what stands there must still differ.

mod compiles;
mod facts;
mod particle;
mod set;
mod verdicts;

use std::collections::BTreeSet;
use std::path::Path;

use arkki::codes::source::{self, Files};

use super::shared::shared;
use facts::{Difference, differences};

/// Our entry, the official folder under `reference/schemas`, and the entry there.
const SETS: [(&str, &str, &str); 4] = [
    ("xsd/cda-r2.xsd", "cda-r2-normative", "infrastructure/cda/CDA.xsd"),
    ("xsd/cda-r2-sdtc.xsd", "cda-r2-sdtc", "infrastructure/cda/CDA_SDTC.xsd"),
    ("xsd/kanta-patient.xsd", "cda-fi-kela", "CDA_Fi.xsd"),
    ("xsd/dsig/xmldsig.xsd", "xmldsig-santuario/resources/bindings/schemas", "xmldsig-core-schema.xsd"),
];

#[test]
fn our_schemas_say_what_the_standard_says() {
    let Some(folder) = shared("our schemas held against the official ones, type by type") else { return };
    let ours = source::embedded();
    let mut found = BTreeSet::new();
    for (entry, official, official_entry) in SETS {
        let theirs = set::files_under(&folder.join("reference/schemas").join(official));
        found.extend(differences((&ours, entry), (&theirs, official_entry)).into_iter().map(|difference| row(entry, &difference)));
    }
    let explained = explained();
    let unexplained: Vec<_> = found.iter().filter(|row| !explained.contains(*row)).map(|row| format!("{row} reason |")).collect();
    assert!(unexplained.is_empty(), "{} differences without a reason in docs/schemas-differences.md:\n{}", unexplained.len(), unexplained.join("\n"));
    let gone: Vec<_> = explained.iter().filter(|row| !found.contains(*row)).map(String::as_str).collect();
    assert!(gone.is_empty(), "docs/schemas-differences.md explains what is no difference any more:\n{}", gone.join("\n"));
}

/// A difference as a row of the table, up to its reason.
fn row(entry: &str, difference: &Difference) -> String {
    let told = |words: &str| if words.is_empty() { "nothing".to_owned() } else { format!("`{}`", words.replace('|', "\\|")) };
    format!("| `{entry}` | {} | {} | {} |", difference.place, told(&difference.ours), told(&difference.theirs))
}

/// The rows of the table, up to their reasons, which must be there.
fn explained() -> BTreeSet<String> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schemas-differences.md")).unwrap();
    let mut rows = BTreeSet::new();
    for line in text.lines().filter(|line| line.starts_with("| `xsd/")) {
        let (row, reason) = line.trim_end_matches(" |").rsplit_once(" | ").unwrap();
        assert!(reason.split(' ').count() > 2, "a difference without a reason: {line}");
        rows.insert(format!("{row} |"));
    }
    rows
}

/// One change in a copy of our schemas, in the entry, the file and the words that it is made in, and where it must be found.
struct Change {
    entry: &'static str,
    file: &'static str,
    from: &'static str,
    to: &'static str,
    place: &'static str,
}

/// A change to what every document type of the family shares.
const fn change(file: &'static str, from: &'static str, to: &'static str, place: &'static str) -> Change {
    Change { entry: "xsd/cda-r2.xsd", file, from, to, place }
}

const CHANGES: &[Change] = &[
    // Elements: left out, renamed, of another type, more or less often, in another order, one of two.
    change("datatypes-coded.xsd", "<xs:element name=\"qualifier\" type=\"CR\" minOccurs=\"0\" maxOccurs=\"unbounded\"/>", "", "type CD content"),
    change("datatypes-times.xsd", "name=\"phase\"", "name=\"phrase\"", "type PIVL_TS content"),
    change("datatypes-times.xsd", "name=\"offset\" type=\"IVL_PQ\"", "name=\"offset\" type=\"PQ\"", "type EIVL_TS content"),
    change("datatypes-times.xsd", "name=\"comp\" type=\"SXCM_TS\" minOccurs=\"2\"", "name=\"comp\" type=\"SXCM_TS\"", "type SXPR_TS content"),
    change(
        "narrative.xsd",
        "<xs:element name=\"item\" type=\"StrucDoc.Item\" maxOccurs=\"unbounded\"/>",
        "<xs:element name=\"item\" type=\"StrucDoc.Item\"/>",
        "type StrucDoc.List content",
    ),
    change("narrative-tables.xsd", "<xs:choice maxOccurs=\"unbounded\">", "<xs:choice minOccurs=\"0\" maxOccurs=\"unbounded\">", "type StrucDoc.Tr content"),
    change(
        "datatypes-quantities.xsd",
        "<xs:element name=\"numerator\" type=\"PQ\"/>\n          <xs:element name=\"denominator\" type=\"PQ\"/>",
        "<xs:element name=\"denominator\" type=\"PQ\"/>\n          <xs:element name=\"numerator\" type=\"PQ\"/>",
        "type RTO_PQ_PQ content",
    ),
    change("narrative-inline.xsd", "<xs:element name=\"br\" type=\"StrucDoc.Br\"/>", "", "type StrucDoc.Td content"),
    // Attributes: left out, needed, of another type, with another default or fixed value, no longer ruled out.
    change("datatypes-basic.xsd", "<xs:attribute name=\"displayable\" type=\"bl\"/>", "", "type II @displayable"),
    change("narrative-inline.xsd", "name=\"IDREF\" type=\"xs:IDREF\" use=\"required\"", "name=\"IDREF\" type=\"xs:IDREF\"", "type StrucDoc.FootnoteRef @IDREF"),
    change("narrative-inline.xsd", "name=\"ID\" type=\"xs:ID\"", "name=\"ID\" type=\"xs:NCName\"", "type StrucDoc.Text @ID"),
    change("datatypes-text.xsd", "default=\"SHA-1\"", "default=\"SHA-256\"", "type ED @integrityCheckAlgorithm"),
    change("datatypes-names.xsd", "fixed=\"FAM\"", "fixed=\"GIV\"", "type en.family @partType"),
    change("datatypes-coded.xsd", "<xs:attribute name=\"displayName\" type=\"st\" use=\"prohibited\"/>", "", "type CS @displayName"),
    change(
        "infrastructure.xsd",
        "name=\"extension\" type=\"st\" use=\"required\"",
        "name=\"extension\" type=\"st\"",
        "type POCD_MT000040.InfrastructureRoot.typeId @extension",
    ),
    // Types: base, way of derivation, abstract, mixed, gone.
    change("datatypes-quantities.xsd", "<xs:extension base=\"RTO_QTY_QTY\"/>", "<xs:extension base=\"RTO_PQ_PQ\"/>", "type RTO"),
    change(
        "datatypes-basic.xsd",
        "<xs:extension base=\"ANY\"><xs:attribute name=\"value\" type=\"bl\"/></xs:extension>",
        "<xs:restriction base=\"ANY\"><xs:attribute name=\"value\" type=\"bl\"/></xs:restriction>",
        "type BL",
    ),
    change("datatypes-quantities.xsd", "name=\"QTY\" abstract=\"true\"", "name=\"QTY\"", "type QTY"),
    change("narrative-inline.xsd", "name=\"StrucDoc.Sup\" mixed=\"true\"", "name=\"StrucDoc.Sup\"", "type StrucDoc.Sup"),
    change("datatypes-uncertain.xsd", "name=\"UVP_TS\"", "name=\"UVP_ST\"", "type UVP_TS"),
    // Simple types: lists of values, patterns, other facets, members, items, base.
    change("vocabulary-values.xsd", "<xs:enumeration value=\"ASKU\"/>", "", "type AskedButUnknown"),
    change("vocabulary-acts.xsd", "value=\"SPCOBS\"", "value=\"SPECOBS\"", "type ActClassObservation"),
    change("vocabulary-values.xsd", "memberTypes=\"AddressUse NameRepresentationUse\"", "memberTypes=\"AddressUse\"", "type PostalAddressUse"),
    change("datatypes-values.xsd", "[0-9a-zA-Z]{8}-", "[0-9a-zA-Z]{4,8}-", "type uuid"),
    change("datatypes-values.xsd", "<xs:minLength value=\"1\"/>", "", "type st"),
    change("datatypes-values.xsd", "<xs:maxInclusive value=\"1.0\"/>", "<xs:maxExclusive value=\"1.0\"/>", "type probability"),
    change("datatypes-values.xsd", "itemType=\"int\"", "itemType=\"real\"", "type list_int"),
    change("datatypes-values.xsd", "memberTypes=\"oid uuid ruid\"", "memberTypes=\"oid uuid\"", "type uid"),
    change("datatypes-values.xsd", "<xs:restriction base=\"xs:NMTOKEN\">", "<xs:restriction base=\"xs:token\">", "type BinaryDataEncoding"),
    change("narrative-tables.xsd", "<xs:enumeration value=\"hsides\"/>", "", "type StrucDoc.Table @frame"),
    // What the editions differ in.
    change("variant-r2.xsd", "<xs:complexType name=\"StrucDoc.Br\"/>", "<xs:complexType name=\"StrucDoc.Br\" mixed=\"true\"/>", "type StrucDoc.Br"),
    Change {
        entry: "xsd/cda-r2-sdtc.xsd",
        file: "variant-sdtc.xsd",
        from: "processContents=\"skip\"",
        to: "processContents=\"lax\"",
        place: "type ED content",
    },
    Change { entry: "xsd/cda-r2-sdtc.xsd", file: "variant-sdtc.xsd", from: "namespace=\"##other\"", to: "namespace=\"##any\"", place: "type ED content" },
    Change { entry: "xsd/cda-r2-sdtc.xsd", file: "variant-sdtc.xsd", from: "<xs:attribute ref=\"sdtc:valueSet\"/>", to: "", place: "type PQR @sdtc:valueSet" },
];

/// The comparison can fail: each change of ours is found, in its place, against the official schemas (or against ours as they were, where those are absent).
#[test]
fn a_changed_schema_is_found() {
    let ours = source::embedded();
    let folder = shared("changed schemas held against the official ones");
    for Change { entry, file, from, to, place } in CHANGES {
        let mut changed = ours.clone();
        let name = format!("xsd/cda/{file}");
        let text = String::from_utf8(changed[&name].clone()).unwrap();
        assert!(text.contains(from), "{file}: {from}");
        let text = text.replacen(from, to, 1);
        let text = if *place == "type CS" {
            text.replacen("use=\"prohibited\"/>\n      </xs:restriction>", "use=\"prohibited\"/>\n      </xs:extension>", 1)
        } else {
            text
        };
        changed.insert(name, text.into_bytes());
        let (_, official, official_entry) = SETS.iter().find(|(ours, _, _)| ours == entry).unwrap();
        let found = match &folder {
            Some(folder) => differences((&changed, entry), (&set::files_under(&folder.join("reference/schemas").join(official)), official_entry)),
            None => differences((&changed, entry), (&ours, entry)),
        };
        assert!(found.iter().any(|difference| difference.place == *place), "{from}: {found:#?}");
    }
}

/// Two ways to write the same are no difference; two that let different documents through are one.
#[test]
fn what_is_equal_is_no_difference() {
    let one = |body: &str| {
        let head = "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' xmlns='urn:x' targetNamespace='urn:x' elementFormDefault='qualified'>";
        Files::from([("a.xsd".to_owned(), format!("{head}{body}</xs:schema>").into_bytes())])
    };
    let plain = "<xs:complexType name='T'><xs:sequence><xs:element name='a' type='xs:string'/><xs:element name='b' minOccurs='0'><xs:simpleType>\
        <xs:restriction base='xs:token'><xs:enumeration value='1'/><xs:enumeration value='2'/></xs:restriction></xs:simpleType></xs:element></xs:sequence>\
        <xs:attribute name='c' type='xs:string' use='optional'/></xs:complexType>";
    let grouped = "<xs:group name='G'><xs:sequence><xs:element name='b' type='H' minOccurs='0'/><xs:group ref='E'/></xs:sequence></xs:group>\
        <xs:group name='E'><xs:sequence/></xs:group><xs:attributeGroup name='A'><xs:attribute name='c' type='xs:string'/></xs:attributeGroup>\
        <xs:complexType name='T'><xs:sequence><xs:element name='a' type='xs:string'/><xs:element name='z' minOccurs='0' maxOccurs='0'/><xs:group ref='G'/></xs:sequence>\
        <xs:attributeGroup ref='A'/></xs:complexType>";
    let helper =
        "<xs:simpleType name='H'><xs:restriction base='xs:token'><xs:enumeration value='2'/><xs:enumeration value='1'/></xs:restriction></xs:simpleType>";
    let found = differences((&one(&format!("{grouped}{helper}")), "a.xsd"), (&one(plain), "a.xsd"));
    assert_eq!(found.iter().map(|d| d.place.as_str()).collect::<Vec<_>>(), ["type {urn:x}H"], "{found:#?}");
    let other = helper.replace("value='1'", "value='3'");
    let found = differences((&one(&format!("{grouped}{other}")), "a.xsd"), (&one(plain), "a.xsd"));
    assert!(found.iter().any(|d| d.place == "type {urn:x}T content"), "{found:#?}");
}
