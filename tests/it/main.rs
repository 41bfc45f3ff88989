//! The one integration binary; a module a subject. Real RabbitMQ, real PostgreSQL, real tools.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

/// Each function of a suite as two tests, one an archive: `subject: name, name;` runs `subject::name(Place)` on PostgreSQL and on SQLite.
macro_rules! on_both {
    ($($subject:ident: $($name:ident),* $(,)?;)*) => {
        mod postgres {
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$subject::$name(crate::store::place::Place::postgres().await).await;
                }
            )*)*
        }
        mod sqlite {
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$subject::$name(crate::store::place::Place::sqlite()).await;
                }
            )*)*
        }
    };
}

mod amqp;
mod cda;
mod console;
mod deploy;
mod desk;
mod disclosure;
mod faces;
mod faults;
mod generate;
mod hostile;
mod imports;
mod kit;
mod ledger;
mod lifecycle;
mod lilm;
mod messages;
mod operating;
mod order;
mod pages;
mod queries;
mod refs;
mod refusals;
mod road;
mod rules;
mod runbook;
mod sign;
mod sink;
mod store;
mod testers;
mod tidy;
mod watch;
mod who;
mod wills;
mod xml;
