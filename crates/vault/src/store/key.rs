//! The name of a blob.

use std::fmt;

/// Segments of `A-Z a-z 0-9 . _ -`, separated by `/`: names that mean the same in every store, and lead nowhere else in a
/// file system. At most 512 bytes, 255 a segment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

/// A text that is no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no key: segments of letters, digits, '.', '_' and '-', separated by '/', none of them '.' or '..', \
     at most 255 bytes each and 512 in all"
)]
pub struct BadKey(String);

impl Key {
    const LONGEST: usize = 512;
    const LONGEST_SEGMENT: usize = 255;

    /// A key from its text.
    pub fn new(text: impl Into<String>) -> Result<Self, BadKey> {
        let text = text.into();
        let good = text.len() <= Self::LONGEST && text.split('/').all(is_segment);
        if good { Ok(Self(text)) } else { Err(BadKey(text)) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it lies below `folder`, segment by segment.
    pub fn is_below(&self, folder: &Self) -> bool {
        self.relative_to(folder).is_some()
    }

    /// The segments below `folder`, if it lies there.
    pub fn relative_to(&self, folder: &Self) -> Option<Self> {
        let rest = self.0.strip_prefix(&folder.0)?.strip_prefix('/')?;
        Some(Self(rest.to_owned()))
    }

    /// These segments and then those of `below`.
    pub fn join(&self, below: &Self) -> Result<Self, BadKey> {
        Self::new(format!("{self}/{below}"))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

fn is_segment(segment: &str) -> bool {
    let letters = segment
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    letters && segment.len() <= Key::LONGEST_SEGMENT && !matches!(segment, "" | "." | "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_leads_nowhere_else() {
        for good in ["vault.json", "data/0a-1/1/segment-00000.tar.zst", "..a", "A_b"] {
            assert_eq!(Key::new(good).unwrap().as_str(), good);
        }
        for bad in [
            "", "/", "/a", "a/", "a//b", ".", "a/../b", "a b", "a\\b", "ä", "a\0b", "%2e",
        ] {
            assert_eq!(Key::new(bad), Err(BadKey(bad.to_owned())), "{bad:?}");
        }
        for (segment, segments, fits) in [(255, 1, true), (256, 1, false), (127, 4, true), (128, 4, false)] {
            let text = vec!["a".repeat(segment); segments].join("/");
            assert_eq!(Key::new(&text).is_ok(), fits, "{} bytes", text.len());
        }
    }

    #[test]
    fn below_goes_by_whole_segments() {
        let key = |text: &str| Key::new(text).unwrap();
        assert!(key("a/b").is_below(&key("a")));
        assert_eq!(key("a/b/c").relative_to(&key("a")), Some(key("b/c")));
        assert_eq!(key("a").join(&key("b/c")), Ok(key("a/b/c")));
        for above in ["a", "ab", "a-b", "b/a"] {
            assert!(!key(above).is_below(&key("a")), "{above}");
        }
    }
}
