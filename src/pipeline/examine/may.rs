//! Whether the sender may ask for what a message asks for, judged as soon as each part of the question is known: who it is, with which device, what for,
//! in whose register. Where nobody sends (`arkki validate`) nothing is asked.

use std::collections::BTreeMap;

use super::Examiner;
use super::examined::Look;
use crate::codes::access::act_of;
use crate::domain::access::{Act, Asked, Denial, Grant, Register, Registration};
use crate::domain::code::Code;
use crate::domain::document::Header;
use crate::domain::finding::{Finding, Place};
use crate::domain::language::Language;
use crate::domain::lifecycle::{EventKind, EventRequest};
use crate::domain::notice::OutsideDisclosure;
use crate::domain::query::{self, Basis, Query, Registers};
use crate::domain::will::Wills;
use crate::rules::disclose::{self, Opened, Standing};
use crate::v3::frame::Frame;
use crate::xml::tree::{self, Document, HL7, Node};

/// What a site says of its senders.
#[derive(Debug, Clone, Default)]
pub struct Senders {
    /// The registered systems.
    pub register: Register,
    /// Languages of answers to single senders, where they are not the site's.
    pub languages: BTreeMap<String, Language>,
    /// AE goes out where an answer would be AR.
    pub only_ae: bool,
}

impl Examiner {
    /// Whether this user may send at all: a bare document says nothing more before its header is read.
    pub(super) fn may_send(&self, look: &mut Look) -> Result<(), Vec<Finding>> {
        self.may(look, Asked::default(), |_| Place::whole())
    }

    /// Whether this user may send with this device, and ask for this at all.
    pub(super) fn may_ask(&self, look: &mut Look, carrier: &Document<'_>, frame: &Frame) -> Result<(), Vec<Finding>> {
        let request = &frame.service_request;
        let asked = Asked { act: act_of(request.operation), request: Some(&request.code), ..Asked::default() };
        self.may(look, asked, |denial| place_in_frame(carrier, &request.code, denial))
    }

    /// Whether this user may do this with a document of this controller.
    pub(super) fn may_touch(&self, look: &mut Look, document: &Document<'_>, frame: Option<&Frame>, header: &Header) -> Result<(), Vec<Finding>> {
        let by_version = if header.replaces.is_some() { Act::Replace } else { Act::Store };
        let act = match frame.and_then(|f| act_of(f.service_request.operation)) {
            None | Some(Act::Store | Act::Replace) => by_version,
            Some(other) => other,
        };
        let request = frame.map(|f| f.service_request.code.as_str());
        let asked = Asked { act: Some(act), request, controller: Some(header.controller.as_str()), ..Asked::default() };
        let path: &[&str] = &["custodian", "assignedCustodian", "representedCustodianOrganization", "id"];
        self.may(look, asked, |denial| match denial {
            Denial::Controller | Denial::Right => attribute_at(document.root_element(), path, "root"),
            Denial::Profile(..) => attribute_at(document.root_element(), &["versionNumber"], "value"),
            Denial::Unknown | Denial::Device => Place::whole(),
        })
    }

    /// Whether this user may invalidate or reinstate in this controller's register.
    pub(super) fn may_mark(&self, look: &mut Look, event: &EventRequest) -> Result<(), Vec<Finding>> {
        let act = match event.kind {
            EventKind::Invalidated => Act::Invalidate,
            EventKind::Reinstated => Act::Reinstate,
        };
        let asked = Asked { act: Some(act), request: Some(&event.request), controller: Some(event.controller.as_str()), ..Asked::default() };
        self.may(look, asked, |_| event.places.controller.clone())
    }

    /// Whether this user may report disclosures of these controllers' data, with the system that the event names: whoever may store into a register may.
    pub(super) fn may_report(&self, look: &mut Look, message: &Document<'_>, event: &OutsideDisclosure) -> Result<(), Vec<Finding>> {
        for section in &event.sections {
            let asked =
                Asked { act: Some(Act::Store), device: Some(event.system.as_str()), controller: Some(section.controller.id.as_str()), ..Asked::default() };
            self.may(look, asked, |_| tree::place(message.root_element()))?;
        }
        Ok(())
    }

    /// Whether a stranger may look where it asks: not on behalf of an organisation that has registered systems.
    pub(super) fn may_look(&self, look: &Look, query: &Query, place: &Place) -> Result<(), Vec<Finding>> {
        let is_stranger = look.user.is_some() && look.grant.systems().next().is_none();
        let Some(organisation) = query.asker.organisation.as_ref().filter(|_| is_stranger) else { return Ok(()) };
        let own = disclose::own_registers(organisation, &self.rules.query);
        if own.iter().filter_map(query::Register::oid).any(|oid| self.site.senders.register.has_part_in(oid)) {
            return Err(vec![Finding::new(Code::E835, place.clone()).with("rule", "register-not-own")]);
        }
        Ok(())
    }

