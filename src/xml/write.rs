//! Writing XML: escaping and nothing else.
