//! The groups, those with most open refusals first, and one of them with its messages.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::super::super::form::{encoded, pairs};
use super::super::super::html::Html;
use super::super::super::session::Visit;
use super::super::super::{Asked, Console, pages};
use super::super::{ROLES, messages, rehearsal, rules, select, table, text_field, time};
use super::{DEEDS, GROUP, JOBS, PAGE, PATH, REPLAY, Which, deeds, field, link, says, state_word, unreadable};
use crate::domain::outage::Outage;
use crate::domain::refused::{ActionRow, GroupMark, RefusalId, RefusedGroup, RefusedMark, RefusedRow, RefusedState};
use crate::domain::time::Moment;
use crate::ports::refusals::Refusals as _;

/// Of how many of the newest actions a group's page picks its own.
const ACTIONS: u32 = 200;

pub(super) async fn show(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (asked, _) = match Asked::by(&console, &request, ROLES) {
        Ok(known) => known,
        Err(response) => return response,
    };
    let typed = typed(&request);
    let Some(which) = Which::read(&typed) else { return unreadable(&console, &asked) };
    let found = async {
        let archive = console.archive().await?;
        archive.refusal_groups(&which.criteria, group_mark(field(&typed, "after")).as_ref(), PAGE).await
    };
    match found.await {
        Ok(found) => page(&console, &asked, &which, &found),
        Err(outage) => pages::out_of_reach(&console, &asked, &outage),
    }
}

fn typed(request: &Request) -> Vec<(String, String)> {
    request.uri().query().and_then(|query| pairs(query.as_bytes())).unwrap_or_default()
}

/// Where a list of groups goes on: `OPEN/MICROSECONDS/CODE/PLACE`.
fn group_mark(text: &str) -> Option<GroupMark> {
    let mut parts = text.splitn(4, '/');
    let (open, last_at) = (parts.next()?.parse().ok()?, Moment::from_micros(parts.next()?.parse().ok()?));
    let (code, finding) = (parts.next()?.to_owned(), parts.next()?.to_owned());
    let is_clean = !code.contains('\0') && !finding.contains('\0');
    is_clean.then_some(GroupMark { open, last_at, code, finding })
}

fn page(console: &Console, asked: &Asked, which: &Which, found: &[RefusedGroup]) -> Response {
    let word = |key| console.words.get(key, asked.language);
    pages::page(console, asked, StatusCode::OK, (word("refusals"), word("refusals")), |html| {
        html.leaf("p", &[], word("refusals-intro"));
        html.open("ul", &[("class", "ways")]);
        for (href, key) in [(JOBS, "replays"), (DEEDS, "deeds"), (rehearsal::PATH, "rehearsal")] {
            html.open("li", &[]);
            html.leaf("a", &[("href", href)], word(key));
            html.close("li");
        }
        html.close("ul");
        search(console, asked, which, html);
        if found.is_empty() {
            html.leaf("p", &[("role", "status")], word("refusals-none"));
            return;
        }
        if which.is_meant() {
            link(html, &format!("{REPLAY}?{}", which.query()), word("replay-these"));
        }
        groups(console, asked, which, html, found);
        if let Some(last) = found.last().filter(|_| found.len() >= PAGE as usize) {
            let mark = last.mark();
            let after = encoded(&format!("{}/{}/{}/{}", mark.open, mark.last_at.micros(), mark.code, mark.finding));
            html.open("p", &[]);
            html.leaf("a", &[("href", &format!("{PATH}?{}&after={after}", which.query())), ("rel", "next")], word("refusals-more"));
            html.close("p");
        }
    })
}

fn search(console: &Console, asked: &Asked, which: &Which, html: &mut Html) {
    let word = |key| console.words.get(key, asked.language);
    html.open("form", &[("method", "get"), ("action", PATH), ("role", "search")]);
    html.open("div", &[("class", "fields")]);
    for (name, key, kind) in [("code", "code", "text"), ("sender", "message-sender", "text"), ("from", "from-day", "date"), ("to", "to-day", "date")] {
        text_field(html, name, word(key), which.get(name), kind);
    }
    let states: Vec<(&str, &str)> = RefusedState::ALL.iter().map(|state| (state.as_str(), word(state_word(*state)))).collect();
    select(html, "state", word("state"), (word("any"), &states), which.get("state"));
    html.close("div");
    html.open("div", &[("class", "actions")]);
    html.leaf("button", &[("class", "main")], word("search"));
    html.close("div");
    html.close("form");
}

