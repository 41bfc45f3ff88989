//! Why a child may not stand where it stands: something before it is missing, it came too late or too early, too often, or it is not known here at all.
//! A content model becomes a small automaton; the shortest way through it from the children that were good to the one that was not is what is missing.

use std::collections::VecDeque;

use super::model::{Model, Name, Particle, Term, Wildcard};

/// The most states of one automaton: CDA's largest model (the header) needs two hundred.
const STATES: usize = 20_000;
/// How deep groups are followed.
const LEVELS: usize = 40;
/// Optional repetitions told apart; more are as good as unbounded.
const COPIES: usize = 32;
/// The most children among which an earlier place is looked for, and the most places tried: the work is their product.
const SIBLINGS: usize = 4_096;
const PLACES: usize = 64;

/// What is wrong with the order of children.
#[derive(Debug, PartialEq, Eq)]
pub enum Order {
    /// The shortest row of elements that must come first, choices as `a | b`.
    Missing(Vec<Step>),
    /// Known here, but it must stand before this earlier child.
    Late(Name),
    /// Known here, but no more than so many of it.
    TooMany(usize),
    /// Nothing lets it stand here: not known, or the other branch of a choice was taken. What must still come for the element to be whole.
    NotHere(Vec<Step>),
}

/// One element that must come; more than one name where the schema leaves the choice.
pub type Step = Vec<Name>;

/// A content model as an automaton.
#[derive(Debug)]
pub struct Automaton<'m> {
    states: Vec<State<'m>>,
    end: usize,
}

#[derive(Debug, Default)]
struct State<'m> {
    steps: Vec<(Label<'m>, usize)>,
    skips: Vec<usize>,
}

#[derive(Debug, Clone, Copy)]
enum Label<'m> {
    Element(&'m Name),
    Any(&'m Wildcard),
}

impl Label<'_> {
    fn takes(self, name: &Name) -> bool {
        match self {
            Self::Element(own) => own == name,
            Self::Any(wildcard) => wildcard.takes(name),
        }
    }
}

