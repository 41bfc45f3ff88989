//! Searches and fetches. A search is one statement whose conditions are put together from the criteria; whose registers it may look into stands in the
//! statement itself, so no row of another's register ever leaves the database. One more row than the limit tells that there are too many; then, and only
//! then, a second statement counts how the hits fall apart.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::decode;
use super::events::{invalid, invalid_at, superseded, superseded_at};
use super::fault::Fault;
use super::line::{Line, Row, Value};
use super::lines::SEARCH;
use crate::crypto::sha256;
use crate::domain::digest::Digest;
use crate::domain::document::Date;
#[cfg(doc)]
use crate::domain::document::Group;
use crate::domain::ledger::Chained;
use crate::domain::limits::{NARROWED_ROWS, NARROWING_CHOICES};
use crate::domain::oid::Oid;
use crate::domain::query::{Criteria, Fetched, Found, Hit, Narrowing, Register, Registers, WantedState};
use crate::domain::scope::{Scope, Withheld, Within};
use crate::domain::time::Moment;

/// Searches. What takes too long, or cannot be read, is the asker's trouble and nobody else's: it is found, not an outage.
///
/// # Errors
/// As the database says.
pub(super) async fn search(line: &mut Line, criteria: &Criteria, scope: &Scope, limit: u32) -> Result<Found, Fault> {
    match find(line, criteria, scope, limit).await {
        Err(Fault::Slow(_)) => Ok(Found::TooSlow),
        other => other,
    }
}

async fn find(line: &mut Line, criteria: &Criteria, scope: &Scope, limit: u32) -> Result<Found, Fault> {
    let rows = {
        let mut sql = Conditions::of(criteria, scope);
        let invalid = if criteria.as_of.is_some() { invalid_at!("d", "$1") } else { invalid!("d") };
        let most = sql.place(Value::Int(Some(i64::from(limit) + 1)));
        let text = format!(
            "SELECT d.position, CAST(CASE WHEN {invalid} THEN 1 ELSE 0 END AS bigint), d.splice_start, d.splice_len, d.received_sha, d.archived_sha, \
             d.archived_at, {HEADER} FROM document d WHERE {} LIMIT {most}",
            sql.text
        );
        line.bound(SEARCH).await?;
        line.composed(text, &sql.values).await?
    };
    if rows.len() > usize::try_from(limit).unwrap_or(usize::MAX) {
        return narrow(line, criteria, scope).await.map(Found::TooMany);
    }
    let (mut hits, mut damaged, mut is_damaged) = (Vec::with_capacity(rows.len()), Vec::new(), false);
    for row in &rows {
        match hit(row) {
            Ok(hit) => hits.push(hit),
            Err(_) => {
                is_damaged = true;
                damaged.extend(row.text(ID).ok().flatten().and_then(|id| Oid::parse(&id).ok()));
            }
        }
    }
    if is_damaged {
        return Ok(Found::Damaged(damaged));
    }
    hits.sort_by(|a, b| b.header.authored.cmp(&a.header.authored).then_with(|| a.header.id.cmp(&b.header.id)));
    Ok(Found::Hits(hits))
}

/// The column of the document's id among those that a search asks for.
const ID: usize = 7;
/// The header's columns in the order in which [`decode::header`] reads them.
const HEADER: &str = "d.id, d.set_id, d.version, d.replaces, d.replaces_set, d.replaces_version, d.doc_group, d.client, d.controller, d.organiser, \
     d.service_task, d.original_task_system, d.original_task, d.case_id, d.relation_id, d.general_type, d.specific_type, d.authored, d.authored_date, \
     d.created, d.language, d.case_closed, d.relation_old";

fn hit(row: &Row) -> Result<Hit, Fault> {
    Ok(Hit {
        header: decode::header(row)?,
        is_valid: row.need_int(1)? == 0,
        archived: decode::digest(row, 5)?,
        archived_at: Moment::from_micros(row.need_int(6)?),
    })
}

