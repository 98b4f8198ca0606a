//! The operator's rules with real processes and real calls: the programs as they are installed, on the loopback
//! addresses of the test's process.

mod clients;
mod copies;
mod faults;
mod fixture;
mod forecast;
mod licences;
mod live_calls;
mod mixed;
mod packages;
mod restored;
mod rules;
