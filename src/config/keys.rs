//! Which keys the configuration names: the one that signs, in a file or in a token, and the one that follows it.

use super::checked::{ConfigFault, NextKey, TokenKey};
use super::raw::{RawNextKey, RawSign};
use crate::domain::time::Moment;

/// The token of `[sign]`, where a module is named.
///
/// # Errors
/// A module without token, key or PIN.
pub(super) fn token(raw: &RawSign) -> Result<Option<TokenKey>, ConfigFault> {
    if raw.pkcs11_module.trim().is_empty() {
        return Ok(None);
    }
    for (value, name) in [(&raw.pkcs11_token, "pkcs11_token"), (&raw.pkcs11_key, "pkcs11_key"), (&raw.pin_file, "pin_file")] {
        if value.trim().is_empty() {
            return Err(ConfigFault(format!("[sign] pkcs11_module is given and {name} is not: a key in a token is found by module, token and label")));
        }
    }
    Ok(Some(TokenKey {
        module: raw.pkcs11_module.clone().into(),
        token: raw.pkcs11_token.clone(),
        key: raw.pkcs11_key.clone(),
        pin_file: raw.pin_file.clone().into(),
    }))
}

/// The key of `[next_key]`, where a moment is named. In a token it is found by the module and PIN of `[sign]`.
///
/// # Errors
/// A moment that is none, or no key.
pub(super) fn next(sign: &RawSign, raw: RawNextKey) -> Result<Option<NextKey>, ConfigFault> {
    if raw.from.trim().is_empty() {
        return Ok(None);
    }
    let from = Moment::parse_iso(&raw.from).ok_or_else(|| ConfigFault(format!("[next_key] from = {:?}: write a moment as 2027-01-31T22:00:00Z", raw.from)))?;
    if raw.certificate_file.trim().is_empty() {
        return Err(ConfigFault("[next_key] certificate_file is missing".into()));
    }
    let token = if raw.pkcs11_key.trim().is_empty() {
        None
    } else {
        let token = if raw.pkcs11_token.trim().is_empty() { sign.pkcs11_token.clone() } else { raw.pkcs11_token };
        token_of(sign, token, raw.pkcs11_key)?
    };
    if token.is_none() && raw.key_file.trim().is_empty() {
        return Err(ConfigFault("[next_key] names neither key_file nor pkcs11_key".into()));
    }
    Ok(Some(NextKey { from, key_file: raw.key_file.into(), certificate_file: raw.certificate_file.into(), token }))
}

fn token_of(sign: &RawSign, pkcs11_token: String, pkcs11_key: String) -> Result<Option<TokenKey>, ConfigFault> {
    let raw = RawSign { pkcs11_token, pkcs11_key, ..sign.clone() };
    match token(&raw)? {
        Some(token) => Ok(Some(token)),
        None => Err(ConfigFault("[next_key] pkcs11_key is given and [sign] pkcs11_module is not".into())),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_named_whole_or_refused() {
        let in_token = RawSign { pkcs11_module: "/m.so".into(), pkcs11_token: "t".into(), pkcs11_key: "k".into(), pin_file: "/p".into(), ..RawSign::default() };
        assert_eq!(token(&RawSign::default()).unwrap(), None);
        assert_eq!(token(&in_token).unwrap().unwrap().key, "k");
        assert!(token(&RawSign { pin_file: " ".into(), ..in_token.clone() }).unwrap_err().0.contains("pin_file"));
        let from = |from: &str| RawNextKey { from: from.into(), certificate_file: "c".into(), ..RawNextKey::default() };
        assert_eq!(next(&in_token, RawNextKey::default()).unwrap(), None);
        assert!(next(&in_token, from("tomorrow")).unwrap_err().0.contains("2027-01-31T22:00:00Z"));
        assert!(next(&in_token, from("2027-01-31T22:00:00Z")).unwrap_err().0.contains("neither"));
        let other = RawNextKey { pkcs11_key: "k2".into(), ..from("2027-01-31T22:00:00Z") };
        let both = next(&in_token, other.clone()).unwrap().unwrap().token.unwrap();
        assert_eq!((both.token.as_str(), both.key.as_str()), ("t", "k2"));
        assert!(next(&RawSign::default(), other).unwrap_err().0.contains("pkcs11_module"));
    }
}
