//! XHTML by its allow-list.

use arkki::domain::document::Group;

use super::{RULES, decoded, family, read, seen, speaks, with};

fn judged(xhtml: &str) -> Vec<String> {
    let document = family().case.render();
    let document = String::from_utf8(document).expect("UTF-8");
    let result = read(&with(&document, "<text ", xhtml.as_bytes()), &RULES, Group::Case);
    if let Err(findings) = &result {
        speaks(findings, &["SECRET"]);
    }
    seen(&result)
}

fn page(inside: &str) -> String {
    format!("<div xmlns=\"http://www.w3.org/1999/xhtml\" class=\"soc-document\">{inside}</div>")
}

#[test]
fn what_documents_are_made_of_passes() {
    for inside in [
        "<h1 class=\"soc-fulltitle\" id=\"a\">T</h1><p style=\"margin: 0; color:#333\">a<br/>b &#228; <b>c</b></p><!-- a note -->",
        "<img alt=\"logo\" src=\"data:image/png;base64,iVBORw0KGgo=\"/>",
        "<table border=\"1\"><caption>t</caption><tbody><tr><th scope=\"row\" rowspan=\"2\">a</th><td>b</td></tr></tbody></table>",
        "<a href=\"#a\">up</a> <a href=\"mailto:test@example.invalid\">m</a><a name=\"x\"/>",
        "<section data-x=\"1\" aria-label=\"l\" xml:lang=\"sv\" lang=\"sv\"><ul><li>1</li></ul></section>",
        "<style type=\"text/css\">.a { color: red } /* url(http://x) */</style>",
    ] {
        assert_eq!(judged(&page(inside)), Vec::<String>::new(), "{inside}");
    }
    let whole = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><html xmlns=\"http://www.w3.org/1999/xhtml\"><head><title>t</title>\
                 <meta http-equiv=\"Content-Type\" content=\"text/html; charset=UTF-8\"/></head><body><p>x</p></body></html>";
    assert_eq!(judged(whole), Vec::<String>::new());
}

#[test]
fn what_runs_is_refused() {
    for inside in [
        "<script>SECRET()</script>",
        "<p onclick=\"SECRET()\">x</p>",
        "<p ONLOAD=\"SECRET()\">x</p>",
        "<form><input value=\"SECRET\"/></form>",
        "<button>x</button>",
        "<svg xmlns=\"http://www.w3.org/2000/svg\"><script>SECRET</script></svg>",
        "<math xmlns=\"http://www.w3.org/1998/Math/MathML\"/>",
        "<x:script xmlns:x=\"http://www.w3.org/1999/xhtml\">SECRET</x:script>",
        "<?xml-stylesheet href=\"SECRET\"?>",
        "<?php SECRET ?>",
        "<SCRIPT>SECRET</SCRIPT>",
        "<p srcdoc=\"SECRET\"/>",
        "<noscript/><template/><slot/>",
    ] {
        let found = judged(&page(inside));
        assert!(!found.is_empty() && found.iter().all(|code| code == "E510"), "{inside}: {found:?}");
    }
}

#[test]
fn what_leads_outside_is_refused() {
    for inside in [
        "<img src=\"http://host.invalid/SECRET.png\"/>",
        "<img src=\"//host.invalid/x\"/>",
        "<img src=\"data:image/svg+xml;base64,AAAA\"/>",
        "<img src=\"x.png\"/>",
        "<a href=\"https://host.invalid/SECRET\">x</a>",
        "<a href=\"javascript:SECRET\">x</a>",
        "<a href=\" jAvAsCrIpT:SECRET\">x</a>",
        "<a href=\"java&#9;script:SECRET\">x</a>",
        "<a href=\"data:text/html,SECRET\">x</a>",
        "<a href=\"\">x</a>",
        "<p style=\"background: url(http://SECRET)\">x</p>",
        "<p style=\"background: u\\72l(SECRET)\">x</p>",
        "<p style=\"background: ur/**/l(SECRET)\">x</p>",
        "<style>@import 'SECRET';</style>",
        "<iframe src=\"SECRET\"/>",
        "<object data=\"SECRET\"/>",
        "<embed src=\"SECRET\"/>",
        "<link rel=\"stylesheet\" href=\"SECRET\"/>",
        "<base href=\"SECRET\"/>",
        "<meta http-equiv=\"refresh\" content=\"0; url=SECRET\"/>",
        "<p xml:base=\"http://SECRET/\">x</p>",
        "<p xmlns:l=\"http://www.w3.org/1999/xlink\" l:href=\"SECRET\">x</p>",
        "<img usemap=\"SECRET\"/>",
    ] {
        let found = judged(&page(inside));
        assert!(!found.is_empty() && found.iter().all(|code| code == "E511"), "{inside}: {found:?}");
    }
}

#[test]
fn the_place_within_the_display_form_is_told() {
    let document = String::from_utf8(family().case.render()).expect("UTF-8");
    let found = read(&with(&document, "<text ", page("\n<p>x</p>\n <script/>").as_bytes()), &RULES, Group::Case).expect_err("refused");
    let word = |name: &str| found[0].args.iter().find(|(n, _)| *n == name).map(|(_, v)| v.as_str());
    assert_eq!((word("line"), word("column"), word("name")), (Some("3"), Some("2"), Some("script")));
    assert!(found[0].place.path.ends_with("/nonXMLBody/text"), "{:?}", found[0].place);
}

#[test]
fn a_flood_is_cut_and_depth_is_bounded() {
    let started = std::time::Instant::now();
    assert_eq!(judged(&page(&"<script/>".repeat(5_000))).len(), 100);
    assert_eq!(judged(&page(&format!("{}{}", "<b>".repeat(100_000), "</b>".repeat(100_000)))), ["E507"]);
    assert_eq!(judged(&page(&"<b/>".repeat(300_000))), ["E507"]);
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
}

#[test]
fn generated_display_forms_pass() {
    let family = family();
    for spec in family.in_order() {
        let document = String::from_utf8(spec.render()).expect("UTF-8");
        let text = decoded(&document, "<text ");
        let result = read(&document, &RULES, spec.group);
        assert_eq!(seen(&result), Vec::<String>::new(), "{:?}: {:?}", spec.group, text.get(..60));
    }
}
