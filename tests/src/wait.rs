//! Waiting for a condition, which says what it last saw when it gives up.

use std::time::Duration;

use anyhow::{Result, anyhow};
use tokio::time::Instant;

const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// Asks `observe` again and again until it answers `Ok`; its error is what is not right yet.
///
/// On time-out the error names `what` was awaited and the last thing seen. One observation that hangs counts too.
pub async fn eventually<T, F, Fut>(what: &str, limit: Duration, mut observe: F) -> Result<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T>>,
{
    let deadline = Instant::now() + limit;
    let mut pause = FIRST_PAUSE;
    let mut seen = anyhow!("nothing: the first look did not end");
    loop {
        match tokio::time::timeout_at(deadline, observe()).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(not_yet)) => seen = not_yet,
            Err(_) => break,
        }
        if Instant::now() + pause >= deadline {
            break;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    Err(seen.context(format!(
        "gave up after {limit:?} of waiting until {what}; last seen"
    )))
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[tokio::test]
    async fn returns_what_the_first_good_look_saw() {
        let mut looks = 0;
        let seen = eventually("three looks", Duration::from_secs(5), || {
            looks += 1;
            let now = looks;
            async move {
                if now < 3 {
                    bail!("look {now}");
                }
                Ok(now)
            }
        })
        .await
        .unwrap();
        assert_eq!(seen, 3);
    }

    #[tokio::test]
    async fn a_time_out_names_what_was_awaited_and_the_last_thing_seen() {
        let error = eventually("pigs fly", Duration::from_millis(50), || async {
            bail!("they walk") as Result<()>
        })
        .await
        .unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("pigs fly") && text.contains("they walk"), "{text}");
    }

    #[tokio::test]
    async fn a_look_that_hangs_is_bounded_too() {
        let waiting = eventually(
            "a silent server answers",
            Duration::from_millis(30),
            std::future::pending::<Result<()>>,
        );
        assert!(waiting.await.is_err());
    }
}
