//! Who may ask for what: registered systems, the permission matrix of their profiles (messaging.md §7.1), and the one judgement over both.
//! Pure: whether a registration is in force is told by [`Grant::is_in_force`] for the moment of the decision; everything else needs no clock.

use std::sync::Arc;

use super::digest::Digest;
use super::document::Date;
use super::oid::Oid;
use super::time::Moment;

/// What a system is registered as (THL's system profiles).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Profile {
    /// Liittyvä järjestelmä, anslutande system: stores, searches, reads.
    Joining,
    /// Tallentava järjestelmä, lagrande system: stores only.
    Storing,
    /// Lukeva järjestelmä, läsande system: searches and reads only.
    Reading,
    /// Sovellus, applikation: stores its organisation's own first versions.
    Application,
}

impl Profile {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Joining, Self::Storing, Self::Reading, Self::Application];

    /// The word in configuration and in `codes/access.toml`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Joining => "joining",
            Self::Storing => "storing",
            Self::Reading => "reading",
            Self::Application => "application",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.as_str() == text)
    }
}

/// What a message asks for, as far as permissions tell operations apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Act {
    /// A first version.
    Store,
    /// A new version of what is archived.
    Replace,
    /// A document or a set is invalidated.
    Invalidate,
    /// An invalidation is taken back.
    Reinstate,
    /// A search of describing data.
    MetadataQuery,
    /// A fetch of documents.
    DocumentQuery,
}

impl Act {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Store, Self::Replace, Self::Invalidate, Self::Reinstate, Self::MetadataQuery, Self::DocumentQuery];

    /// The word in `codes/access.toml`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Replace => "replace",
            Self::Invalidate => "invalidate",
            Self::Reinstate => "reinstate",
            Self::MetadataQuery => "metadata-query",
            Self::DocumentQuery => "document-query",
        }
    }

    /// The key of its name in `codes/words.toml`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Store => "act-store",
            Self::Replace => "act-replace",
            Self::Invalidate => "act-invalidate",
            Self::Reinstate => "act-reinstate",
            Self::MetadataQuery => "act-metadata-query",
            Self::DocumentQuery => "act-document-query",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.as_str() == text)
    }
}

/// Which profile may do what, and which service requests write into a register that is not the sender's own. Data: `codes/access.toml`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Matrix {
    allowed: Vec<(Act, Profile)>,
    register_right: Vec<String>,
}

impl Matrix {
    /// The pairs that are allowed, and the codes of service requests by register right.
    #[must_use]
    pub const fn new(allowed: Vec<(Act, Profile)>, register_right: Vec<String>) -> Self {
        Self { allowed, register_right }
    }

    /// Whether a profile may.
    #[must_use]
    pub fn allows(&self, profile: Profile, act: Act) -> bool {
        self.allowed.contains(&(act, profile))
    }

    /// Whether a service request is one by the right to another's register (rekisterinkäyttöoikeus).
    #[must_use]
    pub fn is_by_right(&self, request: &str) -> bool {
        self.register_right.iter().any(|r| r == request)
    }

    /// The codes of such service requests.
    #[must_use]
    pub fn rights(&self) -> &[String] {
        &self.register_right
    }
}

/// One registered system of one organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Its name in the configuration.
    pub name: String,
    /// The AMQP user it comes as; the broker vouches for it.
    pub user: String,
    /// The device OIDs its frames may name as their sender.
    pub devices: Vec<Oid>,
    /// Whose system it is.
    pub organisation: Oid,
    /// The controllers it answers for; none named: the organisation, and whatever lies under its OID.
    pub controllers: Vec<Oid>,
    /// Controllers whose registers it may use by agreement, with a service request that says so.
    pub register_rights: Vec<Oid>,
    /// What it may do.
    pub profile: Profile,
    /// SHA-256 of its certificate, for people: the broker maps certificates to users. `Err`: what was written and is none.
    pub certificate: Option<Result<Digest, String>>,
    /// The first and the last day on which it is in force; none: no bound.
    pub days: (Option<Date>, Option<Date>),
    /// Whether it implements the management of disclosures (messaging.md D9).
    pub disclosure_management: bool,
}

impl Registration {
    /// Whether a register is its own.
    #[must_use]
    pub fn answers_for(&self, controller: &str) -> bool {
        if self.controllers.is_empty() { under(controller, self.organisation.as_str()) } else { self.controllers.iter().any(|c| c.as_str() == controller) }
    }

