//! What kube-proxy and the endpoints controller are in a cluster with nodes: connections to the Service's port go,
//! in turn, to the replicas that say they are ready.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::probe;

const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The Service's port. Connections are reset while nobody is ready.
pub(super) struct Relay {
    port: u16,
    replicas: Arc<Replicas>,
    network: Arc<Network>,
    accepting: AbortHandle,
}

/// How the connections are doing.
#[derive(Default)]
struct Network {
    /// How many milliseconds each piece of an answer is under way.
    delay: AtomicU64,
    /// A change ends every connection.
    cut: watch::Sender<()>,
}

/// A replica's place behind the Service; given up when dropped.
pub(super) struct Endpoint {
    backend: Arc<Backend>,
    replicas: Arc<Replicas>,
    looking: AbortHandle,
}

#[derive(Default)]
struct Replicas {
    backends: Mutex<Vec<Arc<Backend>>>,
    turn: AtomicUsize,
}

struct Backend {
    address: SocketAddr,
    ready: AtomicBool,
}

impl Relay {
    pub(super) async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let (replicas, network) = (Arc::<Replicas>::default(), Arc::<Network>::default());
        let accepting =
            tokio::spawn(accept(listener, Arc::clone(&replicas), Arc::clone(&network))).abort_handle();
        Ok(Self {
            port,
            replicas,
            network,
            accepting,
        })
    }

    /// From now on each piece of an answer is so long under way.
    pub(super) fn delay(&self, by: Duration) {
        let milliseconds = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.network.delay.store(milliseconds, Ordering::Relaxed);
    }

    /// Ends every connection; new ones are served.
    pub(super) fn cut(&self) {
        self.network.cut.send_replace(());
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// A replica that serves on `address` and tells on `admin` whether it is ready.
    pub(super) fn add(&self, address: SocketAddr, admin: SocketAddr) -> Endpoint {
        let backend = Arc::new(Backend {
            address,
            ready: AtomicBool::new(false),
        });
        self.replicas.lock().push(Arc::clone(&backend));
        let looking = tokio::spawn(look(Arc::clone(&backend), admin)).abort_handle();
        Endpoint {
            backend,
            replicas: Arc::clone(&self.replicas),
            looking,
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.looking.abort();
        self.replicas
            .lock()
            .retain(|backend| !Arc::ptr_eq(backend, &self.backend));
    }
}

impl Replicas {
    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Backend>>> {
        self.backends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> Option<SocketAddr> {
        let ready: Vec<SocketAddr> = self
            .lock()
            .iter()
            .filter(|backend| backend.ready.load(Ordering::Acquire))
            .map(|backend| backend.address)
            .collect();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        ready.get(turn.checked_rem(ready.len())?).copied()
    }
}

async fn accept(listener: TcpListener, replicas: Arc<Replicas>, network: Arc<Network>) {
    // An accept that fails concerns one connection that is gone already.
    loop {
        if let (Ok((client, _)), Some(address)) = (listener.accept().await, replicas.next()) {
            tokio::spawn(relay(client, address, Arc::clone(&network)));
        }
    }
}

/// Ends when either side does; what they have to say about it they say to each other.
async fn relay(client: TcpStream, address: SocketAddr, network: Arc<Network>) -> std::io::Result<()> {
    let mut cut = network.cut.subscribe();
    let replica = TcpStream::connect(address).await?;
    client.set_nodelay(true)?;
    replica.set_nodelay(true)?;
    let (mut questions, answered) = client.into_split();
    let (answers, mut asked) = replica.into_split();
    tokio::select! {
        done = copy(&mut questions, &mut asked) => done.map(drop),
        done = pass(answers, answered, &network.delay) => done,
        _ = cut.changed() => Ok(()),
    }
}

/// Copies with a delay, which counts for each piece anew.
async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    delay: &AtomicU64,
) -> std::io::Result<()> {
    let mut buffer = vec![0; 16 << 10];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        let delay = Duration::from_millis(delay.load(Ordering::Relaxed));
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        to.write_all(&buffer[..read]).await?;
    }
}

async fn look(backend: Arc<Backend>, admin: SocketAddr) {
    loop {
        let ready = probe::get(admin, "/ready")
            .await
            .is_ok_and(|(status, _)| status == 200);
        backend.ready.store(ready, Ordering::Release);
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::eventually;

    /// A replica that answers every connection with its letter, and a probe with `status`.
    async fn replica(letter: u8, status: &'static str) -> (SocketAddr, SocketAddr) {
        let serving = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let admin = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addresses = (serving.local_addr().unwrap(), admin.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut connection, _)) = serving.accept().await {
                connection.write_all(&[letter]).await.unwrap();
            }
        });
        tokio::spawn(async move {
            while let Ok((mut connection, _)) = admin.accept().await {
                assert_ne!(connection.read(&mut [0; 1024]).await.unwrap(), 0);
                connection
                    .write_all(format!("HTTP/1.0 {status}\r\n\r\n").as_bytes())
                    .await
                    .unwrap();
            }
        });
        addresses
    }

    async fn ask(relay: &Relay) -> Result<String> {
        let mut answer = String::new();
        TcpStream::connect(("127.0.0.1", relay.port()))
            .await?
            .read_to_string(&mut answer)
            .await?;
        Ok(answer)
    }

    #[tokio::test]
    async fn ready_replicas_take_turns_and_others_get_nothing() {
        let relay = Relay::start().await.unwrap();
        assert_eq!(ask(&relay).await.unwrap_or_default(), "", "nobody is there");

        let mut endpoints = Vec::new();
        for (letter, status) in [(b'a', "200 OK"), (b'b', "200 OK"), (b'c', "503 Not ready")] {
            let (address, admin) = replica(letter, status).await;
            endpoints.push(relay.add(address, admin));
        }
        eventually(
            "both ready replicas take turns",
            Duration::from_secs(10),
            || async {
                let mut answers = [ask(&relay).await?, ask(&relay).await?];
                answers.sort();
                anyhow::ensure!(answers == ["a", "b"], "{answers:?}");
                Ok(())
            },
        )
        .await
        .unwrap();

        endpoints.remove(0);
        for _ in 0..4 {
            assert_eq!(ask(&relay).await.unwrap(), "b");
        }
    }
}
