//! Disclosures outside = notices = log rows = what has left, proved on both stores; and whatever is taken away by hand is named.

use arkki::domain::handover::Standing;
use arkki::domain::reckoning::{Flaw, LEAVING, Tally};
use arkki::domain::time::Moment;
use arkki::pipeline::reckoner::{Reckoning, Wanted, reckon};
use arkki::ports::archive::Archive as _;

use super::make::{archived, emitted, id, notice, open};
use crate::store::make::{at, done, oid};
use crate::store::place::Place;

async fn sum(store: &arkki::adapters::store::Store, now: Moment, sink_from: Option<Moment>) -> Reckoning {
    reckon(store, &Wanted::default(), now, sink_from).await.unwrap()
}

fn named(sum: &Reckoning) -> Vec<(Option<String>, Vec<Flaw>)> {
    sum.flawed.iter().map(|(one, flaws)| (one.id.clone(), flaws.clone())).collect()
}

pub async fn what_is_whole_adds_up(place: Place) {
    let store = open(&place).await;
    assert!(sum(&store, at(1), None).await.all.adds_up());
    archived(&store, 1..=9).await;
    // Among other things in the ledger.
    done(store.commit(crate::store::make::archive(crate::store::make::header(1))).await.unwrap());
    let before = sum(&store, at(1), None).await;
    assert_eq!(before.all, Tally { disclosures: 9, notices: 9, logged: 9, ..Tally::default() });
    emitted(&store).await;
    let after = sum(&store, at(1_000_000), None).await;
    assert_eq!(after.all, Tally { disclosures: 9, notices: 9, logged: 9, emitted: 9, ..Tally::default() });
    assert!(after.all.adds_up() && after.flawed.is_empty());
    // With a FHIR server that should have had them.
    let owed = sum(&store, at(1_000_000), Some(at(0))).await;
    assert_eq!((owed.all.waiting, owed.all.adds_up()), (9, false));
    assert!(sum(&store, at(1_000_000), Some(at(1))).await.all.adds_up());
}

pub async fn each_row_taken_by_hand_is_named(place: Place) {
    for (n, (sql, flaws)) in [
        ("DELETE FROM notice WHERE position = $", vec![Flaw::NoNotice]),
        ("DELETE FROM notice_part WHERE position = $", vec![Flaw::NoNotice, Flaw::StrangeLog]),
        ("DELETE FROM disclosure_log WHERE position = $", vec![Flaw::NoLog]),
        ("DELETE FROM disclosure_log WHERE position = $ AND controller LIKE '%.10.2'", vec![Flaw::NoLog]),
        ("DELETE FROM access_log WHERE position = $", vec![Flaw::NoLog]),
        ("UPDATE disclosure_log SET notice = '1.2.3' WHERE position = $", vec![Flaw::StrangeLog]),
        ("UPDATE disclosure_log SET controller = '1.2.3' WHERE position = $ AND controller LIKE '%.10.2'", vec![Flaw::NoLog, Flaw::StrangeLog]),
        ("DELETE FROM notice_emitted WHERE position = $", vec![Flaw::NeverEmitted]),
        ("DELETE FROM ledger WHERE position = $", vec![Flaw::NoEntry]),
        ("INSERT INTO access_log (position, at, actor, action, document_id, controller) VALUES ($, 1, 'x', 'x', 'x', 'x')", vec![Flaw::StrangeLog]),
    ]
    .into_iter()
    .enumerate()
    {
        let store = open(&place).await;
        // A notice of two registers a round, at the next position.
        let n = u32::try_from(n).unwrap();
        archived(&store, [3 * (n + 1)]).await;
        emitted(&store).await;
        let position = place.sql("SELECT max(position) FROM ledger").await;
        let before = sum(&store, at(1), None).await.all;
        place.sql(&sql.replace('$', &position)).await;
        let after = sum(&store, at(1), None).await;
        assert_eq!(named(&after).pop(), Some((Some(id(3 * (n + 1)).as_str().to_owned()), flaws)), "{sql}");
        assert_eq!(after.all.missing, before.missing + 1, "{sql}");
        // The ledger counts on from its head: without its last row nothing can be numbered, so that one is last but for the stray row.
        if sql.contains("FROM ledger") {
            break;
        }
    }
}

