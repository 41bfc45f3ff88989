//! The coded terms that generated documents use, as documents.md §2 saw them.

use crate::domain::document::Group;
use crate::domain::language::Language;

/// One value of a code system, with its names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term {
    /// The code.
    pub code: &'static str,
    /// The code system with its version.
    pub system: &'static str,
    /// The code system's name.
    pub system_name: &'static str,
    /// The value's Finnish name.
    pub fi: &'static str,
    /// The value's Swedish name.
    pub sv: &'static str,
}

impl Term {
    const fn new(code: &'static str, (system, system_name): (&'static str, &'static str), fi: &'static str, sv: &'static str) -> Self {
        Self { code, system, system_name, fi, sv }
    }

    /// The name in a document of this language.
    #[must_use]
    pub const fn name(&self, language: Language) -> &'static str {
        match language {
            Language::Sv => self.sv,
            Language::Fi | Language::En => self.fi,
        }
    }

    /// The attributes of a coded element.
    pub(super) const fn attributes(&self, language: Language) -> [(&'static str, &'static str); 4] {
        [("code", self.code), ("codeSystem", self.system), ("codeSystemName", self.system_name), ("displayName", self.name(language))]
    }
}

const GROUPS: (&str, &str) = ("1.2.246.537.6.1505.201601", "Sosiaalihuolto - Asiakirjaryhmä");
const TYPES: (&str, &str) = ("1.2.246.537.6.1506.201701", "Sosiaalihuolto - Asiakasasiakirjatyyppi");
const TASKS: (&str, &str) = ("1.2.246.537.6.1221.201601", "Sosiaalihuolto - Palvelutehtävä");
const FORMATS: (&str, &str) = ("1.2.246.537.6.1502.201601", "Sosiaalihuolto - Asiakirjan näyttömuodon formaatti");
const GENDERS: (&str, &str) = ("1.2.246.537.5.1.1997", "AR/YDIN - Sukupuoli");

/// The document group's term.
pub(super) const fn group(group: Group) -> Term {
    match group {
        Group::ClientRelation => Term::new("1", GROUPS, "Asiakkuusasiakirja", "Klientrelationshandling"),
        Group::Case => Term::new("2", GROUPS, "Asia-asiakirja", "Ärendehandling"),
        Group::PhaseOne => Term::new("3", GROUPS, "I vaiheen asiakasasiakirja", "Klienthandling i fas I"),
        Group::Old => Term::new("4", GROUPS, "Vanha asiakasasiakirja", "Gammal klienthandling"),
        Group::Client | Group::Other => Term::new("5", GROUPS, "Toisen tai myöhemmän vaiheen asiakasasiakirja", "Klienthandling i fas II eller senare"),
        Group::Informing => Term::new("7", GROUPS, "Kanta-informointi", "Information om Kanta"),
        Group::Permission => Term::new("8", GROUPS, "Luovutuslupa-asiakirja", "Tillståndshandling"),
        Group::Denial => Term::new("9", GROUPS, "Kieltoasiakirja", "Förbudshandling"),
    }
}

/// Lapsiperheiden palvelut.
pub const FAMILIES: Term = Term::new("24", TASKS, "Lapsiperheiden palvelut", "Service för barnfamiljer");
/// Iäkkäiden palvelut.
pub const ELDERLY: Term = Term::new("23", TASKS, "Iäkkäiden palvelut", "Äldreservice");
/// Perheoikeudelliset palvelut.
pub const FAMILY_LAW: Term = Term::new("25", TASKS, "Perheoikeudelliset palvelut", "Familjerättslig service");
/// Työikäisten palvelut.
pub const WORKING_AGE: Term = Term::new("26", TASKS, "Työikäisten palvelut", "Service för personer i arbetsför ålder");
/// The 1989 classification's Lapsen elatuksen turvaaminen, which goes with [`FAMILY_LAW`] and no other task of 2016.
pub const CHILD_MAINTENANCE_1989: Term =
    Term::new("10", ("1.2.246.537.6.1259.201601", "Sosiaalihuolto - Palvelutehtävä 1989"), "Lapsen elatuksen turvaaminen", "Tryggande av ett barns underhåll");

/// Suunnitelma.
pub const PLAN: Term = Term::new("15", TYPES, "Suunnitelma", "Plan");
/// Päätös.
pub const DECISION: Term = Term::new("11", TYPES, "Päätös", "Beslut");
/// Lapsiperheiden palvelujen asiakassuunnitelma.
pub const FAMILY_PLAN: Term = Term::new("15007", TYPES, "Lapsiperheiden palvelujen asiakassuunnitelma", "Klientplan inom servicen för barnfamiljer");

