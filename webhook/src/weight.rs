//! How much memory reviews may take: of one, guessed from its text before anything is built from it; of all together,
//! since whoever reaches the port chooses how many there are.

use std::time::Duration;

use clusterbackup_kit::room::{Room, RoomError, SMALL};
use tokio::sync::SemaphorePermit;

/// What is received and not answered yet; some of it may come slowly.
const BODIES: u32 = 32 << 20;
/// What is built from it. With the bodies and all else it stays below the limit of the shipped Deployment.
const TREES: u32 = 128 << 20;
/// The most that a set of rules takes while it is compiled.
const RULES: usize = 40 << 20;

/// The smallest map that holds anything: room for eleven members is made at once.
const MAP: usize = 640;
/// A value with its share of what a growing list or map takes.
const VALUE: usize = 128;

/// Below the five seconds that the API server waits.
const DEADLINE: Duration = Duration::from_secs(3);

/// The memory of one service's reviews.
#[derive(Debug)]
pub struct Memory {
    bodies: Room,
    trees: Room,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            bodies: Room::new(BODIES),
            trees: Room::new(TREES),
        }
    }
}

impl Memory {
    /// For a body of so many bytes.
    pub async fn for_body(&self, bytes: usize) -> Result<Option<SemaphorePermit<'_>>, RoomError> {
        self.bodies.take(bytes, DEADLINE).await
    }

    /// For what is built from an object's text.
    pub async fn for_tree(&self, text: &[u8]) -> Result<Option<SemaphorePermit<'_>>, RoomError> {
        self.trees.take(weight(text), DEADLINE).await
    }

    /// For rules that are compiled.
    pub async fn for_rules(&self) -> Result<Option<SemaphorePermit<'_>>, RoomError> {
        self.trees.take(RULES, DEADLINE).await
    }
}

/// Never less than the values of a text take in memory, often more: what stands in a string counts as well. Small texts
/// count as such: even the worst of them is no matter.
fn weight(text: &[u8]) -> usize {
    if text.len() <= SMALL {
        return text.len();
    }
    let weights = text.iter().map(|byte| match byte {
        b'{' => 1 + MAP,
        b',' => 1 + VALUE,
        _ => 1,
    });
    weights.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_small_as_text_and_large_in_memory_is_refused_and_ordinary_objects_are_not() {
        let memory = Memory::default();
        for (part, bytes, fits) in [
            ("0,", 1 << 20, true),
            ("0,", 8 << 20, false),
            (r#"{"a":0},"#, 1 << 20, true),
            (r#"{"a":0},"#, 2 << 20, false),
            (r#"{"name":"SETTING","value":"some value of it"},"#, 3 << 20, true),
            ("a long text of few values ", 8 << 20, true),
        ] {
            let text = part.repeat(bytes / part.len());
            let room = memory.for_tree(text.as_bytes()).await;
            assert_eq!(room.is_ok(), fits, "{part} {bytes}");
        }
    }
}
