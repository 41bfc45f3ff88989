//! One lane per client.
