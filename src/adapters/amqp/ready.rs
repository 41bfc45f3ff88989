//! Whether a partition queue can be consumed. RabbitMQ shows a quorum queue before its process runs, after it has ended, and when it has fallen; a
//! `basic.consume` then kills the broker's channel (`noproc`), and with a channel that dies so RabbitMQ closes the whole connection: everything else in hand
//! on it would come again, to another instance, and one sick partition would keep all the others from being consumed. So such a queue is first asked on
//! a connection of its own.

use lapin::options::{BasicGetOptions, QueueDeclareOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{Connection, ErrorKind};

use super::connect::{asked, connect};
use super::settings::AmqpSettings;

/// The reply code with which a queue of a single active consumer refuses a `basic.get`: it runs, and gives nothing away.
const RESOURCE_LOCKED: u16 = 405;

/// What a look at a partition queue found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// Its process answers.
    Ready,
    /// It is shown, and nobody answers for it: just made, or just deleted.
    NotYet,
}

/// Looks for the queue on `connection`, which that does no harm to, and asks its process on a connection of its own.
///
/// # Errors
///
/// The queue is not there (`NOT_FOUND`), or `connection` is gone.
pub(super) async fn look(settings: &AmqpSettings, connection: &Connection, queue: &str) -> lapin::Result<Seen> {
    let channel = asked(connection.create_channel()).await?;
    let options = QueueDeclareOptions { passive: true, durable: true, exclusive: false, auto_delete: false, nowait: false };
    asked(channel.queue_declare(queue.into(), options, FieldTable::default())).await?;
    asked(channel.close(200, "OK".into())).await?;
    Ok(ask(settings, queue.into()).await)
}

async fn ask(settings: &AmqpSettings, queue: ShortString) -> Seen {
    let Ok(connection) = connect(settings, "look").await else { return Seen::NotYet };
    let answer = async {
        let channel = asked(connection.create_channel()).await?;
        asked(channel.basic_get(queue, BasicGetOptions { no_ack: false })).await
    };
    let seen = match answer.await {
        // A queue that was declared without a single active consumer gives a message; it goes back with the channel.
        Ok(_) => Seen::Ready,
        Err(error) if is_locked(&error) => Seen::Ready,
        Err(_) => Seen::NotYet,
    };
    if connection.status().connected() {
        let _ = asked(connection.close(200, "OK".into())).await;
    }
    seen
}

fn is_locked(error: &lapin::Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(said) if said.get_id() == RESOURCE_LOCKED)
}
