//! Restores as a leader carries them out, under its shipped role, in the name of who asks for them.

pub(crate) mod by_plugin;
pub(crate) mod clash;
pub(crate) mod drills;
mod ground;
pub(crate) mod hooks;
pub(crate) mod interrupted;
pub(crate) mod modifiers;
pub(crate) mod places;
pub(crate) mod previews;
pub(crate) mod readiness;
pub(crate) mod refused;
pub(crate) mod rights;
pub(crate) mod round_trip;
pub(crate) mod velero;
pub(crate) mod volumes;
