//! JSON in clear text that carries its own hash: manifests and the records of a point's life.
//!
//! `{"content":…,"sha256":"…"}`, and a new line. The hash is over the exact bytes of the content. It finds damage; it
//! doesn't keep anybody from writing another document, because whoever can write can also compute a hash.

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Damage, Digest, PointError};
use crate::store::{Key, Store};

/// The largest document that is read or written.
pub(crate) const LARGEST: u64 = 16 << 20;

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    content: &'a RawValue,
}

/// The bytes of a document.
pub(crate) fn write<T: Serialize>(key: &Key, content: &T) -> Result<Bytes, PointError> {
    let content = serde_json::to_string(content).map_err(|error| PointError::make(key, error))?;
    let document = enclose(&content);
    if document.len() as u64 > LARGEST {
        return Err(PointError::make(
            key,
            format!("it would be larger than {LARGEST} bytes"),
        ));
    }
    Ok(document.into())
}

/// What a document holds, if it is to the byte as `write` made it.
pub(crate) fn read<T: DeserializeOwned>(key: &Key, bytes: &[u8]) -> Result<T, PointError> {
    let text = str::from_utf8(bytes).map_err(|error| PointError::unreadable(key, error))?;
    let document: Document<'_> =
        serde_json::from_str(text).map_err(|error| PointError::unreadable(key, error))?;
    // Not only the content: a document with a changed frame, or with fields of its own, isn't ours either.
    if enclose(document.content.get()) != text {
        return Err(PointError::damaged(key, Damage::Hash));
    }
    serde_json::from_str(document.content.get()).map_err(|error| PointError::unreadable(key, error))
}

/// The document that is stored under a key.
pub(crate) async fn fetch<T: DeserializeOwned>(store: &Store, key: &Key) -> Result<T, PointError> {
    read(key, &bytes(store, key).await?)
}

/// Its bytes, whatever they are.
pub(crate) async fn bytes(store: &Store, key: &Key) -> Result<Bytes, PointError> {
    let bytes = store.get_range(key, 0..LARGEST + 1).await;
    let bytes = bytes.map_err(|source| PointError::store(key, source))?;
    if bytes.len() as u64 > LARGEST {
        return Err(PointError::damaged(key, Damage::TooLarge(LARGEST)));
    }
    Ok(bytes)
}

fn enclose(content: &str) -> String {
    let sha256 = Digest::of(content.as_bytes());
    format!("{{\"content\":{content},\"sha256\":\"{sha256}\"}}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_changed_byte_and_every_cut_is_found() {
        let key = Key::new("catalogue/a.json").unwrap();
        let whole = write(&key, &vec!["a", "b"]).unwrap();
        assert_eq!(read::<Vec<String>>(&key, &whole).unwrap(), ["a", "b"]);
        for place in 0..whole.len() {
            for bit in 0..8 {
                let mut changed = whole.to_vec();
                changed[place] ^= 1 << bit;
                assert!(
                    read::<Vec<String>>(&key, &changed).is_err(),
                    "byte {place}, bit {bit}"
                );
            }
            assert!(
                read::<Vec<String>>(&key, &whole[..place]).is_err(),
                "cut at {place}"
            );
        }
        assert!(read::<Vec<String>>(&key, &[&whole[..], b" "].concat()).is_err());
    }
}
