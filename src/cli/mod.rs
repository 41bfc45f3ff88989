//! Floor 4: the command line, a command a file.
