//! The authorities whose certificates a program trusts on the public network, as a system has them: Mozilla's.

use std::fmt::Write as _;

use anyhow::Result;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Where programs look for them.
pub(super) const FILE: &str = "etc/ssl/certs/ca-certificates.crt";
/// Letters a line.
const LINE: usize = 64;

/// All of them, in PEM.
pub(super) fn bundle() -> Result<String> {
    let mut bundle = String::new();
    for certificate in webpki_root_certs::TLS_SERVER_ROOT_CERTS {
        let text = STANDARD.encode(certificate);
        writeln!(bundle, "-----BEGIN CERTIFICATE-----")?;
        for line in text.as_bytes().chunks(LINE) {
            writeln!(bundle, "{}", std::str::from_utf8(line)?)?;
        }
        writeln!(bundle, "-----END CERTIFICATE-----")?;
    }
    Ok(bundle)
}

#[cfg(test)]
mod tests {
    use rustls_pki_types::CertificateDer;
    use rustls_pki_types::pem::PemObject as _;

    use super::*;

    #[test]
    fn the_bundle_is_read_as_what_it_was_made_of() {
        let bundle = bundle().unwrap();
        let read: Vec<_> = CertificateDer::pem_slice_iter(bundle.as_bytes())
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(read, webpki_root_certs::TLS_SERVER_ROOT_CERTS);
        assert!(read.len() > 100);
    }
}
