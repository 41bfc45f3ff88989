//! A site's own rule files, read from a folder that has `codes/`, `templates/` and `xsd/` in it.

use std::path::Path;

use super::checked::{ConfigFault, read_octets};
use crate::codes::source::Files;

/// The most files read: a wrong folder must not be read to its end.
const MOST_FILES: usize = 2_000;

/// Reads the folder.
///
/// # Errors
/// What is missing or cannot be read.
pub fn read(folder: &Path) -> Result<Files, ConfigFault> {
    let mut files = Files::new();
    for part in ["codes", "templates", "xsd"] {
        let mut open = vec![folder.join(part)];
        while let Some(here) = open.pop() {
            let entries = std::fs::read_dir(&here).map_err(|e| ConfigFault(format!("[rules] folder: {}: {e}", here.display())))?;
            for entry in entries {
                let path = entry.map_err(|e| ConfigFault(format!("[rules] folder: {}: {e}", here.display())))?.path();
                if path.is_dir() {
                    open.push(path);
                } else if let Ok(name) = path.strip_prefix(folder) {
                    files.insert(name.to_string_lossy().replace('\\', "/"), read_octets(&path)?);
                    if files.len() > MOST_FILES {
                        return Err(ConfigFault(format!("[rules] folder: more than {MOST_FILES} files under {}", folder.display())));
                    }
                }
            }
        }
    }
    Ok(files)
}
