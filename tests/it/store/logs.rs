//! The logs in the chain: every column of every row is what its entry hashed; rows that are lost or put in are named; without its log no answer is made.

use std::sync::Arc;

use arkki::adapters::clock::SystemEntropy;
use arkki::adapters::store;
use arkki::crypto::sha256;
use arkki::domain::change::{Commit, Effect};
use arkki::domain::ledger::Position;
use arkki::domain::log::{Disclosed, DisclosedRow, Party, Sealed, Span, Whose};
use arkki::domain::time::Moment;
use arkki::pipeline::audit::{Looked, Plan, audit};
use arkki::ports::archive::Archive;
use arkki::ports::logs::Logs;

use super::make::*;
use super::place::Place;
use super::queries::answer;

/// A disclosure with something in every column.
fn disclosure(n: u32) -> DisclosedRow {
    let party = |kind: &str, n: u32| Party {
        kind: kind.to_owned(),
        organisation: Some(oid(10, n)),
        person: Some(sha256(kind.as_bytes())),
        sealed: Some(Sealed(b"sealed person".to_vec())),
    };
    let word = |text: &str| Some(text.to_owned());
    DisclosedRow {
        kind: Disclosed::Document,
        disclosed_at: Some(at(-60)),
        controller: oid(10, 1),
        register_type: word("1"),
        client: Some(sha256(b"client")),
        client_sealed: Some(Sealed(b"sealed client".to_vec())),
        document_id: Some(document_id(n)),
        set_id: Some(set_id(n)),
        general_type: word("3"),
        specific_type: word("15007"),
        service_task: word("24"),
        discloser: party("archive", 1),
        recipient: party("controller", 2),
        purpose: word("1"),
        service_request: word("SPX-DOC-DISC"),
        query_id: word("1.2.3^q"),
        basis: "permission".to_owned(),
        rule: word("R9"),
        section: word("703/2023 56 §"),
        informing: Some(oid(95, 1)),
        permission: Some(oid(95, 2)),
        denials: vec![oid(95, 3), oid(95, 4)],
        notice: word("1.2.3.4"),
        detail: word("client: 1 documents"),
    }
}

/// An answer that discloses, with something in every column of the access log too.
fn disclosing(message: &[u8], documents: &[u32]) -> Commit {
    let mut commit = answer(message, "given", documents);
    if let Effect::Answer(answer) = &mut commit.effect {
        for look in &mut answer.looks {
            look.query_id = Some("1.2.3^q".to_owned());
            look.client_sealed = Some(Sealed(b"sealed client".to_vec()));
            look.person_sealed = Some(Sealed(b"sealed person".to_vec()));
            look.detail.get_or_insert_with(|| "shown".to_owned());
        }
        answer.disclosed = documents.iter().map(|n| disclosure(*n)).collect();
    }
    commit
}

async fn faults(archive_: &dyn Archive) -> Vec<(u64, String)> {
    let report = audit(archive_, Plan::new(Arc::new(|_| Looked::default()), 1), &mut |_, _| ()).await.unwrap();
    report.faults.into_iter().map(|fault| (fault.position.0, fault.what)).collect()
}

/// Names and types of a table's columns, but for the row's number.
async fn columns(place: &Place, table: &str) -> Vec<(String, String, bool)> {
    let sql = if place.url.starts_with("sqlite") {
        format!("SELECT group_concat(lower(name || ':' || type || ':' || \"notnull\")) FROM pragma_table_info('{table}')")
    } else {
        format!(
            "SELECT string_agg(column_name || ':' || data_type || ':' || CASE is_nullable WHEN 'NO' THEN '1' ELSE '0' END, ',') \
             FROM information_schema.columns WHERE table_schema = 'public' AND table_name = '{table}'"
        )
    };
    let found = place.sql(&sql).await;
    let column = |text: &str| {
        let parts: Vec<&str> = text.split(':').collect();
        (parts[0].to_owned(), parts[1].to_owned(), parts[2] == "1")
    };
    found.split(',').map(column).filter(|(name, ..)| name != "id").collect()
}

pub async fn every_column_of_the_logs_is_what_its_entry_hashed(place: Place) {
    let archive_ = place.open("one").await;
    done(archive_.commit(archive(header(1))).await.unwrap());
    let given = done(archive_.commit(disclosing(b"<query/>", &[1])).await.unwrap());
    assert_eq!(given.position, Some(Position(2)));
    assert_eq!(place.sql("SELECT log_rows FROM ledger WHERE position = 2").await, "3");
    assert_eq!(faults(&*archive_).await, []);
    let mut looked = 0;
    for table in ["access_log", "disclosure_log"] {
        place.sql(&format!("CREATE TABLE copy_of_{table} AS SELECT * FROM {table}")).await;
        let row = format!("id = {}", place.sql(&format!("SELECT max(id) FROM {table} WHERE position = 2")).await);
        for (column, kind, is_needed) in columns(&place, table).await {
            assert_eq!(place.sql(&format!("SELECT count(*) FROM {table} WHERE {row} AND {column} IS NOT NULL")).await, "1", "{table}.{column} is empty");
            let mut changes = vec![match kind.as_str() {
                "bigint" | "integer" => format!("{column} + 1"),
                "text" => format!("{column} || '.1'"),
                _ => String::new(),
            }];
            if !is_needed {
                changes.push("NULL".to_owned());
            }
            for change in changes {
                if change.is_empty() {
                    place.flip(table, &column, 3, &row).await;
                } else {
                    place.sql(&format!("UPDATE {table} SET {column} = {change} WHERE {row}")).await;
                }
                let found = faults(&*archive_).await;
                assert!(found.iter().any(|(position, _)| *position == 2), "{table}.{column} = {change}: {found:?}");
                place.sql(&format!("UPDATE {table} SET {column} = (SELECT c.{column} FROM copy_of_{table} c WHERE c.id = {table}.id) WHERE {row}")).await;
                looked += 1;
            }
            assert_eq!(faults(&*archive_).await, [], "{table}.{column} was set right again");
        }
    }
    assert!(looked > 60, "{looked}");
}

