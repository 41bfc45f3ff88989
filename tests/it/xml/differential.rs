//! Verdicts compared with tools and schemas nobody here wrote: xmllint with HL7's normative CDA schema on mutants of the header, HL7's NE2008 schema on
//! acknowledgements, and Xerces on our own schemas. Prints what it left out where the shared folder or a tool is absent.

use arkki::codes::source;
use arkki::xml::prepass::{Encoding, prepass};
use arkki::xml::schema::Schema;

use super::judges::{self, written, xmllint};
use super::schema::{ACKNOWLEDGEMENT, FRAME};
use super::shared::{DOCUMENT, examples, schema, shared};

/// How many mutants of headers are compared.
const MUTANTS: usize = 800;

/// The entry with the national parts optional: what is left is CDA R2 with an unstructured body.
fn plain() -> Schema {
    let mut files = source::embedded();
    let places = String::from_utf8(files["xsd/fi/places-social.xsd"].clone()).unwrap();
    let optional = places.replace("<xs:element ref=\"hl7fi:localSocialHeader\"/>", "<xs:element ref=\"hl7fi:localSocialHeader\" minOccurs=\"0\"/>");
    assert_ne!(places, optional);
    files.insert("xsd/fi/places-social.xsd".to_owned(), optional.into_bytes());
    Schema::compile(&files, "xsd/kanta-social.xsd").unwrap()
}

/// A document without what only the national schema knows.
fn without_national_parts(text: &str) -> String {
    let cut = |text: &str, from: &str, to: &str| match (text.find(from), text.rfind(to)) {
        (Some(begin), Some(end)) => format!("{}{}", &text[..begin], &text[end + to.len()..]),
        _ => text.to_owned(),
    };
    let text = cut(text, "<hl7fi:localSocialHeader", "</hl7fi:localSocialHeader>");
    let text = cut(&text, "<hl7fi:json", "</hl7fi:json>");
    let id = text.find(" ID=\"").unwrap();
    let end = id + 5 + text[id + 5..].find('"').unwrap() + 1;
    format!("{}{}", &text[..id], &text[end..])
}