fn groups(console: &Console, asked: &Asked, which: &Which, html: &mut Html, found: &[RefusedGroup]) {
    let word = |key| console.words.get(key, asked.language);
    let mut heads = vec![word("code"), word("says")];
    heads.extend(RefusedState::ALL.iter().map(|state| word(state_word(*state))));
    heads.extend([word("refusals-senders"), word("refusals-first"), word("refusals-last")]);
    table(html, word("refusals"), &heads, |html| {
        for group in found {
            let path = format!("{GROUP}?{}", which.with(&[("state", ""), ("code", &group.code), ("finding", &group.finding)]));
            html.open("tr", &[]);
            html.open("th", &[("scope", "row")]);
            // A code has many groups: the link's name holds the place too.
            html.leaf("a", &[("href", &path), ("aria-label", &format!("{} {}", group.code, group.finding))], &group.code);
            html.close("th");
            html.open("td", &[]);
            html.text(&says(console, asked, &group.code));
            html.text(" ");
            html.leaf("code", &[], &group.finding);
            html.close("td");
            group.counts.iter().for_each(|count| html.leaf("td", &[], &count.to_string()));
            let more = group.sender_count.saturating_sub(group.senders.len() as u64);
            let senders = if more > 0 { format!("{} +{more}", group.senders.join(", ")) } else { group.senders.join(", ") };
            html.leaf("td", &[], &senders);
            html.leaf("td", &[], &time(group.first_at));
            html.leaf("td", &[], &time(group.last_at));
            html.close("tr");
        }
    });
}

/// A group with what its page shows.
struct Group {
    which: Which,
    group: RefusedGroup,
    rows: Vec<RefusedRow>,
    deeds: Vec<ActionRow>,
}

impl Group {
    async fn find(console: &Console, which: Which, after: Option<RefusedMark>) -> Result<Option<Self>, Outage> {
        let archive = console.archive().await?;
        let mut of = which.criteria.clone();
        of.state = None;
        let Some(group) = archive.refusal_groups(&of, None, 1).await?.into_iter().next() else { return Ok(None) };
        let rows = archive.refusals(&which.criteria, after, PAGE).await?;
        let mut deeds = archive.refusal_actions(ACTIONS).await?;
        let own = format!("code={} finding={}", group.code, group.finding);
        deeds.retain(|deed| deed.criteria == own || deed.criteria.strip_prefix(&own).is_some_and(|rest| rest.starts_with(' ')));
        Ok(Some(Self { which, group, rows, deeds }))
    }
}

pub(super) async fn one(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (asked, visit) = match Asked::by(&console, &request, ROLES) {
        Ok(known) => known,
        Err(response) => return response,
    };
    let typed = typed(&request);
    let Some(which) = Which::read(&typed).filter(|which| which.criteria.ids.is_empty()) else { return unreadable(&console, &asked) };
    let none = || pages::words(&console, &asked, StatusCode::NOT_FOUND, ("refusals-no-group-heading", "refusals-no-group"));
    if which.get("code").is_empty() || which.get("finding").is_empty() {
        return none();
    }
    match Group::find(&console, which, mark(field(&typed, "after"))).await {
        Ok(Some(group)) => group_page(&console, &asked, &visit, &group),
        Ok(None) => none(),
        Err(outage) => pages::out_of_reach(&console, &asked, &outage),
    }
}

/// Where a list of messages goes on: `MICROSECONDS/ID`.
fn mark(text: &str) -> Option<RefusedMark> {
    let (at, id) = text.split_once('/')?;
    Some(RefusedMark { at: Moment::from_micros(at.parse().ok()?), id: RefusalId(id.parse().ok()?) })
}

