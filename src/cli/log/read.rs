//! From the logs' rows to lines with names: sealed values opened, every field in its column.

use std::collections::HashMap;

use super::Fault;
use super::sheet::{Column, Line, Sheet};
use crate::crypto::sealed::Sort;
use crate::domain::digest::Digest;
use crate::domain::log::{Given, Party, Sealed, Span, Used};
use crate::domain::oid::Oid;
use crate::domain::person::HETU_ROOT;
use crate::domain::time::Moment;
use crate::pipeline::examine::Examiner;
use crate::ports::logs::Logs;

/// Rows read in one go.
const PAGE: u32 = 1000;
/// The most clients whose ids are remembered while rows are read; a client beyond them is looked up again.
const CLIENTS: usize = 10_000;

/// Writes the rows of the span: of the access log, of the disclosure log, or both.
///
/// # Errors
/// An outage, or an output that takes no more.
pub(super) async fn walk<L: Logs>(logs: &L, span: &Span, (used, given): (bool, bool), opener: &mut Opener<'_, L>, sheet: &mut Sheet<'_>) -> Result<(), Fault> {
    if used {
        sheet.section("access").map_err(Fault::Output)?;
        let mut mark = Some((i64::MIN, 0));
        // Ends with the span: each page's mark lies behind the one before.
        while let Some(after) = mark {
            let (rows, next) = logs.used(span, after, PAGE).await.map_err(Fault::Archive)?;
            for row in &rows {
                let line = opener.used(row).await.map_err(Fault::Archive)?;
                sheet.line(&line).map_err(Fault::Output)?;
            }
            mark = next;
        }
    }
    if given {
        sheet.section("disclosure").map_err(Fault::Output)?;
        let mut mark = Some((i64::MIN, 0));
        // As above.
        while let Some(after) = mark {
            let (rows, next) = logs.given(span, after, PAGE).await.map_err(Fault::Archive)?;
            for row in &rows {
                let line = opener.given(row).await.map_err(Fault::Archive)?;
                sheet.line(&line).map_err(Fault::Output)?;
            }
            mark = next;
        }
    }
    Ok(())
}

/// Opens what is sealed.
pub(super) struct Opener<'e, L> {
    examiner: &'e Examiner,
    logs: &'e L,
    clients: HashMap<Digest, String>,
}

impl<'e, L: Logs> Opener<'e, L> {
    /// With the site's key.
    pub fn new(examiner: &'e Examiner, logs: &'e L) -> Self {
        Self { examiner, logs, clients: HashMap::new() }
    }

    async fn used(&mut self, used: &Used) -> Result<Line, crate::domain::outage::Outage> {
        let row = &used.row;
        let mut line = Line::default();
        line.put(Column::Position, Some(used.position.0.to_string()));
        line.put(Column::At, Some(Moment::from_micros(row.at).to_iso()));
        line.put(Column::Action, Some(row.action.to_string()));
        line.put(Column::Controller, Some(row.controller.to_string()));
        let client = row.client.as_deref().and_then(Digest::from_slice);
        line.put(Column::Client, self.client(client, row.client_sealed.as_deref()).await?);
        line.put(Column::Document, Some(row.document_id.to_string()));
        let [general, specific, task] = used.concerns.clone();
        line.put(Column::GeneralType, general);
        line.put(Column::SpecificType, specific);
        line.put(Column::ServiceTask, task);
        line.put(Column::By, Some(row.actor.to_string()));
        line.put(Column::ByOrganisation, row.organisation.as_ref().map(ToString::to_string));
        let person = row.person.as_deref().and_then(Digest::from_slice);
        line.put(Column::ByPerson, self.person(person, row.person_sealed.as_deref()));
        line.put(Column::Purpose, row.purpose.as_ref().map(ToString::to_string));
        line.put(Column::ServiceRequest, row.service_request.as_ref().map(ToString::to_string));
        line.put(Column::Query, row.query_id.as_ref().map(ToString::to_string));
        line.put(Column::Message, Some(used.message.to_hex()));
        line.put(Column::Detail, row.detail.as_ref().map(ToString::to_string));
        Ok(line)
    }

