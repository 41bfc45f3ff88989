//! A private RabbitMQ node: own name, ports, folder and epmd, loopback only, with management and the consistent-hash exchange.
//! The server's script is called directly: the one on the path changes user and loses the environment.

use super::process::{Process, Signal};
use super::tools::{newest, package_hint, run_command, tool};
use super::{Output, ports, wait_until_blocking, watchdog};
use base64::Engine as _;
use std::ffi::OsStr;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// A first start takes 6 s alone; other builds may share the machine.
const START: Duration = Duration::from_secs(180);
const STOP: Duration = Duration::from_secs(60);
/// One request to the management API.
const API: Duration = Duration::from_secs(30);

/// A node; the shared one lives as long as the run, an own one until it is dropped.
pub struct Rabbit {
    programs: PathBuf,
    folder: PathBuf,
    node: String,
    port: u16,
    distribution_port: u16,
    management_port: u16,
    epmd_port: u16,
    process: Mutex<Option<Process>>,
}

/// A virtual host of one test. It stays until its node goes.
#[derive(Debug, Clone)]
pub struct Vhost {
    pub name: String,
    /// As guest, who may do all: `amqp://guest:guest@127.0.0.1:port/name`.
    pub amqp_url: String,
    /// `http://127.0.0.1:port`, user guest, password guest.
    pub management_url: String,
    port: u16,
}

/// The run's shared node, started by the first caller. Not to be stopped.
pub fn server() -> &'static Rabbit {
    static SERVER: OnceLock<Result<Rabbit, String>> = OnceLock::new();
    match SERVER.get_or_init(|| Rabbit::begin(&PLUGINS)) {
        Ok(server) => server,
        Err(why) => panic!("{why}"),
    }
}

/// A fresh virtual host on the run's shared node.
pub async fn vhost() -> Vhost {
    tokio::task::spawn_blocking(|| server().vhost_blocking()).await.expect("a fresh virtual host")
}

/// What a node of the kit has beside the core.
const PLUGINS: [&str; 2] = ["rabbitmq_management", "rabbitmq_consistent_hash_exchange"];

/// A node of the test's own, running; to stop, kill and start.
pub fn own_server() -> Rabbit {
    own_server_with(&PLUGINS)
}

/// As [`own_server`], with these plugins; management among them.
pub fn own_server_with(plugins: &[&str]) -> Rabbit {
    Rabbit::begin(plugins).unwrap_or_else(|why| panic!("{why}"))
}

