//! A private PostgreSQL: the highest installed version, its own folder and port, loopback only, durable as in production (fsync on).
//! Not run as root, which PostgreSQL refuses: as `postgres` then.

use super::process::{Process, Signal};
use super::tools::{newest, package_hint, run_command};
use super::{ports, wait_until_blocking, watchdog};
use std::ffi::OsStr;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// A first start with a busy machine; a warm one takes 0.2 s.
const START: Duration = Duration::from_secs(60);
/// A fast shutdown, with its checkpoint, on a busy machine.
const STOP: Duration = Duration::from_secs(60);
/// A socket's path may have 107 octets, its own name among them; without one, TCP alone serves.
const SOCKET_FOLDER: usize = 80;
/// The kit's only database user; trusted on loopback.
const USER: &str = "arkki";

/// A server; the shared one lives as long as the run, an own one until it is dropped.
pub struct Postgres {
    bin: PathBuf,
    folder: PathBuf,
    port: u16,
    owner: Option<(u32, u32)>,
    process: Mutex<Option<Process>>,
}

/// A database of one test. It stays until its server goes.
#[derive(Debug, Clone)]
pub struct Database {
    /// `postgres://arkki@127.0.0.1:port/name`
    pub url: String,
    pub name: String,
}

/// The run's shared server, started by the first caller. Not to be stopped.
pub fn server() -> &'static Postgres {
    static SERVER: OnceLock<Result<Postgres, String>> = OnceLock::new();
    match SERVER.get_or_init(Postgres::begin) {
        Ok(server) => server,
        Err(why) => panic!("{why}"),
    }
}

/// A fresh database on the run's shared server.
pub async fn database() -> Database {
    tokio::task::spawn_blocking(|| server().database_blocking()).await.expect("a fresh database")
}

/// A server of the test's own, running; to stop, kill and start.
pub fn own_server() -> Postgres {
    Postgres::begin().unwrap_or_else(|why| panic!("{why}"))
}

