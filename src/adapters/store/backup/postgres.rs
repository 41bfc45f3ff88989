//! PostgreSQL: every table from one snapshot, as `COPY` gives it in its binary form. The server needs no program of its own for it, and the form is the same from
//! version to version for the four types that the tables have.

use std::path::Path;

use futures_util::StreamExt as _;
use sqlx::postgres::PgConnection;
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;

use super::{Broken, Copied, CopiedFile, Dialect, Hashed, PIECE, copying, described, text};
use crate::adapters::store::fault::Fault;
use crate::adapters::store::line::Line;
use crate::adapters::store::lines::{Address, close};
use crate::adapters::store::migrate;

/// One moment, seen to the end; nothing is locked but against changes of the tables themselves.
const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
/// Tables and their columns in order. What was run is not copied: the copy is laid with those migrations again.
const COLUMNS: &str = "SELECT c.relname::text, a.attname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid \
     WHERE n.nspname = current_schema() AND c.relkind = 'r' AND c.relname <> 'migration' AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' \
     ORDER BY c.relname, a.attnum";
/// Numbers that the database draws go on behind the last one.
const NUMBERS: &str = "SELECT c.relname::text, a.attname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid \
     WHERE n.nspname = current_schema() AND c.relkind = 'r' AND a.attidentity <> ''";

pub(super) async fn copy_out(address: &Address, folder: &Path) -> Result<Copied, Broken> {
    let mut line = copying(address).connect().await?;
    line.script(SNAPSHOT).await?;
    let mut copied = described(&mut line, Dialect::Postgres).await?;
    for (table, columns) in tables(&mut line).await? {
        let statement = format!("COPY {} ({}) TO STDOUT (FORMAT binary)", quoted(&table), columns.iter().map(|c| quoted(c)).collect::<Vec<_>>().join(", "));
        let mut file = Hashed::create(folder, format!("{table}.copy")).await?;
        let mut pieces = connection(&mut line)?.copy_out_raw(&statement).await?;
        while let Some(piece) = pieces.next().await {
            file.write(&piece?).await?;
        }
        drop(pieces);
        copied.files.push(file.finish(table, columns).await?);
    }
    line.rollback().await?;
    close(line).await;
    Ok(copied)
}

pub(super) async fn copy_in(address: &Address, folder: &Path, copied: &Copied) -> Result<(), Broken> {
    let mut line = copying(address).connect().await?;
    line.begin().await?;
    let there = line
        .one(
            "SELECT 1::bigint FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = current_schema() AND c.relkind = 'r' LIMIT 1",
            &[],
        )
        .await?;
    if !there.is_empty() {
        return Err(Broken::Other("the database is not empty: an archive is restored into a fresh one only (createdb)".to_owned()));
    }
    migrate::lay(&mut line, address, &copied.migrations).await.map_err(|outage| Broken::Other(outage.detail))?;
    let known = tables(&mut line).await?;
    for file in &copied.files {
        if !known.iter().any(|(table, columns)| *table == file.table && file.columns.iter().all(|c| columns.contains(c))) {
            return Err(Broken::Other(format!("{}: no such table or columns in the release that made the copy", file.name)));
        }
        // What the migrations put there is in the copy too.
        line.script(&format!("TRUNCATE {}", quoted(&file.table))).await?;
        copy_table(connection(&mut line)?, folder, file).await?;
    }
    let numbers = line.one(NUMBERS, &[]).await?;
    for row in numbers {
        let (table, column) = (row.need_text(0)?, row.need_text(1)?);
        let statement = format!(
            "SELECT setval(pg_get_serial_sequence($1, $2), coalesce((SELECT max({0}) FROM {1}), 1), (SELECT max({0}) FROM {1}) IS NOT NULL)",
            quoted(&column),
            quoted(&table)
        );
        line.composed(statement, &[text(&table), text(&column)]).await?;
    }
    line.commit().await?;
    line.script("ANALYZE").await?;
    close(line).await;
    Ok(())
}

async fn copy_table(line: &mut PgConnection, folder: &Path, of: &CopiedFile) -> Result<(), Broken> {
    let columns: Vec<String> = of.columns.iter().map(|c| quoted(c)).collect();
    let statement = format!("COPY {} ({}) FROM STDIN (FORMAT binary)", quoted(&of.table), columns.join(", "));
    let mut file = File::open(folder.join(&of.name)).await?;
    let mut copy = line.copy_in_raw(&statement).await?;
    let mut piece = vec![0; PIECE];
    // Ends with the file.
    loop {
        let length = file.read(&mut piece).await?;
        let Some(read) = piece.get(..length).filter(|read| !read.is_empty()) else { break };
        copy.send(read).await?;
    }
    copy.finish().await?;
    Ok(())
}

async fn tables(line: &mut Line) -> Result<Vec<(String, Vec<String>)>, Broken> {
    let mut tables: Vec<(String, Vec<String>)> = Vec::new();
    for row in line.one(COLUMNS, &[]).await? {
        let (table, column) = (row.need_text(0)?, row.need_text(1)?);
        match tables.last_mut().filter(|(last, _)| *last == table) {
            Some((_, columns)) => columns.push(column),
            None => tables.push((table, vec![column])),
        }
    }
    Ok(tables)
}

fn connection(line: &mut Line) -> Result<&mut PgConnection, Broken> {
    match line {
        Line::Postgres(line) => Ok(line),
        Line::Sqlite(_) => Err(Fault::Wrong("not PostgreSQL".to_owned()).into()),
    }
}

/// As a name in a statement: names come from the database's own tables, or from a copy's description, and are text all the same.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
