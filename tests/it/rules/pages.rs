//! docs/templates.md and docs/rules.md are what the rules say; `templates` and `explain` speak for them.

use crate::faces::{arkki, exits, json};
use crate::kit;

#[test]
fn pages_are_made_from_the_rules() {
    for (what, page) in [("page", "docs/templates.md"), ("rules", "docs/rules.md")] {
        let written = std::fs::read_to_string(kit::repository().join(page)).unwrap_or_default();
        assert!(arkki(&["templates", what]).must() == written, "{page} is old: arkki templates {what} > {page}");
    }
}

#[test]
fn templates_list_show_explain_and_test() {
    let list = arkki(&["templates", "list"]);
    exits(&list, 0);
    assert!(["1  Client-relation document", "4  Old client document", "9  Denial document"].iter().all(|line| list.text().contains(line)), "{}", list.text());
    let shown = arkki(&["templates", "show", "4", "--language", "fi"]);
    exits(&shown, 0);
    assert!(shown.text().contains("alkuperäinen palvelutehtävä") && shown.text().contains("pakollinen") && shown.text().contains("R41"), "{}", shown.text());
    exits(&arkki(&["templates", "show", "6"]), 2);
    let element = arkki(&["templates", "explain", "serviceTask"]);
    exits(&element, 0);
    for words in [
        "palvelutehtävä / serviceuppgift / service task",
        "hl7fi:functionCode/@code",
        "1.2.246.537.6.1221",
        "partly known",
        "not 99 (W901)",
        "documents §2: 26",
    ] {
        assert!(element.text().contains(words), "{words}: {}", element.text());
    }
    let element = json(&arkki(&["templates", "explain", "minorConsent", "--json"]));
    assert_eq!(element["groups"][4]["demand"]["when"], "younger(birthTime, 18, authored)");
    exits(&arkki(&["templates", "explain", "colour"]), 2);
    let tested = arkki(&["templates", "test"]);
    exits(&tested, 0);
    assert!(tested.text().ends_with(" 0 wrong\n"), "{}", tested.text());
}

#[test]
fn explain_tells_of_codes_rules_elements_and_what_is_left() {
    let code = arkki(&["explain", "E403"]);
    exits(&code, 0);
    for words in ["case-not-closed", "R25 [OLD §4.2", "R25-case", "refused/E403-old-document-in-open-case", "held by the check of links"] {
        assert!(code.text().contains(words), "{words}: {}", code.text());
    }
    let rule = arkki(&["explain", "r41", "--language", "sv"]);
    exits(&rule, 0);
    assert!(rule.text().contains("verksamhetsenhetens nivå") && rule.text().contains("demands group 4: unit(custodian)"), "{}", rule.text());
    assert_eq!(json(&arkki(&["explain", "hetu-check", "--json"]))["code"], "E305");
    exits(&arkki(&["explain", "need.serviceTask"]), 0);
    assert!(arkki(&["explain", "R9"]).must().contains("disclosure"));
    exits(&arkki(&["explain", "E999"]), 2);
}

#[test]
fn validate_names_rule_and_source() {
    let sample = "samples/refused/E407-task-pair-not-allowed.xml";
    let told = arkki(&["validate", "--trust", "samples/keys/ca.pem", sample]);
    exits(&told, 1);
    assert!(told.text().contains("[R39: OLD §5.2; messaging D20]"), "{}", told.text());
    let told = json(&arkki(&["validate", "--json", sample]));
    let finding = &told["findings"][0];
    assert_eq!((finding["rule"].as_str(), finding["source"].as_str()), (Some("R39"), Some("OLD §5.2; messaging D20")));
}
