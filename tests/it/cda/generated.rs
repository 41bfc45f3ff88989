//! Generated documents: every good one passes, every single fault gives exactly its code, whatever the writer's habits.

use arkki::domain::document::Group;
use arkki::domain::language::Language;
use arkki::generate::family::Family;
use arkki::generate::fault::{Fault, Needs};
use arkki::generate::frame::FrameSpec;
use arkki::generate::samples;
use arkki::rules::decide::{Decision, Holding};

use super::codes;
use super::model::{Model, examine, refusal_codes};

/// Codes that need the pre-pass, the schema or signatures are those stages' own tests.
fn is_ours(code: &str) -> bool {
    ["E201", "E203", "E3", "E4", "E5", "E7", "E8"].iter().any(|begin| code.starts_with(begin))
}

/// Many writers, two languages: in order, each is archived without a warning.
#[test]
fn good_families_are_archived_whole() {
    for seed in 0..40 {
        let language = if seed % 2 == 0 { Language::Fi } else { Language::Sv };
        let family = Family::new(seed, 7_000 + seed, language);
        let mut model = Model::default();
        for spec in family.in_order() {
            let request = examine(&spec.render()).unwrap_or_else(|f| panic!("seed {seed}, group {:?}: {f:?}", spec.group));
            match model.take(&request) {
                Decision::Archive { warnings, .. } => assert_eq!(codes(&warnings), Vec::<&str>::new(), "seed {seed}, group {:?}", spec.group),
                other => panic!("seed {seed}, group {:?}: {other:?}", spec.group),
            }
        }
    }
}

/// Each author of many is looked at, and warnings without number keep no error from being told: what is wrong at the last of them refuses the document.
#[test]
fn many_warnings_hide_no_error() {
    let family = samples::finnish();
    let plan = family.in_order().into_iter().find(|spec| spec.group == Group::Client).expect("a client document");
    let document = String::from_utf8(plan.render()).unwrap();
    let (begin, end) = (document.find("<author>").unwrap(), document.find("</author>").unwrap() + "</author>".len());
    let own = &document[begin..end];
    let id = own.find("<id ").map(|at| at..at + own[at..].find("/>").unwrap() + 2).unwrap();
    let author = |root: &str, extension: &str| [&own[..id.start], &format!("<id root=\"{root}\" extension=\"{extension}\"/>"), &own[id.end..]].concat();
    let stranger = author("1.2.246.10.99999992.5", "5");
    let with = |authors: String| [&document[..begin], &authors, &document[end..]].concat();
    let taken = examine(with(stranger.repeat(250)).as_bytes()).expect("warnings alone");
    assert!(taken.warnings.len() <= 100, "{}", taken.warnings.len());
    let refused = examine(with(stranger.repeat(250) + &author("1.2.246.21", "010190-901A")).as_bytes()).expect_err("the last author is wrong");
    assert!(refused.len() <= 100 && codes(&refused).contains(&"E304"), "{:?}", codes(&refused));
}

#[test]
fn each_fault_gives_its_code() {
    let family = samples::finnish();
    let mut archive = Model::default();
    let mut take = |octets: &[u8]| {
        let decision = archive.take(&examine(octets).expect("good"));
        assert!(matches!(decision, Decision::Archive { .. }), "{decision:?}");
    };
    for spec in family.in_order() {
        // What the faults build on: the case came in a frame with number 1, and has a second version.
        let octets = spec.render();
        take(&if spec.id == family.case.id { FrameSpec::around(spec, 1).render(&octets) } else { octets });
    }
    take(&family.case.replacement(&family.id(150)).render());
    let (mut seen, mut wrong) = (0, Vec::new());
    for (number, fault) in (200..).zip(Fault::all()) {
        if !is_ours(fault.code.as_str()) {
            continue;
        }
        // Those about events, what hangs on one, queries, and what wills name are held against the whole road (generate::judged, lifecycle, queries).
        if fault.why.contains("invalidat")
            || fault.why.starts_with("disclosed")
            || fault.why.contains("target")
            || fault.code.as_str().starts_with("E71")
            || ["E721", "E722", "E723", "E724", "E725", "E82", "E83", "E84", "E88", "E891"].iter().any(|series| fault.code.as_str().starts_with(series))
        {
            continue;
        }
        let Some(octets) = fault.make(&family, None, number) else {
            println!("left out: {} needs a signing hand", fault.name());
            continue;
        };
        seen += 1;
        let found = match examine(&octets) {
            Err(found) => codes(&found),
            Ok(mut request) if fault.needs != Needs::Nothing => {
                if fault.needs == Needs::Hold {
                    request.holding = Holding::Never;
                }
                match archive.take(&request) {
                    Decision::Refuse { refusal, .. } => refusal_codes(&refusal),
                    other => vec![if matches!(other, Decision::Hold { .. }) { "held" } else { "taken" }],
                }
            }
            Ok(request) => codes(&request.warnings),
        };
        if found.first() != Some(&fault.code.as_str()) {
            wrong.push(format!("{}: {found:?}", fault.name()));
        }
    }
    assert!(wrong.is_empty(), "{seen} faults\n{}", wrong.join("\n"));
    assert!(seen > 40, "{seen}");
}
