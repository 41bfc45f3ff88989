//! Private keys read from PEM octets.
