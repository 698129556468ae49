//! Files made by stock, damaged files, and what is written read back.
