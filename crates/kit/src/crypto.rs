//! The one TLS provider of the process.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};

/// Makes aws-lc-rs the provider of the process: the first line of every `main`, since rustls panics when it has to
/// guess between two.
pub fn install() {
    // An error says only that a provider is there already; there is but this one in the build.
    drop(aws_lc_rs::default_provider().install_default());
}

/// The provider for those who name it explicitly.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    CryptoProvider::get_default()
        .cloned()
        .unwrap_or_else(|| Arc::new(aws_lc_rs::default_provider()))
}
