//! A site's own rule files, read from a folder that has `codes/`, `templates/` and `xsd/` in it.

use std::path::Path;

use super::checked::{ConfigFault, read_octets};
use crate::codes::source::Files;

/// The most files read: a wrong folder must not be read to its end.
const MOST_FILES: usize = 2_000;
/// The most octets of national definitions read: the published set of 202 has 23 million.
const DEFINITION_OCTETS: usize = 200 * 1024 * 1024;

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

/// Reads the national definitions: every `*.json` of the folder itself.
///
/// # Errors
/// What is missing, too much, or cannot be read.
pub fn read_sosmeta(folder: &Path) -> Result<Files, ConfigFault> {
    let fault = |what: String| ConfigFault(format!("[sosmeta] folder: {}: {what}", folder.display()));
    let mut files = Files::new();
    let mut octets = 0_usize;
    for entry in std::fs::read_dir(folder).map_err(|e| fault(e.to_string()))? {
        let path = entry.map_err(|e| fault(e.to_string()))?.path();
        let Some(name) = path.file_name().map(|n| n.to_string_lossy().into_owned()).filter(|n| n.ends_with(".json")) else { continue };
        let content = read_octets(&path)?;
        octets = octets.saturating_add(content.len());
        files.insert(name, content);
        if files.len() > MOST_FILES || octets > DEFINITION_OCTETS {
            return Err(fault(format!("more than {MOST_FILES} files or {DEFINITION_OCTETS} octets")));
        }
    }
    if files.is_empty() {
        return Err(fault("no *.json in it; leave the option empty to check by Arkki's own rules only".to_owned()));
    }
    Ok(files)
}
