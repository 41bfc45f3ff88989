//! Renders and reads the acknowledgement MCCI_IN000002UV01.