fn group_page(console: &Console, asked: &Asked, visit: &Visit, one: &Group) -> Response {
    let (word, group) = (|key| console.words.get(key, asked.language), &one.group);
    let title = format!("{} {}", word("refusals-group"), group.code);
    pages::page(console, asked, StatusCode::OK, (&title, &title), |html| {
        html.leaf("p", &[("class", "calm")], &says(console, asked, &group.code));
        html.open("dl", &[]);
        html.leaf("dt", &[], word("refusals-place"));
        html.open("dd", &[]);
        html.leaf("code", &[], &group.finding);
        html.close("dd");
        for (state, count) in RefusedState::ALL.iter().zip(group.counts) {
            html.leaf("dt", &[], word(state_word(*state)));
            html.leaf("dd", &[("id", state.as_str())], &count.to_string());
        }
        let senders = group.senders.join(", ");
        for (key, value) in [("refusals-senders", senders), ("refusals-first", time(group.first_at)), ("refusals-last", time(group.last_at))] {
            html.leaf("dt", &[], word(key));
            html.leaf("dd", &[], &value);
        }
        html.close("dl");
        link(html, &format!("{}/codes/{}", rules::PATH, encoded(&group.code)), word("refusals-code-page"));
        let all = Which::read(&pairs(one.which.with(&[("state", "")]).as_bytes()).unwrap_or_default());
        if let Some(all) = all {
            html.leaf("h2", &[], word("replay"));
            html.open("p", &[("class", "actions")]);
            html.leaf("a", &[("class", "door"), ("id", "replay"), ("href", &format!("{REPLAY}?{}", all.query()))], word("replay-preview"));
            html.close("p");
            html.leaf("h2", &[], word("deed"));
            deeds::form(console, asked, visit, html, &all, ("", None));
        }
        if !one.deeds.is_empty() {
            html.leaf("h2", &[], word("deeds"));
            deeds::list(console, asked, html, &one.deeds);
        }
        html.leaf("h2", &[("id", "messages")], word("messages"));
        members(console, asked, html, one);
        link(html, PATH, word("refusals"));
    })
}

/// The group's messages, those refused last first.
fn members(console: &Console, asked: &Asked, html: &mut Html, one: &Group) {
    let word = |key| console.words.get(key, asked.language);
    html.open("form", &[("method", "get"), ("action", GROUP)]);
    for name in ["code", "finding", "sender", "from", "to"] {
        if !one.which.get(name).is_empty() {
            html.open("input", &[("type", "hidden"), ("name", name), ("value", one.which.get(name))]);
        }
    }
    html.open("div", &[("class", "fields")]);
    let states: Vec<(&str, &str)> = RefusedState::ALL.iter().map(|state| (state.as_str(), word(state_word(*state)))).collect();
    select(html, "state", word("state"), (word("any"), &states), one.which.get("state"));
    html.close("div");
    html.open("div", &[("class", "actions")]);
    html.leaf("button", &[], word("refusals-narrow"));
    html.close("div");
    html.close("form");
    if one.rows.is_empty() {
        html.leaf("p", &[("role", "status")], word("messages-none"));
        return;
    }
    table(html, word("messages"), &[word("when"), word("state"), word("message-sender"), word("message-hash"), word("replay")], |html| {
        for row in &one.rows {
            html.open("tr", &[]);
            html.open("th", &[("scope", "row")]);
            let name = format!("{} {}", time(row.at), row.key.short());
            html.leaf("a", &[("href", &format!("{}/{}", messages::PATH, row.key.octets.to_hex())), ("aria-label", &name)], &time(row.at));
            html.close("th");
            html.leaf("td", &[], word(state_word(row.state)));
            html.leaf("td", &[], row.key.sender.as_str());
            html.leaf("td", &[], &row.key.short());
            html.open("td", &[]);
            match row.job {
                Some(job) => html.leaf("a", &[("href", &format!("{JOBS}/{}", job.0))], &format!("{} {}", word("replay"), job.0)),
                None => html.text("–"),
            }
            html.close("td");
            html.close("tr");
        }
    });
    if let Some(last) = one.rows.last().filter(|_| one.rows.len() >= PAGE as usize) {
        let mark = last.mark();
        let after = encoded(&format!("{}/{}", mark.at.micros(), mark.id.0));
        html.open("p", &[]);
        html.leaf("a", &[("href", &format!("{GROUP}?{}&after={after}#messages", one.which.query())), ("rel", "next")], word("older"));
        html.close("p");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_goes_on_at_its_mark_and_nowhere_else() {
        let found = group_mark("3/1700000000000000/E305//a/@b");
        assert_eq!(
            found,
            Some(GroupMark { open: 3, last_at: Moment::from_micros(1_700_000_000_000_000), code: "E305".to_owned(), finding: "/a/@b".to_owned() })
        );
        for wrong in ["", "3", "x/1/E/p", "3/x/E/p", "-1/1/E/p", "3/1/E", "3/1/E/\0"] {
            assert_eq!(group_mark(wrong), None, "{wrong:?}");
        }
        assert_eq!(mark("5/7"), Some(RefusedMark { at: Moment::from_micros(5), id: RefusalId(7) }));
        assert_eq!((mark("5"), mark("a/7"), mark("5/-7")), (None, None, None));
    }
}
