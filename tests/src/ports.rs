//! Free ports on loopback.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Mutex;

use anyhow::{Result, bail};

/// Below the range from which Linux takes the source ports of outgoing connections: such a connection can't take
/// the port between the look here and the bind of the process it is meant for.
const CANDIDATES: std::ops::Range<u16> = 18_000..32_000;

static GIVEN: Mutex<Option<HashSet<u16>>> = Mutex::new(None);

/// An address on loopback on which nobody listens, never given twice by this process.
pub fn free() -> Result<SocketAddr> {
    let mut given = GIVEN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let given = given.get_or_insert_default();
    let random = RandomState::new();
    for attempt in 0..10_000_u32 {
        let offset = random.hash_one(attempt) % u64::from(CANDIDATES.end - CANDIDATES.start);
        let port = CANDIDATES.start + u16::try_from(offset)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if !given.contains(&port) && TcpListener::bind(address).is_ok() {
            given.insert(port);
            return Ok(address);
        }
    }
    bail!(
        "no free port on 127.0.0.1 between {} and {}",
        CANDIDATES.start,
        CANDIDATES.end
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_port_is_given_twice() {
        let ports: HashSet<u16> = (0..200).map(|_| free().unwrap().port()).collect();
        assert_eq!(ports.len(), 200);
    }
}
