//! Every class of fault that a schema validator can find, each on a schema of our own that provokes it: which code, where, and in which words.

use arkki::codes::catalogue::Catalogue;
use arkki::codes::source::{self, Files};
use arkki::domain::language::Language;
use arkki::xml::prepass::{Encoding, prepass};
use arkki::xml::schema::Schema;

use super::shared::told;

/// Everything that CDA's schemas use, and what a site's own may use beside it.
const SCHEMA: &str = r###"<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns="urn:hl7-org:v3" targetNamespace="urn:hl7-org:v3" elementFormDefault="qualified">
<xs:element name="r"><xs:complexType><xs:choice minOccurs="0" maxOccurs="unbounded">
  <xs:element name="row" type="Row"/><xs:element name="value" type="ANY"/><xs:element name="point" type="Point" nillable="true"/>
  <xs:element name="code" type="Code"/><xs:element name="open" type="Open"/><xs:element name="strict" type="Strict"/>
  <xs:element name="number" type="Small"/><xs:element name="word" type="Word"/><xs:element name="fixed" type="xs:string" fixed="yes"/>
  <xs:element name="name" type="xs:QName"/><xs:element name="empty"><xs:complexType/></xs:element><xs:element ref="shape"/><xs:element name="data" type="xs:base64Binary"/>
  <xs:element name="amount"><xs:simpleType><xs:restriction base="xs:decimal"><xs:totalDigits value="4"/><xs:fractionDigits value="2"/></xs:restriction></xs:simpleType></xs:element>
</xs:choice></xs:complexType><xs:key name="k"><xs:selector xpath="*"/><xs:field xpath="@key"/></xs:key></xs:element>
<xs:complexType name="Row"><xs:sequence><xs:element name="first"/><xs:element name="second" minOccurs="0" maxOccurs="2"/><xs:choice><xs:element name="left"/><xs:element name="right"/></xs:choice><xs:element name="last" minOccurs="0"/></xs:sequence></xs:complexType>
<xs:complexType name="ANY" abstract="true"><xs:attribute name="nullFlavor" type="Flavor"/></xs:complexType>
<xs:complexType name="BL"><xs:complexContent><xs:extension base="ANY"><xs:attribute name="value" type="xs:boolean" use="required"/></xs:extension></xs:complexContent></xs:complexType>
<xs:complexType name="TS"><xs:complexContent><xs:extension base="ANY"><xs:attribute name="value" type="ts"/></xs:extension></xs:complexContent></xs:complexType>
<xs:complexType name="Point"><xs:attribute name="x" type="xs:int" use="required"/><xs:attribute name="kind" fixed="POINT"/></xs:complexType>
<xs:complexType name="Code"><xs:attribute name="code" type="Letter"/><xs:attribute name="union" type="Both"/><xs:attribute name="ids" type="xs:NMTOKENS"/></xs:complexType>
<xs:complexType name="Open"><xs:sequence><xs:any namespace="##other" processContents="lax"/></xs:sequence></xs:complexType>
<xs:complexType name="Strict"><xs:sequence><xs:any processContents="strict" minOccurs="0"/></xs:sequence><xs:anyAttribute namespace="##other" processContents="strict"/></xs:complexType>
<xs:element name="shape" type="Point" abstract="true"/><xs:element name="circle" type="Point" substitutionGroup="shape"/>
<xs:simpleType name="Flavor"><xs:union memberTypes="Letter More"/></xs:simpleType>
<xs:simpleType name="Both"><xs:union memberTypes="Letter ts"/></xs:simpleType>
<xs:simpleType name="Letter"><xs:restriction base="xs:token"><xs:enumeration value="A"/><xs:enumeration value="B"/></xs:restriction></xs:simpleType>
<xs:simpleType name="More"><xs:restriction base="xs:token"><xs:enumeration value="C"/></xs:restriction></xs:simpleType>
<xs:simpleType name="ts"><xs:restriction base="xs:string"><xs:pattern value="[0-9]{4}"/></xs:restriction></xs:simpleType>
<xs:simpleType name="Small"><xs:restriction base="xs:int"><xs:minInclusive value="1"/><xs:maxExclusive value="10"/></xs:restriction></xs:simpleType>
<xs:simpleType name="Word"><xs:restriction base="xs:string"><xs:minLength value="2"/><xs:maxLength value="3"/></xs:restriction></xs:simpleType>
</xs:schema>"###;

