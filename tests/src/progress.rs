//! Showing that something long is under way: a spinner on a terminal, a line now and then elsewhere.

use std::io::IsTerminal;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

const LINE_EVERY: Duration = Duration::from_secs(15);

/// Something under way, shown on standard error until it is dropped.
pub struct Progress(Display);

enum Display {
    Spinner(ProgressBar),
    Lines {
        stop: Option<Sender<()>>,
        thread: Option<JoinHandle<()>>,
    },
}

impl Progress {
    /// Begins to show `what`, with the time it takes.
    pub fn start(what: &str) -> Self {
        Self(if std::io::stderr().is_terminal() {
            spinner(what)
        } else {
            lines(what.to_owned())
        })
    }
}

fn spinner(what: &str) -> Display {
    let bar = ProgressBar::new_spinner().with_message(what.to_owned());
    if let Ok(style) = ProgressStyle::with_template("{spinner:.cyan} {msg} {elapsed:.dim}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    Display::Spinner(bar)
}

fn lines(what: String) -> Display {
    let (stop, stopped) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        let start = Instant::now();
        eprintln!("{what} …");
        while stopped.recv_timeout(LINE_EVERY) == Err(RecvTimeoutError::Timeout) {
            eprintln!("{what} … {} s", start.elapsed().as_secs());
        }
    });
    Display::Lines {
        stop: Some(stop),
        thread: Some(thread),
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        match &mut self.0 {
            Display::Spinner(bar) => bar.finish_and_clear(),
            Display::Lines { stop, thread } => {
                drop(stop.take());
                if let Some(thread) = thread.take() {
                    // The thread only prints; there is nothing to learn from how it ended.
                    let _ = thread.join();
                }
            }
        }
    }
}