/// Every part of the header that the examples do not have, so that each type is mutated.
fn with_every_part(text: &str) -> String {
    let entity = "<assignedEntity classCode=\"ASSIGNED\"><id root=\"1.2\"/><code code=\"a\" codeSystem=\"1.2\"><originalText mediaType=\"text/plain\">o<reference value=\"#a\"/></originalText>\
        <translation code=\"b\"><qualifier inverted=\"true\"><name code=\"n\"/><value code=\"v\"/></qualifier></translation></code>\
        <addr use=\"HP WP\" isNotOrdered=\"true\"><streetAddressLine partType=\"SAL\">Gatan 1</streetAddressLine>, <postalCode>00100</postalCode><city>Esbo</city><useablePeriod xsi:type=\"IVL_TS\"><low value=\"2020\"/></useablePeriod></addr>\
        <telecom value=\"tel:+358\" use=\"WP\"/><assignedPerson><name use=\"L\">a<prefix qualifier=\"AC\">Dr</prefix><given>b</given><delimiter>-</delimiter><family qualifier=\"SP BR\">c</family><suffix>d</suffix><validTime><high value=\"2030\"/></validTime></name></assignedPerson>\
        <representedOrganization><id root=\"1.3\"/><name>o</name><telecom nullFlavor=\"UNK\"/><addr>x</addr><standardIndustryClassCode code=\"1\"/>\
        <asOrganizationPartOf><id root=\"1.4\"/><code code=\"x\"/><statusCode code=\"active\"/><effectiveTime><low value=\"2020\"/></effectiveTime><wholeOrganization><name>w</name></wholeOrganization></asOrganizationPartOf></representedOrganization></assignedEntity>";
    let before = format!(
        "<dataEnterer><time value=\"20200101\"/>{entity}</dataEnterer><informant typeCode=\"INF\">{entity}</informant>\
        <informant><relatedEntity classCode=\"PRS\"><code code=\"a\"/><effectiveTime><center value=\"2020\"/></effectiveTime><relatedPerson><name>a</name></relatedPerson></relatedEntity></informant><custodian>"
    );
    let after = format!(
        "</custodian><informationRecipient typeCode=\"TRC\"><intendedRecipient classCode=\"HLTHCHRT\"><id root=\"1.2\"/><informationRecipient><name/></informationRecipient><receivedOrganization/></intendedRecipient></informationRecipient>\
        <legalAuthenticator><time value=\"2020\"/><signatureCode code=\"S\"/>{entity}</legalAuthenticator><authenticator><time value=\"2020\"/><signatureCode code=\"S\"/>{entity}</authenticator>\
        <participant typeCode=\"IND\"><functionCode code=\"f\"/><time value=\"2020\"/><associatedEntity classCode=\"NOK\"><id root=\"1.2\"/><associatedPerson><name/></associatedPerson><scopingOrganization/></associatedEntity></participant>\
        <inFulfillmentOf><order classCode=\"ACT\" moodCode=\"RQO\"><id root=\"1.2\"/><code code=\"a\"/><priorityCode code=\"R\"/></order></inFulfillmentOf>\
        <documentationOf><serviceEvent classCode=\"PCPR\"><id root=\"1.2\"/><effectiveTime><low value=\"2020\"/><width value=\"3\" unit=\"d\"/></effectiveTime><performer typeCode=\"PRF\"><time><low value=\"2020\" inclusive=\"false\"/></time>{entity}</performer></serviceEvent></documentationOf>\
        <relatedDocument typeCode=\"APND\"><parentDocument><id root=\"1.2\"/><code code=\"a\"/><text>t</text><setId root=\"1.2\"/><versionNumber value=\"1\"/></parentDocument></relatedDocument>\
        <authorization><consent><id root=\"1.2\"/><code code=\"1\"/><statusCode code=\"completed\"/></consent></authorization>\
        <componentOf><encompassingEncounter><id root=\"1.2\"/><effectiveTime nullFlavor=\"NA\"/><dischargeDispositionCode code=\"a\"/><responsibleParty>{entity}</responsibleParty><encounterParticipant typeCode=\"ADM\"><time><low value=\"2020\"/><high value=\"2021\"/></time>{entity}</encounterParticipant>\
        <location><healthCareFacility classCode=\"SDLOC\"><id root=\"1.2\"/><location><name>p</name><addr/></location><serviceProviderOrganization/></healthCareFacility></location></encompassingEncounter></componentOf>"
    );
    let patient = "<maritalStatusCode code=\"a\"/><religiousAffiliationCode code=\"a\"/><raceCode code=\"a\"/><ethnicGroupCode code=\"a\"/><guardian classCode=\"GUARD\"><id root=\"1.2\"/><guardianPerson><name/></guardianPerson></guardian>\
        <birthplace><place><name>x</name><addr><country>FI</country></addr></place></birthplace><languageCommunication><languageCode code=\"fi\"/><modeCode code=\"a\"/><proficiencyLevelCode code=\"a\"/><preferenceInd value=\"true\"/></languageCommunication></patient><providerOrganization><name>x</name></providerOrganization>";
    let head = "<effectiveTime";
    let text = text.replacen(head, "<title>t</title><effectiveTime", 1);
    let text = text.replacen("xmlns=\"urn:hl7-org:v3\"", "xmlns=\"urn:hl7-org:v3\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"", 1);
    let text = text.replacen("<recordTarget>", "<copyTime value=\"20200101\"/><recordTarget typeCode=\"RCT\" contextControlCode=\"OP\">", 1);
    let text = text.replacen("</patient>", patient, 1);
    let device = "<author><functionCode code=\"a\"/><time value=\"2020\"/><assignedAuthor><id root=\"1.2\"/><assignedAuthoringDevice><code code=\"a\"/><manufacturerModelName code=\"a\">m</manufacturerModelName><softwareName>s</softwareName>\
        <asMaintainedEntity><effectiveTime><low value=\"1\"/></effectiveTime><maintainingPerson><name/></maintainingPerson></asMaintainedEntity></assignedAuthoringDevice></assignedAuthor></author>";
    let text = text.replacen("<custodian>", &format!("{device}{before}"), 1);
    text.replacen("</custodian>", &after, 1)
}

pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}

