//! What a decision on disclosure looks at, as values that can be counted out to the last combination; the table it is decided by; and the verdict
//! (messaging.md §5). The rows are data (`codes/disclosure.toml`); `rules::disclose` evaluates them.

use super::code::Code;

/// A set of words: the value as data files write it.
macro_rules! words {
    ($($(#[$about:meta])* $kind:ident { $($(#[$each:meta])* $variant:ident = $word:literal),+ $(,)? })+) => { $(
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $kind { $($(#[$each])* $variant),+ }

        impl $kind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// Their words, in the same order.
            pub const WORDS: &'static [&'static str] = &[$($word),+];

            /// As data files write it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }
    )+ };
}

/// The situation, its factors by name, and the numbering of all situations.
macro_rules! situation {
    ($($(#[$about:meta])* $field:ident: $kind:ident,)+) => {
        /// Everything that the decision on one document looks at, and nothing else.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub struct Situation { $($(#[$about])* pub $field: $kind),+ }

        /// The factors in the order of [`Situation::bits`].
        pub const FACTORS: [Factor; COUNT] = [$(Factor { key: stringify!($field), values: $kind::WORDS }),+];
        const COUNT: usize = [$(stringify!($field)),+].len();

        impl Situation {
            /// One bit for each factor, at the place of its value.
            #[must_use]
            pub const fn bits(&self) -> Bits {
                [$(1 << (self.$field as u8)),+]
            }

            /// The situation with this number, from 0; `None` beyond the last. Every combination of values has one number.
            #[must_use]
            pub fn nth(number: usize) -> Option<Self> {
                let mut rest = number;
                $(
                    let $field = *$kind::ALL.get(rest % $kind::ALL.len())?;
                    rest /= $kind::ALL.len();
                )+
                (rest == 0).then_some(Self { $($field),+ })
            }
        }
    };
}

words! {
    /// How the data goes out.
    Channel {
        /// In an answer of the archive.
        Archive = "archive",
        /// Outside it, and reported: on paper, by word of mouth, by an integration of one's own.
        Outside = "outside",
    }
    /// Who gets it.
    Recipient {
        /// Social welfare.
        Social = "social",
        /// Health care.
        Health = "health",
        /// Outside both.
        Other = "other",
        /// The client.
        Client = "client",
    }
    /// Whose register it lies in, seen from who asks.
    Whose {
        /// The asker's own.
        Own = "own",
        /// One that the asker may use by agreement (rekisterinkäyttöoikeus, rätt att använda register).
        ByRight = "by-right",
        /// Another's.
        Another = "another",
    }
    /// What the request rests on.
    Rests {
        /// The own register.
        OwnRegister = "own-register",
        /// The right to use another's register.
        RegisterRight = "register-right",
        /// The client's permission (luovutuslupa, tillstånd).
        Permission = "permission",
        /// A right of access in law (tiedonsaantioikeus, rätt att få uppgifter).
        Statute = "statute",
    }
    /// What section of law was named.
    Section {
        /// None.
        None = "none",
        /// One that gives a right of access.
        Narrow = "narrow",
        /// One that gives the wide right of access of a social authority (laaja tiedonsaantioikeus).
        Wide = "wide",
    }
    /// What kind of document it is.
    Material {
        /// Client relations, cases, client documents of phase II.
        Ordinary = "ordinary",
        /// A client document of phase I.
        PhaseOne = "phase-one",
        /// An old client document.
        Old = "old",
        /// An informing, a permission, a denial.
        Will = "will",
    }
    /// Whether the document is valid.
    Validity {
        /// It is.
        Valid = "valid",
        /// It is invalidated.
        Invalidated = "invalidated",
    }
    /// What the client's denials hit (luovutuskielto, förbud).
    Denial {
        /// Nothing of this document.
        None = "none",
        /// The document.
        Document = "document",
        /// A service task of it.
        Task = "task",
        /// Its controller.
        Controller = "controller",
    }
    /// Whether something is there.
    Known {
        /// It is.
        Yes = "yes",
        /// It is not.
        No = "no",
    }
}

impl From<bool> for Known {
    fn from(is_there: bool) -> Self {
        if is_there { Self::Yes } else { Self::No }
    }
}

situation! {
    /// How it would go out.
    channel: Channel,
    /// To whom.
    recipient: Recipient,
    /// Whose register.
    register: Whose,
    /// On what ground.
    basis: Rests,
    /// Under which section.
    section: Section,
    /// What document.
    material: Material,
    /// Whether it is valid.
    state: Validity,
    /// Whether a purpose of use was given.
    purpose: Known,
    /// Whether both systems manage disclosures (messaging.md D9).
    managed: Known,
    /// Whether the asker has a client relation or a case of this client (asiayhteys, saklig anknytning).
    link: Known,
    /// Whether the client was informed (Kanta-informointi).
    informing: Known,
    /// Whether the permission inside social welfare is in force.
    permission: Known,
    /// Whether a permission between social welfare and health care is in force.
    crossing: Known,
    /// What a denial hits.
    denial: Denial,
}

/// A factor of the situation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Factor {
    /// Its name in `codes/disclosure.toml`.
    pub key: &'static str,
    /// The words of its values, at most eight.
    pub values: &'static [&'static str],
}

/// A set of values of each factor.
pub type Bits = [u8; COUNT];

impl Situation {
    /// How many there are.
    #[must_use]
    pub fn count() -> usize {
        FACTORS.iter().map(|factor| factor.values.len()).product()
    }
}

words! {
    /// What a rule says.
    Outcome {
        /// The document is given.
        Allow = "allow",
        /// It is withheld.
        Deny = "deny",
        /// It was given outside: that is recorded, whatever it rests on.
        Record = "record",
    }
    /// What is logged.
    Logged {
        /// Nothing of the document: it is not shown.
        Nothing = "nothing",
        /// Its use.
        Access = "access",
        /// Its disclosure, and its use.
        Disclosure = "disclosure",
    }
}

/// A rule: when it holds and what it says then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its name: `R7`.
    pub id: String,
    /// It holds when one of these does; each names for every factor the values that it takes.
    pub when: Vec<Bits>,
    /// What it says.
    pub outcome: Outcome,
    /// What is logged then.
    pub logged: Logged,
    /// Whether a notice must go out (LILM).
    pub notice: bool,
    /// Where it comes from.
    pub source: String,
    /// The code of the refusal where it rests on nothing but what the asker says or lacks: then the whole query is refused, and nothing is searched.
    pub refuses: Option<Code>,
    /// Its sentence in Finnish, Swedish and English.
    pub says: [String; 3],
}

impl Rule {
    /// Whether it holds.
    #[must_use]
    pub fn holds(&self, situation: &Bits) -> bool {
        self.when.iter().any(|taken| taken.iter().zip(situation).all(|(taken, is)| taken & is != 0))
    }
}

/// The table: the first rule that holds decides, and one that always holds stands last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The rules in their order.
    pub rules: Vec<Rule>,
    /// What is said when none of them holds: it denies.
    pub otherwise: Rule,
}

impl Table {
    /// All rules in their order, the last one among them.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().chain([&self.otherwise])
    }

    /// The rule with this name.
    #[must_use]
    pub fn rule(&self, id: &str) -> Option<&Rule> {
        self.iter().find(|rule| rule.id == id)
    }
}

/// What was decided, and which rule decided it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict<'t> {
    /// The rule.
    pub rule: &'t Rule,
}

impl Verdict<'_> {
    /// Whether the document is given.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        self.rule.outcome == Outcome::Allow
    }

    /// Whether giving it is a disclosure, and not use of a register.
    #[must_use]
    pub fn is_disclosure(&self) -> bool {
        self.is_allowed() && self.rule.logged == Logged::Disclosure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_combination_has_one_number() {
        let count = Situation::count();
        assert_eq!(count, 2 * 4 * 3 * 4 * 3 * 4 * 2 * 2 * 2 * 2 * 2 * 2 * 2 * 4);
        let seen: std::collections::HashSet<Bits> = (0..count).filter_map(Situation::nth).map(|s| s.bits()).collect();
        assert_eq!(seen.len(), count);
        assert_eq!(Situation::nth(count), None);
        assert!(FACTORS.iter().all(|factor| factor.values.len() <= 8));
    }
}
