//! What each command's report looks like when all is well, as JSON Schema, for the API's description: the reports that machines read most are described member by
//! member; of the others it is said that they are an object. A test holds recorded answers to it with a validator of others.

use serde_json::{Map, Value, json};

/// Members of a report's object: its name and its type; a type with a question mark may be null.
type Members = &'static [(&'static str, &'static str)];

const MESSAGE: Members = &[
    ("position", "number?"),
    ("message", "text"),
    ("sender", "text"),
    ("state", "text"),
    ("code", "text?"),
    ("at", "text"),
    ("revision", "number"),
    ("document_id", "text?"),
    ("message_id", "text?"),
    ("rules", "text"),
    ("instance", "text?"),
];
const DECISION: Members = &[
    ("position", "number"),
    ("kind", "text"),
    ("code", "text?"),
    ("document_id", "text?"),
    ("message_id", "text?"),
    ("received", "text?"),
    ("examined", "text?"),
    ("decided", "text"),
    ("signed", "text?"),
    ("archived", "text?"),
    ("instance", "text?"),
    ("rules", "text"),
    ("supersedes", "number?"),
    ("answers", "number?"),
    ("waiting", "number"),
];
const DELIVERED: Members = &[("at", "text"), ("instance", "text")];
const REFUSAL: Members = &[
    ("id", "number"),
    ("sender", "text"),
    ("message", "text"),
    ("position", "number"),
    ("code", "text"),
    ("finding", "text"),
    ("state", "text"),
    ("first", "text"),
    ("last", "text"),
    ("job", "number?"),
];
const GROUP: Members = &[
    ("code", "text"),
    ("finding", "text"),
    ("sender_count", "number"),
    ("open", "number"),
    ("held", "number"),
    ("discarded", "number"),
    ("mended", "number"),
    ("first", "text"),
    ("last", "text"),
];
const ACTION: Members = &[
    ("id", "number"),
    ("deed", "text"),
    ("who", "text"),
    ("why", "text"),
    ("at", "text"),
    ("criteria", "text"),
    ("count", "number"),
    ("undoes", "number?"),
    ("undone_by", "number?"),
];
const REPLAYED: Members = &[
    ("job", "number"),
    ("state", "text"),
    ("outcome", "text?"),
    ("before", "number"),
    ("after", "number?"),
    ("at", "text?"),
    ("who", "text"),
    ("why", "text"),
    ("asked", "text"),
];
const JOB: Members = &[
    ("id", "number"),
    ("state", "text"),
    ("criteria", "text"),
    ("who", "text"),
    ("why", "text"),
    ("at", "text"),
    ("rate", "number"),
    ("answer_again", "flag"),
    ("total", "number"),
    ("decided", "number"),
    ("waiting", "number"),
    ("on_road", "number"),
    ("dropped", "number"),
];
const OUTCOMES: Members = &[("accepted", "number"), ("same", "number"), ("refused", "number"), ("held", "number"), ("already", "number")];
const PREVIEW: Members = &[("matching", "number"), ("busy", "number"), ("unchanged", "number"), ("unanswerable", "number"), ("ready", "number")];
const ACTED: Members = &[("deed", "text"), ("action", "number?"), ("count", "number"), ("more", "flag")];
const RECONCILED: Members = &[
    ("entries", "number"),
    ("held", "number"),
    ("inbound", "number?"),
    ("dead_letters", "number?"),
    ("unanswered_refusals", "number"),
    ("unexplained", "number"),
];
const NAMED: Members = &[("position", "number?"), ("missing", "text"), ("which", "text"), ("says", "text"), ("do", "text")];
const REHEARSED: Members =
    &[("today", "text"), ("candidate", "text"), ("examined", "number"), ("bare", "number"), ("drifted", "number"), ("changed", "number")];
const COPIED: Members =
    &[("folder", "text"), ("archive", "text"), ("position", "number"), ("hash", "text"), ("at", "text"), ("octets", "number"), ("files", "number")];

/// The report of a command, named as its operation is.
pub(super) fn schema(operation: &str) -> Value {
    match operation {
        "messages_list" => object(&[], &[("messages", list(object(MESSAGE, &[]))), ("next", one("number?"))]),
        "messages_show" => {
            let decision = object(DECISION, &[("delivered", list(object(DELIVERED, &[])))]);
            let octets = [("has_octets", one("flag")), ("has_answer", one("flag")), ("decisions", list(decision))];
            object(&[], &[("messages", list(object(MESSAGE, &octets)))])
        }
        "refusals_groups" => object(&[], &[("groups", list(object(GROUP, &[("senders", list(one("text")))])))]),
        "refusals_list" => object(&[], &[("refusals", list(object(REFUSAL, &[]))), ("next", one("text?"))]),
        "refusals_show" => {
            let more = [
                ("rules", one("text")),
                ("final", one("flag")),
                ("reply", one("text?")),
                ("message_id", one("text?")),
                ("octets", one("number")),
                ("actions", list(object(ACTION, &[]))),
                ("replays", list(object(REPLAYED, &[]))),
            ];
            object(REFUSAL, &more)
        }
        "refusals_actions" => object(&[], &[("actions", list(object(ACTION, &[])))]),
        "refusals_hold" | "refusals_release" | "refusals_discard" | "refusals_comment" | "refusals_undo" => object(ACTED, &[]),
        // Without `yes` it says what would be taken; with it, which job took it.
        "refusals_replay" => json!({ "oneOf": [object(&[], &[("preview", object(PREVIEW, &[]))]), one_job()] }),
        "refusals_jobs" => json!({ "oneOf": [object(&[], &[("jobs", list(job()))]), one_job()] }),
        "refusals_stop" | "refusals_resume" | "refusals_end" => one_job(),
        "reconcile" => object(RECONCILED, &[("named", list(object(NAMED, &[])))]),
        "rehearse" => object(REHEARSED, &[("sums", list(json!({ "type": "object" }))), ("list", list(json!({ "type": "object" })))]),
        "backup" => object(COPIED, &[]),
        _ => json!({ "type": ["object", "array"] }),
    }
}

fn job() -> Value {
    object(JOB, &[("outcomes", object(OUTCOMES, &[]))])
}

fn one_job() -> Value {
    object(&[], &[("job", job())])
}

/// An object with these members, all of them there; others may come with a later release.
fn object(members: Members, more: &[(&str, Value)]) -> Value {
    let plain = members.iter().map(|(name, kind)| ((*name).to_owned(), one(kind)));
    let properties: Map<String, Value> = plain.chain(more.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone()))).collect();
    let required: Vec<&String> = properties.keys().collect();
    json!({ "type": "object", "required": required, "properties": properties })
}

fn list(of: Value) -> Value {
    json!({ "type": "array", "items": of })
}

fn one(kind: &str) -> Value {
    let name = match kind.trim_end_matches('?') {
        "number" => "integer",
        "flag" => "boolean",
        _ => "string",
    };
    if kind.ends_with('?') { json!({ "type": [name, "null"] }) } else { json!({ "type": name }) }
}
