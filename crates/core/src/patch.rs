//! Changing a JSON document so that every change is known: RFC 6902 and RFC 7396 on a [`Draft`] that writes
//! down what it does.

pub mod draft;
pub mod json;
pub mod merge;
pub mod pointer;

pub use draft::{Draft, EditError, Savepoint};
pub use json_patch::PatchOperation;
pub use pointer::{LookupError, Pointer, PointerError};