pub(super) const PDF_A: Term = Term::new("1", FORMATS, "PDF/A", "PDF/A");
pub(super) const XHTML: Term = Term::new("2", FORMATS, "XHTML_1.1", "XHTML_1.1");
pub(super) const JSON: Term = Term::new("5", ("1.2.246.537.5.40179.2008", "eArkisto - Asiakirjan tiedostomuoto"), "JSON", "JSON");
pub(super) const SECRET: Term = Term::new(
    "6",
    ("1.2.246.777.5.99902.2006", "KanTa-palvelut - Asiakirjan luottamuksellisuus"),
    "Sosiaalihuollon salassapidettävä",
    "Sekretessbelagd inom socialvården",
);
pub(super) const READY: Term =
    Term::new("3", ("1.2.246.537.5.40154.2008", "eArkisto - Asiakirjan valmistumisen tila"), "Arkistointivalmis", "Färdig för arkivering");
pub(super) const REGISTER: Term = Term::new(
    "1",
    ("1.2.246.537.6.1264.201701", "Sosiaalihuolto - Asiakirjan rekisteritunnus"),
    "Sosiaalihuollon asiakasrekisteri",
    "Klientregistret inom socialvården",
);
pub(super) const FOR_GOOD: Term =
    Term::new("1", ("1.2.246.537.6.1258.201601", "Sosiaalihuolto - asiakirjan kokonaissäilytysaika"), "Säilytetään pysyvästi", "Förvaras varaktigt");
pub(super) const NOT_SPECIAL: Term = Term::new("E", ("1.2.246.537.6.112.2007", "AR/YDIN - Kyllä/EI/Ei tietoa"), "Ei", "Nej");
pub(super) const PLANNING: Term = Term::new(
    "3",
    ("1.2.246.537.6.1277.201701", "Sosiaalihuolto - Sosiaalihuollon palveluprosessi"),
    "Asiakkuuden suunnittelu",
    "Planering av klientrelationen",
);
pub(super) const BY_CARD: Term = Term::new(
    "1",
    ("1.2.246.537.5.40128.2006", "KanTa-palvelut - Tunnistautumistapa"),
    "Sosiaali- ja terveydenhuollon ammattihenkilön varmenne",
    "Certifikat för yrkesutbildade personer inom social- och hälsovården",
);
pub(super) const MALE: Term = Term::new("1", GENDERS, "Mies", "Man");
pub(super) const FEMALE: Term = Term::new("2", GENDERS, "Nainen", "Kvinna");
pub(super) const OPEN_CASE: Term = Term::new("1", ("1.2.246.537.6.1501.201601", "Sosiaalihuolto - Asian tila"), "Avoin", "Öppet");
pub(super) const CLOSED_CASE: Term = Term::new("2", ("1.2.246.537.6.1501.201601", "Sosiaalihuolto - Asian tila"), "Suljettu", "Stängd");
pub(super) const OTHER_CASE: Term =
    Term::new("99", ("1.2.246.537.6.1265.202301", "Sosiaalihuolto - Sosiaalihuollon asia"), "Muu sosiaalihuollon asia", "Annat socialvårdsärende");
pub(super) const TO_GUARDIANS: Term = Term::new(
    "1",
    ("1.2.246.537.6.1286.201901", "Sosiaalihuolto - Alaikäisen tietojen luovuttaminen huoltajille"),
    "Tiedot saa luovuttaa huoltajille",
    "Uppgifterna får lämnas ut till vårdnadshavarna",
);
pub(super) const OWN_REGISTER: Term = Term::new(
    "1",
    ("1.2.246.537.6.1289.201901", "Sosiaalihuolto - Asiakastietojen käyttötilanne"),
    "Palvelunjärjestäjän rekisterin oma käyttö",
    "Serviceanordnarens egen användning av registret",
);
pub(super) const COMPLETE: Term =
    Term::new("LA", ("1.2.246.537.5.40115.2006", "KanTa-palvelut - Dokumentin valmiusaste"), "Legally authenticated", "Legally authenticated");
pub(super) const ACTIVE: Term = Term::new("AC", ("1.2.246.537.5.40116.2006", "KanTa-palvelut - Dokumentin arkistointikoodi"), "Active", "Active");

/// The code system of archive service requests (documents.md §1.4).
pub(super) const SERVICE_REQUESTS: (&str, &str) = ("1.2.246.537.6.1503.201601", "Sosiaalihuolto - Arkistosanomien palvelupyynnöt");
/// Grounds of a right of access in law (`codes/disclosure.toml`).
pub(super) const GROUNDS: &str = "1.2.246.537.6.1299.202101";
/// Reasons of invalidations and reinstatements (`codes/lifecycle.toml`).
pub(super) const REASONS: &str = "1.2.246.10.99999992.6.2";
/// The register of organisations.
pub(super) const ORGANISATIONS: &str = "1.2.246.537.6.202.2008";
