//! Floor 1: rules that are data: the catalogue of sentences, interactions, service requests, code systems; and the hash that names a rule set.

pub mod catalogue;
pub mod rule_set;
pub mod source;