    /// Whether it may use a register that is not its own.
    #[must_use]
    pub fn has_right_to(&self, controller: &str) -> bool {
        self.register_rights.iter().any(|c| c.as_str() == controller)
    }

    /// Whether it is in force on the day of this moment in Finland.
    #[must_use]
    pub fn is_in_force(&self, at: Moment) -> bool {
        let day = at.helsinki_date();
        self.days.0.is_none_or(|first| first <= day) && self.days.1.is_none_or(|last| day <= last)
    }
}

/// Every registered system of a site.
#[derive(Debug, Clone, Default)]
pub struct Register {
    /// Whether who is not registered is refused; else it may send as before.
    pub registered_only: bool,
    systems: Vec<Arc<Registration>>,
}

/// What is asked of the register; what is not known yet is left out and judged later.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    /// The AMQP user.
    pub user: &'a str,
    /// The frame's sending device; a bare document names none.
    pub device: Option<&'a str>,
    /// What is asked for.
    pub act: Option<Act>,
    /// The service request's code.
    pub request: Option<&'a str>,
    /// The register that is touched.
    pub controller: Option<&'a str>,
}

/// Why somebody may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    /// The user is not registered.
    Unknown,
    /// The device is not this user's.
    Device,
    /// The profile forbids what is asked.
    Profile(Profile, Act),
    /// The register is not the sender's own.
    Controller,
    /// There is no agreement on this register, or the service request needs none.
    Right,
}

/// Under which registrations something is asked; nothing more is asked of who needs none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grant(Vec<Arc<Registration>>);

impl Register {
    /// A register of these systems.
    #[must_use]
    pub fn new(registered_only: bool, systems: Vec<Registration>) -> Self {
        Self { registered_only, systems: systems.into_iter().map(Arc::new).collect() }
    }

    /// The systems, in the order of their names.
    pub fn systems(&self) -> impl Iterator<Item = &Registration> {
        self.systems.iter().map(AsRef::as_ref)
    }

    /// Judges what is asked: the user, its device, its profile, its registers, in this order. Only the first that fails is told.
    ///
    /// # Errors
    /// Why not.
    pub fn judge(&self, matrix: &Matrix, asked: &Asked<'_>) -> Result<Grant, Denial> {
        let mut found: Vec<&Arc<Registration>> = self.systems.iter().filter(|s| s.user == asked.user).collect();
        if found.is_empty() {
            return self.stranger(matrix, asked);
        }
        if let Some(device) = asked.device {
            found.retain(|s| s.devices.iter().any(|d| d.as_str() == device));
            if found.is_empty() {
                return Err(Denial::Device);
            }
        }
        if let Some(act) = asked.act {
            let profile = found.first().map(|s| s.profile);
            found.retain(|s| matrix.allows(s.profile, act));
            if let (true, Some(profile)) = (found.is_empty(), profile) {
                return Err(Denial::Profile(profile, act));
            }
        }
        if let Some(controller) = asked.controller {
            let by_right = asked.request.is_some_and(|r| matrix.is_by_right(r));
            found.retain(|s| if by_right { s.has_right_to(controller) } else { s.answers_for(controller) });
            if found.is_empty() {
                return Err(if by_right { Denial::Right } else { Denial::Controller });
            }
        }
        Ok(Grant(found.into_iter().map(Arc::clone).collect()))
    }

    /// Somebody who is not registered: taken where the site is open, but not in a registered system's name, and not into another's register.
    fn stranger(&self, matrix: &Matrix, asked: &Asked<'_>) -> Result<Grant, Denial> {
        if self.registered_only {
            return Err(Denial::Unknown);
        }
        let is_taken = asked.device.is_some_and(|device| self.systems.iter().any(|s| s.devices.iter().any(|d| d.as_str() == device)));
        if is_taken {
            return Err(Denial::Device);
        }
        if asked.request.is_some_and(|r| matrix.is_by_right(r)) {
            return Err(Denial::Right);
        }
        if asked.controller.is_some_and(|controller| self.systems.iter().any(|s| s.answers_for(controller))) {
            return Err(Denial::Controller);
        }
        Ok(Grant::default())
    }

    /// Whether a registered system answers for something under this OID, or comes from there: a stranger may not search it, whether in force or not.
    #[must_use]
    pub fn has_part_in(&self, base: &Oid) -> bool {
        self.systems.iter().any(|s| s.answers_for(base.as_str()) || s.controllers.iter().chain([&s.organisation]).any(|oid| oid.is_under(base.as_str())))
    }
}

