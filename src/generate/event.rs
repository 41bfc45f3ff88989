//! Frames that invalidate and reinstate, and what the samples invalidate.

use super::document::DocumentSpec;
use super::family::Family;
use super::frame::{Carrier, FrameSpec};

/// The interaction without a document.
pub const INVALIDATE: &str = "RCMR_IN200011FI01";
/// The interaction of a replacement: with the service request of an invalidation its document invalidates its set.
pub const REPLACE: &str = "RCMR_IN200010FI01";
/// Invalidates.
pub const SPX_INVALIDATE: &str = "SPX-INVALIDATE";
/// Takes an invalidation back.
pub const SPX_REINSTATE: &str = "SPX-REINSTATE";

/// Why, as a frame says it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Why {
    /// A code of `codes/lifecycle.toml`.
    pub code: Option<&'static str>,
    /// Free words.
    pub words: Option<String>,
}

impl Why {
    /// Free words alone.
    #[must_use]
    pub fn words(words: &str) -> Self {
        Self { code: None, words: Some(words.to_owned()) }
    }

    /// A code alone.
    #[must_use]
    pub const fn code(code: &'static str) -> Self {
        Self { code: Some(code), words: None }
    }
}

/// What a frame names of its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Names {
    /// The version's id.
    pub id: bool,
    /// The set.
    pub set: bool,
    /// The version's number.
    pub version: bool,
}

impl Names {
    /// One version, with all that must agree.
    pub const VERSION: Self = Self { id: true, set: true, version: true };
    /// The whole set.
    pub const SET: Self = Self { id: false, set: true, version: false };
}

/// A frame that names this document, or its whole set, and asks for `request`; `message` tells messages about the same document apart.
#[must_use]
pub fn about(target: &DocumentSpec, names: Names, request: &'static str, why: Why, message: u64) -> FrameSpec {
    FrameSpec {
        root: INVALIDATE,
        interaction: INVALIDATE,
        service_request: Some(request),
        carrier: Carrier::Nothing(names),
        reason: Some(why),
        ..FrameSpec::around(target, message)
    }
}

/// The frame around an invalidating version.
#[must_use]
pub fn invalidating(version: &DocumentSpec, why: Why, message: u64) -> FrameSpec {
    FrameSpec { root: REPLACE, interaction: REPLACE, service_request: Some(SPX_INVALIDATE), reason: Some(why), ..FrameSpec::around(version, message) }
}

impl Family {
    /// A permission of the family's that the samples invalidate.
    #[must_use]
    pub fn withdrawn(&self) -> DocumentSpec {
        DocumentSpec { style: super::writer::Style::default(), ..self.permission.under(&self.id(30)) }
    }

    /// A case of the family's that the samples invalidate.
    #[must_use]
    pub fn withdrawn_case(&self) -> DocumentSpec {
        let id = self.id(31);
        DocumentSpec { style: super::writer::Style::default(), case_id: Some(format!("{id}.1")), ..self.case.under(&id) }
    }
}
