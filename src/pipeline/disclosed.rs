//! What an answer to another leaves in the disclosure log: one row a document, with the rule that opened it and every consent that was evaluated, and one row a
//! controller for the search that found something (messaging.md §4.6, D2, Q14, Q29). Use of a register is no disclosure and leaves none.

use super::answers::{Asked, query_id};
use crate::codes::rule_set::RuleSet;
use crate::domain::disclosure::Logged;
use crate::domain::log::{Disclosed, DisclosedRow, Party};
use crate::domain::oid::Oid;
use crate::domain::query::{Basis, Hit};
use crate::rules::disclose::Standing;
use crate::rules::query::Answered;

/// The rows of one sending.
#[must_use]
pub fn rows(asked: &Asked<'_>, answered: &Answered, rules: &RuleSet) -> Vec<DisclosedRow> {
    let Some(standing) = asked.standing else { return Vec::new() };
    let table = rules.disclosure.table();
    let disclosed: Vec<(&Hit, &String)> =
        answered.hits.iter().zip(&answered.rules).filter(|(_, rule)| table.rule(rule).is_some_and(|rule| rule.logged == Logged::Disclosure)).collect();
    let mut controllers: Vec<&Oid> = disclosed.iter().map(|(hit, _)| &hit.header.controller).collect();
    controllers.sort_unstable();
    controllers.dedup();
    let searches = controllers.into_iter().map(|controller| {
        let found = disclosed.iter().filter(|(hit, _)| hit.header.controller == *controller).count();
        let detail = Some(format!("{}: {found} documents", asked.query.criteria.names().join(",")));
        DisclosedRow { detail, ..row(asked, standing, rules, Disclosed::Search, controller) }
    });
    let documents = disclosed.iter().map(|(hit, rule)| {
        let header = &hit.header;
        DisclosedRow {
            client: Some(header.client),
            document_id: Some(header.id.clone()),
            set_id: Some(header.set_id.clone()),
            general_type: header.general_type.clone(),
            specific_type: header.specific_type.clone(),
            service_task: header.service_task.clone(),
            rule: Some((*rule).clone()),
            ..row(asked, standing, rules, Disclosed::Document, &header.controller)
        }
    });
    searches.chain(documents).collect()
}

/// What is the same for every row of a controller.
fn row(asked: &Asked<'_>, standing: &Standing, rules: &RuleSet, kind: Disclosed, controller: &Oid) -> DisclosedRow {
    let asker = &asked.query.asker;
    // What the law opens rests on no consent; what there was of them was looked at all the same.
    let ground = standing.ground.as_ref().filter(|_| standing.basis == Basis::Statute);
    DisclosedRow {
        kind,
        disclosed_at: None,
        controller: controller.clone(),
        register_type: Some(rules.query.answer().register.code.clone()),
        client: asked.query.criteria.client,
        client_sealed: asked.query.sealed.client.clone(),
        document_id: None,
        set_id: None,
        general_type: None,
        specific_type: None,
        service_task: None,
        discloser: Party::archive(controller.clone()),
        recipient: Party {
            kind: "controller".to_owned(),
            organisation: asker.organisation.clone(),
            person: asker.person,
            sealed: asked.query.sealed.person.clone(),
        },
        purpose: asked.purpose.map(str::to_owned),
        service_request: asked.service_request.map(str::to_owned),
        query_id: query_id(asked.query),
        basis: standing.basis.as_str().to_owned(),
        rule: None,
        section: ground.map(|ground| ground.section.clone()),
        informing: standing.wills.informing.clone(),
        permission: standing.wills.permission.clone(),
        denials: standing.denials(),
        notice: None,
        detail: None,
    }
}
