//! The certificates of a test cluster: one authority for everybody, and the key pair of `ServiceAccount` tokens.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::Result;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, KeyUsagePurpose,
};

/// By what names the API server is called, beside its address; the last one is that of its Service.
const API_SERVER: [&str; 5] = [
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "10.0.0.1",
];

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
    /// Makes everything anew and writes what the processes need into `folder`. The API server is known by `address`,
    /// beside the names that it always has.
    pub fn new(folder: &Path, address: IpAddr) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = distinguished("test cluster", None);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let pki = Self {
            authority,
            folder: folder.to_path_buf(),
        };

        pki.write("ca.crt", &pki.authority.pem())?;
        let names = API_SERVER
            .map(str::to_owned)
            .into_iter()
            .chain([address.to_string()]);
        pki.write_identity("serving", &pki.serving("kube-apiserver", None, names.collect())?)?;
        let kubelets = pki.client("kube-apiserver-kubelet-client", Some("system:masters"))?;
        pki.write_identity("kubelet-client", &kubelets)?;
        let tokens = KeyPair::generate()?;
        pki.write("tokens.key", &tokens.serialize_pem())?;
        pki.write("tokens.pub", &tokens.public_key_pem())?;
        Ok(pki)
    }

    /// The authority's certificate as PEM text.
    pub fn authority(&self) -> String {
        self.authority.pem()
    }

    /// A file of this PKI: `ca.crt`, `tokens.key`, `tokens.pub`, or the `.crt` and `.key` of `serving`, `kubelet-client`
    /// and whoever was given files by [`Pki::write_identity`].
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A client certificate: Kubernetes takes the common name as the user, the organization as the group.
    pub fn client(&self, user: &str, group: Option<&str>) -> Result<Identity> {
        let mut params = CertificateParams::default();
        params.distinguished_name = distinguished(user, group);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(&params)
    }

    /// A server's certificate for these names and addresses.
    pub fn serving(&self, common_name: &str, group: Option<&str>, names: Vec<String>) -> Result<Identity> {
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name = distinguished(common_name, group);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.issue(&params)
    }

    /// Writes `<name>.crt` and `<name>.key`.
    pub fn write_identity(&self, name: &str, identity: &Identity) -> Result<()> {
        self.write(&format!("{name}.crt"), &identity.certificate)?;
        self.write(&format!("{name}.key"), &identity.key)
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

fn distinguished(common_name: &str, group: Option<&str>) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    if let Some(group) = group {
        name.push(DnType::OrganizationName, group);
    }
    name
}