/// One change somewhere: an element removed, doubled, renamed, emptied, swapped with the next, moved to another namespace; an attribute removed, spoilt, added.
pub fn mutate(text: &str, random: &mut Random) -> String {
    let document = arkki::xml::tree::parse(text).unwrap();
    let nodes: Vec<_> = document.root_element().descendants().filter(|n| n.is_element()).skip(1).collect();
    let node = nodes[random.below(nodes.len())];
    let (range, name) = (node.range(), node.tag_name().name());
    let whole = &text[range.clone()];
    let tag_end = range.start + whole.find(name).unwrap() + name.len();
    let attributes: Vec<_> = node.attributes().map(|a| (a.range(), a.range_value())).collect();
    let replaced = |range: std::ops::Range<usize>, by: &str| format!("{}{}{}", &text[..range.start], by, &text[range.end..]);
    let odd = ["", " ", "x y", "-1", "1.2.03", "EVN", "true", "20261399", "2026-11-22", "NI", "B64", "1", "æ", "1.2.246"];
    match random.below(11) {
        0 => replaced(range, ""),
        1 => replaced(range, &format!("{whole}{whole}")),
        2 => replaced(range, &whole.replace(&format!("<{name}"), "<other").replace(&format!("</{name}"), "</other")),
        3 => match node.next_sibling_element() {
            Some(next) => {
                format!("{}{}{}{}{}", &text[..range.start], &text[next.range()], &text[range.end..next.range().start], whole, &text[next.range().end..])
            }
            None => replaced(range, &format!("{whole}<id root=\"1.2\"/>")),
        },
        4 => replaced(tag_end..tag_end, &format!(" colour=\"{}\"", odd[random.below(odd.len())])),
        5 => replaced(tag_end..tag_end, " xmlns=\"urn:other\""),
        6 if node.attribute("nullFlavor").is_none() => {
            replaced(tag_end..tag_end, &format!(" nullFlavor=\"{}\"", ["NI", "NA", "XX", "", "TRC"][random.below(5)]))
        }
        7 if node.attribute("classCode").is_none() => {
            replaced(tag_end..tag_end, &format!(" classCode=\"{}\"", ["PSN", "ASSIGNED", "ORG", "ENC", "x"][random.below(5)]))
        }
        8 if !attributes.is_empty() => replaced(attributes[random.below(attributes.len())].0.clone(), ""),
        9 | 10 if !attributes.is_empty() => replaced(attributes[random.below(attributes.len())].1.clone(), odd[random.below(odd.len())]),
        _ => match whole.rfind("</") {
            Some(close) => replaced(range.start + close..range.start + close, ["stray", "<id root=\"1.2\"/>", "<name>x</name>"][random.below(3)]),
            None => replaced(range, &format!("{whole}stray")),
        },
    }
}

#[test]
fn headers_are_judged_as_hl7_judges_them() {
    let Some(folder) = shared("header mutants compared with HL7's schema") else { return };
    let bases: Vec<String> = examples().iter().map(|(_, text)| text.clone()).chain([DOCUMENT.to_owned()]).map(|text| without_national_parts(&text)).collect();
    let mut texts: Vec<String> = bases.clone();
    let full = with_every_part(bases.last().unwrap());
    texts.push(full.clone());
    let mut random = Random(0x1234_79B9_7F4A_7C15);
    while texts.len() < MUTANTS {
        let base = if random.below(4) == 0 { &bases[random.below(bases.len())] } else { &full };
        texts.push(mutate(base, &mut random));
    }
    let made = tempfile::tempdir().unwrap();
    let entry = folder.join("reference/schemas/cda-r2-normative/infrastructure/cda/CDA.xsd");
    let Some(theirs) = xmllint(&entry, &written(made.path(), &texts)) else { return };
    let ours = plain();
    assert!(theirs[..=bases.len()].iter().all(|good| *good), "the unchanged documents are valid: {:?}", &theirs[..=bases.len()]);
    let differ: Vec<String> = texts
        .iter()
        .zip(&theirs)
        .filter(|(text, theirs)| ours.validate(text).iter().all(|f| !f.is_error()) != **theirs)
        .map(|(text, theirs)| format!("theirs {theirs}: {:?}\n{text}", super::shared::told(&ours.validate(text))))
        .collect();
    let good = theirs.iter().filter(|good| **good).count();
    println!("{} headers, {good} valid under HL7's schema, {} verdicts differ", texts.len(), differ.len());
    assert!(good > texts.len() / 20 && good < texts.len() - texts.len() / 4, "the mutants tell nothing: {good} valid");
    assert!(differ.is_empty(), "{} differ; the first: {}", differ.len(), differ[0]);
}

