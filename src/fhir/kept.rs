//! A kept notice held against its own bundle: the signature verifies, and the archive's columns say what the bundle says.

use serde_json::Value;

use super::signature;
use crate::domain::notice::{NoticePart, NoticeRecord};
use crate::domain::time::Moment;

/// What is wrong with a kept bundle, or with the columns beside it; nothing of its content is told.
#[must_use]
pub fn faults(record: &NoticeRecord, bundle: &[u8]) -> Vec<String> {
    let verified = match signature::verify(bundle) {
        Ok(verified) => verified,
        Err(what) => return vec![format!("the bundle: {what}")],
    };
    let entries = verified.bundle.get("entry").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if entries.len() != record.parts.len() * 2 {
        return vec!["the bundle has another number of parts than the archive".to_owned()];
    }
    let mut out = Vec::new();
    for ((pair, part), number) in entries.chunks_exact(2).zip(&record.parts).zip(1_u32..) {
        if part.number != number || !pair_fits(pair, part, record) {
            out.push("the bundle and the archive's columns differ".to_owned());
        }
    }
    out
}

fn pair_fits(pair: &[Value], part: &NoticePart, record: &NoticeRecord) -> bool {
    let [event, provenance] = pair else { return false };
    let word = |value: &Value, path: &str| value.pointer(path).and_then(Value::as_str).map(str::to_owned);
    let urn = |id: &str| Some(format!("urn:oid:{id}"));
    let moment = |path: &str| word(event, path).and_then(|text| Moment::parse_iso(&text)).map(milliseconds);
    word(event, "/fullUrl") == urn(part.sent_id.as_str())
        && word(provenance, "/fullUrl") == urn(part.provenance_id.as_str())
        && word(event, "/resource/contained/0/identifier/0/value") == urn(part.controller.as_str())
        && word(event, "/resource/contained/0/extension/0/valueCoding/code").as_deref() == Some(&part.register)
        && moment("/resource/period/start") == Some(milliseconds(record.disclosed_at))
        && moment("/resource/recorded") == Some(milliseconds(record.recorded_at))
        && provenance.pointer("/resource/entity").is_some() == record.corrects.is_some()
}

/// A bundle's moments have milliseconds, the archive's columns microseconds.
const fn milliseconds(moment: Moment) -> i64 {
    moment.micros().div_euclid(1000)
}
