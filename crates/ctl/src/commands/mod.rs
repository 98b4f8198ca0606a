//! The commands: each carries out one command of the command line, prints the result and returns an exit code. How
//! results look is in `view`; nothing about an upgrade is decided here.

mod account;
mod backup;
mod calls;
mod config;
mod confirm;
mod connect;
mod demo;
mod history;
mod installed_licences;
mod licence;
mod log;
mod login;
mod machine;
mod node;
mod orders;
mod package;
mod room;
mod session;
mod simulate;
mod upgrade;
mod upload;
mod uploads;
mod watch;

use clap::CommandFactory as _;

use self::session::{Session, block_on, output};
use crate::args::{Args, Command, PackagesCommand, UpgradeCommand, UploadsCommand};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal;

/// Runs a command.
///
/// # Errors
/// Why it has failed.
pub(crate) fn run(args: Args) -> Result<Exit, Failure> {
    let Args { global, command } = args;
    match command {
        Command::Package(command) => package::run(&command, output(&global)),
        Command::Licence(command) => licence::run(&global, &command),
        Command::Machine(command) => machine::run(&command, output(&global)),
        Command::Simulate(args) => simulate::run(&global, &args),
        Command::Demo { arguments } => demo::run(&arguments),
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "pitlane", &mut text);
            terminal::print_line(String::from_utf8_lossy(&text).trim_end());
            Ok(Exit::Ok)
        }
        Command::Login => block_on(login::run(&global)),
        Command::Account(command) => block_on(account::run(&global, &command)),
        Command::Node(command) => block_on(async { node::run(&Session::open(&global)?, &command).await }),
        Command::Room(command) => block_on(async { room::rooms(&Session::open(&global)?, &command).await }),
        Command::Location(command) => {
            block_on(async { room::locations(&Session::open(&global)?, &command).await })
        }
        Command::Participant(command) => {
            block_on(async { calls::participants(&Session::open(&global)?, &command).await })
        }
        Command::Conference(command) => {
            block_on(async { calls::conferences(&Session::open(&global)?, &command).await })
        }
        Command::Config(command) => block_on(async { config::run(&Session::open(&global)?, &command).await }),
        Command::Backup(command) => block_on(async { backup::run(&Session::open(&global)?, &command).await }),
        Command::Log(args) => block_on(async { log::run(&Session::open(&global)?, &args).await }),
        Command::Alarm(command) => {
            block_on(async { history::alarms(&Session::open(&global)?, &command).await })
        }
        Command::History(command) => {
            block_on(async { history::history(&Session::open(&global)?, &command).await })
        }
        Command::Upgrade(command) => {
            block_on(async { upgrade_command(&Session::open(&global)?, &command).await })
        }
    }
}

async fn upgrade_command(session: &Session, command: &UpgradeCommand) -> Result<Exit, Failure> {
    match command {
        UpgradeCommand::Upload(args) => upload::run(session, args).await,
        UpgradeCommand::Check { package, policy } => {
            upgrade::check(session, package.as_deref(), policy).await
        }
        UpgradeCommand::Start(args) => upgrade::start(session, args).await,
        UpgradeCommand::Pause { reason } => orders::pause(session, reason.as_deref()).await,
        UpgradeCommand::Resume { reason } => orders::resume(session, reason.as_deref()).await,
        UpgradeCommand::Stop { reason, yes } => orders::stop(session, reason.as_deref(), *yes).await,
        UpgradeCommand::Status => upgrade::status(session).await,
        UpgradeCommand::Watch(args) => watch::run(session, args).await,
        UpgradeCommand::History(args) => upgrade::history(session, args.run).await,
        UpgradeCommand::Packages { command } => match command.as_ref().unwrap_or(&PackagesCommand::List) {
            PackagesCommand::List => upgrade::packages(session).await,
            PackagesCommand::Remove { package } => upgrade::remove_package(session, package).await,
        },
        UpgradeCommand::Uploads { command } => match command.as_ref().unwrap_or(&UploadsCommand::List) {
            UploadsCommand::List => uploads::list(session).await,
            UploadsCommand::Remove { upload } => uploads::remove(session, upload).await,
        },
    }
}
