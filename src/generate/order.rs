//! What a tester orders: a kind of message, good or with one chosen fault, as many as wanted. Each comes with the answer it must get and with
//! what it hangs on, so that a folder of them can be sent to an empty archive.

use super::disclosure::DisclosureSpec;
use super::document::DocumentSpec;
use super::event::{self, Names, SPX_INVALIDATE, Why};
use super::family::Family;
use super::fault::{Fault, Needs};
use super::frame::{Carrier, FrameSpec};
use super::query::{Parameter, QuerySpec};
use super::random::Random;
use super::signature::{Hand, Hands};
use super::{samples, scenario};
use crate::domain::ack::AckType;
use crate::domain::code::Code;
use crate::domain::document::Group;
use crate::domain::language::Language;

/// A kind of message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Every document of one client, in an order in which every link resolves.
    Family,
    /// Group 1, live.
    Relation,
    /// Group 1, marked old.
    OldRelation,
    /// Group 2, open.
    Case,
    /// Group 2, closed, under an old relation.
    ClosedCase,
    /// Group 3.
    PhaseOne,
    /// Group 4.
    Old,
    /// Group 5, signed by a professional.
    Client,
    /// Group 7.
    Informing,
    /// Group 8.
    Permission,
    /// Group 9.
    Denial,
    /// Version 2 of a case.
    Replacement,
    /// A frame that invalidates a case.
    Invalidation,
    /// A query for the describing data of a client.
    Query,
    /// A disclosure outside the archive.
    Disclosure,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 15] = [
        Self::Family,
        Self::Relation,
        Self::OldRelation,
        Self::Case,
        Self::ClosedCase,
        Self::PhaseOne,
        Self::Old,
        Self::Client,
        Self::Informing,
        Self::Permission,
        Self::Denial,
        Self::Replacement,
        Self::Invalidation,
        Self::Query,
        Self::Disclosure,
    ];

    /// Its word on the command line and in file names.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Family => "family",
            Self::Relation => "client-relation",
            Self::OldRelation => "old-client-relation",
            Self::Case => "case",
            Self::ClosedCase => "closed-case",
            Self::PhaseOne => "phase-one",
            Self::Old => "old-document",
            Self::Client => "client-document",
            Self::Informing => "informing",
            Self::Permission => "permission",
            Self::Denial => "denial",
            Self::Replacement => "replacement",
            Self::Invalidation => "invalidation",
            Self::Query => "query",
            Self::Disclosure => "disclosure",
        }
    }

    /// What it is, in a few words.
    #[must_use]
    pub const fn what(self) -> &'static str {
        match self {
            Self::Family => "all ten documents of one client, in an order in which every link resolves",
            Self::Relation => "group 1: a client relation",
            Self::OldRelation => "group 1: a client relation marked old",
            Self::Case => "group 2: an open case",
            Self::ClosedCase => "group 2: a closed case under an old relation",
            Self::PhaseOne => "group 3: a client document of phase I, PDF/A",
            Self::Old => "group 4: an old document of 1997, PDF/A",
            Self::Client => "group 5: a client plan, XHTML and JSON, signed by a professional",
            Self::Informing => "group 7: the client was informed of the Kanta services",
            Self::Permission => "group 8: a permission to disclose",
            Self::Denial => "group 9: a denial of disclosure",
            Self::Replacement => "version 2 of a case (RPLC)",
            Self::Invalidation => "a frame that invalidates a case",
            Self::Query => "a query for the describing data of a client's documents",
            Self::Disclosure => "a disclosure outside the archive, which becomes a notice",
        }
    }

    /// Reads a word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// Its document group; `None` for what is no first version of one document.
    #[must_use]
    pub const fn group(self) -> Option<Group> {
        match self {
            Self::Relation => Some(Group::ClientRelation),
            Self::Case => Some(Group::Case),
            Self::PhaseOne => Some(Group::PhaseOne),
            Self::Old => Some(Group::Old),
            Self::Client => Some(Group::Client),
            Self::Informing => Some(Group::Informing),
            Self::Permission => Some(Group::Permission),
            Self::Denial => Some(Group::Denial),
            Self::Family | Self::OldRelation | Self::ClosedCase | Self::Replacement | Self::Invalidation | Self::Query | Self::Disclosure => None,
        }
    }

    /// What must be archived before it, itself among them where it is a document: each kind in its order.
    fn road(self) -> &'static [Self] {
        match self {
            Self::Family => &[
                Self::Relation,
                Self::Case,
                Self::PhaseOne,
                Self::Client,
                Self::OldRelation,
                Self::ClosedCase,
                Self::Old,
                Self::Informing,
                Self::Permission,
                Self::Denial,
            ],
            Self::Relation => &[Self::Relation],
            Self::OldRelation => &[Self::OldRelation],
            Self::Case => &[Self::Relation, Self::Case],
            Self::ClosedCase => &[Self::OldRelation, Self::ClosedCase],
            Self::PhaseOne => &[Self::Relation, Self::Case, Self::PhaseOne],
            Self::Old => &[Self::OldRelation, Self::ClosedCase, Self::Old],
            Self::Client => &[Self::Relation, Self::Case, Self::Client],
            Self::Informing => &[Self::Informing],
            Self::Permission => &[Self::Informing, Self::Permission],
            Self::Denial => &[Self::Informing, Self::Denial],
            Self::Replacement => &[Self::Relation, Self::Case, Self::Replacement],
            Self::Invalidation => &[Self::Relation, Self::Case, Self::Invalidation],
            Self::Query => &[Self::Relation, Self::Query],
            Self::Disclosure => &[Self::Disclosure],
        }
    }
}

