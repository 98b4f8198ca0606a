//! `pitlane`: the command line of the platform.
//!
//! It is a client of the management API, and works on local files through the crates `package` and `slots`. It
//! decides nothing about an upgrade: what may start, what waits and why comes from the Management Node and is printed
//! in its words. Only the forecast of `pitlane simulate` is computed here, by crate `sim`.
//!
//! Results go to standard output, messages and progress to standard error.

mod args;

mod client;
mod client_error;
mod password;
mod password_input;
mod profile;
mod trust;

mod api;
mod span;
mod text;

mod view;

mod simulate;

mod terminal;

mod commands;
mod exit;
mod failure;

use std::process::ExitCode;

use clap::Parser as _;

use args::Args;

fn main() -> ExitCode {
    let args = Args::parse();
    let json = args.global.json;
    let exit = match commands::run(args) {
        Ok(exit) => exit,
        Err(failure) => {
            failure::report(&failure, json);
            failure.exit()
        }
    };
    exit.into()
}
