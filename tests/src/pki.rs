//! The certificates of a test cluster: one authority for everybody, and the key pair of `ServiceAccount` tokens.

use std::path::{Path, PathBuf};

use anyhow::Result;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};

/// A certificate with its key, as PEM text.
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// Its private key, PKCS#8.
    pub key: String,
}

/// The authority of one cluster, and the files that its processes read.
pub struct Pki {
    authority: CertifiedIssuer<'static, KeyPair>,
    folder: PathBuf,
}

impl Pki {
    /// Makes everything anew and writes what the processes need into `folder`.
    pub fn new(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "test cluster");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let pki = Self {
            authority,
            folder: folder.to_path_buf(),
        };

        pki.write("ca.crt", &pki.authority.pem())?;
        let serving = pki.serving()?;
        pki.write("serving.crt", &serving.certificate)?;
        pki.write("serving.key", &serving.key)?;
        let tokens = KeyPair::generate()?;
        pki.write("tokens.key", &tokens.serialize_pem())?;
        pki.write("tokens.pub", &tokens.public_key_pem())?;
        Ok(pki)
    }

    /// The authority's certificate as PEM text.
    pub fn authority(&self) -> String {
        self.authority.pem()
    }

    /// A file of this PKI: `ca.crt`, `serving.crt`, `serving.key`, `tokens.key` or `tokens.pub`.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A client certificate: Kubernetes takes the common name as the user, the organization as the group.
    pub fn client(&self, user: &str, group: Option<&str>) -> Result<Identity> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, user);
        if let Some(group) = group {
            params.distinguished_name.push(DnType::OrganizationName, group);
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(&params)
    }

    fn serving(&self) -> Result<Identity> {
        let names = [
            "localhost",
            "127.0.0.1",
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "10.0.0.1",
        ];
        let mut params = CertificateParams::new(names.map(str::to_owned))?;
        params
            .distinguished_name
            .push(DnType::CommonName, "kube-apiserver");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.issue(&params)
    }

    fn issue(&self, params: &CertificateParams) -> Result<Identity> {
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.authority)?.pem();
        Ok(Identity {
            certificate,
            key: key.serialize_pem(),
        })
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        Ok(std::fs::write(self.file(name), text)?)
    }
}
