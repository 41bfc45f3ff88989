//! Floor 2: old client data on its way in (documents.md §3.3): a table of metadata and a folder of PDF/A and XHTML files become old client relations,
//! closed cases and old client documents. Pure: a manifest's text and a file's octets in, documents out; `arkki import` reads, judges and sends.
//!
//! manifest + mapping ──[`table`]──▶ records ──[`row`]──▶ rows ──[`plan`]──▶ relations ▸ cases ▸ documents ──[`compose`]──▶ octets

pub mod compose;
pub mod plan;
pub mod row;
pub mod table;
pub mod terms;
