//! Content models in a normal form: two models that let the same children through in the same order read the same.

use std::fmt;

/// A part of a content model, and how often it may stand (`None`: any number of times).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Particle {
    pub kind: Kind,
    pub min: u32,
    pub max: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An element or a wildcard, told in words.
    Leaf(String),
    Sequence(Vec<Particle>),
    Choice(Vec<Particle>),
    All(Vec<Particle>),
}

impl Particle {
    /// The normal form; `None` when nothing may stand there.
    pub fn simplified(self) -> Option<Self> {
        if self.max == Some(0) {
            return None;
        }
        let Self { kind, mut min, max } = self;
        let kind = match kind {
            Kind::Leaf(words) => Kind::Leaf(words),
            Kind::Sequence(items) => {
                let flat = |item: Self| match item {
                    Self { kind: Kind::Sequence(inner), min: 1, max: Some(1) } => inner,
                    other => vec![other],
                };
                Kind::Sequence(items.into_iter().filter_map(Self::simplified).flat_map(flat).collect())
            }
            Kind::All(items) => Kind::All(items.into_iter().filter_map(Self::simplified).collect()),
            Kind::Choice(items) => {
                let mut emptied = false;
                let mut chosen: Vec<Self> = Vec::new();
                for item in items {
                    match item.simplified() {
                        None => emptied = true,
                        Some(Self { kind: Kind::Choice(inner), min, max: Some(1) }) => {
                            emptied |= min == 0;
                            chosen.extend(inner);
                        }
                        Some(item) => chosen.push(item),
                    }
                }
                for item in &mut chosen {
                    if item.min == 0 {
                        emptied = true;
                        item.min = 1;
                    }
                    if max.is_none() && item.min == 1 {
                        item.max = Some(1);
                    }
                }
                if emptied {
                    min = 0;
                }
                chosen.sort_by_key(ToString::to_string);
                chosen.dedup();
                Kind::Choice(chosen)
            }
        };
        match kind {
            Kind::Sequence(items) | Kind::All(items) | Kind::Choice(items) if items.is_empty() => None,
            Kind::Sequence(mut items) | Kind::Choice(mut items) if items.len() == 1 => {
                let inner = items.remove(0);
                match merged((min, max), (inner.min, inner.max)) {
                    Some((min, max)) => Some(Self { kind: inner.kind, min, max }),
                    None => Some(Self { kind: Kind::Sequence(vec![inner]), min, max }),
                }
            }
            kind => Some(Self { kind, min, max }),
        }
    }

    /// The parts in words, one by one.
    pub fn steps(&self) -> Vec<String> {
        let told = |items: &[Self]| items.iter().map(ToString::to_string).collect();
        match self {
            Self { kind: Kind::Sequence(items), min: 1, max: Some(1) } => told(items),
            Self { kind: Kind::Choice(items), .. } => std::iter::once(format!("one of these{}", self.times())).chain::<Vec<_>>(told(items)).collect(),
            other => vec![other.to_string()],
        }
    }

    fn times(&self) -> String {
        match (self.min, self.max) {
            (1, Some(1)) => String::new(),
            (min, Some(max)) => format!(" {min}..{max}"),
            (min, None) => format!(" {min}..*"),
        }
    }
}

/// How often a thing may stand that may stand `inner` times within something that may stand `outer` times, where that is one range.
fn merged(outer: (u32, Option<u32>), inner: (u32, Option<u32>)) -> Option<(u32, Option<u32>)> {
    match (outer, inner) {
        ((1, Some(1)), range) | (range, (1, Some(1))) => Some(range),
        ((least, _), (min @ (0 | 1), None)) => Some((least * min, None)),
        ((_, most), (0, Some(1))) => Some((0, most)),
        _ => None,
    }
}

impl fmt::Display for Particle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = |items: &[Self], between: &str| items.iter().map(ToString::to_string).collect::<Vec<_>>().join(between);
        match &self.kind {
            Kind::Leaf(words) => write!(f, "{words}")?,
            Kind::Sequence(items) => write!(f, "({})", told(items, ", "))?,
            Kind::Choice(items) => write!(f, "({})", told(items, " or "))?,
            Kind::All(items) => write!(f, "({} in any order)", told(items, ", "))?,
        }
        write!(f, "{}", self.times())
    }
}

#[test]
fn equal_models_read_the_same() {
    let leaf = |name: &str, min, max| Particle { kind: Kind::Leaf(name.to_owned()), min, max };
    let one = |kind| Particle { kind, min: 1, max: Some(1) };
    let read = |particle: Particle| particle.simplified().map(|p| p.to_string());
    let (a, b) = (leaf("a", 1, Some(1)), leaf("b", 1, Some(1)));
    let nested = one(Kind::Sequence(vec![one(Kind::Sequence(vec![a.clone()])), one(Kind::Sequence(vec![])), b.clone(), leaf("c", 0, Some(0))]));
    assert_eq!(read(nested).as_deref(), Some("(a, b)"));
    let optional = one(Kind::Choice(vec![leaf("b", 0, Some(1)), a.clone()]));
    let choice = Particle { kind: Kind::Choice(vec![a.clone(), b.clone()]), min: 0, max: Some(1) };
    assert_eq!(read(optional), read(choice.clone()));
    assert_eq!(read(choice).as_deref(), Some("(a or b) 0..1"));
    let many = Particle { kind: Kind::Choice(vec![one(Kind::Choice(vec![a.clone(), b.clone()])), leaf("c", 1, None)]), min: 0, max: None };
    assert_eq!(read(many).as_deref(), Some("(a or b or c) 0..*"));
    assert_eq!(read(one(Kind::Sequence(vec![leaf("a", 0, None)]))).as_deref(), Some("a 0..*"));
    let twice = Particle { kind: Kind::Sequence(vec![leaf("a", 2, Some(3))]), min: 2, max: Some(2) };
    assert_eq!(read(twice).as_deref(), Some("(a 2..3) 2..2"));
    assert_eq!(read(one(Kind::Sequence(vec![]))), None);
    assert_ne!(read(one(Kind::Sequence(vec![a.clone(), b.clone()]))), read(one(Kind::Sequence(vec![b, a]))));
}
