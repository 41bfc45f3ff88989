//! Who puts signatures into generated documents: a seam, so that documents can be made with the sample keys, with throw-away keys, or without any.

/// Signs a document as a professional at the workstation would: a type 1 signature in the signature collection.
pub trait Hands {
    /// The signed octets; `None` when this hand has no key here.
    fn sign(&self, octets: &[u8], hand: Hand) -> Option<Vec<u8>>;
}

/// Whose key and certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hand {
    /// The professional whom the documents name.
    Professional,
    /// Another professional of the same authority.
    Stranger,
    /// The professional the documents name, certified by an authority that nobody trusts.
    Untrusted,
    /// The professional the documents name, with a certificate that had ended before the signature.
    Expired,
    /// A certificate that may sign certificates only.
    Authority,
}

impl Hand {
    /// Every hand.
    pub const ALL: [Self; 5] = [Self::Professional, Self::Stranger, Self::Untrusted, Self::Expired, Self::Authority];
}
