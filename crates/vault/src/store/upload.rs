//! A blob of unknown length: cut into parts of equal length, which can be sent side by side, and again.

use std::fmt::Debug;

use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use futures::stream::{self, Stream, StreamExt as _, TryStreamExt as _};

use super::{BlobStore, Bytestream, Key, StoreError};

/// The length of every part but the last. S3 takes no less than 5 MiB and no more than 10,000 parts: so up to 80 GiB.
pub const PART: usize = 8 << 20;

/// So many parts are filled or on their way.
const AT_ONCE: usize = 3;

/// A blob on its way. It is there once it is completed, and not before.
pub trait Upload: Debug + Send + Sync {
    /// Sends a part, by its number from 0. Sent again, it takes the place of what was sent before.
    fn part(&self, number: u32, body: Bytes) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Makes the blob of the parts 0 to `count`, all of which were sent.
    fn complete(&self, count: u32) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Gives it up, and removes what was sent.
    fn abort(&self) -> BoxFuture<'_, Result<(), StoreError>>;
}

impl dyn BlobStore + '_ {
    /// Writes a blob of unknown length, over whatever is there, and says its length. Takes memory for three parts. When
    /// the stream fails, nothing is written.
    pub async fn put_stream(&self, key: &Key, body: Bytestream) -> Result<u64, StoreError> {
        let mut parts = cut(body).boxed();
        let first = parts.try_next().await?.unwrap_or_default();
        if first.len() < PART {
            let length = first.len() as u64;
            return self.put(key, first).await.map(|()| length);
        }
        let upload = self.upload(key).await?;
        let sent = send(upload.as_ref(), stream::iter([Ok(first)]).chain(parts).boxed()).await;
        if sent.is_err()
            && let Err(error) = upload.abort().await
        {
            tracing::warn!(%key, %error, "parts of a blob that was given up stay in the store");
        }
        sent
    }
}

/// A stream in parts of equal length; only the last is shorter.
fn cut(body: Bytestream) -> impl Stream<Item = Result<Bytes, StoreError>> + Send {
    stream::try_unfold((body, Bytes::new()), async |(mut body, mut piece)| {
        let mut part = BytesMut::new();
        while part.len() < PART {
            if piece.is_empty() {
                match body.try_next().await.map_err(StoreError::of_source)? {
                    Some(next) => piece = next,
                    None => break,
                }
            }
            let fits = piece.len().min(PART - part.len());
            part.extend_from_slice(&piece.split_to(fits));
        }
        Ok((!part.is_empty()).then(|| (part.freeze(), (body, piece))))
    })
}

async fn send(upload: &dyn Upload, parts: Bytestream) -> Result<u64, StoreError> {
    let (count, length) = parts
        .zip(stream::iter(0..))
        .map(async |(part, number)| {
            let part = part?;
            let length = part.len() as u64;
            upload.part(number, part).await.map(|()| length)
        })
        .buffer_unordered(AT_ONCE)
        .try_fold((0, 0), async |(count, sum), length| Ok((count + 1, sum + length)))
        .await?;
    upload.complete(count).await?;
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn parts_are_of_equal_length_however_the_pieces_come() {
        for (pieces, lengths) in [
            (vec![], vec![]),
            (vec![0, 0], vec![]),
            (vec![1, 0, 2], vec![3]),
            (vec![PART], vec![PART]),
            (vec![PART - 1, 2], vec![PART, 1]),
            (vec![3 * PART + 5], vec![PART, PART, PART, 5]),
        ] {
            let body = stream::iter(pieces.clone()).map(|length| Ok(Bytes::from(vec![7; length])));
            let parts: Vec<Bytes> = cut(body.boxed()).try_collect().await.unwrap();
            let found: Vec<usize> = parts.iter().map(Bytes::len).collect();
            assert_eq!(found, lengths, "{pieces:?}");
        }
    }
}
