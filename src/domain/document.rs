//! The header facts of a document, read once and checked: of the social register's (documents.md §2), and the few of them that any CDA document has.

use super::digest::Digest;
use super::oid::Oid;
use super::time::Moment;

/// The document group (asiakirjaryhmä, 1.2.246.537.6.1505): decides what the archive does with a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Group {
    /// 1 asiakkuusasiakirja, klientrelationshandling.
    ClientRelation,
    /// 2 asia-asiakirja, ärendehandling.
    Case,
    /// 3 phase-I client document (PDF/A).
    PhaseOne,
    /// 4 vanha asiakasasiakirja, gammal klienthandling.
    Old,
    /// 5 client document of phase II or later.
    Client,
    /// 7 Kanta-informointi, information om Kanta (the number is a placeholder: documents.md §2.1).
    Informing,
    /// 8 luovutuslupa, tillstånd.
    Permission,
    /// 9 kielto, förbud.
    Denial,
    /// A document outside the social register (plain CDA R2): it belongs to no group, and no link of it is judged. 0 in the archive; no document says so of itself.
    Other,
}

impl Group {
    /// Every group of the social register.
    pub const ALL: [Self; 8] = [Self::ClientRelation, Self::Case, Self::PhaseOne, Self::Old, Self::Client, Self::Informing, Self::Permission, Self::Denial];
    /// The groups of will expressions: shown to nobody but whoever asks for a client's wills.
    pub const WILLS: [Self; 3] = [Self::Informing, Self::Permission, Self::Denial];

    /// The code in 1.2.246.537.6.1505; 0 for [`Self::Other`].
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::ClientRelation => 1,
            Self::Case => 2,
            Self::PhaseOne => 3,
            Self::Old => 4,
            Self::Client => 5,
            Self::Informing => 7,
            Self::Permission => 8,
            Self::Denial => 9,
            Self::Other => 0,
        }
    }

    /// Reads the code as a document says it.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|g| g.number() == number)
    }

    /// Reads the number as the archive keeps it.
    #[must_use]
    pub fn kept(number: u8) -> Option<Self> {
        if number == Self::Other.number() { Some(Self::Other) } else { Self::from_number(number) }
    }

    /// Whether documents of this group are will expressions (tahdonilmaisu, viljeyttring).
    #[must_use]
    pub const fn is_will(self) -> bool {
        matches!(self, Self::Informing | Self::Permission | Self::Denial)
    }

    /// Whether documents of this group hang on a case (`componentOf/encompassingEncounter/id`).
    #[must_use]
    pub const fn hangs_on_case(self) -> bool {
        matches!(self, Self::PhaseOne | Self::Old | Self::Client)
    }
}

/// Which document this one replaces (`relatedDocument typeCode="RPLC"`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    /// The replaced document's id.
    pub id: Oid,
    /// Its set, when said.
    pub set_id: Option<Oid>,
    /// Its version, when said.
    pub version: Option<u32>,
}

/// What a case document says of its case (JSON `asian_tiedot`; the header has no element for it).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CaseState {
    /// The case is closed (Suljettu, Stängd).
    pub closed: bool,
}

/// What a client-relation document says of its relation (JSON `sosiaalihuollon_asiakkuus`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelationState {
    /// Marked as an old client relation (vanha asiakkuus, gammal klientrelation).
    pub old: bool,
}

/// A calendar date, already checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    /// Year.
    pub year: u16,
    /// Month, 1–12.
    pub month: u8,
    /// Day, 1–31.
    pub day: u8,
}

/// The header facts that decisions and searches need. The client is present only as a keyed hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// `ClinicalDocument/id/@root`.
    pub id: Oid,
    /// `setId/@root`.
    pub set_id: Oid,
    /// `versionNumber/@value`, from 1.
    pub version: u32,
    /// The replaced document, when this is a replacement.
    pub replaces: Option<Replaced>,
    /// The document group.
    pub group: Group,
    /// HMAC-SHA-256 of the client's id (root, NUL, extension) with the site key: equal for the same client, telling nothing without the key.
    pub client: Digest,
    /// The controller: `custodian/…/id/@root`.
    pub controller: Oid,
    /// The service organiser: `outsourcingServiceCustomer/@root`.
    pub organiser: Option<Oid>,
    /// Service task code (1.2.246.537.6.1221, 2016 classification).
    pub service_task: Option<String>,
    /// Original service task: code system and code.
    pub original_task: Option<(String, String)>,
    /// Case id: the case this document makes (group 2) or hangs on (3, 4, 5).
    pub case_id: Option<Oid>,
    /// Client-relation id: the relation this document makes (group 1) or hangs on (2).
    pub relation_id: Option<Oid>,
    /// General document type code.
    pub general_type: Option<String>,
    /// Specific document type code.
    pub specific_type: Option<String>,
    /// Authored: `effectiveTime`.
    pub authored: Moment,
    /// The authored date as written (Europe/Helsinki where the offset is missing).
    pub authored_date: Date,
    /// Created: `creationTime`.
    pub created: Option<Moment>,
    /// Language code in lower case.
    pub language: String,
    /// Group 2 only.
    pub case_state: Option<CaseState>,
    /// Group 1 only.
    pub relation_state: Option<RelationState>,
}
