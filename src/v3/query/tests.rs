//! Each way to write a parameter, and each way to write it wrong.

use super::*;
use crate::codes::source::embedded;

fn reading<'r>(rules: &'r QueryRules, grounds: &'r DisclosureRules) -> Reading<'r> {
    Reading { rules, grounds, environment: Environment::Test, hash: &|octets| crate::crypto::sha256(octets), want: Want::Metadata, basis: Basis::OwnRegister }
}

fn asked(parameters: &str) -> Result<Query, Vec<(Code, String, String)>> {
    let head = "<queryId root='1.2.3' extension='q'/><statusCode code='new'/><responseModalityCode code='R'/>";
    whole(&format!("{head}<parameterList>{parameters}</parameterList>"))
}

fn whole(by_parameter: &str) -> Result<Query, Vec<(Code, String, String)>> {
    let author = "<authorOrPerformer><assignedPerson><id root='1.2.246.537.26' extension='1'/><representedOrganization><id root='1.2.246.10.99999992.10.1'/></representedOrganization></assignedPerson></authorOrPerformer>";
    let text = format!(
        "<RCMR_IN200029FI01 xmlns='urn:hl7-org:v3'><controlActProcess>{author}<queryByParameter>{by_parameter}</queryByParameter></controlActProcess></RCMR_IN200029FI01>"
    );
    let document = tree::parse(&text).unwrap();
    let rules = QueryRules::load(&embedded()).unwrap();
    let words = |f: &Finding| (f.code, f.arg("parameter").unwrap_or("").to_owned(), f.arg("rule").unwrap_or("").to_owned());
    read(&document, &reading(&rules, &DisclosureRules::load(&embedded()).unwrap()))
        .map(|read| read.query)
        .map_err(|findings| findings.iter().map(words).collect())
}

fn wrong(parameters: &str) -> (Code, String, String) {
    let mut found = asked(parameters).unwrap_err();
    assert_eq!(found.len(), 1, "{parameters}: {found:?}");
    found.remove(0)
}

#[test]
fn every_parameter_is_read() {
    let query = asked(
        "<patientId><value root='1.2.246.21' extension='010190-999W'/></patientId>\
         <functionCode><value code='25' codeSystem='1.2.246.537.6.1221.201601'/></functionCode>\
         <documentCreationTime><value><low value='2025'/><high value='202602'/></value></documentCreationTime>\
         <documentTypeCode><value code='15'/></documentTypeCode><specificDocumentTypeCode><value code='15007'/></specificDocumentTypeCode>\
         <documentGroup><value code='5' codeSystem='1.2.246.537.6.1505.201601'/></documentGroup>\
         <caseId><value root='1.2.246.10.99999992.95.2026.1.102'/></caseId><clientRelationId><value root='1.2.246.10.99999992.95.2026.1.101'/></clientRelationId>\
         <documentId><value root='1.2.4'/><value root='1.2.3'/></documentId><documentId><value root='1.2.3'/></documentId>\
         <documentSetId><value root='1.2.5'/></documentSetId><custodianId><value root='1.2.246.10.99999992.10.0'/></custodianId>\
         <documentState><value code='any'/></documentState><allVersions><value value='true'/></allVersions><asOfTime><value value='20260101'/></asOfTime>",
    )
    .unwrap();
    let c = &query.criteria;
    assert_eq!(c.client, Some(crate::crypto::sha256(b"1.2.246.21\x00010190-999W")));
    assert_eq!((c.service_task.as_deref(), c.general_type.as_deref(), c.specific_type.as_deref()), (Some("25"), Some("15"), Some("15007")));
    assert_eq!(c.from, Some(Date { year: 2025, month: 1, day: 1 }));
    assert_eq!(c.to, Some(Date { year: 2026, month: 2, day: 28 }));
    assert_eq!(c.group, Some(Group::Client));
    assert_eq!(c.ids.iter().map(Oid::as_str).collect::<Vec<_>>(), ["1.2.3", "1.2.4"]);
    assert_eq!(c.as_of.map(Moment::to_hl7).as_deref(), Some("20260101235959+0200"));
    assert!(c.all_versions && c.case_id.is_some() && c.relation_id.is_some() && c.controller.is_some() && c.sets.len() == 1);
    assert_eq!(c.names().len(), 14);
    assert_eq!(query.limit, limits::QUERY_HITS);
    assert_eq!(query.asker.organisation.as_ref().map(Oid::as_str), Some("1.2.246.10.99999992.10.1"));
    assert!(query.asker.person.is_some());
    assert_eq!(query.id, Some(InstanceId { root: "1.2.3".to_owned(), extension: Some("q".to_owned()) }));
}