    async fn given(&mut self, given: &Given) -> Result<Line, crate::domain::outage::Outage> {
        let row = &given.row;
        let mut line = Line::default();
        let oid = |oid: &Option<Oid>| oid.as_ref().map(|oid| oid.as_str().to_owned());
        line.put(Column::Position, Some(given.position.0.to_string()));
        line.put(Column::At, Some(given.at.to_iso()));
        line.put(Column::DisclosedAt, row.disclosed_at.map(Moment::to_iso));
        line.put(Column::Action, Some(format!("disclosed-{}", row.kind.as_str())));
        line.put(Column::Controller, Some(row.controller.as_str().to_owned()));
        line.put(Column::RegisterType, row.register_type.clone());
        line.put(Column::Client, self.client(row.client, row.client_sealed.as_ref().map(|s| s.0.as_slice())).await?);
        line.put(Column::Document, oid(&row.document_id));
        line.put(Column::Set, oid(&row.set_id));
        line.put(Column::GeneralType, row.general_type.clone());
        line.put(Column::SpecificType, row.specific_type.clone());
        line.put(Column::ServiceTask, row.service_task.clone());
        let sealed = |party: &Party| party.sealed.as_ref().map(|s| s.0.clone());
        line.put(Column::By, Some(row.discloser.kind.clone()));
        line.put(Column::ByOrganisation, oid(&row.discloser.organisation));
        line.put(Column::ByPerson, self.person(row.discloser.person, sealed(&row.discloser).as_deref()));
        line.put(Column::To, Some(row.recipient.kind.clone()));
        line.put(Column::ToOrganisation, oid(&row.recipient.organisation));
        line.put(Column::ToPerson, self.person(row.recipient.person, sealed(&row.recipient).as_deref()));
        line.put(Column::Purpose, row.purpose.clone());
        line.put(Column::ServiceRequest, row.service_request.clone());
        line.put(Column::Query, row.query_id.clone());
        line.put(Column::Basis, Some(row.basis.clone()));
        line.put(Column::Rule, row.rule.clone());
        line.put(Column::Section, row.section.clone());
        line.put(Column::Informing, oid(&row.informing));
        line.put(Column::Permission, oid(&row.permission));
        line.put(Column::Denials, Some(row.denials_text()));
        line.put(Column::Notice, row.notice.clone());
        line.put(Column::Message, Some(given.message.to_hex()));
        line.put(Column::Detail, row.detail.clone());
        Ok(line)
    }

    /// A client's id: from the row, or from another row that bears it; its hash where none does.
    async fn client(&mut self, client: Option<Digest>, sealed: Option<&[u8]>) -> Result<Option<String>, crate::domain::outage::Outage> {
        let Some(client) = client else { return Ok(None) };
        if let Some(id) = self.clients.get(&client) {
            return Ok(Some(id.clone()));
        }
        let found = match sealed {
            Some(sealed) => Some(Sealed(sealed.to_vec())),
            None => self.logs.client_sealed(&client).await?,
        };
        // What is opened must be what the hash says: a sealed value that was put beside another hash is not believed.
        let opened = found.and_then(|sealed| self.examiner.open(Sort::Client, &sealed.0)).filter(|id| self.examiner.client_hash(id) == client);
        let id = opened.map_or_else(|| unnamed(&client), |id| named(&id));
        if self.clients.len() < CLIENTS {
            self.clients.insert(client, id.clone());
        }
        Ok(Some(id))
    }

    fn person(&self, person: Option<Digest>, sealed: Option<&[u8]>) -> Option<String> {
        match sealed.and_then(|sealed| self.examiner.open(Sort::Person, sealed)) {
            Some(id) => Some(named(&id)),
            None => person.map(|person| unnamed(&person)),
        }
    }
}

/// Who is known by a hash alone: the same person has the same name in every row.
fn unnamed(digest: &Digest) -> String {
    let mut hex = digest.to_hex();
    hex.truncate(16);
    format!("#{hex}")
}

/// Root, NUL, extension, and perhaps NUL and a name, as people write them.
fn named(id: &[u8]) -> String {
    let text = String::from_utf8_lossy(id);
    let mut parts = text.splitn(3, '\0');
    let (root, extension, name) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    let id = if root == HETU_ROOT || root.is_empty() { extension.to_owned() } else { format!("{extension} [{root}]") };
    match (name.is_empty(), id.trim().is_empty()) {
        (true, _) => id,
        (false, true) => name.to_owned(),
        (false, false) => format!("{name} ({id})"),
    }
}
