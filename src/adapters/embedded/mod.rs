//! An in-process broker that keeps the same promises as far as one process can.
