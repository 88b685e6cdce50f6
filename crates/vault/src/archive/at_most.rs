//! A map of JSON that takes no more keys than it may have: millions of them fit into a few megabytes of text, and take a hundred
//! times that in memory.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};

/// Different keys, so many at most.
pub(super) struct AtMost<V, const MOST: usize>(pub(super) BTreeMap<String, V>);

struct Keys<V, const MOST: usize>(PhantomData<V>);

impl<'de, V: Deserialize<'de>, const MOST: usize> Deserialize<'de> for AtMost<V, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Keys(PhantomData))
    }
}

impl<'de, V: Deserialize<'de>, const MOST: usize> Visitor<'de> for Keys<V, MOST> {
    type Value = AtMost<V, MOST>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{MOST} keys at most, each of them once")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut taken = BTreeMap::new();
        while let Some((key, value)) = map.next_entry()? {
            if taken.len() >= MOST || taken.insert(key, value).is_some() {
                return Err(A::Error::custom("too many keys, or one twice"));
            }
        }
        Ok(AtMost(taken))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_too_many_or_twice_is_refused() {
        for (text, fits) in [
            ("{}", true),
            (r#"{"a":1,"b":2}"#, true),
            (r#"{"a":1,"b":2,"c":3}"#, false),
            (r#"{"a":1,"a":2}"#, false),
            ("[]", false),
        ] {
            let read = serde_json::from_str::<AtMost<u8, 2>>(text);
            assert_eq!(read.is_ok(), fits, "{text}");
        }
    }
}
