//! What is free on the machine's disks.

use std::path::Path;

use crate::domain::outage::{Outage, Part};

/// Free and all octets of the disk that a folder lies on, as `df` counts them: what only root may use is neither.
///
/// # Errors
/// What the machine says: there is no such folder.
pub fn disk(folder: &Path) -> Result<(u64, u64), Outage> {
    let seen = rustix::fs::statvfs(folder).map_err(|e| Outage::new(Part::Machine, format!("{}: {e}", folder.display())))?;
    let used = seen.f_blocks.saturating_sub(seen.f_bfree);
    Ok((seen.f_bavail.saturating_mul(seen.f_frsize), used.saturating_add(seen.f_bavail).saturating_mul(seen.f_frsize)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_lies_on_a_disk_and_what_is_not_there_does_not() {
        let (free, all) = disk(Path::new("/")).unwrap_or_default();
        assert!(all > 0 && free <= all);
        assert!(disk(Path::new("/no/such/folder")).is_err());
    }
}
