//! Reads the transfer frame (siirtokehys).
