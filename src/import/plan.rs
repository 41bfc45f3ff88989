//! From rows to what must be archived: one old client relation a client, closed cases under it, the documents in them; and what waits for what.
//! (R15, R16, R22, R24–R26, R29–R31, R33 of documents.md §3.3.)

use std::collections::BTreeMap;

use super::row::{Client, Row};
use super::terms::Terms;
use crate::domain::document::Date;
use crate::domain::language::Language;

/// Everything one manifest becomes. Rows that are refused before are not in it.
#[derive(Debug, Default)]
pub struct Plan {
    /// A relation a client, in the order of their first rows.
    pub relations: Vec<Relation>,
    /// Cases, each under its relation.
    pub cases: Vec<Case>,
    /// The rows, each with the place of its case in `cases`, in manifest order.
    pub documents: Vec<(Row, usize)>,
}

/// An old client relation to be made.
#[derive(Debug, Clone)]
pub struct Relation {
    /// The client, as the newest row knows them.
    pub client: Client,
    /// From the first case's opening to the last one's closing.
    pub period: (Date, Date),
    /// The language of its document.
    pub language: Language,
}

/// A closed case to be made.
#[derive(Debug, Clone)]
pub struct Case {
    /// The place of its relation.
    pub relation: usize,
    /// Service task of 2016: one a case (R30).
    pub task: String,
    /// What it is called.
    pub name: Option<String>,
    /// Opened and closed.
    pub period: (Date, Date),
    /// The language of its document.
    pub language: Language,
    documents: usize,
}

/// One document to be sent, by the place of what it is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Item {
    /// Of `relations`.
    Relation(usize),
    /// Of `cases`.
    Case(usize),
    /// Of `documents`.
    Document(usize),
}

impl Plan {
    /// Plans rows.
    #[must_use]
    pub fn of(rows: Vec<Row>, terms: &Terms) -> Self {
        let mut plan = Self::default();
        let mut relations: BTreeMap<(String, String), (usize, Date)> = BTreeMap::new();
        let mut cases: BTreeMap<(usize, String, String), usize> = BTreeMap::new();
        for row in rows {
            let client = (row.client.root.clone(), row.client.extension.clone());
            let period = (row.opened.unwrap_or(row.authored).min(row.authored), row.closed.unwrap_or(row.authored).max(row.authored));
            let next = plan.relations.len();
            let (relation, newest) = relations.entry(client).or_insert((next, row.authored));
            let relation_at = *relation;
            if relation_at == next {
                plan.relations.push(Relation { client: row.client.clone(), period, language: row.language });
            }
            if let Some(relation) = plan.relations.get_mut(relation_at) {
                relation.period = wider(relation.period, period);
                if row.authored >= *newest {
                    *newest = row.authored;
                    relation.client = row.client.clone();
                }
            }
            let key = (relation_at, row.task.clone(), row.case.clone());
            let open = cases.get(&key).copied().filter(|at| plan.cases.get(*at).is_some_and(|case| case.documents < terms.documents_in_case()));
            let case_at = open.unwrap_or(plan.cases.len());
            if open.is_none() {
                let (task, name, language) = (row.task.clone(), row.case_name.clone(), row.language);
                plan.cases.push(Case { relation: relation_at, task, name, period, language, documents: 0 });
                cases.insert(key, case_at);
            }
            if let Some(case) = plan.cases.get_mut(case_at) {
                case.period = wider(case.period, period);
                case.documents += 1;
                case.name = case.name.take().or_else(|| row.case_name.clone());
            }
            plan.documents.push((row, case_at));
        }
        plan
    }

    /// Every item, in an order in which each comes after what it hangs on.
    pub fn items(&self) -> impl Iterator<Item = Item> + '_ {
        let relations = (0..self.relations.len()).map(Item::Relation);
        relations.chain((0..self.cases.len()).map(Item::Case)).chain((0..self.documents.len()).map(Item::Document))
    }

    /// What must be archived before an item.
    #[must_use]
    pub fn before(&self, item: Item) -> Option<Item> {
        match item {
            Item::Relation(_) => None,
            Item::Case(at) => self.cases.get(at).map(|case| Item::Relation(case.relation)),
            Item::Document(at) => self.documents.get(at).map(|(_, case)| Item::Case(*case)),
        }
    }
}

fn wider(a: (Date, Date), b: (Date, Date)) -> (Date, Date) {
    (a.0.min(b.0), a.1.max(b.1))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::codes::rule_set::RuleSet;
    use crate::codes::source::embedded;
    use crate::domain::time::real_date;

    fn row(line: u64, client: &str, task: &str, case: &str, year: i64) -> Row {
        let born = real_date(1985, 8, 8).unwrap();
        let client = Client { root: "1".into(), extension: client.into(), family: format!("F{year}"), given: vec!["T".into()], born, male: None };
        let authored = real_date(year, 5, 14).unwrap();
        Row {
            line,
            file: String::new(),
            client,
            authored,
            general_type: "11".into(),
            task: task.into(),
            original: None,
            language: Language::Fi,
            case: case.into(),
            case_name: None,
            opened: None,
            closed: None,
        }
    }

    #[test]
    fn a_relation_a_client_and_a_case_a_task_of_bounded_size() {
        let files = embedded();
        let terms = Terms::load(&files, &RuleSet::load(&files).unwrap().systems).unwrap();
        let most = terms.documents_in_case();
        let mut rows = vec![row(2, "a", "24", "", 1999), row(3, "b", "24", "", 1998), row(4, "a", "25", "", 1996), row(5, "a", "24", "x", 1997)];
        rows.extend((0..most as u64).map(|n| row(6 + n, "a", "24", "", 2001)));
        let plan = Plan::of(rows, &terms);
        assert_eq!((plan.relations.len(), plan.cases.len()), (2, 5), "a: task 24 twice, 24 x, 25; b: 24");
        assert!(plan.cases.iter().all(|case| case.documents <= most));
        let a = &plan.relations[0];
        assert_eq!((a.period.0.year, a.period.1.year, a.client.family.as_str()), (1996, 2001, "F2001"), "the newest name");
        let order: Vec<Item> = plan.items().collect();
        for (at, item) in order.iter().enumerate() {
            if let Some(before) = plan.before(*item) {
                assert!(order.iter().position(|i| *i == before).unwrap() < at);
            }
        }
    }
}
