//! The kit held to its word: fresh places per test, faults that are faults, and nothing left behind by a killed run.

use super::{arkki, canary, ports, postgres, rabbit, run, temp_dir, wait_until, wait_until_blocking};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Set for the run that is to be killed; its value is where it writes what it started.
const VICTIM: &str = "ARKKI_KIT_VICTIM";
const SOON: Duration = Duration::from_secs(30);

#[tokio::test]
async fn databases_are_apart() {
    let (one, two) = (postgres::database().await, postgres::database().await);
    assert_ne!(one.url, two.url);
    let server = postgres::server();
    server.sql(&one.name, "CREATE TABLE t (n int); INSERT INTO t VALUES (7)");
    assert_eq!(server.sql(&one.name, "SELECT n FROM t"), "7");
    assert_eq!(server.sql(&two.name, "SELECT count(*) FROM pg_tables WHERE tablename = 't'"), "0");
    assert_eq!(server.sql(&one.name, "SHOW fsync"), "on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_database_keeps_what_it_committed() {
    let server = postgres::own_server();
    let database = server.database().await;
    server.sql(&database.name, "CREATE TABLE t (n int); INSERT INTO t VALUES (1)");
    server.kill9();
    assert!(std::net::TcpStream::connect(("127.0.0.1", server.port())).is_err(), "killed, yet it listens");
    server.start();
    server.sql(&database.name, "INSERT INTO t VALUES (2)");
    server.stop();
    server.start();
    assert_eq!(server.sql(&database.name, "SELECT sum(n) FROM t"), "3");
}

#[tokio::test]
async fn virtual_hosts_are_apart_and_users_can_be_made() {
    let (one, two) = (rabbit::vhost().await, rabbit::vhost().await);
    assert_ne!(one.name, two.name);
    let connect = |url: String| async move { lapin::Connection::connect(&url, lapin::ConnectionProperties::default()).await };
    let guest = connect(one.amqp_url.clone()).await.expect("guest");
    let channel = guest.create_channel().await.expect("a channel");
    let arguments = lapin::types::FieldTable::default();
    channel.queue_declare("q".into(), lapin::options::QueueDeclareOptions::default(), arguments).await.expect("a queue");
    assert_eq!(one.api("GET", &format!("/api/queues/{}/q", one.name), None).0, 200);
    assert_eq!(two.api("GET", &format!("/api/queues/{}/q", two.name), None).0, 404);
    let user = format!("sender-{}", one.name);
    let url = one.user(&user, "secret");
    connect(url).await.expect("a user of our own").close(200, "done".into()).await.expect("closes");
    assert!(connect(two.url_as(&user, "secret")).await.is_err(), "a user of one virtual host got into another");
    let plugins = one.api("GET", "/api/overview", None).1;
    assert!(plugins.contains("x-consistent-hash"), "the consistent-hash exchange is enabled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_node_comes_back_with_its_durable_queues() {
    let server = rabbit::own_server();
    let vhost = server.vhost().await;
    let path = format!("/api/queues/{}/kept", vhost.name);
    let (status, body) = vhost.api("PUT", &path, Some(r#"{"durable":true,"arguments":{"x-queue-type":"quorum"}}"#));
    assert_eq!(status, 201, "{body}");
    server.kill9();
    assert!(std::net::TcpStream::connect(("127.0.0.1", server.port())).is_err(), "killed, yet it listens");
    server.start();
    assert!(wait_until(SOON, || async { vhost.api("GET", &path, None).0 == 200 }).await, "the queue is back");
    server.stop();
    assert!(server.logs().join("rabbit.log").is_file(), "its log can be read");
}

#[test]
fn the_canary_is_found_and_not_printed() {
    let folder = temp_dir();
    std::fs::create_dir(folder.path().join("deep")).expect("folder");
    std::fs::write(folder.path().join("deep/a.log"), b"first\nthe 010190-999X was here\n\xff").expect("file");
    let hits = canary::grep(&[folder.path()], &["absent", "010190-999x"]);
    assert_eq!(hits.len(), 1);
    assert_eq!((hits[0].line, hits[0].needle), (2, 1));
    assert!(!format!("{hits:?}").contains("999"));
}

#[test]
fn tools_answer_and_missing_ones_name_their_package() {
    assert!(run("openssl", ["version"]).must().starts_with("OpenSSL"));
    assert!(arkki().is_file());
    assert_ne!(ports::free(), ports::free());
    let said = std::panic::catch_unwind(|| super::tool("/nowhere/xmlsec1")).expect_err("missing");
    assert!(said.downcast_ref::<String>().expect("a sentence").contains("Debian package: xmlsec1"));
}

/// Runs this same binary as a second test process, kills it, and looks for leftovers.
#[test]
fn a_killed_run_leaves_nothing() {
    let note = temp_dir();
    let note = note.path().join("note");
    let mut run = Command::new(std::env::current_exe().expect("this binary"))
        .args(["--exact", "kit::check::the_run_that_is_killed", "--nocapture"])
        .env(VICTIM, &note)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a second run");
    assert!(wait_until_blocking(6 * SOON, || note.is_file() || run.try_wait().expect("ours").is_some()), "the second run is up");
    run.kill().expect("SIGKILL");
    run.wait().expect("ours");
    let root = std::fs::read_to_string(&note).expect("the second run wrote where it works");
    assert!(root.contains("arkki-it-"));
    assert!(wait_until_blocking(SOON, || !Path::new(&root).exists()), "its folder is still there");
    assert!(wait_until_blocking(SOON, || mentions(&root).is_empty()), "left behind: {:?}", mentions(&root));
}

/// Not a test by itself: the run that [`a_killed_run_leaves_nothing`] kills.
#[test]
fn the_run_that_is_killed() {
    let Some(note) = std::env::var_os(VICTIM).map(PathBuf::from) else { return };
    postgres::server();
    let _own = postgres::own_server();
    rabbit::server();
    let partial = note.with_extension("partial");
    std::fs::write(&partial, super::watchdog::root().as_os_str().as_encoded_bytes()).expect("note");
    std::fs::rename(partial, note).expect("note");
    let _ = wait_until_blocking(10 * SOON, || false);
}

/// Processes that have `root` in their command line, environment or working folder.
fn mentions(root: &str) -> Vec<PathBuf> {
    let holds = |file: PathBuf| std::fs::read(file).is_ok_and(|octets| octets.windows(root.len()).any(|window| window == root.as_bytes()));
    std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|process| {
            let folder = std::fs::read_link(process.join("cwd")).is_ok_and(|folder| folder.starts_with(root));
            folder || holds(process.join("cmdline")) || holds(process.join("environ"))
        })
        .collect()
}

/// The browser's own first test; [`without_a_browser_tests_fail_or_are_left_out_aloud`] runs it where there is none.
#[test]
fn a_browser_shows_a_page() {
    let Some(browser) = super::browser::Chromium::open() else { return };
    browser.goto("data:text/html,<title>seen</title><p>seen");
    assert_eq!(browser.title(), "seen");
}

#[test]
fn without_a_browser_tests_fail_or_are_left_out_aloud() {
    let folder = temp_dir();
    let said = |without: Option<&str>| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["kit::check::a_browser_shows_a_page", "--exact", "--nocapture"]).env("PATH", folder.path()).env_remove("ARKKI_NO_BROWSER");
        command.envs(without.map(|value| ("ARKKI_NO_BROWSER", value)));
        let output = super::run_command(&mut command, b"");
        (output.ok(), output.text() + &output.errors())
    };
    for without in [None, Some("0"), Some("")] {
        let (passed, text) = said(without);
        assert!(!passed, "{without:?}: {text}");
        for words in ["is missing", "Debian package: chromium", "`scripts/setup test` installs it", "ARKKI_NO_BROWSER=1"] {
            assert!(text.contains(words), "{words}: {text}");
        }
    }
    let (passed, text) = said(Some("1"));
    assert!(passed && text.contains("left out, for ARKKI_NO_BROWSER=1: what a real browser shows"), "{text}");
}

/// `make test` without its work: what it says when the tests have passed, and when they have not.
#[test]
fn the_last_line_of_make_test_says_what_was_left_out() {
    let made = |cargo: &str, without: Option<&str>| {
        let mut command = Command::new("make");
        command.args(["--silent", "test", &format!("CARGO={cargo}"), "SETUP=true"]).current_dir(super::repository()).env_remove("ARKKI_NO_BROWSER");
        command.env_remove("MAKEFLAGS").env_remove("MFLAGS");
        command.envs(without.map(|value| ("ARKKI_NO_BROWSER", value)));
        super::run_command(&mut command, b"")
    };
    let last = |text: String| text.lines().last().unwrap_or_default().to_owned();
    assert_eq!(last(made("true", Some("1")).must()), "Left out, for ARKKI_NO_BROWSER=1: what a real browser shows.");
    assert_eq!(last(made("true", None).must()), "");
    assert!(!made("false", Some("1")).ok() && !made("false", None).ok());
}
