//! Tools that judge us: found on the path, run with a bound, and named with their Debian package when missing.

use std::ffi::OsStr;
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The longest a tool may take; Xerces over all reference documents is the slowest.
const LONGEST_RUN: Duration = Duration::from_secs(300);

/// Program to Debian package; `scripts/setup test` installs them all.
const PACKAGES: [(&str, &str); 21] = [
    ("chromedriver", "chromium-driver"),
    ("chromium", "chromium"),
    ("curl", "curl"),
    ("docker", "docker.io"),
    ("epmd", "erlang-base"),
    ("java", "default-jdk-headless"),
    ("javac", "default-jdk-headless"),
    ("npm", "npm"),
    ("openssl", "openssl"),
    ("psql", "postgresql"),
    ("postgres", "postgresql"),
    ("prometheus", "prometheus"),
    ("promtool", "prometheus"),
    ("rabbitmq-server", "rabbitmq-server"),
    ("rabbitmqctl", "rabbitmq-server"),
    ("setsid", "util-linux"),
    ("softhsm2-util", "softhsm2"),
    ("tmux", "tmux"),
    ("unshare", "util-linux"),
    ("xmllint", "libxml2-utils"),
    ("xmlsec1", "xmlsec1"),
];

/// Of these what only the browser's tests need.
const BROWSER: [&str; 3] = ["chromedriver", "chromium", "npm"];

/// What a tool said.
#[derive(Debug, Clone)]
pub struct Output {
    /// Exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

impl Output {
    #[must_use]
    pub fn ok(&self) -> bool {
        self.code == Some(0)
    }

    /// Standard output as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard error as text.
    #[must_use]
    pub fn errors(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// Standard output of a run that must have gone well.
    #[track_caller]
    pub fn must(self) -> String {
        assert!(self.ok(), "exit {:?}\n{}\n{}", self.code, self.text(), self.errors());
        self.text()
    }
}

/// Runs `program` with `args` and no input.
#[track_caller]
pub fn run<S: AsRef<OsStr>>(program: impl AsRef<OsStr>, args: impl IntoIterator<Item = S>) -> Output {
    run_with_input(program, args, b"")
}

/// Runs `program` with `args`; `input` on its standard input.
#[track_caller]
pub fn run_with_input<S: AsRef<OsStr>>(program: impl AsRef<OsStr>, args: impl IntoIterator<Item = S>, input: &[u8]) -> Output {
    run_command(Command::new(tool(program)).args(args), input)
}

/// Runs a command that was put together elsewhere (folder, environment).
#[track_caller]
pub fn run_command(command: &mut Command, input: &[u8]) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("{}: {e}{}", command.get_program().display(), package_hint(command.get_program())));
    let (mut stdin, stdout, stderr) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // A tool that has seen enough closes its input; that is its right.
            let _ = stdin.write_all(input);
        });
        let out = scope.spawn(move || drain(stdout));
        let err = scope.spawn(move || drain(stderr));
        let end = Instant::now() + LONGEST_RUN;
        let status = loop {
            if let Some(status) = child.try_wait().expect("a child of ours") {
                break status;
            }
            if Instant::now() > end {
                let _ = child.kill();
                let _ = child.wait();
                panic!("{:?} took longer than {LONGEST_RUN:?}", command.get_program());
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        Output { code: status.code(), stdout: out.join().expect("reader"), stderr: err.join().expect("reader") }
    })
}

fn drain(mut from: impl Read) -> Vec<u8> {
    let mut all = Vec::new();
    let _ = from.read_to_end(&mut all);
    all
}

/// The program's full path; fails with the Debian package to install.
#[track_caller]
pub fn tool(program: impl AsRef<OsStr>) -> PathBuf {
    let name = Path::new(program.as_ref());
    if name.components().count() > 1 {
        assert!(name.is_file(), "{} is missing{}", name.display(), package_hint(program.as_ref()));
        return name.to_path_buf();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        // Where the path of who is not root seldom leads.
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| panic!("{} is missing{}", name.display(), package_hint(program.as_ref())))
}

/// The highest version of a folder like `/usr/lib/postgresql/15/bin` that holds `program`: each pattern has one `*` for the version.
pub fn newest(patterns: &[&str], program: &str) -> Option<PathBuf> {
    let mut found: Vec<(Vec<u32>, PathBuf)> = Vec::new();
    for pattern in patterns {
        let Some((before, after)) = pattern.split_once('*') else { continue };
        let (parent, prefix) = before.rsplit_once('/').unwrap_or(("", before));
        for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let Some(version) = name.to_str().and_then(|name| name.strip_prefix(prefix)) else { continue };
            let folder = entry.path().join(after.trim_start_matches('/'));
            if folder.join(program).is_file() {
                found.push((version.split('.').map(|part| part.parse().unwrap_or(0)).collect(), folder));
            }
        }
    }
    found.sort();
    found.pop().map(|(_, folder)| folder)
}

/// ` (Debian package: …)` for programs the kit knows.
pub fn package_hint(program: &OsStr) -> String {
    let name = Path::new(program).file_name().unwrap_or(program);
    let Some((known, package)) = PACKAGES.iter().find(|(known, _)| name == *known) else { return String::new() };
    let without = if BROWSER.contains(known) { "; with ARKKI_NO_BROWSER=1 what a real browser shows is left out" } else { "" };
    format!(" (Debian package: {package}; `scripts/setup test` installs it{without})")
}
