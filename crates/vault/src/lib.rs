//! Recovery points on a store.
//!
//! - `store`: where blobs lie, whatever keeps them
//! - `point`: what one recovery point is made of

pub mod point;
pub mod store;
