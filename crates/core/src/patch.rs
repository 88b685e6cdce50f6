//! Changing a JSON document so that every change is known: RFC 6902, RFC 7396 and strategic merge patch
//! on a [`Draft`] that writes down what it does.

pub mod draft;
pub mod json;
pub mod merge;
pub mod pointer;
pub mod rewrite;
pub mod strategic;

pub use draft::{Draft, EditError, Savepoint};
pub use json_patch::PatchOperation;
pub use pointer::{LookupError, Pointer, PointerError};
