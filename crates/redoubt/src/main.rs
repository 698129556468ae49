//! The `redoubt` binary.
fn main() {}
