//! The commands: each asks, prints the answer and gives an exit code.

mod account;
mod confirm;
mod connect;
mod demo;
mod login;
mod machine;
mod node;
mod package;
mod room;
mod simulate;
mod upgrade;
mod upload;
mod uploads;
mod watch;

use clap::CommandFactory as _;

use crate::args::{Args, Command, Global, PackagesCommand, UpgradeCommand, UploadsCommand};
use crate::client::{Client, Connection};
use crate::failure::{Exit, Failure};
use crate::terminal;
use crate::view::Canvas;

/// What a command that asks the Management Node works with.
pub(crate) struct Session {
    client: Client,
    canvas: Canvas,
    output: Output,
}

/// In which form the answer is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// For people.
    Words,
    /// The API's own objects.
    Json,
}

impl Session {
    fn open(global: &Global) -> Result<Self, Failure> {
        Self::over(global, connect::connection(global)?)
    }

    fn over(global: &Global, connection: Connection) -> Result<Self, Failure> {
        let client = Client::new(connection)?;
        Ok(Self { client, canvas: Canvas::stdout(), output: output(global) })
    }

    /// Prints an object as it came, or in words.
    fn answer(&self, object: &serde_json::Value, words: impl FnOnce() -> Vec<String>) {
        match self.output {
            Output::Json => terminal::print_json(object),
            Output::Words => terminal::print(&words()),
        }
    }

    /// Says what was done. The Management Node had nothing to say to it, so with `--json` neither
    /// have we on standard output.
    fn done(&self, sentence: &str) {
        match self.output {
            Output::Json => terminal::tell(sentence),
            Output::Words => terminal::print_line(sentence),
        }
    }
}

fn output(global: &Global) -> Output {
    if global.json { Output::Json } else { Output::Words }
}

/// Runs a command.
///
/// # Errors
/// Why it did not do what it was asked to.
pub(crate) fn run(args: Args) -> Result<Exit, Failure> {
    let Args { global, command } = args;
    match command {
        Command::Package(command) => package::run(&command, output(&global)),
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

/// One thread is enough to wait for one answer at a time.
fn block_on<T>(command: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(Failure::io("start the runtime"))?.block_on(command)
}
