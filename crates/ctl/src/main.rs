//! `pitlane`: the command line of the platform.
//!
//! It speaks the Management Node's REST and works on local files through the crates `package` and
//! `slots`. It must not decide anything about an upgrade: what may start, what waits and why is the
//! Management Node's to say, and is printed here in its words.
//!
//! Standard output is the answer, standard error the story.

mod args;

mod client;
mod no_answer;
mod profile;
mod secret;
mod trust;

mod api;
mod span;
mod text;
mod when;

mod view;

mod simulate;

mod terminal;

mod commands;
mod failure;

use std::process::ExitCode;

use clap::Parser as _;

use args::Args;
use failure::Exit;

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

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
