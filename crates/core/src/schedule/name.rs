//! What the backup of a slot is called: the same whoever makes it, so that two leaders can't make two.

use std::fmt::Write as _;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

/// The longest name of an object.
const LIMIT: usize = 253;
/// Bytes of the hash that stands for the end of an instance's name.
const HASH: usize = 5;

/// The instance and the slot's minute, in UTC: `shop-202611220230`. Where that would be too long, a hash stands for the end
/// of the instance's name.
pub fn backup_name(instance: &str, slot: Timestamp) -> String {
    let minute = slot.strftime("%Y%m%d%H%M").to_string();
    let room = LIMIT - minute.len() - 1;
    if instance.len() <= room {
        return format!("{instance}-{minute}");
    }
    let kept: String = instance.chars().take(room - 2 * HASH - 1).collect();
    let mut name = kept.trim_end_matches(['.', '-']).to_owned();
    name.push('-');
    for byte in Sha256::digest(instance).iter().take(HASH) {
        let _ = write!(name, "{byte:02x}");
    }
    format!("{name}-{minute}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_instance_and_minute_and_is_never_too_long() {
        let slot = "2026-11-22T02:30:00Z".parse().unwrap();
        assert_eq!(backup_name("shop", slot), "shop-202611220230");
        let longest = "a".repeat(240);
        assert_eq!(backup_name(&longest, slot), format!("{longest}-202611220230"));
        let dotted = format!("{}.{}", "a".repeat(228), "b".repeat(24));
        let names = ["x", "y"].map(|end| backup_name(&format!("{}{end}", &dotted[..252]), slot));
        assert_ne!(names[0], names[1]);
        for name in names {
            assert!(name.len() <= LIMIT && !name.contains(".-"), "{name}");
        }
    }
}