/// Counts, over at most [`NARROWED_ROWS`] documents, how they fall apart.
async fn narrow(line: &mut Line, criteria: &Criteria, scope: &Scope) -> Result<Narrowing, Fault> {
    let mut sql = Conditions::of(criteria, scope);
    let most = sql.place(Value::Int(Some(i64::from(NARROWED_ROWS))));
    let text = format!(
        "SELECT x.authored_date / 10000, x.service_task, x.case_id, x.general_type, x.specific_type, x.doc_group, count(*) \
         FROM (SELECT d.authored_date, d.service_task, d.case_id, d.general_type, d.specific_type, d.doc_group FROM document d WHERE {} LIMIT {most}) x \
         GROUP BY 1, 2, 3, 4, 5, 6",
        sql.text
    );
    let mut narrowing = Narrowing::default();
    line.bound(SEARCH).await?;
    for row in line.composed(text, &sql.values).await? {
        let number = |column| Ok::<_, Fault>(row.int(column)?.map(|n| n.to_string()));
        let values = [number(0)?, row.text(1)?, row.text(2)?, row.text(3)?, row.text(4)?, number(5)?];
        narrowing.add(values, u64::try_from(row.need_int(6)?).unwrap_or(0));
    }
    narrowing.is_more = narrowing.counted >= u64::from(NARROWED_ROWS);
    Ok(narrowing.finished(NARROWING_CHOICES))
}

/// The octets of documents that a search found, in the order asked, unless they are more than `most` octets together. Hashed before they leave.
///
/// # Errors
/// As the database says.
pub(super) async fn fetch(line: &mut Line, ids: &[Oid], scope: &Scope, most: usize) -> Result<Fetched, Fault> {
    match read(line, ids, scope, most).await {
        Err(Fault::Slow(_)) => Ok(Fetched::TooSlow),
        other => other,
    }
}

async fn read(line: &mut Line, ids: &[Oid], scope: &Scope, most: usize) -> Result<Fetched, Fault> {
    if ids.is_empty() {
        return Ok(Fetched::Octets(Vec::new()));
    }
    let criteria = Criteria { ids: ids.to_vec(), state: WantedState::Any, ..Criteria::default() };
    let sql = Conditions::of(&criteria, scope);
    let from = format!("FROM document d JOIN document_octets o ON o.document_id = d.id WHERE {}", sql.text);
    line.bound(SEARCH).await?;
    let sized = line.composed(format!("SELECT d.id, CAST(length(o.octets) AS bigint) {from}"), &sql.values).await?;
    let size = sized.iter().map(|row| Ok(u64::try_from(row.need_int(1)?).unwrap_or(0))).sum::<Result<u64, Fault>>()?;
    if size > most as u64 {
        return Ok(Fetched::TooLarge(size));
    }
    let mut octets: HashMap<String, Vec<u8>> = HashMap::with_capacity(sized.len());
    line.bound(SEARCH).await?;
    for row in line.composed(format!("SELECT d.id, o.octets, d.archived_sha {from}"), &sql.values).await? {
        let found = row.octets(1)?.unwrap_or_default();
        // What is not what was archived does not leave the house.
        if decode::digest(&row, 2).is_ok_and(|archived| archived == sha256(&found)) {
            octets.insert(row.need_text(0)?, found);
        }
    }
    Ok(Fetched::Octets(ids.iter().map(|id| octets.remove(id.as_str())).collect()))
}

/// Will expressions: groups 7 to 9 ([`Group::WILLS`]). Shown to whoever asks for them by name, and to nobody else.
const WILL: &str = "d.doc_group BETWEEN 7 AND 9";
/// The controller as no index has it.
const UNTEMPTING: &str = "(d.controller || '')";
const NO_WILL: &str = "d.doc_group NOT BETWEEN 7 AND 9";

/// `WHERE …` and its values. A moment that is asked for is always `$1`.
struct Conditions<'a> {
    text: String,
    values: Vec<Value<'a>>,
}

