//! When the glass was last broken: somebody opened the archivist's pages beyond their roles, and wakes whoever watches.

use super::fault::Fault;
use super::line::Line;
use crate::domain::time::Moment;

/// The word stands in the statement, as it does in the condition of the index that answers it.
const BROKEN: &str = "SELECT max(at) FROM access_log WHERE action = 'break-glass'";

/// The last time; `None` where nobody ever did.
///
/// # Errors
/// As the database says.
pub(super) async fn broken(line: &mut Line) -> Result<Option<Moment>, Fault> {
    let rows = line.one(BROKEN, &[]).await?;
    Ok(rows.first().map(|row| row.int(0)).transpose()?.flatten().map(Moment::from_micros))
}
