//! Making and reading certificates. Nothing here asks for the time: whoever calls says what it is.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
};
use rustls_pki_types::{CertificateDer, pem::PemObject as _};
use x509_parser::{
    extensions::GeneralName,
    prelude::{FromDer as _, X509Certificate},
};

/// Certificates begin to be valid this much earlier than they are made: clocks in a cluster differ.
const BACKDATED: SignedDuration = SignedDuration::from_hours(1);

/// Something that can't be made or isn't what it should be. Never says what a key looks like.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// The text isn't a PEM certificate.
    #[error("not a certificate in PEM")]
    NotACertificate,
    /// The text isn't a PEM private key.
    #[error("not a private key in PEM")]
    NotAKey,
    /// Key and certificate don't belong together.
    #[error("the private key doesn't belong to the certificate")]
    ForeignKey,
    /// The certificate may not sign others.
    #[error("the certificate is not an authority's")]
    NotAnAuthority,
    /// A point in time that certificates can't express.
    #[error("a certificate made at {0} would expire outside of representable time")]
    Time(Timestamp),
    /// The library refused.
    #[error("failed to make a certificate: {0}")]
    Make(#[from] rcgen::Error),
}

/// The names under which API servers know the webhook's Service.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServiceNames {
    dns: [String; 3],
}

impl ServiceNames {
    /// The names of a Service. The first one is what API servers verify.
    pub fn new(service: &str, namespace: &str) -> Self {
        let short = format!("{service}.{namespace}");
        Self {
            dns: [
                format!("{short}.svc"),
                format!("{short}.svc.cluster.local"),
                short,
            ],
        }
    }

    /// All of them.
    pub fn dns(&self) -> &[String] {
        &self.dns
    }
}

/// A private key in PEM. Its `Debug` output says nothing.
#[derive(Clone, Eq, PartialEq)]
pub struct PrivateKey(String);

impl PrivateKey {
    /// The key itself, for the Secret and the server.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(..)")
    }
}

/// A certificate and what it says of itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Certificate {
    pem: String,
    not_before: Timestamp,
    not_after: Timestamp,
    subject: String,
    issuer: String,
    is_authority: bool,
    names: Vec<String>,
    public_key: Vec<u8>,
}

impl Certificate {
    /// Reads the first certificate of a PEM text.
    pub fn parse(pem: &str) -> Result<Self, AuthorityError> {
        let der =
            CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| AuthorityError::NotACertificate)?;
        let (_, x509) = X509Certificate::from_der(&der).map_err(|_| AuthorityError::NotACertificate)?;
        let time = |t: x509_parser::time::ASN1Time| {
            Timestamp::from_second(t.timestamp()).map_err(|_| AuthorityError::NotACertificate)
        };
        let names = x509
            .subject_alternative_name()
            .ok()
            .flatten()
            .into_iter()
            .flat_map(|san| {
                san.value.general_names.iter().filter_map(|name| match name {
                    GeneralName::DNSName(dns) => Some((*dns).to_owned()),
                    _ => None,
                })
            });
        Ok(Self {
            pem: pem.to_owned(),
            not_before: time(x509.validity().not_before)?,
            not_after: time(x509.validity().not_after)?,
            subject: x509.subject().to_string(),
            issuer: x509.issuer().to_string(),
            is_authority: x509.is_ca(),
            names: names.collect(),
            public_key: x509.public_key().subject_public_key.data.to_vec(),
        })
    }

    /// As it is stored and served.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// When it expires.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// Whether it can be used at a time: neither expired nor made by a clock that was far ahead.
    pub fn is_valid_at(&self, now: Timestamp) -> bool {
        self.not_before <= now && now < self.not_after
    }

    fn belongs_to(&self, key: &KeyPair) -> bool {
        key.public_key_raw() == self.public_key
    }
}

/// A certificate authority: may sign leaves, no further authorities.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Authority {
    certificate: Certificate,
    key: PrivateKey,
}

