//! The admission server.

fn main() {}