impl<'a> Conditions<'a> {
    fn of(criteria: &'a Criteria, scope: &'a Scope) -> Self {
        let mut sql = Self { text: String::with_capacity(1500), values: Vec::with_capacity(16) };
        let state = criteria.as_of.map_or((invalid!("d"), superseded!("d")), |at| {
            sql.values.push(Value::Int(Some(at.micros())));
            (invalid_at!("d", "$1"), superseded_at!("d", "$1"))
        });
        // Whose registers: the first condition, and never left out.
        // Where a better criterion is there, the register must not tempt the planner: it is compared as an expression, which no index answers. By dates
        // alone it is the index (controller, authored_date) that answers; an organisation's controllers lie between "OID." and "OID/".
        let controller = if criteria.is_narrow() { UNTEMPTING } else { "d.controller" };
        let within = match &scope.within {
            Within::These(registers) => sql.registers(registers, controller),
            Within::AllBut(own) => format!("{NO_WILL} AND NOT {}", sql.registers(own, UNTEMPTING)),
        };
        sql.text.push_str(&within);
        sql.withhold(&scope.withheld, state.0);
        sql.criteria(criteria);
        if criteria.as_of.is_some() {
            sql.text.push_str(" AND d.archived_at <= $1");
        }
        match criteria.state {
            WantedState::Valid => drop(write!(sql.text, " AND NOT {}", state.0)),
            WantedState::Invalidated => drop(write!(sql.text, " AND {}", state.0)),
            WantedState::Any => {}
        }
        if !criteria.all_versions && criteria.ids.is_empty() {
            let _ = write!(sql.text, " AND NOT {}", state.1);
        }
        sql
    }

    /// Whether the document lies in one of the registers: of none it lies in none.
    fn registers(&mut self, registers: &'a Registers, controller: &str) -> String {
        let mut any = Vec::new();
        for register in registers.iter() {
            let mut place = |oid: &'a Oid| self.place(Value::Text(Some(oid.as_str())));
            any.push(match register {
                Register::Controller(oid) => format!("({NO_WILL} AND {controller} = {})", place(oid)),
                Register::Organisation(oid) => format!("({NO_WILL} AND ({}))", under(&place(oid), controller)),
                Register::Wills => WILL.to_owned(),
            });
        }
        if any.is_empty() { "(1 = 0)".to_owned() } else { format!("({})", any.join(" OR ")) }
    }

    /// What is withheld is no row of any statement.
    fn withhold(&mut self, withheld: &'a Withheld, invalid: &str) {
        if withheld.everything {
            self.text.push_str(" AND 1 = 0");
            return;
        }
        if withheld.invalidated {
            let _ = write!(self.text, " AND NOT {} AND NOT {invalid}", invalid!("d"));
        }
        if !withheld.groups.is_empty() {
            let groups: Vec<String> = withheld.groups.iter().map(|group| group.number().to_string()).collect();
            let _ = write!(self.text, " AND d.doc_group NOT IN ({})", groups.join(", "));
        }
        if let Some(among) = self.among(withheld.sets.iter().map(Oid::as_str)) {
            let _ = write!(self.text, " AND d.set_id NOT IN ({among})");
        }
        if let Some(among) = self.among(withheld.tasks.iter().map(String::as_str)) {
            let _ = write!(self.text, " AND (d.service_task IS NULL OR d.service_task NOT IN ({among}))");
        }
        for controller in &withheld.controllers {
            let at = self.place(Value::Text(Some(controller.as_str())));
            let _ = write!(self.text, " AND NOT ({})", under(&at, UNTEMPTING));
        }
        if let Some((without, with)) = &withheld.unmanaged {
            let (without, with) = (self.registers(without, UNTEMPTING), self.registers(with, UNTEMPTING));
            let _ = write!(self.text, " AND (NOT {without} OR {with})");
        }
    }