/// How documents are carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carried {
    /// Bare.
    Bare,
    /// In a frame, base64.
    Base64,
    /// In a frame, as a MIME part.
    Mime,
    /// As the seed says, document by document.
    Any,
}

/// An order; the same order gives the same octets for good.
#[derive(Debug, Clone)]
pub struct Order {
    /// The kind; with a fault, `None` leaves it to the fault.
    pub kind: Option<Kind>,
    /// The faults, taken in turn; none for good messages.
    pub faults: Vec<&'static Fault>,
    /// Finnish or Swedish; `None` for both, a client in three in Swedish.
    pub language: Option<Language>,
    /// How documents are carried; faults come as their own nature wants.
    pub carried: Carried,
    /// Leave out what a message hangs on.
    pub alone: bool,
    /// How large each body is at least, in octets before base64; 0 for what comes naturally.
    pub body_octets: usize,
    /// What everything follows from.
    pub seed: u64,
}

/// A message that was ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// A name for its file, without its ending: sorts in the order of sending.
    pub name: String,
    /// Its octets.
    pub octets: Vec<u8>,
    /// The answer's type.
    pub ack: AckType,
    /// The first finding's code; none for what is taken.
    pub code: Option<Code>,
    /// Findings may follow: beside a fault, or the remark that a client was not informed, where the permission is decided before the informing is archived.
    pub open: bool,
}

/// Why an order cannot be filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CannotMake {
    /// It takes a professional's signature, and there are no keys.
    Keys,
    /// The fault cannot be put into a document of this kind, or of this language.
    Kind,
}

impl Order {
    /// The message of this number with what it hangs on, in the order of sending; the last one is the one that was ordered.
    ///
    /// # Errors
    /// Why it cannot be made.
    pub fn nth(&self, number: u64, hands: Option<&dyn Hands>) -> Result<Vec<Made>, CannotMake> {
        // Orders of another kind have other clients, though the seed be the same: they would be each other's repeats and conflicts.
        let kind = self.kind.and_then(|kind| Kind::ALL.iter().position(|k| *k == kind)).map_or(0, |at| at as u64 + 1);
        let faulty = u64::from(!self.faults.is_empty()) << 8;
        let seed = Random::new(self.seed).fork(kind | faulty).fork(number).next() >> 16;
        let mut random = Random::new(seed).fork(6);
        let swedish = random.one_in(3);
        let language = self.language.unwrap_or(if swedish { Language::Sv } else { Language::Fi });
        let fault = usize::try_from(number).ok().and_then(|n| self.faults.get(n % self.faults.len().max(1))).copied();
        let make = |language: Language| {
            let family = Family::new(seed, scenario::series(seed), language);
            let mut press = Press { order: self, family: &family, hands, random: random.clone(), number, out: Vec::new() };
            match fault {
                None => press.road(self.kind.unwrap_or(Kind::Family))?,
                Some(fault) => press.faulty(fault)?,
            }
            Ok(press.out)
        };
        match make(language) {
            // Some faults are in words of the Finnish documents.
            Err(CannotMake::Kind) if self.language.is_none() && language == Language::Sv => make(Language::Fi),
            made => made,
        }
    }
}