impl Rabbit {
    fn begin(plugins: &[&str]) -> Result<Self, String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let programs = find()?;
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = watchdog::root().join(format!("rabbit{number}"));
        std::fs::create_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        let rabbit = Self {
            programs,
            node: format!("arkki{}x{number}@localhost", std::process::id()),
            port: ports::free(),
            distribution_port: ports::free(),
            management_port: ports::free(),
            epmd_port: epmd(),
            process: Mutex::new(None),
            folder,
        };
        rabbit.configure(plugins).map_err(|e| format!("{}: {e}", rabbit.folder.display()))?;
        rabbit.launch()?;
        Ok(rabbit)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// `http://127.0.0.1:port`, user guest, password guest.
    pub fn management_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.management_port)
    }

    /// The folder of the node's own logs; for the canary.
    pub fn logs(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// The node's process, for a bench that reads its CPU time. `None` while it is stopped.
    pub fn pid(&self) -> Option<u32> {
        std::fs::read_to_string(self.folder.join("pid")).ok()?.trim().parse().ok()
    }

    /// A fresh virtual host on this node.
    pub async fn vhost(&self) -> Vhost {
        tokio::task::block_in_place(|| self.vhost_blocking())
    }

    /// As [`Rabbit::vhost`], outside a runtime or in one with a single thread.
    pub fn vhost_blocking(&self) -> Vhost {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("v{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let vhost =
            Vhost { amqp_url: format!("amqp://guest:guest@127.0.0.1:{}/{name}", self.port), management_url: self.management_url(), name, port: self.port };
        let (status, body) = vhost.api("PUT", &format!("/api/vhosts/{}", vhost.name), Some("{}"));
        assert!((200..300).contains(&status), "virtual host: {status} {body}");
        vhost.permit("guest");
        vhost
    }

    /// `rabbitmqctl` against this node. Slow (seconds): the management API is quicker.
    pub fn ctl(&self, args: &[&str]) -> Output {
        run_command(self.command("rabbitmqctl").args(["-n", &self.node]).args(args), b"")
    }

    /// Stops it the orderly way.
    pub fn stop(&self) {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut running) = process.take() {
            running.signal(Signal::Term);
            assert!(running.wait(STOP).is_some(), "RabbitMQ did not stop in {STOP:?}");
        }
        self.await_silence();
    }

    /// SIGKILL to the node.
    pub fn kill9(&self) {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut running) = process.take() {
            running.kill9();
        }
        self.await_silence();
    }

    /// Starts it again, on the same ports and data, and waits until it answers.
    #[track_caller]
    pub fn start(&self) {
        self.launch().unwrap_or_else(|why| panic!("{why}"));
    }

    /// [`Rabbit::stop`], then [`Rabbit::start`].
    #[track_caller]
    pub fn restart(&self) {
        self.stop();
        self.start();
    }

    fn configure(&self, plugins: &[&str]) -> std::io::Result<()> {
        std::fs::write(self.folder.join("enabled_plugins"), format!("[{}].\n", plugins.join(",")))?;
        let settings = [
            format!("listeners.tcp.1 = 127.0.0.1:{}", self.port),
            "management.tcp.ip = 127.0.0.1".to_owned(),
            format!("management.tcp.port = {}", self.management_port),
            "loopback_users = none".to_owned(),
            "vm_memory_high_watermark.absolute = 2GB".to_owned(),
            "disk_free_limit.absolute = 200MB".to_owned(),
            "log.file = rabbit.log".to_owned(),
            "log.file.level = info".to_owned(),
            // Counts in the management API are at most this old, in milliseconds.
            "collect_statistics_interval = 1000".to_owned(),
        ];
        std::fs::write(self.folder.join("rabbit.conf"), settings.join("\n") + "\n")
    }

    fn launch(&self) -> Result<(), String> {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(process.is_none(), "RabbitMQ runs already");
        let log = self.folder.join("out.log");
        // Nothing in it is worth an orderly end.
        let mut started = Process::start_with(&mut self.command("rabbitmq-server"), &log, Signal::Kill);
        let up = wait_until_blocking(START, || started.exit_status().is_some() || self.answers());
        if !up || started.exit_status().is_some() {
            return Err(format!("RabbitMQ did not start; its output:\n{}", std::fs::read_to_string(log).unwrap_or_default()));
        }
        *process = Some(started);
        Ok(())
    }

    fn answers(&self) -> bool {
        listens(self.port) && listens(self.management_port) && call(&self.management_url(), "GET", "/api/overview", None).is_ok_and(|(status, _)| status == 200)
    }

    /// Until the ports are free and the name is out of epmd's table, the next start would fail.
    fn await_silence(&self) {
        let gone = wait_until_blocking(STOP, || !listens(self.port) && !listens(self.management_port) && !listens(self.distribution_port));
        assert!(gone, "RabbitMQ's ports outlived it");
    }

    /// A program of this node, with nothing of ours in its environment.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/homebrew/bin")
            .env("LANG", "C.UTF-8")
            .env("HOME", &self.folder)
            .env("RABBITMQ_NODENAME", &self.node)
            .env("RABBITMQ_BASE", &self.folder)
            .env("RABBITMQ_MNESIA_BASE", self.folder.join("mnesia"))
            .env("RABBITMQ_LOG_BASE", self.folder.join("log"))
            .env("RABBITMQ_PID_FILE", self.folder.join("pid"))
            .env("RABBITMQ_CONFIG_FILE", self.folder.join("rabbit.conf"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", self.folder.join("enabled_plugins"))
            .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
            .env("RABBITMQ_NODE_PORT", self.port.to_string())
            .env("RABBITMQ_DIST_PORT", self.distribution_port.to_string())
            .env("ERL_EPMD_PORT", self.epmd_port.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            // No spinning for work: other tests share the processors.
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "+sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}")
            .current_dir(&self.folder);
        command
    }
}

