//! Floor 1: makes realistic documents and messages of synthetic persons, valid or with one chosen fault: for samples, tests, demo and benches.
