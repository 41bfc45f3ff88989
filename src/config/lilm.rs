//! What a site says of its notices (`[lilm]`).

use super::checked::ConfigFault;
use super::raw::RawLilm;
use crate::codes::lilm::Lilm;
use crate::domain::environment::Environment;
use crate::domain::oid::Oid;

/// The longest root of notices' ids: year, number and part follow it in an OID of at most 64 characters.
const ROOT: usize = 34;

/// The checked section; `None` where notices are not taken.
///
/// # Errors
/// The root is no OID, or too long.
pub(super) fn check(raw: &RawLilm) -> Result<Option<Oid>, ConfigFault> {
    if !raw.enabled {
        return Ok(None);
    }
    match Oid::parse(&raw.id_root) {
        Ok(root) if raw.id_root.len() <= ROOT => Ok(Some(root)),
        Ok(_) => Err(ConfigFault(format!("[lilm] id_root = {:?}: at most {ROOT} characters, since more follow it in each id", raw.id_root))),
        Err(_) => Err(ConfigFault(format!("[lilm] id_root = {:?} is not an OID", raw.id_root))),
    }
}

/// What keeps notices from being made with these rules: ids under another node class, or placeholders in production.
#[must_use]
pub fn faults(id_root: Option<&Oid>, environment: Environment, lilm: &Lilm) -> Vec<String> {
    let Some(root) = id_root else { return Vec::new() };
    let mut out = Vec::new();
    if !root.as_str().split('.').any(|arc| arc == lilm.node()) {
        out.push(format!("[lilm] id_root = \"{root}\" has no node class {} of notices (codes/lilm.toml)", lilm.node()));
    }
    let placeholders = lilm.placeholders();
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
        let root = check(&RawLilm::default()).unwrap();
        assert!(faults(root.as_ref(), Environment::Test, &lilm).is_empty());
        let production = faults(root.as_ref(), Environment::Production, &lilm);
        assert!(production.len() == 1 && production.iter().all(|fault| fault.contains("type, purpose")), "{production:?}");
        assert!(faults(None, Environment::Production, &lilm).is_empty());
        assert_eq!(faults(check(&raw("1.2.246.10.99999992")).unwrap().as_ref(), Environment::Test, &lilm).len(), 1);
        assert!(check(&raw("1.2.246.10.99999992.10.0.95.1.2.3.44")).is_err() && check(&raw("x")).is_err());
        assert_eq!(check(&RawLilm { enabled: false, id_root: "x".to_owned() }).unwrap(), None);
    }
}
