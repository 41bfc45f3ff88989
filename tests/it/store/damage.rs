//! The audit finds what was done behind the archive's back, at its place and nowhere else.

use std::sync::Arc;

use arkki::domain::facts::Awaited;
use arkki::pipeline::audit::{AuditReport, Looked, Plan, Verify, audit};
use arkki::ports::archive::{Archive, StoredDocument};

use super::make::*;
use super::place::Place;

/// Eight entries: archived 1–4, refused 5, refused otherwise 6 (supersedes 5), noted 7, refused 8 and then held.
async fn filled(place: &Place) -> Arc<dyn Archive> {
    let archive_ = place.open("one").await;
    for n in 1..=4 {
        done(archive_.commit(framed(archive(header(n)), &format!("f{n}"))).await.unwrap());
    }
    done(archive_.commit(refuse(b"<bad/>", "E100")).await.unwrap());
    done(archive_.commit(superseding(refuse(b"<bad/>", "E200"), 1)).await.unwrap());
    done(archive_.commit(note(b"<their-ack/>")).await.unwrap());
    done(archive_.commit(refuse(b"<waits/>", "E300")).await.unwrap());
    done(archive_.commit(superseding(hold(b"<waits/>", Awaited::Case(case_id(1)), 60), 1)).await.unwrap());
    archive_
}

async fn run(archive_: &dyn Archive) -> AuditReport {
    // Stands for what the composition root gives: header facts read again from the octets.
    let verify: Verify = Arc::new(|stored: &StoredDocument| {
        let n = (1..=4).find(|n| document_id(*n) == stored.id).unwrap_or(0);
        let faults = if stored.header.as_ref() == Some(&header(n)) { Vec::new() } else { vec!["the header facts are not those of the octets".to_owned()] };
        Looked { faults, signatures: Vec::new() }
    });
    let mut pages = 0;
    let report = audit(archive_, Plan::new(verify, 2), &mut |report, of| pages += usize::from(report.entries <= of)).await.unwrap();
    assert_eq!(pages, 1);
    report
}

pub async fn an_intact_archive_has_no_faults(place: Place) {
    let archive_ = filled(&place).await;
    let report = run(&*archive_).await;
    assert_eq!((report.entries, report.documents, report.head), (8, 4, archive_.head().await.unwrap()));
    assert!(report.is_clean(), "{:?}", report.faults);
    let empty = Place::sqlite();
    let empty = empty.open("one").await;
    let report = audit(&*empty, Plan::new(Arc::new(|_| Looked::default()), 1), &mut |_, _| ()).await.unwrap();
    assert!(report.is_clean() && report.head.is_none());
}

pub async fn every_damage_is_found_at_its_place(place: Place) {
    let archive_ = filled(&place).await;
    let second = format!("document_id = '{}'", document_id(2));
    for (table, column, octet, row, positions) in [
        ("document_octets", "octets", 0, second.as_str(), &[2_u64][..]),
        ("document_octets", "octets", 30, &second, &[2]),
        ("document_octets", "octets", 10, &second, &[2]),
        ("document", "received_sha", 0, "position = 3", &[3]),
        ("document", "archived_sha", 31, "position = 3", &[3]),
        ("document", "client", 7, "position = 3", &[3]),
        ("ledger", "hash", 0, "position = 4", &[4, 5]),
        ("ledger", "before", 0, "position = 4", &[4]),
        ("ledger", "message", 0, "position = 4", &[4]),
        ("ledger", "rules", 0, "position = 4", &[4]),
        ("ledger", "answer", 0, "position = 6", &[6]),
        ("inbox", "answer", 5, "position = 1", &[1]),
        ("inbox", "octets", 2, "position = 6", &[6]),
        ("inbox", "octets", 2, "position = 7", &[7]),
        ("inbox", "octets_sha", 2, "position = 7", &[7]),
        ("head", "hash", 2, "id = 1", &[8]),
        ("held", "octets", 1, "until_at > 0", &[8]),
        ("frame", "id_sha", 3, "extension = 'f2'", &[2]),
        // No message is left that this frame's id would be of.
        ("frame", "octets_sha", 3, "extension = 'f2'", &[0]),
    ] {
        place.flip(table, column, octet, row).await;
        let found: std::collections::BTreeSet<u64> = run(&*archive_).await.faults.iter().map(|fault| fault.position.0).collect();
        assert_eq!(found.into_iter().collect::<Vec<_>>(), positions, "{table}.{column} where {row}");
        place.flip(table, column, octet, row).await;
    }
    assert!(run(&*archive_).await.is_clean(), "all was set right again");
    for (damage, mend, position) in [
        ("UPDATE document SET controller = '1.2.3' WHERE position = 2", format!("UPDATE document SET controller = '{}' WHERE position = 2", oid(10, 1)), 2),
        ("UPDATE document SET splice_start = 8 WHERE position = 2", "UPDATE document SET splice_start = 9 WHERE position = 2".to_owned(), 2),
        ("UPDATE document SET set_id = 'x' WHERE position = 2", format!("UPDATE document SET set_id = '{}' WHERE position = 2", set_id(2)), 2),
        ("UPDATE document SET position = 99 WHERE position = 2", "UPDATE document SET position = 2 WHERE position = 99".to_owned(), 2),
        ("UPDATE ledger SET code = 'E999' WHERE position = 6", "UPDATE ledger SET code = 'E200' WHERE position = 6".to_owned(), 6),
        ("UPDATE ledger SET kind = 7 WHERE position = 7", "UPDATE ledger SET kind = 3 WHERE position = 7".to_owned(), 7),
        ("UPDATE ledger SET at = at + 1 WHERE position = 7", "UPDATE ledger SET at = at - 1 WHERE position = 7".to_owned(), 7),
        ("UPDATE access_log SET at = at + 1 WHERE position = 2", "UPDATE access_log SET at = at - 1 WHERE position = 2".to_owned(), 2),
        ("UPDATE access_log SET action = 'read' WHERE position = 2", "UPDATE access_log SET action = 'store' WHERE position = 2".to_owned(), 2),
        ("UPDATE access_log SET position = 77 WHERE position = 2", "UPDATE access_log SET position = 2 WHERE position = 77".to_owned(), 2),
        ("UPDATE frame SET extension = 'g' WHERE extension = 'f3'", "UPDATE frame SET extension = 'f3' WHERE extension = 'g'".to_owned(), 3),
        ("UPDATE head SET position = 9", "UPDATE head SET position = 8".to_owned(), 9),
    ] {
        place.sql(damage).await;
        let found = run(&*archive_).await.faults;
        assert!(!found.is_empty() && found.iter().any(|fault| fault.position.0 == position), "{damage}: {found:?}");
        place.sql(&mend).await;
        assert!(run(&*archive_).await.is_clean(), "{mend}");
    }
    for (deletion, position) in [
        (format!("DELETE FROM document_octets WHERE document_id = '{}'", document_id(1)), 1),
        ("DELETE FROM document WHERE position = 2".to_owned(), 2),
        ("DELETE FROM inbox WHERE position = 7".to_owned(), 7),
        ("DELETE FROM ledger WHERE position = 3".to_owned(), 4),
        ("DELETE FROM ledger WHERE position = 8".to_owned(), 8),
    ] {
        place.sql(&deletion).await;
        let found = run(&*archive_).await.faults;
        assert!(found.iter().any(|fault| fault.position.0 == position), "{deletion}: {found:?}");
    }
}

