//! The operator's rules with real processes and real calls: the programs as they are installed, on
//! loopback addresses of each test's own.

mod clients;
mod copies;
mod faults;
mod forecast;
mod mixed;
mod packages;
mod rules;
mod world;
