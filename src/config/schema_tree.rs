//! A site's own schema for a profile: the entry file and everything it includes and imports, read from disk once, at start.
//! Among the rule files they stand under `xsd/site/<profile>/`, with the folders they have on disk, so that the rule set's hash covers their octets.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use super::checked::ConfigFault;
use crate::codes::profiles::{SITE_FOLDER, site_pointer};
use crate::codes::source::Files;
use crate::xml::declared;

/// The most files of one schema, and the most octets of all of them: a wrong path must not fill the memory.
const MOST_FILES: usize = 500;
const MOST_OCTETS: u64 = 64 * 1024 * 1024;

/// What was read for one profile.
#[derive(Debug)]
pub struct SchemaTree {
    /// The files by their names among the rule files, with the one that names the entry.
    pub files: Files,
    /// What [`SchemaTree::files`]' names begin with, and the folder on disk that it stands for.
    pub folder: (String, PathBuf),
}

/// Reads the tree.
///
/// # Errors
/// Which file is missing or cannot be read, who names it, and why.
pub fn read(profile: &str, entry: &Path) -> Result<SchemaTree, ConfigFault> {
    let fault = |what: String| ConfigFault(format!("[profiles.{profile}] schema: {what}"));
    let entry = std::path::absolute(entry).map(|path| plain(&path)).map_err(|e| fault(format!("{}: {e}", entry.display())))?;
    let mut found: BTreeMap<PathBuf, Vec<u8>> = BTreeMap::new();
    let mut octets_left = MOST_OCTETS;
    let mut to_read = vec![(entry.clone(), String::new())];
    while let Some((path, named_by)) = to_read.pop() {
        if found.contains_key(&path) {
            continue;
        }
        if found.len() == MOST_FILES {
            return Err(fault(format!("more than {MOST_FILES} files hang on {}", entry.display())));
        }
        if path.extension().is_none_or(|e| e != "xsd") {
            return Err(fault(format!("{}{named_by}: a schema file's name ends in .xsd", path.display())));
        }
        let octets = octets_of(&path, octets_left).map_err(|e| fault(format!("{}{named_by}: {e}", path.display())))?;
        octets_left = octets_left.saturating_sub(octets.len() as u64);
        let locations = declared::locations(&octets).map_err(|e| fault(format!("{}: {e}", path.display())))?;
        for (line, location) in locations {
            if location.contains("://") {
                return Err(fault(format!("{}:{line}: schemaLocation {location:?} is not on this disk; put the file beside it and name that", path.display())));
            }
            let beside = path.parent().unwrap_or(Path::new("/")).join(&location);
            to_read.push((plain(&beside), format!(" (named by {}:{line})", path.display())));
        }
        found.insert(path, octets);
    }
    let folder = common_folder(&entry, found.keys());
    let prefix = format!("{SITE_FOLDER}{profile}/");
    let name = |path: &Path| format!("{prefix}{}", path.strip_prefix(&folder).unwrap_or(path).to_string_lossy().replace('\\', "/"));
    let mut files: Files = found.iter().map(|(path, octets)| (name(path), octets.clone())).collect();
    files.insert(site_pointer(profile), name(&entry).into_bytes());
    Ok(SchemaTree { files, folder: (prefix, folder) })
}

fn octets_of(path: &Path, most: u64) -> Result<Vec<u8>, String> {
    use std::io::Read as _;
    let mut octets = Vec::new();
    let file = std::fs::File::open(path).map_err(|e| e.to_string())?;
    file.take(most.saturating_add(1)).read_to_end(&mut octets).map_err(|e| e.to_string())?;
    if octets.len() as u64 > most { Err(format!("a schema of more than {} MiB in all", MOST_OCTETS >> 20)) } else { Ok(octets) }
}

/// A path without `.` and `..`, by its letters alone: as libxml2 resolves names inside a schema.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(out.pop()),
            part => out.push(part),
        }
    }
    out
}

/// The innermost folder that holds all of them.
fn common_folder<'p>(entry: &Path, paths: impl Iterator<Item = &'p PathBuf>) -> PathBuf {
    let mut folder = entry.parent().unwrap_or(Path::new("/")).to_path_buf();
    for path in paths {
        while !path.starts_with(&folder) && folder.pop() {}
    }
    folder
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const XS: &str = "xmlns:xs='http://www.w3.org/2001/XMLSchema'";

    fn written(files: &[(&str, String)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn the_tree_is_read_with_its_folders() {
        let made = written(&[
            ("a/main.xsd", format!("<xs:schema {XS}>\n<xs:include schemaLocation='../b/part.xsd'/><xs:import namespace='urn:x'/></xs:schema>")),
            ("b/part.xsd", format!("<xs:schema {XS}><xs:include schemaLocation='./part.xsd'/></xs:schema>")),
        ]);
        let tree = read("cda-r2", &made.path().join("a/./main.xsd")).unwrap();
        let names: Vec<&str> = tree.files.keys().map(String::as_str).collect();
        assert_eq!(names, ["xsd/site/cda-r2.entry", "xsd/site/cda-r2/a/main.xsd", "xsd/site/cda-r2/b/part.xsd"]);
        assert_eq!(tree.files["xsd/site/cda-r2.entry"], b"xsd/site/cda-r2/a/main.xsd");
    }

    #[test]
    fn faults_say_which_file_and_who_names_it() {
        let made = written(&[
            ("missing.xsd", format!("<xs:schema {XS}>\n\n<xs:include schemaLocation='none.xsd'/></xs:schema>")),
            ("net.xsd", format!("<xs:schema {XS}>\n<xs:import namespace='u' schemaLocation='http://example.org/a.xsd'/></xs:schema>")),
            ("broken.xsd", format!("<xs:schema {XS}>")),
            ("other.xsd", "<a/>".to_owned()),
            ("plain.txt", String::new()),
        ]);
        for (name, says) in [
            ("missing.xsd", "missing.xsd:3)"),
            ("net.xsd", "net.xsd:2"),
            ("broken.xsd", "not well-formed"),
            ("other.xsd", "no xs:schema"),
            ("plain.txt", "ends in .xsd"),
            ("gone.xsd", "gone.xsd: No such file"),
        ] {
            let fault = read("cda-r2", &made.path().join(name)).unwrap_err().0;
            assert!(fault.starts_with("[profiles.cda-r2] schema: ") && fault.contains(says), "{fault}");
        }
    }
}
