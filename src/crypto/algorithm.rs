//! The signature algorithms that a profile may name. Which of them it does name is data (`codes/signatures.toml`).

/// A signature algorithm; its digest is SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// RSA PKCS#1 v1.5 (RFC 4051 §2.3.2).
    RsaSha256,
    /// ECDSA over P-256 or P-384; the value is `r` and `s` side by side, each as long as the curve's order (RFC 4050 §3.3).
    EcdsaSha256,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::RsaSha256, Self::EcdsaSha256];

    /// The name used in data files and reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RsaSha256 => "rsa-sha256",
            Self::EcdsaSha256 => "ecdsa-sha256",
        }
    }

    /// Its identifier in XML Signature.
    #[must_use]
    pub const fn uri(self) -> &'static str {
        match self {
            Self::RsaSha256 => "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
            Self::EcdsaSha256 => "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
        }
    }

    /// The algorithm of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.as_str() == name)
    }

    /// The algorithm with this identifier.
    #[must_use]
    pub fn from_uri(uri: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.uri() == uri)
    }
}