#[test]
fn acknowledgements_pass_hl7s_own_schema() {
    let Some(folder) = shared("acknowledgements under HL7's NE2008 schema") else { return };
    let mut random = Random(77);
    let mut texts = vec![ACKNOWLEDGEMENT.to_owned()];
    texts.extend((0..300).map(|_| mutate(ACKNOWLEDGEMENT, &mut random)));
    let made = tempfile::tempdir().unwrap();
    let entry = folder.join("reference/schemas/hl7v3-NE2008/NE2008/multicacheschemas/MCCI_IN000002UV01.xsd");
    let Some(theirs) = xmllint(&entry, &written(made.path(), &texts)) else { return };
    let ours = schema("xsd/ack.xsd");
    assert!(theirs[0]);
    let wider: Vec<_> = texts.iter().zip(&theirs).filter(|(text, theirs)| ours.validate(text).is_empty() && !**theirs).map(|(text, _)| text).collect();
    let narrower = texts.iter().zip(&theirs).filter(|(text, theirs)| !ours.validate(text).is_empty() && **theirs).count();
    println!("{} acknowledgements; {narrower} pass HL7's schema but not ours", texts.len());
    assert!(wider.is_empty(), "passes ours but not HL7's: {}", wider[0]);
}

/// Xerces compiles every entry, and gives our verdicts on mutants of what belongs to it.
#[test]
fn xerces_agrees() {
    let mut random = Random(4242);
    let signed = examples().into_iter().map(|(_, text)| text).next().unwrap_or_else(|| DOCUMENT.to_owned());
    let mut entries = vec![("xsd/kanta-social.xsd", signed), ("xsd/mr-frame.xsd", FRAME.to_owned()), ("xsd/ack.xsd", ACKNOWLEDGEMENT.to_owned())];
    if let Some(folder) = shared("Xerces on real documents under our schemas") {
        for (entry, name) in [
            ("xsd/cda-r2.xsd", "dk__RTD_W3_no_information__b21233fb.xml"),
            ("xsd/cda-r2-sdtc.xsd", "us-ccdaex__Diagnostic_Imaging_Report__8b37756f.xml"),
            ("xsd/kanta-patient.xsd", "fi-husmime__RCMR_IN100002FI01__d1c8e86e.xml"),
        ] {
            entries.push((entry, std::fs::read_to_string(folder.join("reference/cda").join(name)).unwrap()));
        }
    }
    for (entry, base) in entries {
        let mut texts = vec![base.clone()];
        texts.extend((0..60).map(|_| mutate(&base, &mut random)));
        texts.retain(|text| prepass(text.as_bytes(), Encoding::Utf8Only).is_ok());
        let folder = tempfile::tempdir().unwrap();
        let Some(theirs) = judges::xerces(entry, &written(folder.path(), &texts)) else { return };
        let ours = schema(entry);
        let mut valid = 0;
        for (text, theirs) in texts.iter().zip(theirs) {
            let found = ours.validate(text);
            // Unknown extension elements are errors in the schema alone and warnings with us.
            if found.iter().any(|f| !f.is_error()) {
                continue;
            }
            valid += usize::from(found.is_empty());
            assert_eq!(found.is_empty(), theirs, "{entry}: {:?}\n{text}", super::shared::told(&found));
        }
        assert!(valid > 0 && valid < texts.len(), "{entry}: {valid} valid tells nothing");
    }
}