pub async fn late_unsent_and_foreign_are_named(place: Place) {
    let store = open(&place).await;
    archived(&store, [1]).await;
    done(store.commit(notice(2, 86_400)).await.unwrap());
    done(store.commit(notice(4, 86_401)).await.unwrap());
    let soon = sum(&store, at(0).plus(LEAVING), None).await;
    assert_eq!(named(&soon), [(Some(id(4).as_str().to_owned()), vec![Flaw::Late])]);
    assert!(soon.all.adds_up() && soon.all.late == 1);
    let later = sum(&store, at(1).plus(LEAVING), None).await;
    assert_eq!((later.all.waiting, later.all.late, later.all.missing), (3, 1, 0));
    // An outbox row that is taken away by hand is not the same as one that was confirmed.
    place.sql("DELETE FROM outbox WHERE notice_position = 1").await;
    emitted(&store).await;
    let lost = sum(&store, at(0), None).await;
    assert_eq!(named(&lost)[0], (Some(id(1).as_str().to_owned()), vec![Flaw::NeverEmitted]));
    assert_eq!((lost.all.missing, lost.all.emitted), (1, 2));
    // A handover that is lost is named as soon as it is due, and mended by trying again.
    use arkki::ports::notices::{Notices as _, Retried};
    assert_eq!(store.retry_notice(id(2).as_str(), at(0)).await.unwrap(), Retried::Due);
    let due = sum(&store, at(1).plus(LEAVING), Some(at(1))).await;
    assert_eq!(named(&due)[1], (Some(id(2).as_str().to_owned()), vec![Flaw::NotTaken]));
    assert_eq!(due.flawed[1].0.sink.as_ref().map(|sink| sink.standing), Some(Standing::Waiting));
}

pub async fn registers_and_days_are_reckoned_apart(place: Place) {
    let store = open(&place).await;
    archived(&store, 1..=6).await;
    done(store.commit(notice(7, 172_800)).await.unwrap());
    emitted(&store).await;
    let wanted = |controller: Option<u32>, from: Option<i64>, before: Option<i64>| Wanted {
        controller: controller.map(|n| oid(10, n).as_str().to_owned()),
        from: from.map(at),
        before: before.map(at),
    };
    let count = async |wanted: Wanted| reckon(store.as_ref(), &wanted, at(1), None).await.unwrap();
    let all = count(wanted(None, None, None)).await;
    let by: Vec<(String, u64)> = all.registers.iter().map(|(controller, tally)| (controller.clone(), tally.disclosures)).collect();
    assert_eq!(by, [(oid(10, 1).as_str().to_owned(), 7), (oid(10, 2).as_str().to_owned(), 2)]);
    assert_eq!(all.all.disclosures, 7);
    let second = count(wanted(Some(2), None, None)).await;
    assert_eq!((second.all.disclosures, second.registers.len()), (2, 1));
    assert_eq!(count(wanted(None, Some(-86_400), None)).await.all.disclosures, 6);
    assert_eq!(count(wanted(None, None, Some(0))).await.all.disclosures, 1);
    // What has lost its notice has lost its day too, and hides from no day; what lost every sign of its register hides from no register.
    place.sql("DELETE FROM notice WHERE position = 1").await;
    assert_eq!(count(wanted(None, Some(-1), Some(1))).await.all.missing, 1);
    place.sql("DELETE FROM notice_part WHERE position = 1").await;
    place.sql("DELETE FROM disclosure_log WHERE position = 1").await;
    let hidden = count(wanted(Some(2), None, None)).await;
    assert_eq!((hidden.all.missing, hidden.registers.contains_key("")), (1, true));
}
