//! The independent judges of documents under a schema: xmllint and Xerces. `None` and a note where one is not installed.

use std::path::{Path, PathBuf};
use std::process::Command;

/// xmllint's verdicts on files in a folder.
pub fn xmllint(entry: &Path, files: &[PathBuf]) -> Option<Vec<bool>> {
    let mut verdicts = Vec::new();
    for some in files.chunks(100) {
        let run = Command::new("xmllint").args(["--nonet", "--noout", "--schema"]).arg(entry).args(some).output();
        let Ok(run) = run else {
            println!("left out, no xmllint: verdicts compared with it");
            return None;
        };
        let said = String::from_utf8_lossy(&run.stderr).into_owned();
        // Kela's set has a circle of imports of which xmllint leaves one out; ours have none.
        let is_ours = entry.starts_with(Path::new(env!("CARGO_MANIFEST_DIR")).join("xsd"));
        assert!(!said.contains("failed to compile"), "{said}");
        assert!(!is_ours || !said.contains("Skipping"), "{said}");
        for file in some {
            let good = said.contains(&format!("{} validates\n", file.display()));
            assert!(good != said.contains(&format!("{} fails to validate\n", file.display())), "no verdict on {}", file.display());
            verdicts.push(good);
        }
    }
    Some(verdicts)
}

/// Each text as a file of the folder.
pub fn written(folder: &Path, texts: &[String]) -> Vec<PathBuf> {
    let write = |(n, text): (usize, &String)| {
        let path = folder.join(format!("{n:04}.xml"));
        std::fs::write(&path, text).unwrap();
        path
    };
    texts.iter().enumerate().map(write).collect()
}

const RUNNER: &str = r#"
import java.io.File; import javax.xml.XMLConstants; import javax.xml.transform.stream.StreamSource; import javax.xml.validation.*;
import org.xml.sax.*;
public class Judge { public static void main(String[] a) throws Exception {
  SchemaFactory factory = SchemaFactory.newInstance(XMLConstants.W3C_XML_SCHEMA_NS_URI);
  factory.setErrorHandler(new ErrorHandler() {
    public void warning(SAXParseException e) throws SAXException { throw e; }
    public void error(SAXParseException e) throws SAXException { throw e; }
    public void fatalError(SAXParseException e) throws SAXException { throw e; } });
  Schema schema = factory.newSchema(new File(a[0]));
  for (int i = 1; i < a.length; i++) {
    String verdict = "valid";
    try { schema.newValidator().validate(new StreamSource(new File(a[i]))); } catch (SAXException e) { verdict = "invalid"; }
    System.out.println(verdict);
  } } }"#;

/// Xerces' verdicts on files under one of our entries, which it compiles without a warning.
pub fn xerces(entry: &str, files: &[PathBuf]) -> Option<Vec<bool>> {
    let made = tempfile::tempdir().unwrap();
    let runner = made.path().join("Judge.java");
    std::fs::write(&runner, RUNNER).unwrap();
    let entry = Path::new(env!("CARGO_MANIFEST_DIR")).join(entry);
    let Ok(run) = Command::new("java").arg(&runner).arg(&entry).args(files).output() else {
        println!("left out, no java: verdicts compared with Xerces");
        return None;
    };
    assert!(run.status.success(), "{}: {}", entry.display(), String::from_utf8_lossy(&run.stderr));
    let verdicts: Vec<bool> = String::from_utf8_lossy(&run.stdout).lines().map(|line| line == "valid").collect();
    assert_eq!(verdicts.len(), files.len());
    Some(verdicts)
}
