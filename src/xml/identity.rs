//! Which attributes are of type xs:ID, xs:IDREF and xs:IDREFS: read from a schema's own files, because libxml2's streaming validator compares none of them.

use std::collections::BTreeSet;

use super::tree::Node;

const XS: &str = "http://www.w3.org/2001/XMLSchema";

/// What an attribute's value is to the rest of the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// It names its element; no two may be the same.
    Id,
    /// It names another element, which must be there.
    Reference,
    /// It names several.
    References,
}

/// The attributes that have a role, in the namespaces of one schema. An attribute without a namespace of its own counts on elements of the schema's target
/// namespaces only: elsewhere (in what a wildcard lets pass) its type is not known.
#[derive(Debug, Clone, Default)]
pub struct Identities {
    names: Vec<(String, Role)>,
    /// Bit n: some name has n octets. Most attributes are passed over by it.
    lengths: u64,
    /// The namespaces whose elements the schema declares; `None`: any.
    namespaces: Option<Vec<String>>,
}

impl Identities {
    /// The roles that CDA R2, XML Signature and HL7 Finland's headers give, in any namespace.
    #[must_use]
    pub fn usual() -> Self {
        use Role::{Id, Reference, References};
        let names = [("ID", Id), ("Id", Id), ("IDREF", Reference), ("referencedObject", References), ("headers", References)];
        Self::new(names.map(|(name, role)| (name.to_owned(), role)).to_vec(), None)
    }

    /// No roles at all: for walks that only look for a place.
    #[must_use]
    pub const fn none() -> Self {
        Self { names: Vec::new(), lengths: 0, namespaces: None }
    }

    fn new(names: Vec<(String, Role)>, namespaces: Option<Vec<String>>) -> Self {
        let lengths = names.iter().fold(0, |bits, (name, _)| bits | bit(name));
        Self { names, lengths, namespaces }
    }

    /// The role of an attribute of this name, as written.
    #[must_use]
    pub fn role(&self, attribute: &str) -> Option<Role> {
        if self.lengths & bit(attribute) == 0 {
            return None;
        }
        self.names.iter().find(|(name, _)| name == attribute).map(|(_, role)| *role)
    }

    /// Whether the schema declares elements of this namespace.
    #[must_use]
    pub fn covers(&self, namespace: Option<&str>) -> bool {
        self.namespaces.as_ref().is_none_or(|known| namespace.is_some_and(|n| known.iter().any(|k| k == n)))
    }

    /// The names and their roles, sorted by name.
    #[must_use]
    pub fn names(&self) -> Vec<(&str, Role)> {
        let mut names: Vec<_> = self.names.iter().map(|(name, role)| (name.as_str(), *role)).collect();
        names.sort_unstable();
        names
    }
}

/// What the files of one schema say, file by file.
#[derive(Debug, Default)]
pub struct Gathered {
    names: BTreeSet<(String, Role)>,
    namespaces: BTreeSet<String>,
}

impl Gathered {
    /// Takes in one file's `xs:schema`.
    pub fn gather(&mut self, schema: Node<'_, '_>) {
        self.namespaces.extend(schema.attribute("targetNamespace").map(str::to_owned));
        for node in schema.descendants().filter(|n| n.tag_name().namespace() == Some(XS) && n.tag_name().name() == "attribute") {
            let role = match node.attribute("type").map(|t| t.rsplit(':').next().unwrap_or(t)) {
                Some("ID") => Role::Id,
                Some("IDREF") => Role::Reference,
                Some("IDREFS") => Role::References,
                _ => continue,
            };
            self.names.extend(node.attribute("name").map(|name| (name.to_owned(), role)));
        }
    }

    /// All of them.
    #[must_use]
    pub fn into_identities(self) -> Identities {
        Identities::new(self.names.into_iter().collect(), Some(self.namespaces.into_iter().collect()))
    }
}

fn bit(name: &str) -> u64 {
    1_u64.checked_shl(u32::try_from(name.len()).unwrap_or(u32::MAX)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_come_from_the_schema() {
        let schema = "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema' targetNamespace='urn:a'><xs:complexType name='t'>\
            <xs:attribute name='ID' type='xs:ID'/><xs:attribute name='to' type='xs:IDREFS'/><xs:attribute name='id' type='xs:string'/></xs:complexType></xs:schema>";
        let mut gathered = Gathered::default();
        if let Ok(document) = crate::xml::tree::parse(schema) {
            gathered.gather(document.root_element());
        }
        let found = gathered.into_identities();
        assert_eq!(found.names(), [("ID", Role::Id), ("to", Role::References)]);
        assert_eq!((found.role("id"), found.role("to")), (None, Some(Role::References)));
        assert!(found.covers(Some("urn:a")) && !found.covers(Some("urn:b")) && !found.covers(None));
        assert!(Identities::usual().covers(None));
        assert_eq!(Identities::usual().role(&"x".repeat(1000)), None);
    }
}
