//! The audit finds what was done behind the archive's back, at its place and nowhere else.

use std::sync::Arc;

use arkki::domain::facts::Awaited;
use arkki::pipeline::audit::{AuditReport, audit};
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
    let verify = |stored: &StoredDocument| {
        let n = (1..=4).find(|n| document_id(*n) == stored.id).unwrap_or(0);
        if stored.header.as_ref() == Some(&header(n)) { Vec::new() } else { vec!["the header facts are not those of the octets".to_owned()] }
    };
    let mut pages = 0;
    let report = audit(archive_, &verify, &mut |progress| pages += usize::from(progress.entries <= progress.of)).await.unwrap();
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
    let report = audit(&*empty, &|_| Vec::new(), &mut |_| ()).await.unwrap();
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