impl Authority {
    /// Makes a new one.
    pub fn create(now: Timestamp, lifetime: SignedDuration) -> Result<Self, AuthorityError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = params(now, expiry(now, lifetime)?)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        // The time keeps the names of successive authorities apart.
        params.distinguished_name = called(&format!(
            "clusterbackup webhook authority {}",
            now.as_millisecond()
        ));
        let certificate = Certificate::parse(&params.self_signed(&key)?.pem())?;
        Ok(Self {
            certificate,
            key: PrivateKey(key.serialize_pem()),
        })
    }

    /// Reads one back.
    pub fn from_pem(certificate: &str, key: &str) -> Result<Self, AuthorityError> {
        let (certificate, key) = pair(certificate, key)?;
        if !certificate.is_authority {
            return Err(AuthorityError::NotAnAuthority);
        }
        Ok(Self { certificate, key })
    }

    /// Makes a leaf for a Service. It never outlives its authority.
    pub fn issue(
        &self,
        now: Timestamp,
        lifetime: SignedDuration,
        names: &ServiceNames,
    ) -> Result<Leaf, AuthorityError> {
        let signer = KeyPair::from_pem(self.key.expose()).map_err(|_| AuthorityError::NotAKey)?;
        let issuer = Issuer::from_ca_cert_pem(self.certificate.pem(), signer)?;
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = params(now, self.leaf_expiry(now, lifetime)?)?;
        params.subject_alt_names = CertificateParams::new(names.dns().to_vec())?.subject_alt_names;
        params.distinguished_name = called("clusterbackup webhook");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let certificate = Certificate::parse(&params.signed_by(&key, &issuer)?.pem())?;
        Ok(Leaf {
            certificate,
            key: PrivateKey(key.serialize_pem()),
        })
    }

    /// When a leaf would expire that is made now.
    pub(crate) fn leaf_expiry(
        &self,
        now: Timestamp,
        lifetime: SignedDuration,
    ) -> Result<Timestamp, AuthorityError> {
        Ok(expiry(now, lifetime)?.min(self.certificate.not_after))
    }

    /// Its certificate: what clients trust.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Its key.
    pub fn key(&self) -> &PrivateKey {
        &self.key
    }
}

/// What the server shows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Leaf {
    certificate: Certificate,
    key: PrivateKey,
}

impl Leaf {
    /// Reads one back.
    pub fn from_pem(certificate: &str, key: &str) -> Result<Self, AuthorityError> {
        let (certificate, key) = pair(certificate, key)?;
        Ok(Self { certificate, key })
    }

    /// Whether a client that trusts `authority` accepts it under all of `names`.
    pub fn serves(&self, names: &ServiceNames, authority: &Certificate) -> bool {
        self.certificate.issuer == authority.subject
            && names
                .dns()
                .iter()
                .all(|name| self.certificate.names.contains(name))
    }

    /// Its certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Its key.
    pub fn key(&self) -> &PrivateKey {
        &self.key
    }
}

/// Certificates one after the other, as PEM bundles are.
pub(crate) fn bundle<'a>(certificates: impl IntoIterator<Item = &'a Certificate>) -> String {
    certificates
        .into_iter()
        .flat_map(|certificate| [certificate.pem.trim_end(), "\n"])
        .collect()
}

fn pair(certificate: &str, key: &str) -> Result<(Certificate, PrivateKey), AuthorityError> {
    let certificate = Certificate::parse(certificate)?;
    let parsed = KeyPair::from_pem(key).map_err(|_| AuthorityError::NotAKey)?;
    if !certificate.belongs_to(&parsed) {
        return Err(AuthorityError::ForeignKey);
    }
    Ok((certificate, PrivateKey(key.to_owned())))
}

fn params(now: Timestamp, not_after: Timestamp) -> Result<CertificateParams, AuthorityError> {
    let mut params = CertificateParams::default();
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let at = |time: Timestamp| {
        let since_epoch = time.duration_since(Timestamp::UNIX_EPOCH);
        let whole_seconds = u64::try_from(since_epoch.as_secs()).map_err(|_| AuthorityError::Time(now))?;
        Ok::<_, AuthorityError>(epoch + std::time::Duration::from_secs(whole_seconds))
    };
    params.not_before = at(now
        .checked_sub(BACKDATED)
        .map_err(|_| AuthorityError::Time(now))?)?;
    params.not_after = at(not_after)?;
    Ok(params)
}

fn expiry(now: Timestamp, lifetime: SignedDuration) -> Result<Timestamp, AuthorityError> {
    now.checked_add(lifetime).map_err(|_| AuthorityError::Time(now))
}

fn called(name: &str) -> DistinguishedName {
    let mut distinguished_name = DistinguishedName::new();
    distinguished_name.push(DnType::CommonName, name);
    distinguished_name
}

#[cfg(test)]
mod tests {
    use super::*;

    const YEAR: SignedDuration = SignedDuration::from_hours(365 * 24);
    const MONTH: SignedDuration = SignedDuration::from_hours(30 * 24);

