//! Parts that only the key's owner reads: age with X25519, so that `age -d` opens them too.
//!
//! Whoever writes needs the public half only. The private half is made by `Identity::generate`, shown once and never stored.

use std::io::{self, Read, Write as _};
use std::str::FromStr;
use std::{fmt, iter};

use age::secrecy::SecretString;
use age::x25519;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Whether what is written is encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seal {
    /// It is in clear text.
    Clear,
    /// Each of these reads it.
    Age(Recipients),
}

/// At least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipients(Vec<Recipient>);

/// The public half of a key: `age1…`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Recipient(x25519::Recipient);

/// The private half of a key: `AGE-SECRET-KEY-1…`.
#[derive(Clone)]
pub struct Identity(x25519::Identity);

/// A text that is no public key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no recipient of age: {reason}; it must be the age1… that keygen shows")]
pub struct BadRecipient {
    text: String,
    reason: &'static str,
}

/// A text that is no private key. It might nearly be one, so it isn't repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadIdentity {
    /// There is none.
    #[error("there is no identity of age: one line must be the AGE-SECRET-KEY-1… that keygen shows")]
    Missing,
    /// There are several.
    #[error("there are several identities of age: give the one that opens the recovery point")]
    Several,
    /// It is written wrongly.
    #[error("the identity of age is not readable: {0}; it must be the AGE-SECRET-KEY-1… that keygen shows")]
    Unreadable(&'static str),
}

impl Seal {
    /// For these recipients; in clear text if there is none.
    pub fn to(recipients: Vec<Recipient>) -> Self {
        if recipients.is_empty() {
            Self::Clear
        } else {
            Self::Age(Recipients(recipients))
        }
    }

    /// Who can read what is written.
    pub fn recipients(&self) -> &[Recipient] {
        match self {
            Self::Clear => &[],
            Self::Age(Recipients(recipients)) => recipients,
        }
    }

    /// The bytes that are stored for these.
    pub(crate) fn close(&self, content: Vec<u8>) -> io::Result<Vec<u8>> {
        if *self == Self::Clear {
            return Ok(content);
        }
        let recipients = self
            .recipients()
            .iter()
            .map(|recipient| &recipient.0 as &dyn age::Recipient);
        let encryptor = age::Encryptor::with_recipients(recipients).map_err(io::Error::other)?;
        let mut sealed =
            encryptor.wrap_output(Vec::with_capacity(content.len() + content.len() / 1024 + 1024))?;
        sealed.write_all(&content)?;
        sealed.finish()
    }
}

impl Identity {
    /// A new key.
    pub fn generate() -> Self {
        Self(x25519::Identity::generate())
    }

    /// Its public half.
    pub fn recipient(&self) -> Recipient {
        Recipient(self.0.to_public())
    }

    /// What was sealed for it.
    pub(crate) fn open(&self, sealed: Bytes) -> Result<impl Read + Send + use<>, age::DecryptError> {
        let decryptor = age::Decryptor::new_buffered(io::Cursor::new(sealed))?;
        decryptor.decrypt(iter::once(&self.0 as &dyn age::Identity))
    }

    /// Its text, to show to its owner once.
    pub fn reveal(&self) -> SecretString {
        self.0.to_string()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Identity(of {})", self.recipient())
    }
}

impl FromStr for Identity {
    type Err = BadIdentity;

    /// From the text of a key file: lines that are empty or begin with `#` don't count.
    fn from_str(text: &str) -> Result<Self, BadIdentity> {
        let mut lines = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        let line = lines.next().ok_or(BadIdentity::Missing)?;
        if lines.next().is_some() {
            return Err(BadIdentity::Several);
        }
        line.parse().map(Self).map_err(BadIdentity::Unreadable)
    }
}

impl FromStr for Recipient {
    type Err = BadRecipient;

    fn from_str(text: &str) -> Result<Self, BadRecipient> {
        text.parse().map(Self).map_err(|reason| BadRecipient {
            text: text.to_owned(),
            reason,
        })
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }
}

impl TryFrom<String> for Recipient {
    type Error = BadRecipient;

    fn try_from(text: String) -> Result<Self, BadRecipient> {
        text.parse()
    }
}

impl From<Recipient> for String {
    fn from(recipient: Recipient) -> Self {
        recipient.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use age::secrecy::ExposeSecret as _;

    #[test]
    fn only_the_recipients_read_what_is_sealed() {
        let [one, two, other] = [(); 3].map(|()| Identity::generate());
        let seal = Seal::to(vec![one.recipient(), two.recipient()]);
        let sealed = Bytes::from(seal.close(b"the answer".to_vec()).unwrap());
        assert!(sealed.starts_with(b"age-encryption.org/v1"));
        for identity in [one, two] {
            let mut open = String::new();
            identity
                .open(sealed.clone())
                .unwrap()
                .read_to_string(&mut open)
                .unwrap();
            assert_eq!(open, "the answer");
        }
        assert!(matches!(
            other.open(sealed).err(),
            Some(age::DecryptError::NoMatchingKeys)
        ));
        assert_eq!(Seal::to(Vec::new()), Seal::Clear);
        assert_eq!(Seal::Clear.close(b"as it is".to_vec()).unwrap(), b"as it is");
    }

    #[test]
    fn a_private_key_is_read_from_its_file_and_never_shown_by_debug() {
        let identity = Identity::generate();
        let secret = identity.reveal();
        let file = format!(
            "# created: today\n# public key: {}\n\n{}\n",
            identity.recipient(),
            secret.expose_secret()
        );
        let read: Identity = file.parse().unwrap();
        assert_eq!(read.recipient(), identity.recipient());
        let debug = format!("{read:?}");
        assert!(
            debug.contains(&identity.recipient().to_string()) && !debug.contains("SECRET"),
            "{debug}"
        );
    }

    #[test]
    fn a_wrong_private_key_is_not_repeated_in_the_error() {
        let [one, two] = [(); 2].map(|()| Identity::generate().reveal());
        let (one, two) = (one.expose_secret(), two.expose_secret());
        for (text, error) in [
            ("# nothing\n", "there is no identity"),
            (&format!("{one}\n{two}"), "there are several identities"),
            (&one[..40], "the identity of age is not readable"),
            (
                &one.replace("SECRET", "PUBLIC"),
                "the identity of age is not readable",
            ),
        ] {
            let message = text.parse::<Identity>().unwrap_err().to_string();
            assert!(
                message.starts_with(error) && !message.contains(&one[20..30]),
                "{message}"
            );
        }
    }

    #[test]
    fn a_recipient_is_a_public_key_of_age() {
        let recipient = Identity::generate().recipient();
        assert_eq!(recipient.to_string().parse(), Ok(recipient.clone()));
        for bad in ["", "age1", "ssh-ed25519 AAAA", &recipient.to_string()[1..]] {
            let message = bad.parse::<Recipient>().unwrap_err().to_string();
            assert!(message.contains("is no recipient of age"), "{message}");
        }
    }
}