/// One message being made.
struct Press<'a> {
    order: &'a Order,
    family: &'a Family,
    hands: Option<&'a dyn Hands>,
    random: Random,
    number: u64,
    out: Vec<Made>,
}

impl Press<'_> {
    fn road(&mut self, kind: Kind) -> Result<(), CannotMake> {
        let road = kind.road();
        let road = if self.order.alone && kind != Kind::Family { road.split_at(road.len().saturating_sub(1)).1 } else { road };
        road.iter().try_for_each(|step| self.good(*step))
    }

    /// A fault with what it needs: the family's documents where the archive must hold them, for a chosen kind what that kind hangs on.
    fn faulty(&mut self, fault: &Fault) -> Result<(), CannotMake> {
        if !self.order.alone {
            // What is taken with a warning is taken: what it hangs on must be there.
            let is_refused_alone = fault.needs == Needs::Nothing && fault.code.ack_type() != AckType::Accept;
            match self.order.kind {
                None | Some(Kind::Family) if is_refused_alone => {}
                None | Some(Kind::Family) => self.ground()?,
                Some(kind) => {
                    let road = kind.road();
                    road.split_last().map_or(&[][..], |(_, before)| before).iter().try_for_each(|step| self.good(*step))?;
                }
            }
        }
        // A number of its own: two faults of one family would share ids otherwise.
        let octets = match self.order.kind.filter(|kind| *kind != Kind::Family) {
            None => {
                let why = if self.hands.is_some() { CannotMake::Kind } else { CannotMake::Keys };
                fault.make(self.family, self.hands, 300).ok_or(why)?
            }
            Some(kind) => {
                let group = kind.group().ok_or(CannotMake::Kind)?;
                if group == Group::Client && self.hands.is_none() {
                    return Err(CannotMake::Keys);
                }
                fault.make_in(self.family, self.hands, 300, group).ok_or(CannotMake::Kind)?
            }
        };
        self.put(&fault.name(), octets, (fault.code.ack_type(), Some(fault.code)), true);
        Ok(())
    }

    /// What the archive must hold for a fault to show: the family, its case in a frame and in two versions, what was invalidated, a disclosure.
    fn ground(&mut self) -> Result<(), CannotMake> {
        let family = self.family;
        for kind in Kind::Family.road() {
            if *kind == Kind::Case {
                let framed = FrameSpec::around(&family.case, 1).render(&family.case.render());
                self.put(kind.word(), framed, (AckType::Accept, None), false);
            } else {
                self.good(*kind)?;
            }
        }
        let (withdrawn, case) = (family.withdrawn(), family.withdrawn_case());
        let gone = |spec: &DocumentSpec| event::about(spec, Names::SET, SPX_INVALIDATE, Why::code("stored-twice"), 4).render(&[]);
        let more = [
            ("replacement", family.case.replacement(&family.id(20)).render()),
            ("permission", withdrawn.render()),
            ("invalidation", gone(&withdrawn)),
            ("case", case.render()),
            ("invalidation", gone(&case)),
        ];
        let disclosure = samples::disclosures_of(family).into_iter().next().map(|(_, spec, _)| ("disclosure", spec.render()));
        for (what, octets) in more.into_iter().chain(disclosure) {
            self.put(what, octets, (AckType::Accept, None), what == "permission");
        }
        Ok(())
    }

    fn good(&mut self, kind: Kind) -> Result<(), CannotMake> {
        let family = self.family;
        let octets = match kind {
            Kind::Family => return self.road(kind),
            Kind::Relation => self.document(&family.relation)?,
            Kind::OldRelation => self.document(&family.old_relation)?,
            Kind::Case => self.document(&family.case)?,
            Kind::ClosedCase => self.document(&family.closed_case)?,
            Kind::PhaseOne => self.document(&family.phase_one)?,
            Kind::Old => self.document(&family.old_document)?,
            Kind::Client => self.document(&family.client_document)?,
            Kind::Informing => self.document(&family.informing)?,
            Kind::Permission => self.document(&family.permission)?,
            Kind::Denial => self.document(&family.denial)?,
            Kind::Replacement => self.document(&family.case.replacement(&family.id(20)))?,
            Kind::Invalidation => event::about(&family.case, Names::VERSION, SPX_INVALIDATE, Why::code("stored-twice"), 2).render(&[]),
            Kind::Query => QuerySpec::metadata(family.seed(), vec![Parameter::client(&family.person.hetu)]).render(),
            Kind::Disclosure => DisclosureSpec { language: family.relation.language, ..DisclosureSpec::paper(family.id(701), family.person.clone()) }.render(),
        };
        self.put(kind.word(), octets, (AckType::Accept, None), matches!(kind, Kind::Permission | Kind::Denial));
        Ok(())
    }

    fn document(&mut self, spec: &DocumentSpec) -> Result<Vec<u8>, CannotMake> {
        let spec = DocumentSpec { body_octets: self.order.body_octets, ..spec.clone() };
        let mut octets = spec.render();
        if spec.signed {
            octets = self.hands.and_then(|hands| hands.sign(&octets, Hand::Professional)).ok_or(CannotMake::Keys)?;
        }
        let carrier = match self.order.carried {
            Carried::Bare => None,
            Carried::Base64 => Some(Carrier::Base64),
            Carried::Mime => Some(Carrier::Mime),
            Carried::Any => match self.random.below(4) {
                0 => Some(Carrier::Base64),
                1 => Some(Carrier::Mime),
                _ => None,
            },
        };
        Ok(match carrier {
            None => octets,
            Some(carrier) => FrameSpec { carrier, ..FrameSpec::around(&spec, 1) }.render(&octets),
        })
    }

    fn put(&mut self, what: &str, octets: Vec<u8>, (ack, code): (AckType, Option<Code>), open: bool) {
        let name = format!("{:06}-{:02}-{what}", self.number + 1, self.out.len() + 1);
        self.out.push(Made { name, octets, ack, code, open });
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn order(kind: Option<Kind>, fault: Option<&str>) -> Order {
        let faults = Fault::all().filter(|f| fault.is_some_and(|code| f.code.as_str() == code)).collect();
        Order { kind, faults, language: None, carried: Carried::Any, alone: false, body_octets: 0, seed: 7 }
    }

    #[test]
    fn the_same_order_gives_the_same_octets_and_another_seed_others() {
        let one = order(Some(Kind::PhaseOne), None);
        let made = one.nth(3, None).unwrap();
        assert_eq!(made, one.nth(3, None).unwrap());
        assert_eq!(made.iter().map(|m| m.name.as_str()).collect::<Vec<_>>(), ["000004-01-client-relation", "000004-02-case", "000004-03-phase-one"]);
        assert_ne!(made, one.nth(4, None).unwrap());
        assert_ne!(made, Order { seed: 8, ..one }.nth(3, None).unwrap());
    }

    #[test]
    fn every_kind_has_one_word_and_ends_with_itself() {
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(kind.word()), Some(kind));
            assert!(kind == Kind::Family || kind.road().last() == Some(&kind));
            let alone = Order { alone: true, ..order(Some(kind), None) };
            match alone.nth(0, None) {
                Ok(made) => assert_eq!(made.len(), 1, "{}", kind.word()),
                Err(why) => assert!(why == CannotMake::Keys && matches!(kind, Kind::Client | Kind::Family), "{}", kind.word()),
            }
        }
        assert_eq!(Kind::parse("cases"), None);
    }

    #[test]
    fn a_fault_is_put_into_the_kind_that_was_asked_for_or_refused() {
        let relation = order(Some(Kind::Relation), Some("E305")).nth(0, None).unwrap();
        let text = String::from_utf8_lossy(&relation.last().unwrap().octets).into_owned();
        assert!(text.contains("code=\"1\" codeSystem=\"1.2.246.537.6.1505\"") || text.contains("1.2.246.537.6.1505"), "{text}");
        assert_eq!(relation.last().unwrap().code, Some(Code::E305));
        // A signature that leads nowhere belongs to a signed document.
        assert_eq!(order(Some(Kind::Relation), Some("E604")).nth(0, None), Err(CannotMake::Kind));
        assert_eq!(order(None, Some("E604")).nth(0, None), Err(CannotMake::Keys));
    }
}