    fn now() -> Timestamp {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    fn names() -> ServiceNames {
        ServiceNames::new("clusterbackup-webhook", "clusterbackup-system")
    }

    /// What an API server does with the leaf: full path validation under the Service's name.
    fn accepted(leaf: &Leaf, trusted: &Certificate, name: &str, at: Timestamp) -> bool {
        use rustls::client::{WebPkiServerVerifier, danger::ServerCertVerifier as _};
        clusterbackup_kit::crypto::install();
        let mut roots = rustls::RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(trusted.pem().as_bytes()).unwrap())
            .unwrap();
        let verifier = WebPkiServerVerifier::builder(roots.into()).build().unwrap();
        let der = CertificateDer::from_pem_slice(leaf.certificate().pem().as_bytes()).unwrap();
        let since_epoch = std::time::Duration::from_secs(at.as_second().try_into().unwrap());
        let at = rustls_pki_types::UnixTime::since_unix_epoch(since_epoch);
        verifier
            .verify_server_cert(&der, &[], &name.to_owned().try_into().unwrap(), &[], at)
            .is_ok()
    }

    #[test]
    fn a_leaf_is_accepted_under_every_name_of_the_service_by_those_who_trust_its_authority() {
        let authority = Authority::create(now(), YEAR).unwrap();
        let stranger = Authority::create(now(), YEAR).unwrap();
        let leaf = authority.issue(now(), MONTH, &names()).unwrap();
        for name in names().dns() {
            assert!(accepted(&leaf, authority.certificate(), name, now()), "{name}");
        }
        let names = names();
        let first = &names.dns()[0];
        assert!(
            !accepted(&leaf, stranger.certificate(), first, now()),
            "another authority"
        );
        assert!(
            !accepted(&leaf, authority.certificate(), "other.ns.svc", now()),
            "another service"
        );
        assert!(
            !accepted(&leaf, authority.certificate(), first, now() + MONTH * 2),
            "expired"
        );
        let slow_clock = now() - SignedDuration::from_mins(30);
        assert!(
            accepted(&leaf, authority.certificate(), first, slow_clock),
            "a clock that is behind"
        );
    }

    #[test]
    fn what_is_stored_reads_back_the_same_and_goes_on_signing() {
        let authority = Authority::create(now(), YEAR).unwrap();
        let back = Authority::from_pem(authority.certificate().pem(), authority.key().expose()).unwrap();
        assert_eq!(authority, back);
        let leaf = back.issue(now(), MONTH, &names()).unwrap();
        assert!(leaf.serves(&names(), authority.certificate()));
        assert_eq!(
            Leaf::from_pem(leaf.certificate().pem(), leaf.key().expose()).unwrap(),
            leaf
        );
    }

    #[test]
    fn a_leaf_never_outlives_its_authority() {
        let authority = Authority::create(now(), MONTH).unwrap();
        let late = now() + MONTH / 2;
        let leaf = authority.issue(late, MONTH, &names()).unwrap();
        assert_eq!(
            leaf.certificate().not_after(),
            authority.certificate().not_after()
        );
    }

    #[test]
    fn garbage_is_refused_by_name() {
        let authority = Authority::create(now(), YEAR).unwrap();
        let leaf = authority.issue(now(), MONTH, &names()).unwrap();
        let (certificate, key) = (authority.certificate().pem(), authority.key().expose());
        let cases = [
            (Authority::from_pem("", key), "not a certificate"),
            (Authority::from_pem(certificate, "garbage"), "not a private key"),
            (
                Authority::from_pem(certificate, leaf.key().expose()),
                "doesn't belong",
            ),
            (
                Authority::from_pem(leaf.certificate().pem(), leaf.key().expose()),
                "not an authority's",
            ),
        ];
        for (result, message) in cases {
            let error = result.unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }

    #[test]
    fn keys_stay_out_of_debug_output() {
        let authority = Authority::create(now(), YEAR).unwrap();
        let secret = authority.key().expose().lines().nth(1).unwrap();
        assert!(!format!("{authority:?}").contains(secret));
    }

    #[test]
    fn a_clock_at_the_end_of_time_is_an_error_not_a_panic() {
        assert!(matches!(
            Authority::create(Timestamp::MAX, YEAR),
            Err(AuthorityError::Time(_))
        ));
        assert!(matches!(
            Authority::create(Timestamp::MIN, YEAR),
            Err(AuthorityError::Time(_))
        ));
    }
}
