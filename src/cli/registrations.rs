//! What `arkki doctor` says of registered systems and of the validation service's address.

use std::collections::BTreeMap;

use crate::adapters::amqp::doctor::{Check, State, Users};
use crate::config::checked::Config;
use crate::domain::access::Registration;
use crate::domain::time::Moment;

/// From how many days before its end a registration is spoken of.
const SOON: std::time::Duration = std::time::Duration::from_secs(60 * 86_400);

/// Looks at every registration. `users`: what the broker says of its users.
#[must_use]
pub fn checks(config: &Config, users: &Users, now: Moment) -> Vec<Check> {
    let mut out = vec![door(config)];
    out.extend(shared_devices(config));
    for system in config.register.systems() {
        let faults = faults(system, users, now);
        if faults.is_empty() {
            out.push(check(&label(system), State::Well, summary(system), None));
        }
        out.extend(faults);
    }
    if let (Users::Unseen(why), true) = (users, config.register.systems().next().is_some()) {
        let mend = "set [broker] management_url to a user with the tag administrator: rabbitmqctl set_user_tags USER administrator";
        out.push(check("registered users", State::Unseen, format!("whether the broker has them was not seen: {why}"), Some(mend.to_owned())));
    }
    out.extend(validation(config));
    out
}

/// Whether everybody is known by their registration.
fn door(config: &Config) -> Check {
    let count = config.register.systems().count();
    match (config.register.registered_only, count) {
        (true, 0) => {
            let mend = "write a [registrations.NAME] for each system, docs/access.md shows one";
            check(
                "registrations",
                State::Unwell,
                "only registered systems may send, and none is registered: every message is refused (E850)".into(),
                Some(mend.into()),
            )
        }
        (true, count) => check("registrations", State::Well, format!("{count}; nobody else may send"), None),
        (false, count) => check("registrations", State::Well, format!("{count}; who is not registered may send too ([access] registered_only)"), None),
    }
}

/// A device that two users' registrations name: whoever comes first would be taken for the other.
fn shared_devices(config: &Config) -> Vec<Check> {
    let mut owners: BTreeMap<&str, Vec<&Registration>> = BTreeMap::new();
    for system in config.register.systems() {
        for device in &system.devices {
            owners.entry(device.as_str()).or_default().push(system);
        }
    }
    let is_shared = |systems: &[&Registration]| systems.iter().any(|s| systems.first().is_some_and(|first| first.user != s.user));
    let shared = owners.into_iter().filter(|(_, systems)| is_shared(systems));
    shared
        .map(|(device, systems)| {
            let names: Vec<&str> = systems.iter().map(|s| s.name.as_str()).collect();
            let what = format!("{device} stands under {} with different users", names.join(" and "));
            check("registered devices", State::Unwell, what, Some("leave each device with the one system it belongs to".to_owned()))
        })
        .collect()
}

fn faults(system: &Registration, users: &Users, now: Moment) -> Vec<Check> {
    let mut out = Vec::new();
    let mut fault = |what: String, mend: String| out.push(check(&label(system), State::Unwell, what, Some(mend)));
    if let Users::These(known) = users
        && !known.contains(&system.user)
    {
        fault(format!("the broker has no user {}", system.user), format!("rabbitmqctl add_user '{}' and set_permissions, or mend user", system.user));
    }
    if let Some(Err(written)) = &system.certificate {
        fault(
            format!("certificate_sha256 is no SHA-256: {} characters", written.chars().count()),
            "openssl x509 -in certificate.pem -noout -fingerprint -sha256".to_owned(),
        );
    }
    if system.devices.is_empty() {
        fault("no device is named: its frames are refused (E852), only bare documents are taken".to_owned(), "name its device OIDs in devices".to_owned());
    }
    match (system.is_in_force(now), system.days) {
        (true, (_, Some(last))) if last < now.plus(SOON).helsinki_date() => {
            fault(format!("it ends on {}", day(last)), "renew it: a later until".to_owned());
        }
        (false, (Some(first), _)) if now.helsinki_date() < first => fault(format!("it begins only on {}", day(first)), "check from, or wait".to_owned()),
        (false, (_, Some(last))) => {
            fault(format!("it ended on {}: its messages are refused (E851)", day(last)), "renew it: a later until; or take it out".to_owned())
        }
        (true, _) | (false, (_, None)) => {}
    }
    out
}

fn summary(system: &Registration) -> String {
    let whose = if system.controllers.is_empty() { format!("all of {}", system.organisation) } else { format!("{} controllers", system.controllers.len()) };
    let until = system.days.1.map_or_else(String::new, |last| format!(", until {}", day(last)));
    format!("{} as user {}, {} devices, {whose}{until}", system.profile.as_str(), system.user, system.devices.len())
}

/// The validation service has no password: whoever reaches its address may use it.
fn validation(config: &Config) -> Option<Check> {
    let address = config.validate?;
    Some(if address.ip().is_loopback() {
        check("validation service", State::Well, format!("answers on {address}"), None)
    } else {
        let mend = "listen on 127.0.0.1, behind a proxy that knows who may; or leave it only where the network keeps strangers out";
        check("validation service", State::Unwell, format!("{address} is reached from other machines, and it asks nobody who they are"), Some(mend.to_owned()))
    })
}

fn label(system: &Registration) -> String {
    format!("registration {}", system.name)
}

fn day(date: crate::domain::document::Date) -> String {
    format!("{:04}-{:02}-{:02}", date.year, date.month, date.day)
}

fn check(name: &str, state: State, what: String, mend: Option<String>) -> Check {
    Check { name: name.to_owned(), state, what, mend, loses: false }
}
