//! XMLDSig in the one strict profile of documents.md §4.2.
