//! Who does what a command does: the user of this machine, or the caller of the API for whom the command runs.

use std::cell::RefCell;

/// The longest name taken from the environment, in characters: 64 octets at most.
const NAME: usize = 16;

thread_local! {
    /// The caller for whom this thread runs a command.
    static CALLER: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The actor of what this thread's command does, for logs and tables: `operator:USER`, or `api:NAME` of a token.
#[must_use]
pub(crate) fn actor() -> String {
    CALLER.with_borrow(Clone::clone).unwrap_or_else(|| {
        let user = std::env::var("USER").unwrap_or_else(|_| "unknown".to_owned());
        format!("operator:{}", user.chars().filter(|c| !c.is_control()).take(NAME).collect::<String>())
    })
}

/// Does some work of this thread as a caller of the API.
pub(super) fn calling_as<T>(caller: &str, work: impl FnOnce() -> T) -> T {
    CALLER.set(Some(format!("api:{caller}")));
    let done = work();
    CALLER.set(None);
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_is_the_actor_of_its_own_work_only() {
        assert_eq!(calling_as("night", actor), "api:night");
        assert!(actor().starts_with("operator:"));
    }
}
