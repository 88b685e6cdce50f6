//! The webhook's certificates: an authority, a leaf, their rotation, and the `caBundle` by which API servers trust
//! them.
//!
//! The pure part says what should happen: [`decide`] from what is stored, [`material`] makes it of an [`authority`].
//! The rest carries it out: [`manager`] keeps the Secret and the served identity, `injection` the webhook
//! configurations, `files` reads what somebody else (cert-manager) issues.
//!
//! A new authority is introduced in three steps, so that no handshake ever fails: it is published in the `caBundle`
//! beside the old one; when every configuration has carried it for a while, leaves come from it; when the old one has
//! expired, and with it everything it ever signed, it leaves the `caBundle`. Its key is destroyed at the second step.

pub mod authority;
pub mod decide;
mod files;
mod injection;
pub mod lifetimes;
pub mod manager;
pub mod material;
mod metrics;
mod secret;
pub mod step;

pub use injection::Configuration;
pub use lifetimes::Lifetimes;
pub use manager::{Manager, Settings, Source};
