//! The certificate that is served, exchangeable at any time: handshakes take the one that is there, connections keep
//! the one they began with.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use jiff::Timestamp;
use rustls::{
    ServerConfig,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::crypto;

/// The certificate and key of a server. Empty at first: handshakes fail until there is one.
#[derive(Debug, Default)]
pub struct Identity {
    current: ArcSwapOption<Served>,
}

#[derive(Debug)]
struct Served {
    key: Arc<CertifiedKey>,
    not_after: Timestamp,
}

/// A certificate that can't be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The chain isn't PEM, or holds no certificate.
    #[error("the certificate chain is not PEM: {0}")]
    Chain(rustls_pki_types::pem::Error),
    /// The chain holds no certificate.
    #[error("the certificate chain holds no certificate")]
    Empty,
    /// The key isn't one. What it holds is not repeated.
    #[error("the private key is not PEM of a PKCS#8, PKCS#1 or SEC1 key")]
    Key,
    /// The first certificate can't be parsed.
    #[error("the first certificate of the chain is malformed")]
    Certificate,
    /// Key and certificate are of no use together.
    #[error("the private key can't be used with the certificate: {0}")]
    Mismatch(rustls::Error),
}

impl Identity {
    /// Serves another certificate from now on. Nothing changes if it is refused. Returns when it expires.
    pub fn replace(&self, chain_pem: &[u8], key_pem: &[u8]) -> Result<Timestamp, IdentityError> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(chain_pem)
            .collect::<Result<_, _>>()
            .map_err(IdentityError::Chain)?;
        let not_after = not_after(chain.first().ok_or(IdentityError::Empty)?)?;
        let key = PrivateKeyDer::from_pem_slice(key_pem).map_err(|_| IdentityError::Key)?;
        let key = CertifiedKey::from_der(chain, key, &crypto::provider()).map_err(IdentityError::Mismatch)?;
        self.current.store(Some(Arc::new(Served {
            key: Arc::new(key),
            not_after,
        })));
        Ok(not_after)
    }

    /// When the served certificate expires; `None` while there is none.
    pub fn not_after(&self) -> Option<Timestamp> {
        self.current.load().as_ref().map(|served| served.not_after)
    }

    /// The TLS side of a server: one configuration for its whole life, so that sessions survive a new certificate.
    /// HTTP/1.1 alone is offered, which is what API servers speak to webhooks.
    pub fn server_config(self: &Arc<Self>) -> Result<Arc<ServerConfig>, rustls::Error> {
        let mut config = ServerConfig::builder_with_provider(crypto::provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(self.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

impl ResolvesServerCert for Identity {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.current.load().as_ref().map(|served| served.key.clone())
    }
}

fn not_after(certificate: &CertificateDer<'_>) -> Result<Timestamp, IdentityError> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| IdentityError::Certificate)?;
    Timestamp::from_second(parsed.validity().not_after.timestamp()).map_err(|_| IdentityError::Certificate)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issued(name: &str) -> (String, String) {
        let rcgen::CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        (cert.pem(), signing_key.serialize_pem())
    }

    #[test]
    fn what_cannot_be_served_is_refused_and_changes_nothing() {
        let identity = Identity::default();
        let (chain, key) = issued("good");
        let (_, other_key) = issued("other");
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned();
        identity.replace(chain.as_bytes(), key.as_bytes()).unwrap();
        let before = identity.current.load_full().unwrap();

        let cases = [
            ("no certificate", String::new(), key.clone(), "no certificate"),
            ("not a certificate", broken, key.clone(), "malformed"),
            ("no key", chain.clone(), String::new(), "private key is not PEM"),
            ("another's key", chain.clone(), other_key, "can't be used"),
        ];
        for (what, chain, key, message) in cases {
            let error = identity
                .replace(chain.as_bytes(), key.as_bytes())
                .unwrap_err()
                .to_string();
            assert!(error.contains(message), "{what}: {error}");
        }
        assert!(Arc::ptr_eq(&before, &identity.current.load_full().unwrap()));
    }

    #[test]
    fn keys_stay_out_of_debug_output() {
        let identity = Identity::default();
        let (chain, key) = issued("good");
        identity.replace(chain.as_bytes(), key.as_bytes()).unwrap();
        let secret = key.lines().nth(1).unwrap();
        assert!(!format!("{identity:?}").contains(secret));
    }
}
