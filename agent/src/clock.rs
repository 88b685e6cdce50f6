//! Time that goes on while the node is suspended and that nobody can set, and the boot that it counts from.

use std::sync::Arc;
use std::time::Duration;
use std::{fmt, fs, io};

use rustix::time::{ClockId, clock_gettime};
use tokio::time::sleep;

/// Changes with every boot of the node.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The runtime's timers stand still while the node is suspended: the clock is looked at again this often.
const LOOK: Duration = Duration::from_millis(200);

/// A clock that starts at zero with each boot. Clones are the same clock.
#[derive(Clone)]
pub struct Clock {
    boot: Arc<str>,
    uptime: Arc<dyn Fn() -> Duration + Send + Sync>,
}

impl Clock {
    /// The node's: CLOCK_BOOTTIME.
    pub fn of_node() -> io::Result<Self> {
        let boot = fs::read_to_string(BOOT_ID)?;
        Ok(Self::new(boot.trim(), uptime))
    }

    /// One that shows what it is told, for drills of reboots and long sleeps.
    pub fn new(boot: &str, uptime: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self {
            boot: boot.into(),
            uptime: Arc::new(uptime),
        }
    }

    /// Which boot of the node it is.
    pub fn boot(&self) -> &str {
        &self.boot
    }

    /// The time since then.
    pub fn uptime(&self) -> Duration {
        (self.uptime)()
    }

    /// Returns once the clock shows `due`.
    pub async fn until(&self, due: Duration) {
        loop {
            let left = due.saturating_sub(self.uptime());
            if left.is_zero() {
                return;
            }
            sleep(left.min(LOOK)).await;
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock")
            .field("boot", &self.boot)
            .field("uptime", &self.uptime())
            .finish()
    }
}

fn uptime() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or_default(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn the_nodes_clock_runs_and_knows_its_boot() {
        let clock = Clock::of_node().unwrap();
        assert!(!clock.boot().is_empty());
        assert!(clock.uptime() > Duration::ZERO);
    }

    #[tokio::test]
    async fn a_clock_that_jumps_ahead_ends_the_waiting() {
        let seconds = Arc::new(AtomicU64::new(1));
        let shown = seconds.clone();
        let clock = Clock::new("boot", move || Duration::from_secs(shown.load(Ordering::Relaxed)));
        let waiting = tokio::spawn(async move { clock.until(Duration::from_hours(1)).await });
        assert!(!waiting.is_finished());
        seconds.store(3600, Ordering::Relaxed);
        tokio::time::timeout(Duration::from_secs(5), waiting)
            .await
            .unwrap()
            .unwrap();
    }
}