/// What stands inside the root, and what is told of it.
const TABLE: [(&str, &[&str]); 46] = [
    // order
    ("<row><left/></row>", &["E204 2:6 /r/row/left element=left; expected=first; missing=first; before=left"]),
    ("<row><first/></row>", &["E204 2:14 /r/row element=row; missing=left | right; expected=second, left, right"]),
    ("<row/>", &["E204 2:1 /r/row element=row; missing=first, left | right; expected=first"]),
    ("<row><first/><left/><second/></row>", &["E220 2:21 /r/row/second element=second; expected=last; before=left"]),
    ("<row><second/><first/><left/></row>", &["E220 2:6 /r/row/second element=second; expected=first; after=first"]),
    ("<row><first/><second/><second/><second/><left/></row>", &["E221 2:32 /r/row/second[3] element=second; expected=left, right; limit=2"]),
    ("<row><first/><left/><right/></row>", &["E202 2:21 /r/row/right element=right; expected=last"]),
    ("<row><frist/><left/></row>", &["E202 2:6 /r/row/frist element=frist; expected=first; similar=first; missing=first"]),
    ("<row xmlns:o='urn:hl7-org:v2'><o:first/><left/></row>", &["E210 2:31 /r/row/first element=first; expected=first"]),
    ("<row><s:x xmlns:s='urn:hl7-org:sdtc'/></row>", &["E233 2:6 /r/row/sdtc:x element=sdtc:x; expected=first; profile=cda-r2-sdtc"]),
    ("<open/>", &["E204 2:1 /r/open element=open"]),
    ("<open><row/></open>", &["E202 2:7 /r/open/row element=row"]),
    // text
    ("text", &["E211 2:1 /r element=r"]),
    ("<row>\n text<first/><left/></row>", &["E211 3:2 /r/row element=row"]),
    ("<empty><!-- -->text</empty>", &["E211 2:16 /r/empty element=empty"]),
    ("<empty><row/></empty>", &["E202 2:8 /r/empty/row element=row"]),
    ("<number><row/></number>", &["E209 2:1 /r/number element=number; type=Small; form=[+-]?[0-9]+", "E232 2:9 /r/number/row element=row"]),
    // attributes
    ("<point x='1' y='2'/>", &["E207 2:14 /r/point/@y element=point; attribute=y; expected=x, kind"]),
    ("<point x='1' kinds='2'/>", &["E207 2:14 /r/point/@kinds element=point; attribute=kinds; similar=kind; expected=x, kind"]),
    ("<point/>", &["E208 2:1 /r/point/@x element=point; attribute=x"]),
    ("<number a='1'>1</number>", &["E207 2:9 /r/number/@a element=number; attribute=a"]),
    ("<strict a='1'/>", &["E207 2:9 /r/strict/@a element=strict; attribute=a"]),
    ("<strict xmlns:o='u' o:a='1'/>", &["E227 2:21 /r/strict/@a element=strict; attribute=a"]),
    ("<strict><o:a xmlns:o='u'/></strict>", &["E227 2:9 /r/strict/a element=a"]),
    // values
    ("<point x='one'/>", &["E209 2:8 /r/point/@x element=point; attribute=x; type=xs:int; form=[+-]?[0-9]+"]),
    ("<point x='1' kind='LINE'/>", &["E229 2:14 /r/point/@kind element=point; attribute=kind; expected=POINT"]),
    ("<code code='X'/>", &["E228 2:7 /r/code/@code element=code; attribute=code; expected=A, B"]),
    ("<code union='X'/>", &["E209 2:7 /r/code/@union element=code; attribute=union; type=Both"]),
    (
        "<value xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:type='TS' nullFlavor='X'/>",
        &["E228 2:76 /r/value/@nullFlavor element=value; attribute=nullFlavor; type=Flavor; expected=A, B, C"],
    ),
    (
        "<value xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:type='TS' value='X'/>",
        &["E209 2:76 /r/value/@value element=value; attribute=value; type=ts; form=[0-9]{4}"],
    ),
    ("<number>11</number>", &["E230 2:9 /r/number element=number; limit=10"]),
    ("<number>0</number>", &["E230 2:9 /r/number element=number; limit=1"]),
    ("<number>x</number>", &["E209 2:9 /r/number element=number; type=Small; form=[+-]?[0-9]+"]),
    ("<word>a</word>", &["E230 2:7 /r/word element=word; limit=2"]),
    ("<word>abcd</word>", &["E230 2:7 /r/word element=word; limit=3"]),
    ("<fixed>no</fixed>", &["E229 2:8 /r/fixed element=fixed; expected=yes"]),
    ("<name>p:q</name>", &["E231 2:7 /r/name element=name; type=xs:QName"]),
    ("<amount>12345</amount>", &["E230 2:9 /r/amount element=amount; limit=4"]),
    // types, nil, keys, abstract elements
    ("<value/>", &["E224 2:1 /r/value element=value; base=ANY; expected=BL, TS"]),
    (
        "<value xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:type='NONE'/>",
        &["E222 2:62 /r/value/@xsi:type element=value; base=ANY; expected=BL, TS"],
    ),
    (
        "<value xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:type='Row'/>",
        &["E223 2:62 /r/value/@xsi:type element=value; base=ANY; expected=BL, TS"],
    ),
    ("<value xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:type='p:BL'/>", &["E231 2:62 /r/value/@xsi:type element=value; attribute=xsi:type"]),
    ("<point xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:nil='true' x='1'>text</point>", &["E225 2:1 /r/point element=point"]),
    ("<row xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:nil='true'><first/><left/></row>", &["E225 2:1 /r/row element=row"]),
    ("<shape x='1'/>", &["E235 2:1 /r/shape element=shape"]),
    ("<point x='1' key='a'/>", &["E207 2:14 /r/point/@key element=point; attribute=key; expected=x, kind"]),
];

