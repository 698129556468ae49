//! The bytes of what is written, row by row, and an output that fails.
