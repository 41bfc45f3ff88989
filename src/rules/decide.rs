//! New, repeated, conflict, held, refused: the one decision.
