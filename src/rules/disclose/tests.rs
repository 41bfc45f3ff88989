//! The decision over every situation there is: total, and what no table may do.
#![allow(clippy::unwrap_used)]

use super::counted;
use super::*;
use crate::codes::disclosure::DisclosureRules;
use crate::codes::source::embedded;
use crate::domain::disclosure::{Channel, Denial, Known, Logged, Material, Outcome, Recipient, Rests, Section, Validity, Whose};

fn rules() -> DisclosureRules {
    DisclosureRules::load(&embedded()).unwrap()
}

fn every() -> impl Iterator<Item = Situation> {
    (0..Situation::count()).map(|number| Situation::nth(number).unwrap())
}

fn is_allowed(situation: &Situation, table: &Table) -> bool {
    decide(situation, table).is_allowed()
}

/// What the law and the national rules demand of any table, said once more by hand and held against every combination.
#[test]
fn no_combination_breaks_what_must_always_hold() {
    let rules = rules();
    let table = rules.table();
    let mut decided = 0_usize;
    for s in every() {
        let verdict = decide(&s, table);
        decided += 1;
        let rule = verdict.rule;
        let lawful = s.basis == Rests::Statute && s.section != Section::None;
        assert_eq!(rule.outcome == Outcome::Record, s.channel == Channel::Outside, "{s:?}");
        assert_eq!(rule.notice, s.channel == Channel::Outside, "{s:?}");
        assert_ne!(rule.id, table.otherwise.id, "the table has a hole: {s:?}");
        if s.channel == Channel::Outside {
            continue;
        }
        // Wills are shown to nobody; nothing leaves social and health care.
        assert!(s.material != Material::Will || !verdict.is_allowed(), "{s:?}");
        assert!(matches!(s.recipient, Recipient::Social | Recipient::Health) || !verdict.is_allowed(), "{s:?}");
        // Use of a register is logged as use, and a denial has no say in it.
        let uses = s.recipient == Recipient::Social && (s.register == Whose::Own || (s.register == Whose::ByRight && s.basis == Rests::RegisterRight));
        if uses {
            assert_ne!(rule.logged, Logged::Disclosure, "purchased services and the own register are no disclosure: {s:?}");
            assert_eq!(verdict.is_allowed(), is_allowed(&Situation { denial: Denial::None, ..s }, table), "{s:?}");
            continue;
        }
        if !verdict.is_allowed() {
            continue;
        }
        assert_eq!(rule.logged, Logged::Disclosure, "what another gets is logged as disclosed: {s:?}");
        assert!(s.state == Validity::Valid && s.purpose == Known::Yes && s.managed == Known::Yes, "{s:?}");
        if matches!(s.material, Material::Old | Material::PhaseOne) {
            assert!(s.basis == Rests::Statute && s.section == Section::Wide, "old data only under the wide right of access: {s:?}");
        }
        if !lawful {
            assert!(s.basis == Rests::Permission && s.informing == Known::Yes && s.denial == Denial::None && s.link == Known::Yes, "{s:?}");
            assert_eq!(if s.recipient == Recipient::Social { s.permission } else { s.crossing }, Known::Yes, "{s:?}");
        }
    }
    assert_eq!(decided, Situation::count());
}

#[test]
fn a_denial_never_allows_more_and_a_consent_never_less() {
    let rules = rules();
    let table = rules.table();
    for s in every() {
        let allowed = is_allowed(&s, table);
        for denial in Denial::ALL {
            if s.denial == Denial::None {
                assert!(allowed || !is_allowed(&Situation { denial: *denial, ..s }, table), "a denial opened: {s:?} {denial:?}");
            }
        }
        let less = [
            Situation { informing: Known::No, ..s },
            Situation { permission: Known::No, ..s },
            Situation { crossing: Known::No, ..s },
            Situation { purpose: Known::No, ..s },
            Situation { managed: Known::No, ..s },
            Situation { link: Known::No, ..s },
            Situation { state: Validity::Invalidated, ..s },
            Situation { section: Section::None, ..s },
            Situation { material: Material::Old, ..s },
            Situation { material: Material::Will, ..s },
        ];
        for other in less {
            assert!(allowed || !is_allowed(&other, table) || (s.material == Material::Will && other.material == Material::Old), "{s:?} {other:?}");
        }
    }
}