impl Grant {
    /// Whether one of the registrations is in force; who needs none is.
    #[must_use]
    pub fn is_in_force(&self, at: Moment) -> bool {
        self.0.is_empty() || self.0.iter().any(|s| s.is_in_force(at))
    }

    /// Those of the registrations that are in force; `None` where none is. Who needs none keeps none.
    #[must_use]
    pub fn in_force(&self, at: Moment) -> Option<Self> {
        self.is_in_force(at).then(|| Self(self.0.iter().filter(|s| s.is_in_force(at)).map(Arc::clone).collect()))
    }

    /// The registrations; none for who needs none.
    pub fn systems(&self) -> impl Iterator<Item = &Registration> {
        self.0.iter().map(AsRef::as_ref)
    }

    /// Whether a register that became known later is the sender's own.
    #[must_use]
    pub fn answers_for(&self, controller: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|s| s.answers_for(controller))
    }
}

fn under(oid: &str, base: &str) -> bool {
    oid.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn system(name: &str, user: &str, device: &str, profile: Profile) -> Registration {
        let oid = |text: &str| Oid::parse(text).unwrap();
        Registration {
            name: name.to_owned(),
            user: user.to_owned(),
            devices: vec![oid(device)],
            organisation: oid("1.2.246.10.99999992"),
            controllers: Vec::new(),
            register_rights: vec![oid("1.2.246.10.99999984.10.0")],
            profile,
            certificate: None,
            days: (None, None),
            disclosure_management: false,
        }
    }

    fn matrix() -> Matrix {
        let allowed = vec![
            (Act::Store, Profile::Joining),
            (Act::Replace, Profile::Joining),
            (Act::DocumentQuery, Profile::Joining),
            (Act::Store, Profile::Application),
            (Act::DocumentQuery, Profile::Reading),
        ];
        Matrix::new(allowed, vec!["SPX-RKO-STORE".to_owned()])
    }

    fn register(registered_only: bool) -> Register {
        Register::new(
            registered_only,
            vec![
                system("a", "anna", "1.2.3.1", Profile::Joining),
                system("b", "bertta", "1.2.3.2", Profile::Reading),
                system("c", "anna", "1.2.3.3", Profile::Application),
            ],
        )
    }

    fn asked<'a>(user: &'a str, device: Option<&'a str>, act: Act, controller: &'a str) -> Asked<'a> {
        Asked { user, device, act: Some(act), request: None, controller: Some(controller) }
    }

    #[test]
    fn user_device_profile_and_register_in_this_order() {
        let own = "1.2.246.10.99999992.19.1";
        let judge = |asked: Asked<'_>| register(true).judge(&matrix(), &asked).map(|g| g.systems().map(|s| s.name.clone()).collect::<Vec<_>>());
        assert_eq!(judge(asked("anna", Some("1.2.3.1"), Act::Store, own)), Ok(vec!["a".to_owned()]));
        assert_eq!(judge(asked("anna", None, Act::Store, own)), Ok(vec!["a".to_owned(), "c".to_owned()]), "a bare document names no device");
        assert_eq!(judge(asked("carola", Some("1.2.3.1"), Act::Store, own)), Err(Denial::Unknown));
        assert_eq!(judge(asked("anna", Some("1.2.3.2"), Act::Store, own)), Err(Denial::Device));
        assert_eq!(judge(asked("anna", Some("1.2.3.10"), Act::Store, own)), Err(Denial::Device));
        assert_eq!(judge(asked("bertta", Some("1.2.3.2"), Act::Store, own)), Err(Denial::Profile(Profile::Reading, Act::Store)));
        assert_eq!(judge(asked("anna", Some("1.2.3.3"), Act::Replace, own)), Err(Denial::Profile(Profile::Application, Act::Replace)));
        assert_eq!(
            judge(asked("anna", Some("1.2.3.1"), Act::Store, "1.2.246.10.999999921")),
            Err(Denial::Controller),
            "a longer number is another organisation"
        );
        assert_eq!(judge(asked("anna", Some("1.2.3.1"), Act::Store, "1.2.246.10.99999984.10.0")), Err(Denial::Controller), "a right needs its request");
    }

    #[test]
    fn a_right_to_a_register_needs_its_request_and_its_agreement() {
        let by_right = |user, controller| Asked { request: Some("SPX-RKO-STORE"), ..asked(user, None, Act::Store, controller) };
        let judge = |only, asked: Asked<'_>| register(only).judge(&matrix(), &asked).map(|_| ());
        assert_eq!(judge(true, by_right("anna", "1.2.246.10.99999984.10.0")), Ok(()));
        assert_eq!(judge(true, by_right("anna", "1.2.246.10.99999992.10.0")), Err(Denial::Right), "one's own register needs no right");
        assert_eq!(judge(false, by_right("carola", "1.2.246.10.99999984.10.0")), Err(Denial::Right), "nobody agreed with a stranger");
    }

    #[test]
    fn an_open_site_takes_strangers_but_not_in_another_s_name() {
        let judge = |asked: Asked<'_>| register(false).judge(&matrix(), &asked);
        assert_eq!(judge(asked("carola", Some("1.9.9"), Act::Store, "1.5")), Ok(Grant::default()));
        assert_eq!(judge(asked("carola", Some("1.2.3.2"), Act::Store, "1.5")), Err(Denial::Device));
        for act in [Act::Store, Act::Replace, Act::Invalidate] {
            assert_eq!(judge(asked("carola", Some("1.9.9"), act, "1.2.246.10.99999992.19.1")), Err(Denial::Controller), "{act:?} in another's register");
        }
        let parts = |base| register(false).has_part_in(&Oid::parse(base).unwrap());
        assert!(parts("1.2.246.10.99999992") && parts("1.2.246.10.99999992.10.0") && parts("1.2.246.10"));
        assert!(!parts("1.2.246.10.99999984") && !parts("1.2.246.10.9999999"), "nobody is registered there");
        assert!(Grant::default().is_in_force(Moment::from_seconds(0)) && Grant::default().answers_for("1.5"));
    }

    #[test]
    fn the_last_day_is_in_force_to_its_end_in_finland() {
        let mut system = system("a", "anna", "1.2.3.1", Profile::Joining);
        let day = |year, month, day| Some(Date { year, month, day });
        system.days = (day(2026, 1, 1), day(2026, 6, 30));
        let at = |text: &str| Moment::parse_iso(text).unwrap();
        for (text, want) in [("2025-12-31T21:59:59Z", false), ("2025-12-31T22:00:00Z", true), ("2026-06-30T20:59:59Z", true), ("2026-06-30T21:00:00Z", false)] {
            assert_eq!(system.is_in_force(at(text)), want, "{text}");
        }
        let grant = Register::new(true, vec![system]).judge(&matrix(), &asked("anna", None, Act::Store, "1.2.246.10.99999992")).unwrap();
        assert!(grant.is_in_force(at("2026-03-01T00:00:00Z")) && !grant.is_in_force(at("2026-07-01T00:00:00Z")));
    }

    #[test]
    fn a_registration_that_has_ended_adds_nothing_to_one_in_force() {
        let day = |year, month, day| Some(Date { year, month, day });
        let lasting = |name, from, until| Registration { days: (from, until), ..system(name, "anna", "1.2.3.1", Profile::Joining) };
        let systems = vec![lasting("ended", None, day(2026, 6, 30)), lasting("now", None, None), lasting("coming", day(2027, 1, 1), None)];
        let judge = |systems| Register::new(true, systems).judge(&matrix(), &Asked { user: "anna", ..Asked::default() }).unwrap();
        let names = |grant: &Grant, text: &str| {
            let at = Moment::parse_iso(text).unwrap();
            grant.in_force(at).map(|g| g.systems().map(|s| s.name.clone()).collect::<Vec<_>>().join(" "))
        };
        let grant = judge(systems.clone());
        for (text, want) in [("2026-03-01T00:00:00Z", "ended now"), ("2026-09-01T00:00:00Z", "now"), ("2027-03-01T00:00:00Z", "now coming")] {
            assert_eq!(names(&grant, text).as_deref(), Some(want), "{text}");
        }
        assert_eq!(names(&judge(systems.into_iter().filter(|s| s.name != "now").collect()), "2026-09-01T00:00:00Z"), None);
        assert_eq!(names(&Grant::default(), "2026-09-01T00:00:00Z").as_deref(), Some(""), "who needs none");
    }

    #[test]
    fn words_read_back() {
        assert!(Act::ALL.into_iter().all(|a| Act::parse(a.as_str()) == Some(a) && a.word() == format!("act-{}", a.as_str())));
        assert!(Profile::ALL.into_iter().all(|p| Profile::parse(p.as_str()) == Some(p)));
    }
}
