//! Ports of our own on loopback. Not from the range that outgoing connections use: a client that dials a dead server there can meet itself, and hold
//! the port so that the server cannot come back. A claimed port is ours until the process ends, other runs of the kit on this machine included.

use std::net::TcpListener;
use std::ops::Range;
use std::sync::Mutex;

/// Below Linux's `ip_local_port_range` (32768…), above what services like to have.
const RANGE: Range<u16> = 15_000..32_000;

static CLAIMED: Mutex<Vec<Claim>> = Mutex::new(Vec::new());

struct Claim {
    port: u16,
    #[cfg(target_os = "linux")]
    _lock: std::os::unix::net::UnixListener,
}

/// A port nobody listens on, and that no other caller of this function will get.
pub fn free() -> u16 {
    let mut claimed = CLAIMED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut seed = [0_u8; 2];
    getrandom::fill(&mut seed).expect("randomness");
    let width = RANGE.len();
    let start = usize::from(u16::from_be_bytes(seed)) % width;
    for step in 0..width {
        let port = RANGE.start + u16::try_from((start + step * 7) % width).expect("within the range");
        if claimed.iter().any(|claim| claim.port == port) {
            continue;
        }
        let Some(claim) = claim(port) else { continue };
        if TcpListener::bind(("127.0.0.1", port)).is_ok() && TcpListener::bind(("0.0.0.0", port)).is_ok() {
            claimed.push(claim);
            return port;
        }
    }
    panic!("no free port in {RANGE:?}");
}

/// An abstract socket is a lock that ends with its process and leaves nothing behind.
#[cfg(target_os = "linux")]
fn claim(port: u16) -> Option<Claim> {
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::net::{SocketAddr, UnixListener};
    let name = SocketAddr::from_abstract_name(format!("arkki-kit-port-{port}")).ok()?;
    Some(Claim { port, _lock: UnixListener::bind_addr(&name).ok()? })
}

#[cfg(not(target_os = "linux"))]
#[allow(clippy::unnecessary_wraps, reason = "the same shape on every system")]
fn claim(port: u16) -> Option<Claim> {
    Some(Claim { port })
}