pub async fn rows_lost_and_rows_put_in_are_named(place: Place) {
    let archive_ = place.open("one").await;
    done(archive_.commit(archive(header(1))).await.unwrap());
    done(archive_.commit(disclosing(b"<query/>", &[1])).await.unwrap());
    // The stored answer again: an entry of its own, with rows of its own.
    done(archive_.commit(superseding(disclosing(b"<query/>", &[1]), 1)).await.unwrap());
    done(archive_.commit(refuse(b"<refused/>", "E200")).await.unwrap());
    assert_eq!(place.sql("SELECT kind || ' ' || log_rows || ' ' || about FROM ledger WHERE position = 3").await, "7 3 2");
    assert_eq!(faults(&*archive_).await, []);
    let lost = "a row of the logs is missing that the entry brought".to_owned();
    let more = "the logs have a row more than the entry brought".to_owned();
    for table in ["access_log", "disclosure_log"] {
        place.sql(&format!("CREATE TABLE copy_of_{table} AS SELECT * FROM {table}")).await;
        let names: Vec<String> = columns(&place, table).await.into_iter().map(|(name, ..)| name).collect();
        let names = names.join(", ");
        place.sql(&format!("DELETE FROM {table} WHERE position = 3")).await;
        assert_eq!(faults(&*archive_).await, [(3, lost.clone())], "{table}");
        place.sql(&format!("INSERT INTO {table} ({names}) SELECT {names} FROM copy_of_{table} WHERE position = 3 ORDER BY id")).await;
        assert_eq!(faults(&*archive_).await, [], "{table}");
        let last = format!("FROM copy_of_{table} WHERE id = (SELECT max(id) FROM copy_of_{table} WHERE position = 3)");
        place.sql(&format!("INSERT INTO {table} ({names}) SELECT {names} {last}")).await;
        assert_eq!(faults(&*archive_).await, [(3, more.clone())], "{table}");
        // The same row under an entry that brought none, and under none at all.
        for position in [4, 77] {
            place.sql(&format!("UPDATE {table} SET position = {position} WHERE id = (SELECT max(id) FROM {table})")).await;
            let what = format!("a row of the {} log that no entry brought", table.trim_end_matches("_log"));
            assert_eq!(faults(&*archive_).await, [(position, what)], "{table}");
        }
        place.sql(&format!("DELETE FROM {table} WHERE position = 77")).await;
    }
    assert_eq!(faults(&*archive_).await, []);
    // What an entry says of its rows is itself in the chain.
    for change in ["log_rows = 2", "about = 1", "log_rows = NULL, log = NULL"] {
        let was = place.sql("SELECT log_rows FROM ledger WHERE position = 3").await;
        assert_eq!(was, "3");
        place.sql("CREATE TABLE was AS SELECT log_rows, log, about FROM ledger WHERE position = 3").await;
        place.sql(&format!("UPDATE ledger SET {change} WHERE position = 3")).await;
        let found = faults(&*archive_).await;
        assert!(found.contains(&(3, "the entry is not what its hash says".to_owned())), "{change}: {found:?}");
        place
            .sql("UPDATE ledger SET log_rows = (SELECT log_rows FROM was), log = (SELECT log FROM was), about = (SELECT about FROM was) WHERE position = 3")
            .await;
        place.sql("DROP TABLE was").await;
    }
    assert_eq!(faults(&*archive_).await, []);
    // What was shown again must be what was given.
    place.flip("inbox", "answer", 3, "position = 2").await;
    let found = faults(&*archive_).await;
    assert!(found.contains(&(3, "the stored answer is not the one that was shown".to_owned())), "{found:?}");
}

