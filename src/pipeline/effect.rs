//! Decisions become commits here: every answer is drafted, every ledger entry filled in. Pure but for the time it is given.
