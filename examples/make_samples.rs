//! Remakes `samples/`: the same files every time, signed with the keys in `samples/keys`, which are made when they are not there.
//! `cargo run --example make_samples` in the repository's root, or with another folder as its argument.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use arkki::generate::keys::{Keys, SIGNED_AT};
use arkki::generate::{counties, samples};

fn main() -> io::Result<()> {
    let folder = env::args_os().nth(1).map_or_else(|| PathBuf::from("samples"), PathBuf::from);
    if folder.as_os_str().as_encoded_bytes().starts_with(b"-") {
        return Err(io::Error::other("it takes a folder and no options"));
    }
    let keys = folder.join("keys");
    if !keys.join("ca.pem").exists() {
        fs::create_dir_all(&keys)?;
        for (name, octets) in Keys::make().map_err(io::Error::other)? {
            fs::write(keys.join(name), octets)?;
        }
    }
    fs::write(keys.join("README.md"), KEYS)?;
    let hands = Keys::read(|name| fs::read(keys.join(name)).ok(), SIGNED_AT).map_err(|fault| io::Error::other(fault.to_string()))?;
    let all = samples::all(Some(&hands));
    for part in ["accepted", "queries", "disclosures", "refused", "warned", "hostile", "counties"] {
        remake(&folder.join(part))?;
    }
    let mut size = 0;
    for sample in &all {
        fs::write(folder.join(&sample.path), &sample.octets)?;
        size += sample.octets.len();
    }
    for sample in counties::samples(&hands) {
        fs::write(folder.join(&sample.path), &sample.octets)?;
    }
    fs::write(folder.join("README.md"), format!("{HEAD}\n{}", samples::table(&all)))?;
    println!("{} samples, {} KiB", all.len(), size / 1024);
    Ok(())
}

/// An empty folder of samples, so that what is no longer made is no longer there. Only its XML files go.
fn remake(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "xml") {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

const HEAD: &str = "# Samples

Messages that show what Arkki takes and what it refuses. Everybody in them is synthetic: individual numbers 900–999, which nobody is given, and names like
Testinen. The organisation 9999999-2 does not exist.

- `accepted/`: sent in the order of their names, each link finds what it hangs on and each is answered AA.
- `queries/`: asked after the accepted ones, each is answered AA, with describing data or documents.
- `disclosures/`: disclosures outside the archive, reported after the accepted ones in this order; each is answered AA, and its notice goes out.
- `refused/`: one fault each. The name begins with the code of the refusal, which is its first finding's code. Send them after the accepted ones: some are
  wrong only beside what is archived, and three wait out the hold (60 s by default) before they are refused.
- `warned/`: taken, with the warning that begins the name. Send them after the accepted ones too.
- `hostile/`: input that means harm or madness. Larger ones (100 MB, 200,000 levels, a megabyte in an attribute) are made by `src/generate/hostile.rs`.
- `counties/`: one client, two counties, permission and denial: the walk of docs/disclosure.md, sent by two registered systems in the order of their names.
- `keys/`: the test authority and its keys. Arkki refuses that authority when `environment = \"production\"`.

The client of the Finnish ones is the canary: a test searches every log, metric and header for that identity code and name.
They are remade with `cargo run --example make_samples`; a test compares the folder with what the generator makes.
";

const KEYS: &str = "# Test keys

Everybody can read these private keys: they prove nothing and are for samples, demo and tests only.
`serve` refuses certificates of this authority when `environment = \"production\"`, and `doctor` says so.

| file | whose |
|---|---|
| `ca.pem`, `ca-key.pem` | the test authority, the trust anchor of the samples |
| `system.pem`, `system-key.pem` | the gateway of the sample organisation |
| `professional.pem`, `professional-key.pem` | the professional whom the sample documents name |
| `stranger.pem`, `stranger-key.pem` | another professional: signs a document in the first one's place (E607) |
| `untrusted.pem`, `untrusted-key.pem` | the professional, certified by an authority that nobody trusts (E604) |
| `expired.pem`, `expired-key.pem` | the professional, with a certificate that ended on 1 June 2026 (E605) |
";