pub async fn entries_from_before_the_logs_were_chained_are_still_good(place: Place) {
    let archive_ = place.open("one").await;
    done(archive_.commit(archive(header(1))).await.unwrap());
    // As an earlier release left it: no word of log rows in the entry, no client in the row.
    let mut chained = archive_.ledger_page(Position(0), 1).await.unwrap().remove(0);
    assert!(chained.entry.log.is_some());
    chained.entry.log = None;
    let hash = sha256(&chained.entry.octets(&chained.before, chained.position)).to_hex();
    let hash = if place.url.starts_with("sqlite") { format!("X'{hash}'") } else { format!("decode('{hash}', 'hex')") };
    place.sql(&format!("UPDATE ledger SET log_rows = NULL, log = NULL, hash = {hash}")).await;
    place.sql(&format!("UPDATE head SET hash = {hash}")).await;
    place.sql("UPDATE access_log SET client = NULL").await;
    assert_eq!(faults(&*archive_).await, []);
    // What is said of its row is what was said before.
    place.sql("UPDATE access_log SET action = 'read'").await;
    assert_eq!(faults(&*archive_).await, [(1, "the access log's row differs from the entry and the document".to_owned())]);
    place.sql("UPDATE access_log SET action = 'store'").await;
    // A client finds it by the document.
    let logs = store::open_store(&place.url, "two", Arc::new(SystemEntropy::open().unwrap())).await.unwrap();
    let span = Span { of: Whose::Client(header(1).client, None), from: at(-1), before: at(1), upto: Position(1) };
    assert_eq!(logs.used(&span, (i64::MIN, 0), 10).await.unwrap().0.len(), 1);
}

pub async fn without_its_log_nothing_is_done(place: Place) {
    let archive_ = place.open("one").await;
    done(archive_.commit(archive(header(1))).await.unwrap());
    let before = archive_.counts().await.unwrap();
    for table in ["access_log", "disclosure_log"] {
        place.sql(&format!("ALTER TABLE {table} RENAME TO away")).await;
        let outage = archive_.commit(disclosing(b"<query/>", &[1])).await;
        assert!(outage.is_err(), "{table}: {outage:?}");
        place.sql(&format!("ALTER TABLE away RENAME TO {table}")).await;
        assert_eq!(archive_.counts().await.unwrap(), before, "{table}: no entry, no answer, nothing that leaves");
    }
    let given = done(archive_.commit(disclosing(b"<query/>", &[1])).await.unwrap());
    assert_eq!((given.position, given.outbox.len()), (Some(Position(2)), 1));
}

pub async fn the_logs_are_read_by_register_and_by_client(place: Place) {
    let archive_ = place.open("one").await;
    done(archive_.commit(archive(arkki::domain::document::Header { client: sha256(b"client"), ..header(1) })).await.unwrap());
    done(archive_.commit(archive(header(2))).await.unwrap());
    done(archive_.commit(disclosing(b"<query/>", &[1])).await.unwrap());
    let logs = store::open_store(&place.url, "two", Arc::new(SystemEntropy::open().unwrap())).await.unwrap();
    let span = |of| Span { of, from: at(-3600), before: at(3600), upto: Position(3) };
    let pages = |span: Span| {
        let logs = &logs;
        async move {
            let (mut used, mut given) = (Vec::new(), Vec::new());
            let mut mark = Some((i64::MIN, 0));
            while let Some(after) = mark {
                // One row at a time: no row is lost or told twice between two pages.
                let (rows, next) = logs.used(&span, after, 1).await.unwrap();
                used.extend(rows);
                mark = next;
            }
            let mut mark = Some((i64::MIN, 0));
            while let Some(after) = mark {
                let (rows, next) = logs.given(&span, after, 1).await.unwrap();
                given.extend(rows);
                mark = next;
            }
            (used, given)
        }
    };
    let (used, given) = pages(span(Whose::Controller(oid(10, 1)))).await;
    assert_eq!(used.iter().map(|u| u.row.action.as_ref()).collect::<Vec<_>>(), ["store", "store", "search", "fetch"]);
    assert_eq!(given.iter().map(|g| g.row.clone()).collect::<Vec<_>>(), [disclosure(1)], "as it was written");
    assert_eq!((given[0].position, given[0].message), (Position(3), sha256(b"<query/>")));
    let (used, given) = pages(span(Whose::Client(sha256(b"client"), None))).await;
    assert_eq!((used.len(), given.len()), (3, 1), "the other document is another client's");
    assert_eq!(used[0].concerns[0], header(1).general_type);
    for elsewhere in [
        span(Whose::Controller(oid(10, 9))),
        span(Whose::Client(sha256(b"client"), Some(oid(10, 9)))),
        span(Whose::Client(sha256(b"nobody"), None)),
        Span { before: at(0), ..span(Whose::Controller(oid(10, 1))) },
        Span { upto: Position(0), ..span(Whose::Controller(oid(10, 1))) },
        Span { from: Moment::from_micros(at(0).micros() + 1), ..span(Whose::Controller(oid(10, 1))) },
    ] {
        let (used, given) = pages(elsewhere.clone()).await;
        assert!(used.is_empty() && given.is_empty(), "{elsewhere:?}");
    }
    // Of a row that bears only the hash another tells the id.
    assert_eq!(logs.client_sealed(&sha256(b"client")).await.unwrap(), Some(Sealed(b"sealed client".to_vec())));
    assert_eq!(logs.client_sealed(&sha256(b"nobody")).await.unwrap(), None);
}