#[test]
fn a_right_in_law_overrides_permission_and_denial() {
    let rules = rules();
    let table = rules.table();
    for s in every().filter(|s| s.basis == Rests::Statute && s.section != Section::None && s.channel == Channel::Archive && s.register != Whose::Own) {
        let best = Situation { informing: Known::Yes, permission: Known::Yes, crossing: Known::Yes, denial: Denial::None, link: Known::Yes, ..s };
        assert_eq!(decide(&s, table).rule.id, decide(&best, table).rule.id, "{s:?}");
    }
    let wide = Situation {
        channel: Channel::Archive,
        recipient: Recipient::Social,
        register: Whose::Another,
        basis: Rests::Statute,
        section: Section::Wide,
        material: Material::Old,
        state: Validity::Valid,
        purpose: Known::Yes,
        managed: Known::Yes,
        link: Known::No,
        informing: Known::No,
        permission: Known::No,
        crossing: Known::No,
        denial: Denial::Document,
    };
    let id = |s: Situation| decide(&s, table).rule.id.clone();
    assert_eq!(id(wide), "R3");
    assert_eq!(id(Situation { section: Section::Narrow, ..wide }), "R-OLD");
    assert_eq!(id(Situation { section: Section::None, material: Material::Ordinary, ..wide }), "R-SECTION");
    let asked = Situation { basis: Rests::Permission, material: Material::Ordinary, section: Section::None, ..wide };
    assert_eq!(id(asked), "R-LINK");
    let linked = Situation { link: Known::Yes, ..asked };
    assert_eq!(id(linked), "R4");
    let informed = Situation { informing: Known::Yes, ..linked };
    assert_eq!(id(informed), "R5");
    let permitted = Situation { permission: Known::Yes, ..informed };
    assert_eq!(id(permitted), "R6");
    let open = Situation { denial: Denial::None, ..permitted };
    assert_eq!(id(open), "R7");
    assert_eq!(id(Situation { material: Material::Old, ..open }), "R-OLD");
    assert_eq!(id(Situation { material: Material::PhaseOne, ..open }), "R-OLD");
    assert_eq!(id(Situation { register: Whose::Own, ..open }), "R1");
    let by_right = Situation { register: Whose::ByRight, basis: Rests::RegisterRight, ..permitted };
    assert_eq!(id(by_right), "R2");
    assert_eq!(id(Situation { register: Whose::Another, ..by_right }), "R-BASIS");
    assert_eq!(id(Situation { recipient: Recipient::Health, ..open }), "R8-NO");
    assert_eq!(id(Situation { recipient: Recipient::Health, crossing: Known::Yes, ..open }), "R8");
    assert_eq!(id(Situation { recipient: Recipient::Other, ..wide }), "R9");
    assert_eq!(id(Situation { channel: Channel::Outside, ..asked }), "R10");
    assert_eq!(id(Situation { channel: Channel::Outside, recipient: Recipient::Client, ..asked }), "R11");
}

/// The printed lines say of every situation, once, what `decide` says.
#[test]
fn the_lines_are_the_decision() {
    let rules = rules();
    let table = rules.table();
    let lines = counted::lines(table);
    assert_eq!(lines.iter().map(counted::Line::count).sum::<usize>(), Situation::count());
    for s in every() {
        let bits = s.bits();
        let mut found = lines.iter().filter(|line| line.values.iter().zip(&bits).all(|(values, bit)| values & bit != 0));
        let (line, second) = (found.next().unwrap(), found.next());
        assert!(second.is_none() && std::ptr::eq(line.rule, decide(&s, table).rule), "{s:?}");
    }
    // Each rule but the last decides something.
    assert!(table.rules.iter().all(|rule| lines.iter().any(|line| std::ptr::eq(line.rule, rule))));
}

/// A rule taken away never gives away what others keep: what falls through the table is denied.
#[test]
fn a_table_with_a_hole_denies() {
    let rules = rules();
    let table = Table { rules: Vec::new(), otherwise: rules.table().otherwise.clone() };
    assert!((0..Situation::count()).step_by(997).filter_map(Situation::nth).all(|s| !is_allowed(&s, &table)));
}