    /// Places for some words, filled up to a power of two with the last of them, so that there are few different statements to prepare.
    fn among(&mut self, words: impl Iterator<Item = &'a str>) -> Option<String> {
        let words: Vec<&'a str> = words.collect();
        let last = *words.last()?;
        let places: Vec<String> = (0..words.len().next_power_of_two()).map(|n| self.place(Value::Text(Some(words.get(n).copied().unwrap_or(last))))).collect();
        Some(places.join(", "))
    }

    fn criteria(&mut self, criteria: &'a Criteria) {
        self.equal("d.client", criteria.client.as_ref().map(|client| Value::Octets(Some(&client.0))));
        self.equal("d.case_id", criteria.case_id.as_ref().map(|id| Value::Text(Some(id.as_str()))));
        self.equal("d.relation_id", criteria.relation_id.as_ref().map(|id| Value::Text(Some(id.as_str()))));
        self.equal("d.controller", criteria.controller.as_ref().map(|id| Value::Text(Some(id.as_str()))));
        self.equal("d.service_task", criteria.service_task.as_deref().map(|code| Value::Text(Some(code))));
        self.equal("d.general_type", criteria.general_type.as_deref().map(|code| Value::Text(Some(code))));
        self.equal("d.specific_type", criteria.specific_type.as_deref().map(|code| Value::Text(Some(code))));
        self.equal("d.doc_group", criteria.group.map(|group| Value::Int(Some(i64::from(group.number())))));
        for (date, sign) in [(criteria.from, ">="), (criteria.to, "<=")] {
            if let Some(date) = date {
                let at = self.place(Value::Int(Some(day(date))));
                let _ = write!(self.text, " AND d.authored_date {sign} {at}");
            }
        }
        self.one_of("d.id", &criteria.ids);
        self.one_of("d.set_id", &criteria.sets);
    }

    /// Adds a value; gives the words that stand for it.
    fn place(&mut self, value: Value<'a>) -> String {
        self.values.push(value);
        format!("${}", self.values.len())
    }

    fn equal(&mut self, column: &str, value: Option<Value<'a>>) {
        if let Some(value) = value {
            let at = self.place(value);
            let _ = write!(self.text, " AND {column} = {at}");
        }
    }

    fn one_of(&mut self, column: &str, ids: &'a [Oid]) {
        if let Some(among) = self.among(ids.iter().map(Oid::as_str)) {
            let _ = write!(self.text, " AND {column} IN ({among})");
        }
    }
}

/// Whether the controller is the OID at this place, or lies under it.
fn under(at: &str, controller: &str) -> String {
    format!("{controller} = {at} OR ({controller} >= {at} || '.' AND {controller} < {at} || '/')")
}

/// Whether one of the registers has a client relation of this client in force, or an open case: found by the client's documents, which an index leads to.
///
/// # Errors
/// As the database says.
pub(super) async fn linked(line: &mut Line, client: &Digest, registers: &Registers) -> Result<bool, Fault> {
    let scope = Scope::of(registers.clone());
    let criteria = Criteria { client: Some(*client), state: WantedState::Any, all_versions: true, ..Criteria::default() };
    let sql = Conditions::of(&criteria, &scope);
    let text = format!(
        "SELECT d.id FROM document d WHERE {} AND (EXISTS (SELECT 1 FROM client_relation r WHERE r.document_id = d.id AND r.id = d.relation_id AND NOT r.old AND NOT r.invalid) \
         OR EXISTS (SELECT 1 FROM case_file c WHERE c.document_id = d.id AND c.id = d.case_id AND NOT c.closed AND NOT c.invalid)) LIMIT 1",
        sql.text
    );
    Ok(!line.composed(text, &sql.values).await?.is_empty())
}

fn day(date: Date) -> i64 {
    i64::from(date.year) * 10_000 + i64::from(date.month) * 100 + i64::from(date.day)
}

