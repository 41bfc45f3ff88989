//! Signatures of the patient side and of old prescriptions: told by their algorithms, never accepted; the verdicts of others are in `signatures.tsv`.

use arkki::domain::code::Code;
use arkki::xml::{dsig, tree};

use super::{example_anchors, shared};

#[test]
fn legacy_signatures_are_refused_for_their_algorithms() {
    let Some(folder) = shared("reference") else { return };
    let table = std::fs::read_to_string(folder.join("signatures.tsv")).unwrap();
    let (mut legacy, mut modern) = (0, 0);
    for row in table.lines().skip(1) {
        let cells: Vec<_> = row.split('\t').collect();
        let Ok(text) = std::fs::read_to_string(folder.join(cells[0])) else { continue };
        let Ok(document) = tree::parse(text.trim_start_matches('\u{feff}')) else { continue };
        for signature in dsig::Survey::of(&document).signatures {
            match dsig::read(signature) {
                Err(findings) => {
                    assert!(findings.iter().any(|f| f.code == Code::E609), "{}: {findings:?}", cells[0]);
                    legacy += 1;
                }
                Ok(read) => {
                    // The two that keep to our profile: judged as xmlsec1 and the JDK judged them.
                    assert!(cells[4].ends_with("rsa-sha256"), "{}", cells[0]);
                    let digests = read.references.iter().all(|reference| {
                        document.descendants().find(|n| dsig::own_id(*n) == Some(reference.id)).is_some_and(|n| dsig::digest_of(n) == reference.digest)
                    });
                    let value = arkki::crypto::certificate::Certificate::from_der(&read.certificate)
                        .is_ok_and(|c| c.verifies(&dsig::digest_of(read.signed_info), &read.value));
                    assert_eq!(digests && value, cells[9] == "VALID", "{}: digests {digests}, value {value}", cells[0]);
                    modern += 1;
                }
            }
        }
        assert!(
            super::check(text.trim_start_matches('\u{feff}'), &example_anchors()).is_err(),
            "{}: on the patient side's paper it is no social document",
            cells[0]
        );
    }
    println!("{legacy} legacy signatures, {modern} of our profile");
    assert!(legacy > 50 && modern == 2, "{legacy} {modern}");
}
