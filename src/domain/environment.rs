//! Which world this Arkki serves: a test message never enters production, and the other way round (messaging.md §2.4, GW-ENV).

/// Test or production.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Environment {
    /// Artificial persons only; takes processing codes D and T.
    Test,
    /// Real persons only; takes processing code P.
    Production,
}

impl Environment {
    /// Whether a frame with this processing code belongs here.
    #[must_use]
    pub fn takes(self, processing_code: &str) -> bool {
        self.processing_codes().contains(&processing_code)
    }

    /// The processing codes that belong here.
    #[must_use]
    pub const fn processing_codes(self) -> &'static [&'static str] {
        match self {
            Self::Test => &["T", "D"],
            Self::Production => &["P"],
        }
    }
}
