//! The test kit: a private PostgreSQL and a private RabbitMQ, started on first use and once per run; tools, ports, places.
//!
//! * [`postgres::database`] and [`rabbit::vhost`]: fresh ones for a test, on the run's shared servers
//! * [`postgres::own_server`] and [`rabbit::own_server`]: a server of the test's own, to stop and to kill
//! * [`process::Process`]: a child (`arkki serve`) that never outlives the run
//! * [`browser::Chromium`]: a real browser, what it paints, and axe-core (`ARKKI_NO_BROWSER=1` leaves it out)
//! * [`terminal::Terminal`]: a real terminal with a command in it
//! * [`run`] a tool, [`temp_dir`], [`shared`] reference data, [`wait_until`] a condition holds, [`canary::grep`]
//!
//! Whatever happens to the run, [`watchdog`] stops the servers and removes the folder. A missing program is a failure that names its Debian package.
#![allow(dead_code, reason = "a kit has what the next test needs")]

pub mod browser;
pub mod canary;
mod check;
pub mod picture;
pub mod ports;
pub mod postgres;
pub mod process;
pub mod rabbit;
pub mod terminal;
mod tools;
mod watchdog;

use std::future::Future;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub use tempfile::TempDir;
#[allow(unused_imports, reason = "a kit has what the next test needs")]
pub use tools::{Output, run, run_command, run_with_input, tool};

/// How often [`wait_until`] looks.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// The built `arkki` binary.
#[must_use]
pub fn arkki() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_arkki"))
}

/// The package's own folder, where `samples/`, `xsd/` and the rest lie.
#[must_use]
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Copies a folder as git or a package would bring it: files that everybody may read.
///
/// # Panics
/// When something of it cannot be read or written.
pub fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::write(&target, std::fs::read(entry.path()).unwrap()).unwrap();
            std::fs::set_permissions(&target, std::fs::Permissions::from_mode(0o644)).unwrap();
        }
    }
}

/// A folder of the test's own; gone when dropped, and gone with the run even when the run is killed.
#[must_use]
pub fn temp_dir() -> TempDir {
    tempfile::Builder::new().prefix("t").tempdir_in(watchdog::root()).expect("a folder in the run's own folder")
}

/// The reference folder, which may be absent: `ARKKI_SHARED`, else `shared` beside the repository.
/// A test that gets `None` prints what it leaves out.
#[must_use]
pub fn shared() -> Option<PathBuf> {
    let folder = std::env::var_os("ARKKI_SHARED").map_or_else(|| repository().join("../shared"), PathBuf::from);
    folder.canonicalize().ok().filter(|folder| folder.is_dir())
}

/// Waits until `condition` holds, looking again and again; `false` when it did not within `deadline`.
/// `assert!(wait_until(Duration::from_secs(10), || async { … }).await, "what was awaited")`.
#[must_use = "assert it, with a sentence"]
pub async fn wait_until<F, C>(deadline: Duration, mut condition: C) -> bool
where
    C: FnMut() -> F,
    F: Future<Output = bool>,
{
    let end = Instant::now() + deadline;
    loop {
        match tokio::time::timeout_at(end.into(), condition()).await {
            Ok(true) => return true,
            Err(_) => return false,
            Ok(false) if Instant::now() >= end => return false,
            Ok(false) => tokio::time::sleep(LOOK_EVERY).await,
        }
    }
}

/// [`wait_until`] for code that has no runtime.
#[must_use = "assert it, with a sentence"]
pub fn wait_until_blocking(deadline: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + deadline;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        std::thread::sleep(LOOK_EVERY);
    }
}
