//! A bad network in front of a server: each new connection has the next fault, and none when there are no more. It can also
//! be down.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// What happens to a connection.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The first request is answered with this, and not by the server.
    Answer(String),
    /// It ends after so many bytes of the answers.
    CutAnswer(u64),
    /// It ends after so many bytes of the requests.
    CutRequest(u64),
    /// Each piece of an answer is so long under way.
    Slow(Duration),
    /// Nobody answers.
    Silence,
}

/// The network; ends when dropped.
pub struct Wire {
    address: SocketAddr,
    state: Arc<State>,
    accepting: AbortHandle,
}

struct State {
    faults: Mutex<VecDeque<Fault>>,
    connections: AtomicUsize,
    down: watch::Sender<bool>,
}

impl Wire {
    /// In front of a server, with these faults.
    pub async fn to(server: SocketAddr, faults: impl IntoIterator<Item = Fault>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let state = Arc::new(State {
            faults: Mutex::new(faults.into_iter().collect()),
            connections: AtomicUsize::new(0),
            down: watch::Sender::new(false),
        });
        let accepting = tokio::spawn(accept(listener, server, Arc::clone(&state))).abort_handle();
        Ok(Self {
            address,
            state,
            accepting,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends all connections, and every new one.
    pub fn cut(&self) {
        self.state.down.send_replace(true);
    }

    /// Is a network again.
    pub fn mend(&self) {
        self.state.down.send_replace(false);
    }

    /// How many connections there were.
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, server: SocketAddr, state: Arc<State>) {
    // An accept that fails concerns one connection that is gone already.
    loop {
        if let Ok((client, _)) = listener.accept().await {
            state.connections.fetch_add(1, Ordering::Relaxed);
            let fault = state
                .faults
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop_front();
            let mut down = state.down.subscribe();
            tokio::spawn(async move {
                tokio::select! {
                    biased;
                    _ = down.wait_for(|down| *down) => {}
                    _ = connect(client, server, fault) => {}
                }
            });
        }
    }
}

/// Ends when either side does; what they have to say about it they say to each other.
async fn connect(client: TcpStream, server: SocketAddr, fault: Option<Fault>) -> std::io::Result<()> {
    let (mut requests, mut answered) = client.into_split();
    match &fault {
        Some(Fault::Answer(answer)) => {
            swallow(BufReader::new(requests)).await?;
            answered.write_all(answer.as_bytes()).await?;
            return answered.shutdown().await;
        }
        Some(Fault::Silence) => {
            let mut nowhere = tokio::io::sink();
            return copy(&mut requests, &mut nowhere).await.map(drop);
        }
        _ => {}
    }
    let (mut answers, mut asked) = TcpStream::connect(server).await?.into_split();
    let (asked_most, answered_most, delay) = match fault {
        Some(Fault::CutRequest(most)) => (most, u64::MAX, None),
        Some(Fault::CutAnswer(most)) => (u64::MAX, most, None),
        Some(Fault::Slow(delay)) => (u64::MAX, u64::MAX, Some(delay)),
        _ => (u64::MAX, u64::MAX, None),
    };
    let mut requests = (&mut requests).take(asked_most);
    let mut answers = (&mut answers).take(answered_most);
    let answering = async {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let read = answers.read(&mut buffer).await?;
            if read == 0 {
                return Ok(());
            }
            if let Some(delay) = delay {
                tokio::time::sleep(delay).await;
            }
            answered.write_all(&buffer[..read]).await?;
        }
    };
    tokio::select! {
        done = copy(&mut requests, &mut asked) => done.map(drop),
        done = answering => done,
    }
}

/// Reads one request to its end: who is answered before would see the connection end, and not the answer.
async fn swallow(mut request: impl tokio::io::AsyncBufRead + Unpin) -> std::io::Result<()> {
    let mut length = 0;
    let mut line = String::new();
    while request.read_line(&mut line).await? > 2 {
        let header = line.to_lowercase();
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        line.clear();
    }
    copy(&mut request.take(length), &mut tokio::io::sink())
        .await
        .map(drop)
}
