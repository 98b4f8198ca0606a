//! The program of the Management Node: reads the settings, puts the parts together, runs.

fn main() {}
