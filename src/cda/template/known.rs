//! The metadata elements that Arkki's own decisions read.

/// The fields that Arkki itself reads: each must be in `shared.toml`, where its path may be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Known {
    Id,
    SetId,
    Version,
    GeneralType,
    SpecificType,
    Authored,
    Created,
    Language,
    Client,
    BirthTime,
    Controller,
    Organiser,
    ServiceUnit,
    CaseId,
    RelationId,
    Group,
    ServiceTask,
    OriginalTask,
    FileFormat,
    StructuredFormat,
    Specification,
    ReplacedId,
    ReplacedSetId,
    ReplacedVersion,
    Body,
    Json,
}

impl Known {
    /// All of them.
    pub const ALL: [Self; 26] = [
        Self::Id,
        Self::SetId,
        Self::Version,
        Self::GeneralType,
        Self::SpecificType,
        Self::Authored,
        Self::Created,
        Self::Language,
        Self::Client,
        Self::BirthTime,
        Self::Controller,
        Self::Organiser,
        Self::ServiceUnit,
        Self::CaseId,
        Self::RelationId,
        Self::Group,
        Self::ServiceTask,
        Self::OriginalTask,
        Self::FileFormat,
        Self::StructuredFormat,
        Self::Specification,
        Self::ReplacedId,
        Self::ReplacedSetId,
        Self::ReplacedVersion,
        Self::Body,
        Self::Json,
    ];

    /// Its key in `shared.toml`.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::SetId => "setId",
            Self::Version => "versionNumber",
            Self::GeneralType => "generalType",
            Self::SpecificType => "specificType",
            Self::Authored => "authored",
            Self::Created => "created",
            Self::Language => "language",
            Self::Client => "client",
            Self::BirthTime => "birthTime",
            Self::Controller => "custodian",
            Self::Organiser => "organiser",
            Self::ServiceUnit => "serviceUnit",
            Self::CaseId => "caseId",
            Self::RelationId => "relationId",
            Self::Group => "documentGroup",
            Self::ServiceTask => "serviceTask",
            Self::OriginalTask => "originalTask",
            Self::FileFormat => "fileFormat",
            Self::StructuredFormat => "structuredFormat",
            Self::Specification => "contentSpecification",
            Self::ReplacedId => "replacedId",
            Self::ReplacedSetId => "replacedSetId",
            Self::ReplacedVersion => "replacedVersion",
            Self::Body => "body",
            Self::Json => "json",
        }
    }
}
