//! A child in a process group of its own that never outlives the run: `arkki serve` under test, and the kit's own servers.

use super::{wait_until_blocking, watchdog};
use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// How long a dropped process has before it is killed.
const GRACE: Duration = Duration::from_secs(5);

/// A running child; dropping it ends its whole group.
pub struct Process {
    child: Child,
    farewell: Signal,
    ended: Option<ExitStatus>,
}

/// What can be sent to a process group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    Hangup,
    Int,
    Kill,
    Quit,
    Term,
}

impl Signal {
    const fn name(self) -> &'static str {
        match self {
            Self::Hangup => "HUP",
            Self::Int => "INT",
            Self::Kill => "KILL",
            Self::Quit => "QUIT",
            Self::Term => "TERM",
        }
    }
}

impl Process {
    /// Starts `command` with no input and both outputs appended to `log`. Ends by SIGTERM, then SIGKILL, with this value or with the run.
    pub fn start(command: &mut Command, log: &Path) -> Self {
        Self::start_with(command, log, Signal::Term)
    }

    /// As [`Process::start`], with another signal at the end.
    pub fn start_with(command: &mut Command, log: &Path, farewell: Signal) -> Self {
        watchdog::root();
        let out = File::options().create(true).append(true).open(log).unwrap_or_else(|e| panic!("log {}: {e}", log.display()));
        let err = out.try_clone().expect("a second handle");
        command.stdin(Stdio::null()).stdout(out).stderr(err).process_group(0);
        let child = command.spawn().unwrap_or_else(|e| panic!("{}: {e}", command.get_program().display()));
        watchdog::adopt(child.id(), farewell.name());
        Self { child, farewell, ended: None }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends `signal` to the group; nothing happens if it has ended.
    pub fn signal(&mut self, signal: Signal) {
        if self.exit_status().is_none() {
            send(signal, self.child.id());
        }
    }

    /// SIGKILL to the whole group, and the child reaped.
    pub fn kill9(&mut self) {
        self.signal(Signal::Kill);
        assert!(self.wait(GRACE).is_some(), "process {} outlived SIGKILL", self.child.id());
    }

    /// The exit status once it has ended, within `deadline`.
    pub fn wait(&mut self, deadline: Duration) -> Option<ExitStatus> {
        let _ = wait_until_blocking(deadline, || self.exit_status().is_some());
        self.ended
    }

    /// The exit status if it has ended.
    pub fn exit_status(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().expect("a child of ours");
            if self.ended.is_some() {
                // What the leader left behind in its group goes with it, while the number is certainly still ours.
                send(Signal::Kill, self.child.id());
                watchdog::forget(self.child.id());
            }
        }
        self.ended
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(self.farewell);
        if self.wait(GRACE).is_none() {
            self.signal(Signal::Kill);
            let _ = self.wait(GRACE);
        }
    }
}

/// By the shell's own `kill`: the standard library sends no signals but KILL, and the house has one place for `unsafe`.
fn send(signal: Signal, group: u32) {
    let _ = Command::new("sh")
        .args(["-c", "kill -s \"$1\" -- \"-$2\"", "sh", signal.name(), &group.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}
