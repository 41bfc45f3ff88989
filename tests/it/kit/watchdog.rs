//! The end of the run, however it ends: a small shell in a session of its own reads a pipe from the test process. The pipe closes when the process
//! is gone (end, panic, SIGKILL alike); then the shell ends every process group it was told of and removes the run's folder.

use std::fs::{self, DirBuilder};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Mutex, OnceLock};

/// Lines in: `group PID SIGNAL` to end that group, `forget PID`, `dir PATH` to remove. After the end of input: the signals, at most 5 s of grace,
/// then KILL, then the folders, tried again while a dying server still writes.
const SCRIPT: &str = r#"
trap '' HUP INT TERM QUIT PIPE
groups=' '; dir=
while read -r verb value signal; do
  case $verb in
    group) groups="$groups$value:$signal ";;
    forget) for s in QUIT TERM KILL; do
        case $groups in *" $value:$s "*) groups="${groups%%" $value:$s "*} ${groups#*" $value:$s "}";; esac
      done;;
    dir) dir=$value;;
  esac
done
for g in $groups; do kill -s "${g#*:}" -- "-${g%:*}" 2>/dev/null; done
n=0
while [ $n -lt 50 ]; do
  alive=
  for g in $groups; do kill -s 0 -- "-${g%:*}" 2>/dev/null && alive=y; done
  [ -z "$alive" ] && break
  n=$((n + 1)); sleep 0.1
done
for g in $groups; do kill -s KILL -- "-${g%:*}" 2>/dev/null; done
n=0
while [ -n "$dir" ] && [ -e "$dir" ] && [ $n -lt 50 ]; do rm -rf -- "$dir" 2>/dev/null; n=$((n + 1)); [ -e "$dir" ] && sleep 0.1; done
"#;

struct Watchdog {
    root: PathBuf,
    pipe: Mutex<ChildStdin>,
}

#[allow(clippy::zombie_processes, reason = "it outlives this process by design")]
fn watchdog() -> &'static Watchdog {
    static WATCHDOG: OnceLock<Watchdog> = OnceLock::new();
    WATCHDOG.get_or_init(|| {
        let root = make_root();
        let child = Command::new("setsid")
            .args(["sh", "-c", SCRIPT])
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("setsid (Debian package: util-linux) starts the kit's watchdog");
        let watchdog = Watchdog { pipe: Mutex::new(child.stdin.expect("piped above")), root };
        tell_to(&watchdog, &format!("dir {}", watchdog.root.display()));
        watchdog
    })
}

/// The run's folder: others may pass through it (PostgreSQL runs as another user than root) but not list it.
fn make_root() -> PathBuf {
    let base = std::env::temp_dir().canonicalize().expect("a folder for temporary files");
    let mut tail = [0_u8; 4];
    getrandom::fill(&mut tail).expect("randomness");
    let root = base.join(format!("arkki-it-{}-{:08x}", std::process::id(), u32::from_be_bytes(tail)));
    DirBuilder::new().mode(0o711).create(&root).expect("the run's own folder");
    fs::set_permissions(&root, fs::Permissions::from_mode(0o711)).expect("the run's own folder");
    root
}

fn tell_to(watchdog: &Watchdog, line: &str) {
    let mut pipe = watchdog.pipe.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    writeln!(pipe, "{line}").and_then(|()| pipe.flush()).expect("the kit's watchdog listens");
}

/// The run's own folder; starts the watchdog.
pub fn root() -> &'static Path {
    &watchdog().root
}

/// From now on this process group ends with the run, by `signal` (QUIT, TERM or KILL) and after 5 s by KILL.
pub fn adopt(group: u32, signal: &str) {
    tell_to(watchdog(), &format!("group {group} {signal}"));
}

/// This process group has ended; its number may be another's soon.
pub fn forget(group: u32) {
    tell_to(watchdog(), &format!("forget {group}"));
}