/// Forgets the octets of answers to queries that were decided before a moment and have left: at most `limit`. Their hash stays in the ledger.
///
/// # Errors
/// As the database says.
pub(super) async fn forget_answers(line: &mut Line, before: Moment, limit: u32) -> Result<u64, Fault> {
    let sql = "UPDATE inbox SET answer = NULL WHERE position IN (SELECT i.position FROM inbox i WHERE i.standing = 5 AND i.answer IS NOT NULL \
               AND i.decided_at <= $1 AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.query_position = i.position) ORDER BY i.decided_at LIMIT $2) \
               RETURNING position";
    Ok(line.one(sql, &[Value::Int(Some(before.micros())), Value::Int(Some(i64::from(limit)))]).await?.len() as u64)
}

/// What is wrong with the access log of an answer to a query: each sending has a row for the search, which says how many documents it showed, and a row
/// for each of them.
///
/// # Errors
/// As the database says.
pub(super) async fn companions(line: &mut Line, chained: &Chained) -> Result<Vec<&'static str>, Fault> {
    let at = [super::place(chained.position)];
    let mut searches = 0;
    let mut said = 0;
    for row in line.one("SELECT actor, detail FROM access_log WHERE position = $1 AND action = 'search'", &at).await? {
        let detail = row.text(1).ok().flatten().unwrap_or_default();
        searches += i64::from(row.text(0).ok().flatten().as_deref() == Some(chained.entry.sender.as_str()));
        said += detail.strip_suffix(" documents").and_then(|d| d.rsplit(' ').next()).and_then(|n| n.parse::<i64>().ok()).unwrap_or(0);
    }
    let rows = line.one("SELECT count(*) FROM access_log WHERE position = $1 AND action <> 'search'", &at).await?;
    let shown = rows.first().and_then(|row| row.int(0).ok().flatten()).unwrap_or(0);
    let mut wrong = Vec::new();
    if searches == 0 {
        wrong.push("the access log does not have the search");
    }
    if shown != said {
        wrong.push("the access log has other documents than the search showed");
    }
    Ok(wrong)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::{migrate, sqlite};
    use super::*;

    /// Whatever the planner believes of a table without statistics: a named client, case or id is what a search goes by, and dates alone go by the register.
    #[tokio::test]
    async fn each_search_goes_by_its_index() {
        let folder = std::env::temp_dir().join(format!("arkki-plan-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let address = sqlite::address(&folder.join("archive.db"));
        migrate::run(&address).await.unwrap();
        let mut line = address.connect().await.unwrap();
        let oid = |text: &str| Oid::parse(text).unwrap();
        let day = Some(Date { year: 2026, month: 1, day: 1 });
        let dates = Criteria { from: day, to: day, ..Criteria::default() };
        let registers = [Register::Organisation(oid("1.2.246.10.99999992")), Register::Controller(oid("1.2.246.10.99999984.10.0"))];
        for (criteria, index) in [
            (dates.clone(), "document_controller_date"),
            (Criteria { client: Some(sha256(b"client")), ..dates.clone() }, "document_client_date"),
            (Criteria { case_id: Some(oid("1.2.3")), ..dates.clone() }, "document_case_date"),
            (Criteria { relation_id: Some(oid("1.2.3")), ..dates }, "document_relation"),
        ] {
            for register in &registers {
                let scope = Scope::of(Registers::new(vec![register.clone()]));
                let sql = Conditions::of(&criteria, &scope);
                let plan = line.composed(format!("EXPLAIN QUERY PLAN SELECT d.id FROM document d WHERE {}", sql.text), &sql.values).await.unwrap();
                let plan: Vec<String> = plan.iter().filter_map(|row| row.text(3).unwrap()).collect();
                let of_document: Vec<&String> = plan.iter().filter(|step| step.contains(" d ")).collect();
                assert!(!of_document.is_empty() && of_document.iter().all(|step| step.contains(index)), "{index}: {plan:?}");
            }
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
