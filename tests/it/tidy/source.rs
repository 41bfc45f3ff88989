//! A source file as the tidy rules see it: without comments and literals, with and without its tests. Line numbers stay those of the file.

use crate::kit;
use std::path::{Path, PathBuf};

/// Folders that are not ours to judge.
const SKIPPED: [&str; 5] = [".git", "target", "node_modules", "proptest-regressions", "demo-archive"];
/// The endings of files that hold words of ours; samples and schemas are data.
const TEXTS: [&str; 13] = ["rs", "toml", "md", "sh", "yml", "yaml", "sql", "service", "run", "conf", "json", "lock", "txt"];

pub struct Source {
    /// From the repository's root, with `/`.
    pub name: String,
    pub text: String,
    /// Comments and the insides of literals blanked.
    pub code: Blanked,
    /// As `code`, with the items under `#[cfg(test)]` blanked too.
    pub product: Blanked,
}

/// Text of a file with some of it turned to spaces, line for line.
pub struct Blanked(String);

/// A name in the code, by what stands before it.
pub enum Token<'a> {
    /// A name that begins a path or stands alone.
    Root(&'a str),
    /// A name after `::` or `.`, or within a word of another kind.
    Inner,
}

/// Every Rust file below `folder`, which may be absent.
pub fn all(folder: &str) -> Vec<Source> {
    let mut files = Vec::new();
    walk(&kit::repository().join(folder), &mut files);
    files.iter().filter(|file| file.extension().is_some_and(|ending| ending == "rs")).filter_map(|file| read(file)).collect()
}

/// One file, if it is there.
pub fn file(name: &str) -> Option<Source> {
    read(&kit::repository().join(name))
}

/// Name and text of every file that holds words of ours, whatever its language.
pub fn texts() -> Vec<(String, String)> {
    let mut files = Vec::new();
    walk(kit::repository(), &mut files);
    files
        .into_iter()
        .filter(|file| match file.extension().and_then(|ending| ending.to_str()) {
            Some(ending) => TEXTS.contains(&ending),
            None => true,
        })
        .filter_map(|file| Some((name_of(&file)?, String::from_utf8(std::fs::read(&file).ok()?).ok()?)))
        .filter(|(name, _)| name != "Cargo.lock" && name != ".git")
        .collect()
}

fn read(file: &Path) -> Option<Source> {
    let text = std::fs::read_to_string(file).ok()?;
    let code = Blanked(blank(&text));
    let product = Blanked(code.without_tests());
    Some(Source { name: name_of(file)?, text, code, product })
}

fn name_of(file: &Path) -> Option<String> {
    Some(file.strip_prefix(kit::repository()).ok()?.to_str()?.replace('\\', "/"))
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for entry in entries {
        let skipped = entry.file_name().and_then(|name| name.to_str()).is_some_and(|name| SKIPPED.contains(&name));
        if entry.is_symlink() || skipped {
            continue;
        }
        if entry.is_dir() { walk(&entry, files) } else { files.push(entry) }
    }
}

impl Source {
    /// The module of the crate that this file is in; the crate's own roots have none.
    pub fn module(&self) -> Option<&str> {
        let rest = self.name.strip_prefix("src/")?;
        let module = rest.split('/').next()?.trim_end_matches(".rs");
        (module != "lib" && module != "main").then_some(module)
    }

    pub fn lies_in(&self, place: &str) -> bool {
        self.name.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || rest.starts_with('.'))
    }

    /// Each module of the crate that is named, by `crate::` or by enough `super::`, with its line.
    pub fn crate_references(&self) -> Vec<(usize, String)> {
        let parts = self.name.trim_start_matches("src/").trim_end_matches("/mod.rs").split('/').count();
        let climb = "super::".repeat(parts);
        let mut found = self.paths_after("crate::");
        found.extend(self.paths_after(&climb).into_iter().filter(|(_, name)| name != "super"));
        found
    }

    /// The names that follow `prefix` in the product's code: one, or those at the top of a group in braces.
    pub fn paths_after(&self, prefix: &str) -> Vec<(usize, String)> {
        let text = &self.product.0;
        let mut found = Vec::new();
        for (at, _) in text.match_indices(prefix) {
            let before = text[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || "_$:".contains(c)) {
                continue;
            }
            let line = 1 + text[..at].matches('\n').count();
            found.extend(heads(&text[at + prefix.len()..]).into_iter().map(|name| (line, name)));
        }
        found
    }
}

