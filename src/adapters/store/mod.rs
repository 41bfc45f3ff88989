//! The archive in PostgreSQL and SQLite through sqlx.
