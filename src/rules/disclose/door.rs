//! The door of disclosure: whose registers a query may look into.

use crate::codes::query::QueryRules;
use crate::domain::oid::Oid;
use crate::domain::query::{Asker, Basis, Register, Registers};

/// What the decision is taken on.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    /// Who asks, and on what ground.
    pub asker: &'a Asker,
    /// The controller that the query names.
    pub controller: Option<&'a Oid>,
    /// The registers that the sender's registration gives it; `None` where senders are not registered: then it is those of the organisation that the frame names.
    pub registered: Option<&'a Registers>,
}

/// Why nothing is given: the key of the word that the refusal E835 says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Denied(pub &'static str);

/// The registers that a query has to do with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The asker's own; of a query in them, only what it names of them.
    pub own: Registers,
    /// Those that it may use by agreement; of a query by that right, only what it names of them.
    pub rights: Registers,
}

/// Decides which registers a query has to do with. Whoever asks for more than its own is registered: nobody knows a stranger well enough to disclose to it.
///
/// # Errors
/// What stands against it.
pub fn opened(asking: &Asking<'_>, rights: Registers, rules: &QueryRules) -> Result<Opened, Denied> {
    match asking.asker.basis {
        Basis::OwnRegister | Basis::Wills => return allowed(asking, rules).map(|own| Opened { own, rights }),
        Basis::RegisterRight | Basis::Permission | Basis::Statute => {}
    }
    let Some(own) = asking.registered else { return Err(Denied("register-stranger")) };
    let rights = match (asking.asker.basis, asking.controller) {
        (Basis::RegisterRight, _) if rights.iter().next().is_none() => return Err(Denied("register-no-right")),
        (Basis::RegisterRight, Some(controller)) if rights.cover(controller) => Registers::new(vec![Register::Controller(controller.clone())]),
        (Basis::RegisterRight, Some(_)) => return Err(Denied("register-no-right")),
        (Basis::RegisterRight | Basis::OwnRegister | Basis::Permission | Basis::Statute | Basis::Wills, _) => rights,
    };
    Ok(Opened { own: own.clone(), rights })
}

/// Decides which of the asker's own registers may be looked into.
///
/// # Errors
/// What stands against it.
pub fn allowed(asking: &Asking<'_>, rules: &QueryRules) -> Result<Registers, Denied> {
    match asking.asker.basis {
        // Whoever may send may ask for a client's wills on behalf of an organisation; that the client is named is seen to before.
        Basis::Wills if asking.registered.is_some() || asking.asker.organisation.is_some() => return Ok(Registers::new(vec![Register::Wills])),
        Basis::Wills => return Err(Denied("register-nobody")),
        Basis::OwnRegister | Basis::RegisterRight | Basis::Permission | Basis::Statute => {}
    }
    let own = match (asking.registered, &asking.asker.organisation) {
        (Some(registered), _) => registered.clone(),
        (None, None) => return Err(Denied("register-nobody")),
        (None, Some(organisation)) => own_registers(organisation, rules),
    };
    match asking.controller {
        None => Ok(own),
        Some(controller) if own.cover(controller) => Ok(Registers::new(vec![Register::Controller(controller.clone())])),
        Some(_) => Err(Denied("register-other")),
    }
}

/// An organisation's own registers: those of every controller under its own OID, and the one of exactly this OID where the organisation is under no known root.
#[must_use]
pub fn own_registers(organisation: &Oid, rules: &QueryRules) -> Registers {
    Registers::new(vec![match rules.organisation_of(organisation) {
        Some(root) => Register::Organisation(root),
        None => Register::Controller(organisation.clone()),
    }])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::codes::source::embedded;

    #[test]
    fn own_registers_open_and_others_do_not() {
        let rules = QueryRules::load(&embedded()).unwrap();
        let oid = |text: &str| Oid::parse(text).unwrap();
        let asker = |basis, organisation: Option<&str>| Asker { basis, organisation: organisation.map(oid), person: None, ground: None };
        let ask = |asker: &Asker, controller: Option<&str>, registered: Option<&Registers>| {
            let controller = controller.map(oid);
            allowed(&Asking { asker, controller: controller.as_ref(), registered }, &rules).map(|r| r.shown())
        };
        let (unit, own, other) = (Some("1.2.246.10.99999992.10.7"), Some("1.2.246.10.99999992.19.1"), Some("1.2.246.10.99999984.19.1"));
        let us = asker(Basis::OwnRegister, unit);
        assert_eq!(ask(&us, None, None).as_deref(), Ok("1.2.246.10.99999992"));
        assert_eq!(ask(&us, own, None).as_deref(), Ok("1.2.246.10.99999992.19.1"));
        assert_eq!(ask(&us, other, None), Err(Denied("register-other")));
        assert_eq!(ask(&asker(Basis::OwnRegister, None), None, None), Err(Denied("register-nobody")));
        // A registration says more than the frame.
        let registered = Registers::new(vec![Register::Controller(oid("1.2.246.10.99999984.19.1"))]);
        assert_eq!(ask(&us, None, Some(&registered)).as_deref(), Ok("1.2.246.10.99999984.19.1"));
        assert_eq!(ask(&us, own, Some(&registered)), Err(Denied("register-other")));
        // More than the own register opens to the registered only, and by right only what the registration names.
        let open = |basis, controller: Option<&str>, registered: Option<&Registers>, rights: &[&str]| {
            let (asker, controller) = (asker(basis, unit), controller.map(oid));
            let rights = Registers::new(rights.iter().map(|text| Register::Controller(oid(text))).collect());
            opened(&Asking { asker: &asker, controller: controller.as_ref(), registered }, rights, &rules)
                .map(|opened| (opened.own.shown(), opened.rights.shown()))
        };
        let (ours, one, right) = ("1.2.246.10.99999984.19.1".to_owned(), own.unwrap(), "register-no-right");
        for basis in [Basis::RegisterRight, Basis::Permission, Basis::Statute] {
            assert_eq!(open(basis, own, None, &[one]), Err(Denied("register-stranger")));
        }
        for basis in [Basis::Permission, Basis::Statute] {
            assert_eq!(open(basis, own, Some(&registered), &[]), Ok((ours.clone(), String::new())));
        }
        assert_eq!(open(Basis::RegisterRight, None, Some(&registered), &[]), Err(Denied(right)));
        assert_eq!(open(Basis::RegisterRight, other, Some(&registered), &[one]), Err(Denied(right)));
        assert_eq!(open(Basis::RegisterRight, own, Some(&registered), &[one, "1.2.3"]), Ok((ours, one.to_owned())));
    }
}
