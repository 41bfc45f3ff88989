//! Which page is whose: the console's navigation. Each part of the console adds its rows here and its routes in `mod.rs`.

use axum::http::Uri;

use super::session::Visit;
use crate::domain::staff::Role::{self, Administrator, Archivist, Officer, Operator};

/// A part of the console that the navigation leads to.
pub(super) struct Section {
    /// Where it begins.
    pub path: &'static str,
    /// The key of its name.
    pub word: &'static str,
    /// Who sees it: people in one of these roles.
    pub roles: &'static [Role],
}

/// In the order of the navigation.
const SECTIONS: &[Section] = &[
    Section { path: "/", word: "home", roles: &[Operator, Archivist, Officer, Administrator] },
    Section { path: super::archivist::PATH, word: "documents", roles: super::archivist::ROLES },
    Section { path: super::disclosure::PATH, word: "home-disclosure-short", roles: super::disclosure::ROLES },
    Section { path: super::operators::MESSAGES, word: "messages", roles: super::operators::ROLES },
    Section { path: super::operators::REFUSALS, word: "refusals", roles: super::operators::ROLES },
    Section { path: super::operators::REHEARSAL, word: "rehearsal", roles: super::operators::ROLES },
    Section { path: super::operators::RULES, word: "rules", roles: super::operators::ROLES },
    Section { path: super::officer::PATH, word: "officer", roles: super::officer::ROLES },
    Section { path: super::doctor::PATH, word: "doctor", roles: super::doctor::ROLES },
    Section { path: super::people::PATH, word: "people", roles: super::people::ROLES },
    Section { path: super::people::GLASS, word: "glass", roles: super::people::GLASS_ROLES },
];

/// What this session's navigation shows.
pub(super) fn sections(visit: &Visit) -> impl Iterator<Item = &'static Section> {
    // Broken glass opens the documents for reading, and no page that changes something.
    let by_glass = |section: &Section| section.path == super::archivist::PATH && visit.may(Archivist);
    SECTIONS.iter().filter(move |section| by_glass(section) || section.roles.iter().any(|role| visit.person.may(*role)))
}

/// The section that a page belongs to: the one with the longest path that leads there.
pub(super) fn section_of(path: &str) -> &'static str {
    let path = path.split('?').next().unwrap_or_default();
    let leads = |section: &&Section| path == section.path || path.strip_prefix(section.path).is_some_and(|rest| rest.starts_with('/'));
    SECTIONS.iter().filter(leads).map(|section| section.path).max_by_key(|path| path.len()).unwrap_or_default()
}

/// A page's own path and query for links to itself, but for the language; `/` where it is not made of the characters that ours are made of.
pub(super) fn own_path(uri: &Uri) -> String {
    let is_plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._~-=%+".contains(&b));
    let path = uri.path();
    // What begins with two slashes names another host; the way out is not a page to come back to.
    if !is_plain(path) || path.starts_with("//") || path.starts_with("/leave") || path.starts_with("/enter") {
        return "/".to_owned();
    }
    let kept: Vec<&str> = uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("lang=") && is_plain(pair)).collect();
    if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_page_leads_to_itself_and_to_no_other_host() {
        for (uri, own) in [
            ("/", "/"),
            ("/disclosures/new?lang=sv", "/disclosures/new"),
            ("/messages?state=refused&lang=fi&page=2", "/messages?state=refused&page=2"),
            ("//evil.example/x", "/"),
            ("/a%22onload", "/a%22onload"),
            ("/x\"y", "/"),
            ("/x?a='b'", "/x"),
            ("/leave", "/"),
            ("/enter/0123", "/"),
        ] {
            let parsed = Uri::builder().path_and_query(uri).build();
            assert_eq!(parsed.map_or_else(|_| "/".to_owned(), |uri| own_path(&uri)), own, "{uri}");
        }
        assert_eq!(section_of("/disclosures/new?x=1"), "/disclosures/new");
        assert_eq!(section_of("/disclosures/newer"), "");
        assert_eq!(section_of("/"), "/");
    }
}
