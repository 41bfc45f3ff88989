//! From a schema validator's code to a finding for people.