    /// What a query stands on under these registrations, as far as they and the query itself tell: the client's link and wills are taken as the best.
    ///
    /// # Errors
    /// Why nothing is searched: the registers it asks for, or what the asker itself is wanting.
    pub(in crate::pipeline) fn standing(&self, query: &Query, grant: &Grant, has_purpose: bool, place: &Place) -> Result<Standing, Finding> {
        if query.asker.basis == Basis::Wills && query.criteria.client.is_none() {
            return Err(Finding::new(Code::E725, place.clone()));
        }
        let registered = registers_of(grant);
        let asking = disclose::Asking { asker: &query.asker, controller: query.criteria.controller.as_ref(), registered: registered.as_ref() };
        let rights = grant.systems().flat_map(|system| system.register_rights.iter().cloned().map(query::Register::Controller)).collect();
        let denied = |denied: disclose::Denied| Finding::new(Code::E835, place.clone()).with("rule", denied.0);
        let Opened { own, rights } = disclose::opened(&asking, Registers::new(rights), &self.rules.query).map_err(denied)?;
        let standing = Standing {
            basis: query.asker.basis,
            ground: query.asker.ground.as_deref().and_then(|code| self.rules.disclosure.ground(code)).cloned(),
            has_purpose,
            manages: grant.systems().next().is_some() && grant.systems().all(|system| system.disclosure_management),
            is_linked: true,
            wills: Wills::default(),
            own,
            rights,
            unmanaged: unmanaged(&self.site.senders.register),
        };
        self.not_wanting(&standing, place)?;
        Ok(standing)
    }

    /// Whether the asker itself lacks nothing.
    ///
    /// # Errors
    /// What it lacks.
    pub(in crate::pipeline) fn not_wanting(&self, standing: &Standing, place: &Place) -> Result<(), Finding> {
        match standing.basis {
            // The own register and a client's wills ask for nothing more.
            Basis::OwnRegister | Basis::Wills => Ok(()),
            Basis::RegisterRight | Basis::Permission | Basis::Statute => match standing.wanting(self.rules.disclosure.table()) {
                None => Ok(()),
                Some(code) => Err(Finding::new(code, place.clone()).with("rule", "register-no-right")),
            },
        }
    }

    fn may(&self, look: &mut Look, asked: Asked<'_>, place: impl Fn(Denial) -> Place) -> Result<(), Vec<Finding>> {
        let Some(user) = &look.user else { return Ok(()) };
        let device = asked.device.or_else(|| look.head.sender.as_ref().filter(|_| look.framed).map(|id| id.root.as_str()));
        let judged = self.site.senders.register.judge(&self.rules.access, &Asked { user: user.as_str(), device, ..asked });
        match judged {
            Ok(grant) => {
                look.grant = grant;
                Ok(())
            }
            Err(denial) => Err(vec![finding(denial, place(denial))]),
        }
    }
}

/// The registers that the sender's registrations give it; `None` where it needs no registration.
fn registers_of(grant: &Grant) -> Option<Registers> {
    let registers: Vec<query::Register> = grant.systems().flat_map(own_of).collect();
    (!registers.is_empty()).then(|| Registers::new(registers))
}

/// The registers that a registered system answers for.
fn own_of(system: &Registration) -> Vec<query::Register> {
    match system.controllers.as_slice() {
        [] => vec![query::Register::Organisation(system.organisation.clone())],
        controllers => controllers.iter().cloned().map(query::Register::Controller).collect(),
    }
}

/// The registers of systems that do not manage disclosures, and those of systems that do: where both answer for one, it is managed.
fn unmanaged(register: &Register) -> Option<(Registers, Registers)> {
    let of = |manages: bool| register.systems().filter(move |system| system.disclosure_management == manages).flat_map(own_of).collect::<Vec<_>>();
    let without = of(false);
    (!without.is_empty()).then(|| (Registers::new(without), Registers::new(of(true))))
}

fn finding(denial: Denial, place: Place) -> Finding {
    let new = |code| Finding::new(code, place.clone());
    match denial {
        Denial::Unknown => new(Code::E850),
        Denial::Device => new(Code::E852),
        Denial::Profile(profile, act) => new(Code::E853).with("profile", profile.as_str()).with("rule", act.word()),
        Denial::Controller => new(Code::E854).with("rule", "register-not-own"),
        Denial::Right => new(Code::E854).with("rule", "register-no-right"),
    }
}

fn place_in_frame(carrier: &Document<'_>, request: &str, denial: Denial) -> Place {
    let root = carrier.root_element();
    match denial {
        Denial::Unknown | Denial::Device => attribute_at(root, &["sender", "device", "id"], "root"),
        Denial::Profile(..) | Denial::Controller | Denial::Right => {
            let reasons = tree::child(root, HL7, "controlActProcess").into_iter().flat_map(|c| tree::children(c, HL7, "reasonCode"));
            let reason = reasons.into_iter().find(|r| r.attribute("code") == Some(request));
            reason.map_or_else(Place::whole, |r| tree::attribute_place(r, "code"))
        }
    }
}

fn attribute_at(root: Node<'_, '_>, path: &[&str], attribute: &str) -> Place {
    let found = path.iter().try_fold(root, |node, name| tree::child(node, HL7, name));
    found.map_or_else(Place::whole, |node| tree::attribute_place(node, attribute))
}
