//! Every entry file compiles in xmllint and in Xerces, and neither has anything to say of it.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What libxml2 says where it leaves a second document of a namespace out, and its types with it.
const SKIPPED: &str = "Skipping import";

/// Compiles each schema it is given and prints what the compiler says of it.
const COMPILER: &str = r#"
import java.io.File; import javax.xml.XMLConstants; import javax.xml.validation.*; import org.xml.sax.*;
public class Compiler { public static void main(String[] files) throws Exception {
  for (String file : files) {
    SchemaFactory factory = SchemaFactory.newInstance(XMLConstants.W3C_XML_SCHEMA_NS_URI);
    factory.setErrorHandler(new ErrorHandler() {
      void say(String what, SAXParseException e) { System.out.println(file + ": " + what + ": " + e.getSystemId() + ":" + e.getLineNumber() + ": " + e.getMessage()); }
      public void warning(SAXParseException e) { say("warning", e); }
      public void error(SAXParseException e) { say("error", e); }
      public void fatalError(SAXParseException e) { say("fatal", e); }
    });
    factory.newSchema(new File(file));
    System.out.println(file + " read by " + factory.getClass().getName());
  } } }"#;

/// The files directly under `xsd/`: one per profile or message.
fn entries() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("xsd");
    let mut entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).filter(|path| path.is_file()).collect();
    entries.sort();
    assert!(entries.len() >= 3, "{entries:?}");
    entries
}

#[test]
fn xmllint_compiles_every_entry_without_a_word() {
    for entry in entries() {
        let said = said_by_xmllint(&entry);
        assert!(said.is_empty(), "{}: {said:#?}", entry.display());
    }
}

/// What xmllint says of a schema, without what it says of the document that it must be given.
fn said_by_xmllint(entry: &Path) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let document = folder.path().join("document.xml");
    std::fs::write(&document, "<nobody/>").unwrap();
    let run = Command::new("xmllint").args(["--nonet", "--noout", "--schema"]).arg(entry).arg(&document).output().unwrap();
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(said.contains("fails to validate") || said.contains("failed to compile"), "{said}");
    said.lines().filter(|line| !line.contains("document.xml")).map(str::to_owned).collect()
}

/// The test above can fail: a second document for a namespace is skipped, and xmllint says so.
#[test]
fn a_skipped_import_is_heard() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, body: &str| {
        let text = format!("<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' targetNamespace='urn:{}'>{body}</xs:schema>", &name[..1]);
        std::fs::write(folder.path().join(name), text).unwrap();
        folder.path().join(name)
    };
    write("b1.xsd", "<xs:element name='b'/>");
    write("b2.xsd", "<xs:element name='c'/>");
    let imports = "<xs:import namespace='urn:b' schemaLocation='b1.xsd'/><xs:import namespace='urn:b' schemaLocation='b2.xsd'/><xs:element name='a'/>";
    let said = said_by_xmllint(&write("a.xsd", imports));
    assert!(said.iter().any(|line| line.contains(SKIPPED)), "{said:#?}");
}

/// Both Xerces of this machine, as far as they are there: the one in the Java library and Debian's.
#[test]
fn xerces_compiles_every_entry_without_a_word() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("Compiler.java");
    std::fs::write(&program, COMPILER).unwrap();
    let debian = Path::new("/usr/share/java/xercesImpl.jar");
    for classes in [None, debian.is_file().then_some(debian)] {
        let mut command = Command::new("java");
        if let Some(classes) = classes {
            command
                .arg("-cp")
                .arg(classes)
                .arg("-Djavax.xml.validation.SchemaFactory:http://www.w3.org/2001/XMLSchema=org.apache.xerces.jaxp.validation.XMLSchemaFactory");
        }
        let Ok(run) = command.arg(&program).args(entries()).output() else {
            println!("left out, no java: schemas compiled by Xerces");
            return;
        };
        let (said, complaint) = (String::from_utf8_lossy(&run.stdout).into_owned(), String::from_utf8_lossy(&run.stderr).into_owned());
        assert!(run.status.success() && complaint.is_empty(), "{said}{complaint}");
        let reader = if classes.is_some() { "org.apache.xerces." } else { "com.sun.org.apache.xerces." };
        let quiet = said.lines().filter(|line| line.contains(&format!(" read by {reader}"))).count();
        assert_eq!((quiet, said.lines().count()), (entries().len(), entries().len()), "{said}");
    }
}
