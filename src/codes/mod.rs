//! Floor 1: rules that are data: the catalogue of sentences, interactions, service requests, code systems; and the hash that names a rule set.

pub mod access;
pub mod body;
pub mod catalogue;
pub mod console;
pub mod controllers;
pub mod disclosure;
pub mod explanations;
pub mod fault;
pub mod json;
pub mod lifecycle;
pub mod lilm;
pub mod profiles;
pub mod query;
pub mod requests;
pub mod rule_set;
pub mod rules;
pub mod signatures;
pub mod source;
pub mod system;
pub mod tasks;
pub mod will;
