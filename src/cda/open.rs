//! Finds the document in a message: bare, or carried by a frame.