fn schema() -> Schema {
    // Keys are told apart below: a key that every child must have would drown everything else.
    let without_key = SCHEMA.replace(r#"<xs:key name="k"><xs:selector xpath="*"/><xs:field xpath="@key"/></xs:key>"#, "");
    compile(&without_key)
}

fn compile(text: &str) -> Schema {
    let files: Files = [("xsd/all.xsd".to_owned(), text.as_bytes().to_vec())].into();
    Schema::compile(&files, "xsd/all.xsd").unwrap()
}

#[test]
fn each_class_of_fault_has_its_code_place_and_words() {
    let schema = schema();
    let catalogue = Catalogue::load(&source::embedded()).unwrap();
    let mut wrong = Vec::new();
    for (inside, expected) in TABLE {
        let text = format!("<r xmlns='urn:hl7-org:v3'>\n{inside}</r>");
        assert!(prepass(text.as_bytes(), Encoding::Utf8Only).is_ok(), "{inside}");
        let found = schema.validate(&text);
        let lines: Vec<String> = told(&found);
        if lines != *expected {
            wrong.push(format!("{inside}\n  expected {expected:?}\n  found    {lines:?}"));
        }
        for finding in &found {
            for language in Language::ALL {
                let text = catalogue.text(finding, language) + &catalogue.mend(finding, language);
                assert!(!text.contains(['–', '{', '[']) || text.contains("[0-9]") || text.contains("[A-Z") || text.contains("[+-]"), "{inside}: {text}");
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn keys() {
    let keyed = SCHEMA
        .replace("<xs:complexType name=\"Point\">", "<xs:complexType name=\"Point\"><xs:attribute name=\"key\"/>")
        .replace("xpath=\"*\"", "xpath=\"point\"");
    let schema = compile(&keyed);
    let text = |inside: &str| format!("<r xmlns='urn:hl7-org:v3'>{inside}</r>");
    assert!(schema.validate(&text("<point x='1' key='a'/>")).is_empty());
    let keyed = SCHEMA.replace("<xs:complexType name=\"Point\">", "<xs:complexType name=\"Point\"><xs:attribute name=\"key\"/>");
    let schema = compile(&keyed);
    let found = told(&schema.validate(&text("<point x='1' key='080885-902M'/>\n<point x='1' key='080885-902M'/>")));
    assert_eq!(found, ["E226 2:1 /r/point[2] element=point"]);
}
