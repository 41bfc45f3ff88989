//! Floor 2: decisions. `decide(request, facts, at)` is pure: values in, a `Change` or a `Refusal` out.

pub mod decide;
pub mod disclose;
pub mod examples;
pub mod lifecycle;
pub mod links;
pub mod may;
pub mod notice;
pub mod query;
pub mod versions;
pub mod wills;
