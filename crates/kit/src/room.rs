//! Memory that requests share: so much of it for all that are in work, since clients choose how many there are.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

/// What takes no more than this needs no room: there can't be enough of it to matter, and it never waits for others.
pub const SMALL: usize = 16 << 10;

/// So many bytes, given away and given back.
#[derive(Debug)]
pub struct Room {
    free: Semaphore,
    bytes: u32,
}

/// There is no room.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RoomError {
    /// Nor will there ever be.
    #[error("it takes more memory than the {0} bytes that there are for it; make it smaller")]
    TooMuch(u32),
    /// Others have it.
    #[error("there is no memory for it beside what is in work; try again")]
    Busy,
}

impl Room {
    /// Room for so many bytes.
    pub const fn new(bytes: u32) -> Self {
        Self {
            free: Semaphore::const_new(bytes as usize),
            bytes,
        }
    }

    /// Takes so many bytes until what is returned is dropped; waits for them as long as `deadline`.
    pub async fn take(
        &self,
        bytes: usize,
        deadline: Duration,
    ) -> Result<Option<SemaphorePermit<'_>>, RoomError> {
        if bytes <= SMALL {
            return Ok(None);
        }
        let wanted = u32::try_from(bytes)
            .ok()
            .filter(|wanted| *wanted <= self.bytes)
            .ok_or(RoomError::TooMuch(self.bytes))?;
        match timeout(deadline, self.free.acquire_many(wanted)).await {
            Ok(Ok(taken)) => Ok(Some(taken)),
            // Nobody closes the semaphore.
            Ok(Err(_)) | Err(_) => Err(RoomError::Busy),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: Duration = Duration::from_millis(20);
    const BYTES: usize = 100 << 10;

    #[tokio::test]
    async fn together_they_take_no_more_than_there_is() {
        let room = Room::new(100 << 10);
        let first = room.take(BYTES - SMALL, MOMENT).await.unwrap();
        assert!(first.is_some());
        assert!(matches!(room.take(BYTES, MOMENT).await, Err(RoomError::Busy)));
        drop(first);
        assert!(room.take(BYTES, MOMENT).await.is_ok(), "it was not given back");
    }

    #[tokio::test]
    async fn small_ones_never_wait() {
        let room = Room::new(100 << 10);
        let _all = room.take(BYTES, MOMENT).await.unwrap();
        assert!(room.take(SMALL, Duration::ZERO).await.is_ok());
    }

    #[tokio::test]
    async fn what_never_fits_is_told_at_once() {
        let room = Room::new(100 << 10);
        let refused = room.take(BYTES + 1, Duration::MAX).await;
        assert!(matches!(refused, Err(RoomError::TooMuch(_))));
        let refused = room.take(usize::MAX, Duration::MAX).await;
        assert!(matches!(refused, Err(RoomError::TooMuch(_))));
    }
}
