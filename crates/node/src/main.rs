//! node.

fn main() {}