#[test]
fn each_wrong_value_is_told_with_its_parameter() {
    for (parameters, parameter, rule) in [
        ("<patientId><value root='1.2.246.21' extension=''/></patientId>", "patientId", "query-empty"),
        ("<patientId><value root='1.2.246.21' extension='010190-999X'/></patientId>", "patientId", "hetu-check"),
        ("<patientId><value root='1.2.246.21' extension='010190-100C'/></patientId>", "patientId", "hetu-check"),
        ("<patientId><value nullFlavor='NI'/></patientId>", "patientId", "query-empty"),
        ("<patientId/>", "patientId", "query-empty"),
        ("<patientId><value root='hetu' extension='010190-999W'/></patientId>", "patientId", "oid-syntax"),
        ("<documentCreationTime><value><low value='20261301'/></value></documentCreationTime>", "documentCreationTime", "time-none"),
        ("<documentCreationTime><value><high value='yesterday'/></value></documentCreationTime>", "documentCreationTime", "time-syntax"),
        ("<documentCreationTime><value/></documentCreationTime>", "documentCreationTime", "query-empty"),
        ("<documentCreationTime><value value='2026'><low value='2026'/></value></documentCreationTime>", "documentCreationTime", "query-many"),
        ("<functionCode><value code='25' codeSystem='1.2.246.537.6.1505'/></functionCode>", "functionCode", "query-system"),
        ("<documentGroup><value code='7'/></documentGroup>", "documentGroup", "query-word"),
        ("<documentState><value code='lost'/></documentState>", "documentState", "query-word"),
        ("<allVersions><value value='yes'/></allVersions>", "allVersions", "query-flag"),
        ("<caseId><value root='1.2.3'/></caseId><caseId><value root='1.2.3'/></caseId>", "caseId", "query-many"),
        ("<caseId><value root='1.2.3'/><value root='1.2.3'/></caseId>", "caseId", "query-many"),
        ("<caseId><semanticsText>x</semanticsText></caseId>", "caseId", "query-unsupported"),
    ] {
        assert_eq!(wrong(parameters), (Code::E833, parameter.to_owned(), rule.to_owned()), "{parameters}");
    }
    let ids: String = (0..=limits::QUERY_HITS).map(|n| format!("<value root='1.2.{n}'/>")).collect();
    assert_eq!(wrong(&format!("<documentId>{ids}</documentId>")).2, "query-many-values");
}

#[test]
fn what_cannot_stand_together_is_told() {
    let low_after_high = "<documentCreationTime><value><low value='2026'/><high value='2025'/></value></documentCreationTime>";
    for (parameters, rule) in [
        ("", "query-none"),
        ("<documentState><value code='any'/></documentState>", "query-none"),
        ("<functionCode><value code='25'/></functionCode>", "query-broad"),
        (low_after_high, "query-order"),
        ("<documentCreationTime><value><low value='2020'/><high value='2025'/></value></documentCreationTime>", "query-dates-alone"),
    ] {
        assert_eq!(wrong(parameters), (Code::E834, String::new(), rule.to_owned()), "{parameters}");
    }
}

#[test]
fn unknown_parameters_and_controls_are_told_all_at_once() {
    let found = whole(
        "<queryId root='x'/><statusCode code='aborted'/><initialQuantity value='0'/><matchCriterionList/>\
         <parameterList><shoeSize><value value='42'/></shoeSize><x:patientId xmlns:x='urn:other'/><caseId/></parameterList>",
    )
    .unwrap_err();
    let codes: Vec<(Code, &str)> = found.iter().map(|(code, parameter, _)| (*code, parameter.as_str())).collect();
    assert_eq!(
        codes,
        [
            (Code::E833, "queryId"),
            (Code::E833, "statusCode"),
            (Code::E833, "matchCriterionList"),
            (Code::E833, "initialQuantity"),
            (Code::E832, "shoeSize"),
            (Code::E832, "patientId"),
            (Code::E833, "caseId"),
        ]
    );
}

#[test]
fn a_lower_quantity_lowers_the_limit_and_a_higher_one_does_not_raise_it() {
    let limit = |quantity: &str| {
        whole(&format!("<initialQuantity value='{quantity}'/><parameterList><caseId><value root='1.2.3'/></caseId></parameterList>")).map(|q| q.limit)
    };
    assert_eq!((limit("10"), limit("5000")), (Ok(10), Ok(limits::QUERY_HITS)));
}

#[test]
fn a_flood_of_bad_values_is_refused_quickly_and_with_few_findings() {
    let begun = std::time::Instant::now();
    let found = asked(&format!("<documentId>{}</documentId>", "<value/>".repeat(50_000))).unwrap_err();
    assert_eq!(found.len(), limits::FINDINGS);
    let found = asked(&"<documentId/>".repeat(50_000)).unwrap_err();
    assert_eq!(found.len(), limits::FINDINGS);
    // Good values are counted too.
    let found = asked(&format!("<documentId>{}</documentId>", "<value root='1.2.3'/>".repeat(50_000))).unwrap_err();
    assert_eq!(found, [(Code::E833, "documentId".to_owned(), "query-many-values".to_owned())]);
    assert!(begun.elapsed() < std::time::Duration::from_secs(5), "{:?}", begun.elapsed());
}