impl<'m> Automaton<'m> {
    /// `None` for a model too large or with parts that cannot be told.
    #[must_use]
    pub fn build(model: &'m Model, particles: &[&'m Particle]) -> Option<Self> {
        let mut automaton = Self { states: vec![State::default()], end: 0 };
        for particle in particles {
            automaton.end = automaton.add(model, particle, automaton.end, 0)?;
        }
        Some(automaton)
    }

    fn state(&mut self) -> Option<usize> {
        self.states.push(State::default());
        (self.states.len() < STATES).then_some(self.states.len() - 1)
    }

    fn skip(&mut self, from: usize, to: usize) {
        if let Some(state) = self.states.get_mut(from) {
            state.skips.push(to);
        }
    }

    fn add(&mut self, model: &'m Model, particle: &'m Particle, from: usize, level: usize) -> Option<usize> {
        let mut here = from;
        for _ in 0..particle.min {
            here = self.once(model, &particle.term, here, level)?;
        }
        match particle.max.map(|max| max.saturating_sub(particle.min)) {
            Some(optional) if optional <= COPIES => {
                for _ in 0..optional {
                    let after = self.once(model, &particle.term, here, level)?;
                    self.skip(here, after);
                    here = after;
                }
            }
            _ => {
                let begin = self.state()?;
                self.skip(here, begin);
                let after = self.once(model, &particle.term, begin, level)?;
                self.skip(after, begin);
                here = self.state()?;
                self.skip(begin, here);
            }
        }
        Some(here)
    }

    fn once(&mut self, model: &'m Model, term: &'m Term, from: usize, level: usize) -> Option<usize> {
        if level == LEVELS {
            return None;
        }
        match term {
            Term::Element(name, _) | Term::Reference(name) => self.step(from, Label::Element(name)),
            Term::Any(wildcard) => self.step(from, Label::Any(wildcard)),
            Term::Group(name) => self.add(model, model.group(name)?, from, level + 1),
            Term::Sequence(parts) => parts.iter().try_fold(from, |here, part| self.add(model, part, here, level + 1)),
            Term::Choice(parts) => {
                let join = self.state()?;
                if parts.is_empty() {
                    self.skip(from, join);
                }
                for part in parts {
                    let begin = self.state()?;
                    self.skip(from, begin);
                    let end = self.add(model, part, begin, level + 1)?;
                    self.skip(end, join);
                }
                Some(join)
            }
            Term::Untold => None,
        }
    }

    fn step(&mut self, from: usize, label: Label<'m>) -> Option<usize> {
        let to = self.state()?;
        self.states.get_mut(from)?.steps.push((label, to));
        Some(to)
    }

    /// Every state that can be reached without a child, in ascending order.
    fn closure(&self, mut found: Vec<usize>) -> Vec<usize> {
        let mut seen = vec![false; self.states.len()];
        let mut waiting = std::mem::take(&mut found);
        while let Some(at) = waiting.pop() {
            let (Some(seen), Some(state)) = (seen.get_mut(at), self.states.get(at)) else { continue };
            if !std::mem::replace(seen, true) {
                found.push(at);
                waiting.extend_from_slice(&state.skips);
            }
        }
        found.sort_unstable();
        found
    }

    fn steps_of(&self, set: &[usize]) -> impl Iterator<Item = &(Label<'m>, usize)> {
        set.iter().filter_map(|at| self.states.get(*at)).flat_map(|state| &state.steps)
    }

    fn after(&self, set: &[usize], name: &Name) -> Vec<usize> {
        let next: Vec<usize> = self.steps_of(set).filter(|(label, _)| label.takes(name)).map(|(_, to)| *to).collect();
        if next.is_empty() { next } else { self.closure(next) }
    }

    fn after_all<'n>(&self, mut set: Vec<usize>, names: impl Iterator<Item = &'n Name>) -> Vec<usize> {
        // A million children of one name are walked without building the same set a million times.
        let mut settled: Option<&Name> = None;
        for name in names {
            if settled == Some(name) {
                continue;
            }
            let next = self.after(&set, name);
            settled = (next == set).then_some(name);
            set = next;
            if set.is_empty() {
                break;
            }
        }
        set
    }

    /// Every element that the model names, in its order.
    #[must_use]
    pub fn alphabet(&self) -> Vec<&'m Name> {
        let mut names: Vec<&Name> = Vec::new();
        for (label, _) in self.states.iter().flat_map(|state| &state.steps) {
            if let Label::Element(name) = label
                && !names.contains(name)
            {
                names.push(name);
            }
        }
        names
    }

    /// The elements that may stand after these children.
    #[must_use]
    pub fn next(&self, before: &[Name]) -> Vec<&'m Name> {
        let set = self.after_all(self.closure(vec![0]), before.iter());
        let mut names: Vec<&Name> = Vec::new();
        for (label, _) in self.steps_of(&set) {
            if let Label::Element(name) = label
                && !names.contains(name)
            {
                names.push(name);
            }
        }
        names
    }

    /// Why `stray` may not follow these children. `None` when the model and libxml2 do not see the same.
    #[must_use]
    pub fn why(&self, before: &[Name], stray: &Name) -> Option<Order> {
        let start = self.closure(vec![0]);
        let set = self.after_all(start.clone(), before.iter());
        if set.is_empty() || !self.after(&set, stray).is_empty() {
            return None;
        }
        if !self.states.iter().flat_map(|state| &state.steps).any(|(label, _)| label.takes(stray)) {
            return Some(Order::NotHere(self.shortest(&set, |at| at == self.end).unwrap_or_default()));
        }
        let takes = |at: usize| self.states.get(at).is_some_and(|state| state.steps.iter().any(|(label, _)| label.takes(stray)));
        if let Some(missing) = self.shortest(&set, takes) {
            return Some(Order::Missing(missing));
        }
        let count = before.iter().filter(|name| *name == stray).count();
        if count > 0 && !self.takes_one_more(&start, before, stray) {
            return Some(Order::TooMany(count));
        }
        let late = self.late(&start, before, stray).map(Order::Late);
        late.or_else(|| Some(Order::NotHere(self.shortest(&set, |at| at == self.end).unwrap_or_default())))
    }

    /// What is missing when the element ends after these children. `None` as in [`Self::why`].
    #[must_use]
    pub fn missing_at_end(&self, before: &[Name]) -> Option<Vec<Step>> {
        let set = self.after_all(self.closure(vec![0]), before.iter());
        self.shortest(&set, |at| at == self.end).filter(|missing| !missing.is_empty())
    }

    /// Whether the same children with one more of this name beside its likes would be good.
    fn takes_one_more(&self, start: &[usize], before: &[Name], stray: &Name) -> bool {
        let Some(last) = before.iter().rposition(|name| name == stray) else { return false };
        let (head, tail) = before.split_at(last);
        let doubled = head.iter().chain(std::iter::once(stray)).chain(tail);
        !self.after_all(start.to_vec(), doubled).is_empty()
    }

    /// The last earlier child before which it could stand.
    fn late(&self, start: &[usize], before: &[Name], stray: &Name) -> Option<Name> {
        if before.len() > SIBLINGS {
            return None;
        }
        let mut sets = vec![start.to_vec()];
        for name in before {
            let next = self.after(sets.last()?, name);
            sets.push(next);
        }
        let is_first_of_its_run = |at: usize| at == 0 || before.get(at - 1) != before.get(at);
        let places = (0..before.len()).rev().filter(|at| is_first_of_its_run(*at)).take(PLACES);
        for at in places {
            let with = self.after(sets.get(at)?, stray);
            if !with.is_empty() && !self.after_all(with, before.get(at..)?.iter()).is_empty() {
                return before.get(at).cloned();
            }
        }
        None
    }

    /// The fewest elements from a set to a state that is wanted, step by step with all the choices there are.
    fn shortest(&self, from: &[usize], wanted: impl Fn(usize) -> bool) -> Option<Vec<Step>> {
        let reach = self.distances(from, false);
        let length = (0..self.states.len()).filter(|at| wanted(*at)).filter_map(|at| reach.get(at).copied().flatten()).min()?;
        let goals: Vec<usize> = (0..self.states.len()).filter(|at| wanted(*at) && reach.get(*at).copied().flatten() == Some(length)).collect();
        let back = self.distances(&goals, true);
        let mut row: Vec<Step> = vec![Vec::new(); length];
        for (at, state) in self.states.iter().enumerate() {
            for (label, to) in &state.steps {
                let (Some(before), Some(after)) = (reach.get(at).copied().flatten(), back.get(*to).copied().flatten()) else { continue };
                if let (true, Label::Element(name)) = (before + 1 + after == length, label)
                    && let Some(step) = row.get_mut(before)
                    && !step.contains(name)
                {
                    step.push((*name).clone());
                }
            }
        }
        // A step that only a wildcard takes has no name to tell.
        row.retain(|step| !step.is_empty());
        Some(row)
    }

    /// How many children each state is away; a skip costs nothing.
    fn distances(&self, from: &[usize], backwards: bool) -> Vec<Option<usize>> {
        let mut ways: Vec<Vec<(usize, usize)>> = vec![Vec::new(); self.states.len()];
        for (at, state) in self.states.iter().enumerate() {
            let steps = state.steps.iter().map(|(_, to)| (*to, 1));
            for (to, cost) in state.skips.iter().map(|to| (*to, 0)).chain(steps) {
                let (begin, end) = if backwards { (to, at) } else { (at, to) };
                if let Some(way) = ways.get_mut(begin) {
                    way.push((end, cost));
                }
            }
        }
        let mut reach = vec![None; self.states.len()];
        let mut waiting: VecDeque<(usize, usize)> = from.iter().map(|at| (*at, 0)).collect();
        while let Some((at, so_far)) = waiting.pop_front() {
            let Some(slot) = reach.get_mut(at).filter(|slot: &&mut Option<usize>| slot.is_none()) else { continue };
            *slot = Some(so_far);
            for (to, cost) in ways.get(at).into_iter().flatten() {
                if *cost == 0 { waiting.push_front((*to, so_far)) } else { waiting.push_back((*to, so_far + 1)) }
            }
        }
        reach
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::codes::source::Files;
    use crate::xml::tree;

    /// Children as letters, the last of them the stray one; `.` at the end asks what is missing at the end.
    fn told(content: &str, children: &str) -> String {
        let schema = format!(
            "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' elementFormDefault='qualified'><xs:group name='g'><xs:sequence><xs:element name='x'/><xs:element name='y'/></xs:sequence></xs:group>\
             <xs:element name='r'><xs:complexType>{content}</xs:complexType></xs:element></xs:schema>"
        );
        let files: Files = [("s.xsd".to_owned(), schema.into_bytes())].into();
        let model = Model::read(&files, "s.xsd");
        let document = tree::parse("<r/>").unwrap();
        let particles = model.content(model.known(document.root_element()).unwrap()).unwrap();
        let automaton = Automaton::build(&model, &particles).unwrap();
        let mut names: Vec<Name> = children.chars().map(|c| Name { namespace: String::new(), local: c.to_string() }).collect();
        let last = names.pop().unwrap();
        let row = |steps: Vec<Step>| steps.iter().map(|s| s.iter().map(|n| n.local.as_str()).collect::<Vec<_>>().join("|")).collect::<Vec<_>>().join(" ");
        if last.local == "." {
            return automaton.missing_at_end(&names).map_or("?".to_owned(), row);
        }
        match automaton.why(&names, &last) {
            None => "?".to_owned(),
            Some(Order::Missing(steps)) => format!("missing {}", row(steps)),
            Some(Order::Late(name)) => format!("before {}", name.local),
            Some(Order::TooMany(limit)) => format!("at most {limit}"),
            Some(Order::NotHere(steps)) => format!("not here, to come {}", row(steps)),
        }
    }

    #[test]
    fn the_reason_is_found() {
        let row = "<xs:sequence><xs:element name='a'/><xs:element name='b' minOccurs='0' maxOccurs='unbounded'/><xs:element name='c'/><xs:element name='d' minOccurs='0' maxOccurs='2'/></xs:sequence>";
        for (children, expected) in [
            ("b", "missing a"),
            ("ad", "missing c"),
            ("d", "missing a c"),
            ("aa", "at most 1"),
            ("abca", "at most 1"),
            ("acddd", "at most 2"),
            ("acb", "before c"),
            ("abbcdb", "before c"),
            ("az", "not here, to come c"),
            ("acz", "not here, to come "),
            ("ab", "?"),
            ("zb", "?"),
            ("ab.", "c"),
            (".", "a c"),
            ("ac.", "?"),
        ] {
            assert_eq!(told(row, children), expected, "{children}");
        }
        let choice = "<xs:choice><xs:sequence><xs:group ref='g'/><xs:element name='z'/></xs:sequence><xs:sequence><xs:element name='p'/><xs:choice><xs:element name='q'/><xs:element name='s'/></xs:choice><xs:element name='z'/></xs:sequence></xs:choice>";
        for (children, expected) in [("xz", "missing y"), ("pz", "missing q|s"), ("xyz.", "?"), ("p.", "q|s z"), ("xp", "not here, to come y z")] {
            assert_eq!(told(choice, children), expected, "{children}");
        }
        let long = format!("a{}c{}b", "b".repeat(10_000), "d".repeat(2));
        assert_eq!(told(row, &long), "not here, to come ");
    }
}
