//! What a site says of its notices (`[lilm]`).

use super::checked::ConfigFault;
use super::raw::RawLilm;
use crate::codes::lilm::Lilm;
use crate::domain::environment::Environment;
use crate::domain::notice::NoticeFormat;
use crate::domain::oid::Oid;

/// The longest root of notices' ids: year, number and part follow it in an OID of at most 64 characters.
const ROOT: usize = 34;

/// The checked section: the root of notices' ids, `None` where notices are not taken, and in which format they leave.
///
/// # Errors
/// The root is no OID, or too long; there is no such format.
pub(super) fn check(raw: &RawLilm) -> Result<(Option<Oid>, NoticeFormat), ConfigFault> {
    let format = NoticeFormat::parse(&raw.format).ok_or_else(|| ConfigFault(format!("[lilm] format = {:?}: say \"fhir\", \"cda\" or \"both\"", raw.format)))?;
    if !raw.enabled {
        return Ok((None, format));
    }
    match Oid::parse(&raw.id_root) {
        Ok(root) if raw.id_root.len() <= ROOT => Ok((Some(root), format)),
        Ok(_) => Err(ConfigFault(format!("[lilm] id_root = {:?}: at most {ROOT} characters, since more follow it in each id", raw.id_root))),
        Err(_) => Err(ConfigFault(format!("[lilm] id_root = {:?} is not an OID", raw.id_root))),
    }
}

/// What keeps notices from being made with these rules: ids under another node class, or placeholders in production.
#[must_use]
pub fn faults((id_root, format): (Option<&Oid>, NoticeFormat), environment: Environment, lilm: &Lilm) -> Vec<String> {
    let Some(root) = id_root else { return Vec::new() };
    let mut out = Vec::new();
    if !root.as_str().split('.').any(|arc| arc == lilm.node()) {
        out.push(format!("[lilm] id_root = \"{root}\" has no node class {} of notices (codes/lilm.toml)", lilm.node()));
    }
    let urls = lilm.without_oid();
    if format.has_cda() && !urls.is_empty() {
        out.push(format!(
            "[lilm] format = \"{}\", and codes/lilm.toml names code systems by url ({}): a CDA document needs OIDs",
            format.as_str(),
            urls.join(", ")
        ));
    }
    let placeholders = lilm.placeholders(format.has_cda());
    if environment == Environment::Production && !placeholders.is_empty() {
        let names = placeholders.join(", ");
        out.push(format!("codes/lilm.toml has placeholders ({names}): put the official lists there, or say [lilm] enabled = false"));
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::codes::source::embedded;

    #[test]
    fn placeholders_are_for_tests_and_ids_stand_under_their_node_class() {
        let lilm = Lilm::load(&embedded()).unwrap();
        let raw = |id_root: &str| RawLilm { id_root: id_root.to_owned(), ..RawLilm::default() };
        let root = |raw: RawLilm| check(&raw).unwrap().0;
        let site = root(RawLilm::default());
        let said = |format, environment| faults((site.as_ref(), format), environment, &lilm);
        assert!(NoticeFormat::ALL.into_iter().all(|format| said(format, Environment::Test).is_empty()));
        let production = said(NoticeFormat::Fhir, Environment::Production);
        assert!(production.len() == 1 && production.iter().all(|fault| fault.contains("type, purpose)")), "{production:?}");
        let production = said(NoticeFormat::Cda, Environment::Production);
        assert!(production.len() == 1 && production.iter().all(|fault| fault.contains("type, purpose, view, field")), "{production:?}");
        assert!(faults((None, NoticeFormat::Both), Environment::Production, &lilm).is_empty());
        assert_eq!(faults((root(raw("1.2.246.10.99999992")).as_ref(), NoticeFormat::Fhir), Environment::Test, &lilm).len(), 1);
        assert!(check(&raw("1.2.246.10.99999992.10.0.95.1.2.3.44")).is_err() && check(&raw("x")).is_err());
        assert_eq!(check(&RawLilm { enabled: false, id_root: "x".to_owned(), ..RawLilm::default() }).unwrap().0, None);
        assert!(check(&RawLilm { format: "pdf".to_owned(), ..RawLilm::default() }).is_err());
    }
}
