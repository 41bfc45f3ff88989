//! Who calls: a file of tokens, a line each: a name, a role, and the SHA-256 of the token. The token itself stands nowhere but with its caller.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::route::Role;
use crate::config::checked::{ConfigFault, read_text};
use crate::crypto::sha256;
use crate::domain::digest::Digest;

/// The longest name: it stands in logs and in the archive as the actor.
const NAME: usize = 64;
/// How many tokens a file may have.
const TOKENS: usize = 1000;

/// One caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Its name, as the actor of what it does.
    pub name: String,
    /// What it may do.
    pub role: Role,
    token: Digest,
}

/// Reads the file.
///
/// # Errors
/// The line that is none, what the machine says, or that others may write the file: whoever writes it is an administrator.
pub fn read(path: &Path) -> Result<Vec<Caller>, ConfigFault> {
    let text = read_text(path)?;
    let about = std::fs::metadata(path).map_err(|e| ConfigFault(format!("{}: {e}", path.display())))?;
    if about.permissions().mode() & 0o022 != 0 {
        return Err(ConfigFault(format!("{0}: others may write it: chmod go-w {0}", path.display())));
    }
    parse(&text).map_err(|why| ConfigFault(format!("{}: {why}", path.display())))
}

fn parse(text: &str) -> Result<Vec<Caller>, String> {
    let mut callers: Vec<Caller> = Vec::new();
    let lines = text.lines().enumerate().map(|(n, line)| (n + 1, line.trim())).filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    for (number, line) in lines {
        let mut words = line.split_whitespace();
        let caller = match (words.next(), words.next().map(Role::parse), words.next().map(Digest::from_hex), words.next()) {
            (Some(name), Some(Some(role)), Some(Some(token)), None) if is_name(name) => Caller { name: name.to_owned(), role, token },
            _ => return Err(format!("line {number}: NAME reader|operator|administrator SHA-256 is needed (`arkki api token` makes one)")),
        };
        if callers.len() >= TOKENS || callers.iter().any(|c| c.name == caller.name || c.token == caller.token) {
            return Err(format!("line {number}: a name or a token for the second time, or more than {TOKENS}"));
        }
        callers.push(caller);
    }
    Ok(callers)
}

/// The caller of a token. Hashes are compared: how long that takes tells nothing of the token.
#[must_use]
pub fn caller<'a>(callers: &'a [Caller], token: &str) -> Option<&'a Caller> {
    let hash = sha256(token.as_bytes());
    callers.iter().find(|caller| caller.token == hash)
}

/// The line of a new caller.
///
/// # Errors
/// The name is none.
pub fn line(name: &str, role: Role, token: &str) -> Result<String, String> {
    if !is_name(name) {
        return Err(format!("{name:?} is no name: 1 to {NAME} letters, digits, dots, dashes, underscores"));
    }
    Ok(format!("{name} {} {}", role.as_str(), sha256(token.as_bytes()).to_hex()))
}

fn is_name(name: &str) -> bool {
    (1..=NAME).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_line_made_is_a_line_read() {
        let text = format!("# who\n\n{}\n{}\n", line("ci", Role::Reader, "one").unwrap(), line("night.shift", Role::Operator, "two").unwrap());
        let callers = parse(&text).unwrap();
        assert_eq!(caller(&callers, "two").map(|c| (c.name.as_str(), c.role)), Some(("night.shift", Role::Operator)));
        assert_eq!(caller(&callers, "three"), None);
        assert_eq!(caller(&callers, ""), None);
        assert!(!text.contains("two\n") && Role::Reader < Role::Operator && Role::Operator < Role::Administrator);
    }

    #[test]
    fn a_file_that_others_may_write_lets_nobody_in() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), line("a", Role::Reader, "x").unwrap()).unwrap();
        for (mode, is_read) in [(0o600, true), (0o644, true), (0o664, false), (0o606, false)] {
            std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(read(file.path()).is_ok(), is_read, "{mode:o}");
        }
    }

    #[test]
    fn a_line_that_is_none_is_named() {
        let good = line("a", Role::Reader, "x").unwrap();
        for bad in ["a reader", "a king 00", "a reader zz", &format!("{good} more"), &good.replace("a ", "a/b ")] {
            assert!(parse(&format!("# x\n{bad}")).unwrap_err().starts_with("line 2"), "{bad}");
        }
        assert!(parse(&format!("{good}\n{good}")).unwrap_err().contains("second time"));
        assert!(line("a b", Role::Reader, "x").is_err() && line("", Role::Reader, "x").is_err());
    }
}