impl Postgres {
    fn begin() -> Result<Self, String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let bin = find()?;
        let folder = watchdog::root().join(format!("pg{}", COUNT.fetch_add(1, Ordering::Relaxed)));
        std::fs::create_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        let owner = unprivileged_user(&folder)?;
        if let Some((uid, gid)) = owner {
            chown(&folder, Some(uid), Some(gid)).map_err(|e| format!("chown {}: {e}", folder.display()))?;
        }
        let server = Self { bin, folder, port: ports::free(), owner, process: Mutex::new(None) };
        let made = run_command(
            server.command("initdb").arg("-D").arg(server.data()).args(["-U", USER, "-A", "trust", "--no-sync", "--encoding=UTF8", "--locale=C"]),
            b"",
        );
        if !made.ok() {
            return Err(format!("initdb failed: {}{}", made.text(), made.errors()));
        }
        server.launch()?;
        Ok(server)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The server's first process, whose children do its work; for a bench that reads their CPU time. `None` while it is stopped.
    pub fn pid(&self) -> Option<u32> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(Process::pid)
    }

    /// The folder whose `log` the server writes; for the canary.
    pub fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// The address of the database `name` on this server.
    pub fn url(&self, name: &str) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/{name}", self.port)
    }

    /// The address of the database `name` by the server's socket in the file system, as a gateway on the same machine takes it; by TCP where the folder's
    /// name is too long for one.
    pub fn local_url(&self, name: &str) -> String {
        match self.folder.as_os_str().len() < SOCKET_FOLDER {
            true => format!("postgres://{USER}@localhost:{}/{name}?host={}", self.port, self.folder.display()),
            false => self.url(name),
        }
    }

    /// A fresh database on this server.
    pub async fn database(&self) -> Database {
        tokio::task::block_in_place(|| self.database_blocking())
    }

    /// As [`Postgres::database`], outside a runtime or in one with a single thread.
    pub fn database_blocking(&self) -> Database {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("arkki_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        Database { url: self.url(&name), name }
    }

    /// What `psql` prints for `statement` in `database`, unaligned, without headers.
    #[track_caller]
    pub fn sql(&self, database: &str, statement: &str) -> String {
        run_command(self.command("psql").args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-c", statement]).arg(self.url(database)), b"").must().trim_end().to_owned()
    }

    /// Stops it the orderly way: connections are ended, everything is on disk.
    pub fn stop(&self) {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut running) = process.take() {
            running.signal(Signal::Int);
            assert!(running.wait(STOP).is_some(), "PostgreSQL did not stop in {STOP:?}");
        }
    }

    /// SIGKILL to the server; its sessions end as they notice.
    pub fn kill9(&self) {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut running) = process.take() {
            running.kill9();
        }
        assert!(wait_until_blocking(STOP, || !self.sessions_alive()), "PostgreSQL's sessions outlived it");
    }

    /// Starts it again, on the same port, and waits until it answers.
    #[track_caller]
    pub fn start(&self) {
        self.launch().unwrap_or_else(|why| panic!("{why}"));
    }

    fn launch(&self) -> Result<(), String> {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(process.is_none(), "PostgreSQL runs already");
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data()).arg("-p").arg(self.port.to_string());
        for setting in ["listen_addresses=127.0.0.1", "max_connections=200", "unix_socket_permissions=0700"] {
            command.arg("-c").arg(setting);
        }
        let room = self.folder.as_os_str().len() < SOCKET_FOLDER;
        command.arg("-k").arg(if room { self.folder.as_os_str() } else { OsStr::new("") });
        let mut started = Process::start_with(&mut command, &self.log(), Signal::Quit);
        let mut ready = self.command("pg_isready");
        ready.args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()]);
        let up = wait_until_blocking(START, || started.exit_status().is_some() || run_command(&mut ready, b"").ok());
        if !up || started.exit_status().is_some() {
            return Err(format!("PostgreSQL did not start; its log:\n{}", std::fs::read_to_string(self.log()).unwrap_or_default()));
        }
        *process = Some(started);
        Ok(())
    }

    /// While a session of a killed server lives, the next server would refuse the folder.
    fn sessions_alive(&self) -> bool {
        let Ok(pid) = std::fs::read_to_string(self.data().join("postmaster.pid")) else { return false };
        // Line 7: key and id of the shared memory, which each session holds until it ends.
        let Some(id) = pid.lines().nth(6).and_then(|line| line.split_whitespace().nth(1)) else { return false };
        let Ok(table) = std::fs::read_to_string("/proc/sysvipc/shm") else { return false };
        table.lines().skip(1).any(|line| {
            let mut columns = line.split_whitespace();
            columns.nth(1) == Some(id) && columns.nth(4).is_some_and(|attached| attached != "0")
        })
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// One of the server's own programs, as the server's user and with nothing of ours in its environment.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.bin.join(program));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C").env("HOME", &self.folder).current_dir(&self.folder);
        if let Some((uid, gid)) = self.owner {
            command.uid(uid).gid(gid);
        }
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.process.lock().unwrap_or_else(PoisonError::into_inner).take());
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Where the highest version's programs lie.
fn find() -> Result<PathBuf, String> {
    let patterns = ["/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin", "/usr/local/opt/postgresql@*/bin"];
    let on_path = || {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).find(|folder| folder.join("initdb").is_file() && folder.join("postgres").is_file())
    };
    newest(&patterns, "initdb").or_else(on_path).ok_or_else(|| format!("PostgreSQL is missing{}", package_hint(OsStr::new("postgres"))))
}

/// Root may not run PostgreSQL: user and group of `postgres` then. `None`: we are not root.
fn unprivileged_user(folder: &Path) -> Result<Option<(u32, u32)>, String> {
    if std::fs::metadata(folder).map_err(|e| e.to_string())?.uid() != 0 {
        return Ok(None);
    }
    for user in ["postgres", "nobody"] {
        let Some(ids) = user_ids(user) else { continue };
        // Each folder above must let that user through.
        let mut probe = Command::new("test");
        if run_command(probe.arg("-x").arg(folder).uid(ids.0).gid(ids.1).current_dir("/"), b"").ok() {
            return Ok(Some(ids));
        }
        return Err(format!("user {user} cannot enter {}: set TMPDIR to a folder that all may pass through", folder.display()));
    }
    Err("root may not run PostgreSQL, and there is no user `postgres` (Debian package: postgresql)".to_owned())
}

fn user_ids(user: &str) -> Option<(u32, u32)> {
    let table = std::fs::read_to_string("/etc/passwd").ok()?;
    let line = table.lines().find(|line| line.split(':').next() == Some(user))?;
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}