impl Drop for Rabbit {
    fn drop(&mut self) {
        drop(self.process.lock().unwrap_or_else(PoisonError::into_inner).take());
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Vhost {
    /// A user of this virtual host who may do all in it. Users are the node's: put the virtual host's name into theirs. Returns the user's address.
    pub fn user(&self, name: &str, password: &str) -> String {
        let body = format!("{{\"password\":\"{password}\",\"tags\":\"\"}}");
        let (status, answer) = self.api("PUT", &format!("/api/users/{name}"), Some(&body));
        assert!((200..300).contains(&status), "user: {status} {answer}");
        self.permit(name);
        self.url_as(name, password)
    }

    /// The AMQP address of this virtual host for another user.
    pub fn url_as(&self, user: &str, password: &str) -> String {
        format!("amqp://{user}:{password}@127.0.0.1:{}/{}", self.port, self.name)
    }

    /// Lets `user` configure, write and read everything here.
    pub fn permit(&self, user: &str) {
        let everything = r#"{"configure":".*","write":".*","read":".*"}"#;
        let (status, body) = self.api("PUT", &format!("/api/permissions/{}/{user}", self.name), Some(everything));
        assert!((200..300).contains(&status), "permissions: {status} {body}");
    }

    /// A request to the management API as guest: status and body.
    #[track_caller]
    pub fn api(&self, method: &str, path: &str, body: Option<&str>) -> (u16, String) {
        call(&self.management_url, method, path, body).unwrap_or_else(|e| panic!("{method} {path}: {e}"))
    }
}

/// The run's own epmd: started in the foreground, so that it is ours to end; Erlang would leave a daemon behind.
fn epmd() -> u16 {
    static EPMD: OnceLock<(u16, Process)> = OnceLock::new();
    EPMD.get_or_init(|| {
        let port = ports::free();
        let mut command = Command::new(tool("epmd"));
        command.args(["-port", &port.to_string(), "-address", "127.0.0.1"]).current_dir("/");
        let process = Process::start_with(&mut command, &watchdog::root().join("epmd.log"), Signal::Kill);
        assert!(wait_until_blocking(START, || listens(port)), "epmd did not start");
        (port, process)
    })
    .0
}

fn listens(port: u16) -> bool {
    TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], port)), Duration::from_millis(500)).is_ok()
}

/// Never by a proxy: the node is on loopback, whatever the environment says.
fn call(base: &str, method: &str, path: &str, body: Option<&str>) -> Result<(u16, String), ureq::Error> {
    let agent: ureq::Agent = ureq::Agent::config_builder().proxy(None).http_status_as_error(false).timeout_global(Some(API)).build().into();
    let credentials = base64::engine::general_purpose::STANDARD.encode("guest:guest");
    let request = ureq::http::Request::builder()
        .method(method)
        .uri(format!("{base}{path}"))
        .header("authorization", format!("Basic {credentials}"))
        .header("content-type", "application/json")
        .body(body.unwrap_or_default().to_owned())?;
    let mut response = agent.run(request)?;
    Ok((response.status().as_u16(), response.body_mut().read_to_string()?))
}

/// Where the server's own scripts lie.
fn find() -> Result<PathBuf, String> {
    let patterns = [
        "/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin",
        "/usr/lib64/rabbitmq/lib/rabbitmq_server-*/sbin",
        "/opt/homebrew/Cellar/rabbitmq/*/sbin",
        "/usr/local/Cellar/rabbitmq/*/sbin",
    ];
    let debian = PathBuf::from("/usr/lib/rabbitmq/bin");
    if debian.join("rabbitmq-server").is_file() {
        return Ok(debian);
    }
    newest(&patterns, "rabbitmq-server").ok_or_else(|| format!("RabbitMQ is missing{}", package_hint(OsStr::new("rabbitmq-server"))))
}