/// The first names of what follows: `a::b` gives `a`, `{a::{b, c}, d}` gives `a` and `d`.
fn heads(rest: &str) -> Vec<String> {
    let name = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let Some(group) = rest.strip_prefix('{') else { return vec![name(rest)] };
    let (mut depth, mut start, mut names) = (1_usize, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 || (depth == 1 && c == ',') {
            names.push(name(group[start..at].trim_start()));
            start = at + 1;
        }
        if depth == 0 {
            break;
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

impl Blanked {
    /// Line number and text.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.0.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    /// Every name that is followed by `::` or stands after `use` or `extern crate`, with its line.
    pub fn tokens(&self) -> impl Iterator<Item = (usize, Token<'_>)> {
        self.lines().flat_map(|(number, line)| {
            let mut at = 0;
            words(line).map(move |word| {
                let start = at + line[at..].find(word).unwrap_or(0);
                at = start + word.len();
                let inner = line[..start].ends_with("::") || line[..start].ends_with('.');
                let path = line[at..].starts_with("::") || line.trim_start().starts_with("use ") && line[at..].starts_with([';', ' ']);
                (number, if path && !inner { Token::Root(word) } else { Token::Inner })
            })
        })
    }

    /// Line, length and name of each function; rustfmt puts its closing brace under its beginning.
    pub fn functions(&self) -> Vec<(usize, usize, String)> {
        let lines: Vec<&str> = self.0.lines().collect();
        let mut found = Vec::new();
        for (index, line) in lines.iter().enumerate() {
            let Some(name) = words(line).skip_while(|word| *word != "fn").nth(1) else { continue };
            let indent = line.len() - line.trim_start().len();
            let close = format!("{}}}", &line[..indent]);
            if line.trim_end().ends_with('}') || line.trim_end().ends_with(';') {
                continue;
            }
            let Some(length) = lines[index..].iter().position(|candidate| candidate.trim_end() == close) else { continue };
            found.push((index + 1, length + 1, name.to_owned()));
        }
        found
    }

    /// Items under `#[cfg(test)]` blanked: to the closing brace under the attribute, or to the item's semicolon.
    fn without_tests(&self) -> String {
        let mut kept = String::with_capacity(self.0.len());
        let mut inside: Option<String> = None;
        for line in self.0.lines() {
            if let Some(indent) = &inside {
                let own = line.strip_prefix(indent.as_str());
                let opened = own.is_some_and(|own| own.starts_with('}'));
                let short = own.is_some_and(|own| !own.starts_with(' ') && !own.starts_with('#') && own.trim_end().ends_with([';', '}']));
                if opened || short {
                    inside = None;
                }
            } else if line.trim_start().starts_with("#[cfg(test)]") {
                inside = Some(line[..line.len() - line.trim_start().len()].to_owned());
            } else {
                kept.push_str(line);
            }
            kept.push('\n');
        }
        kept
    }
}

/// The identifiers and keywords of a line.
pub fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// Comments and the insides of string and character literals turned to spaces; line breaks stay.
fn blank(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let after_word = out.chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_');
        let (length, keep) = match first {
            '/' if rest.starts_with("//") => (rest.find('\n').unwrap_or(rest.len()), false),
            '/' if rest.starts_with("/*") => (rest.find("*/").map_or(rest.len(), |end| end + 2), false),
            '"' => (string_length(rest), false),
            'r' | 'b' | 'c' if !after_word => raw_length(rest).map_or((1, true), |length| (length, false)),
            '\'' => (character_length(rest), false),
            other => (other.len_utf8(), true),
        };
        let (piece, tail) = rest.split_at(length.min(rest.len()));
        if keep {
            out.push_str(piece)
        } else {
            out.extend(piece.chars().map(|c| if c == '\n' { '\n' } else { ' ' }))
        }
        rest = tail;
    }
    out
}

fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of a raw literal that starts here (`r"…"`, `br#"…"#`); `None` if none does. `b"…"` is left to the quote that follows.
fn raw_length(text: &str) -> Option<usize> {
    let letters = text.len() - text.trim_start_matches(['b', 'c']).len();
    let raw = text.get(letters..)?.strip_prefix('r')?;
    let hashes = raw.len() - raw.trim_start_matches('#').len();
    let body = raw.get(hashes..)?.strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let before = text.len() - body.len();
    Some(body.find(&end).map_or(text.len(), |at| before + at + end.len()))
}

/// `'x'` or `'\n'` whole; a lifetime's mark alone.
fn character_length(text: &str) -> usize {
    let mut inside = text.char_indices().skip(1);
    match (inside.next(), inside.next()) {
        (Some((_, '\\')), Some((at, escaped))) => text[at + escaped.len_utf8()..].find('\'').map_or(1, |end| at + escaped.len_utf8() + end + 1),
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 1,
    }
}

#[test]
fn the_reader_sees_code_and_nothing_else() {
    let text = "//! unsafe\nlet a = \"x.unwrap()\"; // panic!(\nlet r = r#\"crate::app\"#; let c = '\"'; let l: &'static str = b.unwrap();\n#[cfg(test)]\nmod tests {\n    fn t() {\n        q.unwrap();\n    }\n}\nfn after() {}\n";
    let code = Blanked(blank(text));
    assert_eq!(code.0.lines().count(), text.lines().count());
    assert_eq!(code.0.matches(".unwrap()").count(), 2);
    let product = code.without_tests();
    assert_eq!(product.matches(".unwrap()").count(), 1);
    assert!(product.contains("fn after()") && !product.contains("panic!") && !product.contains("crate::app"));
    assert_eq!(heads("{domain::{a, b}, app, xml::tree};"), ["domain", "app", "xml"]);
    assert_eq!(heads("app::run()"), ["app"]);
    let climbing = Source {
        name: "src/cda/header.rs".to_owned(),
        text: String::new(),
        code: Blanked(String::new()),
        product: Blanked("use super::super::app;\nuse super::body;".to_owned()),
    };
    assert_eq!(climbing.crate_references(), [(1, "app".to_owned())]);
}
