//! Puts the rules that are data (`codes/`, `templates/`, `xsd/`) into the binary, so that one file is the whole gateway.
//! `[rules] folder` in the configuration reads them from disk instead.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?);
    let out = PathBuf::from(env::var("OUT_DIR").map_err(io::Error::other)?);
    let mut files = Vec::new();
    for folder in ["codes", "templates", "xsd", "migrations", "config"] {
        println!("cargo:rerun-if-changed={folder}");
        walk(&root.join(folder), &root, &mut files)?;
    }
    files.sort();
    let mut code = String::from("&[\n");
    for (name, path) in files {
        code.push_str(&format!("    ({name:?}, include_bytes!({path:?})),\n"));
    }
    code.push_str("]\n");
    fs::write(out.join("embedded.rs"), code)?;
    fs::write(out.join("code.rs"), code_table(&fs::read_to_string(root.join("codes/refusals.toml"))?)?)
}

/// `codes/refusals.toml` as the closed enum `Code`: what the compiler can check must not be read at run time.
fn code_table(text: &str) -> io::Result<String> {
    let table: toml::Table = text.parse().map_err(io::Error::other)?;
    let rows = table.get("code").and_then(toml::Value::as_array).ok_or_else(|| io::Error::other("codes/refusals.toml has no [[code]]"))?;
    let word = |row: &toml::Value, key: &str| {
        row.get(key).and_then(toml::Value::as_str).map(str::to_owned).ok_or_else(|| io::Error::other(format!("a [[code]] without {key}")))
    };
    let flag = |row: &toml::Value, key: &str| row.get(key).and_then(toml::Value::as_bool).ok_or_else(|| io::Error::other(format!("a [[code]] without {key}")));
    let (mut variants, mut all, mut arms) = (String::new(), String::new(), [const { String::new() }; 7]);
    for row in rows {
        let id = word(row, "id")?;
        variants.push_str(&format!("    /// `{id}` {}\n    {id},\n", word(row, "name")?));
        all.push_str(&format!("Self::{id}, "));
        let ack = match word(row, "ack")?.as_str() {
            "AA" => "Accept",
            "AE" => "Error",
            "AR" => "Reject",
            other => return Err(io::Error::other(format!("{id}: ack = {other:?} is none of AA, AE, AR"))),
        };
        let severity = match word(row, "severity")?.as_str() {
            "error" => "Error",
            "warning" => "Warning",
            other => return Err(io::Error::other(format!("{id}: severity = {other:?} is neither error nor warning"))),
        };
        let values = [
            format!("{id:?}"),
            format!("{:?}", word(row, "name")?),
            format!("Severity::{severity}"),
            format!("AckType::{ack}"),
            flag(row, "final")?.to_string(),
            format!("{:?}", word(row, "hl7")?),
            format!("{:?}", word(row, "kanta")?),
        ];
        for (arm, value) in arms.iter_mut().zip(values) {
            arm.push_str(&format!("            Self::{id} => {value},\n"));
        }
    }
    let [ids, names, severities, acks, finals, hl7, kanta] = arms;
    let method = |doc: &str, head: &str, arms: &str| {
        format!(
            "    /// {doc}\n    #[must_use]\n    #[allow(clippy::too_many_lines, clippy::match_same_arms)]\n    pub const fn {head} {{\n        match self {{\n{arms}        }}\n    }}\n\n"
        )
    };
    Ok([
        format!("/// A refusal's or warning's code.\n#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]\npub enum Code {{\n{variants}}}\n\nimpl Code {{\n"),
        format!("    /// Every code, in the order of the table.\n    pub const ALL: [Self; {}] = [{all}];\n\n", rows.len()),
        method("`E305`.", "as_str(self) -> &'static str", &ids),
        method("The short English name that samples and documentation use.", "name(self) -> &'static str", &names),
        method("Whether it refuses.", "severity(self) -> Severity", &severities),
        method("The acknowledgement it asks for.", "ack_type(self) -> AckType", &acks),
        method("Whether a refusal with it is final under the same rule set.", "is_final(self) -> bool", &finals),
        method("HL7's AcknowledgementDetailCode.", "hl7(self) -> &'static str", &hl7),
        method("Kanta's own code; empty where none is known.", "kanta(self) -> &'static str", &kanta),
        "    /// Reads `E305`.\n    #[must_use]\n    pub fn parse(text: &str) -> Option<Self> {\n        Self::ALL.into_iter().find(|c| c.as_str() == text)\n    }\n}\n".to_owned(),
    ]
    .concat())
}

fn walk(folder: &Path, root: &Path, files: &mut Vec<(String, String)>) -> io::Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, root, files)?;
        } else if let (Ok(name), Some(full)) = (path.strip_prefix(root), path.to_str()) {
            files.push((name.to_string_lossy().replace('\\', "/"), full.to_owned()));
        }
    }
    Ok(())
}
