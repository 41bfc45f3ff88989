//! `[api]`: where the HTTP API answers and to whom.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::checked::ConfigFault;
use super::raw::RawApi;

/// Where the API answers, and what it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiPlace {
    /// The address.
    pub listen: SocketAddr,
    /// The file of tokens.
    pub tokens: PathBuf,
    /// The folder of the files that callers may name.
    pub folder: Option<PathBuf>,
}

/// Checks the section; `None` where nothing listens.
///
/// # Errors
/// What is wrong: an address that is none or is open to others without TLS, no tokens.
pub(super) fn check(raw: RawApi) -> Result<Option<ApiPlace>, ConfigFault> {
    if raw.listen.is_empty() {
        return Ok(None);
    }
    let listen: SocketAddr = raw.listen.parse().map_err(|_| ConfigFault(format!("[api] listen = {:?} is not ADDRESS:PORT", raw.listen)))?;
    if !listen.ip().is_loopback() {
        return Err(ConfigFault(format!(
            "[api] listen = {listen}: others would read tokens on the way; listen on 127.0.0.1 or [::1], and let a proxy on this machine speak TLS"
        )));
    }
    if raw.tokens_file.is_empty() {
        return Err(ConfigFault("[api] tokens_file is needed where [api] listen is set: arkki api token NAME ROLE makes its lines".into()));
    }
    let folder = Some(raw.folder).filter(|folder| !folder.is_empty()).map(PathBuf::from);
    if folder.as_ref().is_some_and(|folder| !folder.is_absolute()) {
        return Err(ConfigFault("[api] folder: a whole path is needed, one that begins with /".into()));
    }
    Ok(Some(ApiPlace { listen, tokens: raw.tokens_file.into(), folder }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn raw(listen: &str, tokens: &str, folder: &str) -> RawApi {
        RawApi { listen: listen.into(), tokens_file: tokens.into(), folder: folder.into() }
    }

    #[test]
    fn it_listens_to_this_machine_alone_and_with_tokens() {
        assert_eq!(check(raw("", "", "")).unwrap(), None);
        assert!(check(raw("127.0.0.1:9466", "/etc/arkki/tokens", "")).unwrap().is_some());
        assert!(check(raw("[::1]:9466", "/etc/arkki/tokens", "/var/lib/arkki/api")).unwrap().is_some());
        for (listen, tokens, folder, word) in [
            ("0.0.0.0:9466", "t", "", "TLS"),
            ("192.0.2.1:9466", "t", "", "TLS"),
            ("[::]:9466", "t", "", "TLS"),
            ("9466", "t", "", "ADDRESS:PORT"),
            ("127.0.0.1:9466", "", "", "tokens_file"),
            ("127.0.0.1:9466", "t", "files", "whole path"),
        ] {
            assert!(check(raw(listen, tokens, folder)).unwrap_err().0.contains(word), "{listen}");
        }
    }
}
