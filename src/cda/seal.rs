//! Splices the system signature into the received octets.