pub async fn cases_and_relations_are_held_against_their_documents(place: Place) {
    let archive_ = place.open("one").await;
    done(archive_.commit(archive(relation_header(1, 1, false))).await.unwrap());
    done(archive_.commit(archive(case_header(2, 1, 1, false))).await.unwrap());
    let faults = || async { audit(&*archive_, Plan::new(Arc::new(|_| Looked::default()), 1), &mut |_, _| ()).await.unwrap().faults };
    assert_eq!(faults().await, []);
    for (damage, mend, position) in [
        ("UPDATE case_file SET revision = 2", "UPDATE case_file SET revision = 1", 2),
        ("UPDATE case_file SET closed = NOT closed", "UPDATE case_file SET closed = NOT closed", 2),
        ("UPDATE client_relation SET old = NOT old", "UPDATE client_relation SET old = NOT old", 1),
        ("UPDATE client_relation SET revision = 7", "UPDATE client_relation SET revision = 1", 1),
    ] {
        place.sql(damage).await;
        let found = faults().await;
        assert!(found.len() == 1 && found[0].position.0 == position, "{damage}: {found:?}");
        place.sql(mend).await;
        assert_eq!(faults().await, [], "{mend}");
    }
    place.flip("case_file", "client", 4, "revision = 1").await;
    assert_eq!(faults().await.len(), 1);
    place.flip("case_file", "client", 4, "revision = 1").await;
    place.sql("DELETE FROM client_relation").await;
    assert!(faults().await.iter().any(|f| f.position.0 == 1 && f.what.contains("missing")));
}

pub async fn an_audit_goes_on_where_another_ended(place: Place) {
    let archive_ = filled(&place).await;
    let mut so_far = AuditReport::default();
    let whole = audit(&*archive_, Plan::new(Arc::new(|_| Looked::default()), 1), &mut |report, _| so_far = report.clone()).await.unwrap();
    assert_eq!((so_far.entries, so_far.head), (whole.entries, whole.head));
    done(archive_.commit(refuse(b"<later/>", "E100")).await.unwrap());
    let plan = Plan { so_far: so_far.clone(), ..Plan::new(Arc::new(|_| Looked { faults: vec!["looked at again".to_owned()], ..Looked::default() }), 1) };
    let rest = audit(&*archive_, plan, &mut |_, _| ()).await.unwrap();
    assert!(rest.is_clean() && rest.entries == whole.entries + 1, "{:?}", rest.faults);
    // An entry that changed under the earlier audit's feet is seen.
    place.flip("ledger", "hash", 0, "position = 8").await;
    let plan = Plan { so_far, ..Plan::new(Arc::new(|_| Looked::default()), 1) };
    assert!(!audit(&*archive_, plan, &mut |_, _| ()).await.unwrap().is_clean());
}
