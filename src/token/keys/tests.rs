//! Directories of keys in every state, good and bad.
