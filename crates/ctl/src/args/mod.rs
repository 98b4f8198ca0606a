//! The definition of the command line: commands, arguments and the text of `--help`. What a command does is in
//! `commands`.

mod account;
mod backup;
mod calls;
mod config;
mod history;
mod licence;
mod local;
mod platform;
mod simulate;
mod upgrade;

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueHint};
use fleet::version::Release;

pub(crate) use account::{AccountCommand, PasswordArgs};
pub(crate) use backup::BackupCommand;
pub(crate) use calls::{ConferenceCommand, DialArgs, ParticipantCommand};
pub(crate) use config::{ConfigCommand, LogArgs};
pub(crate) use history::{AlarmCommand, HistoryCommand, PastArgs};
pub(crate) use licence::{LicenceCommand, SignArgs};
pub(crate) use local::{BuildArgs, InstallArgs, MachineCommand, PackageCommand, ProtectionArgs, SignerArgs};
pub(crate) use platform::{AddNode, LocationCommand, MaintenanceCommand, NodeCommand, RoomCommand};
pub(crate) use simulate::{Clock, DayArg, LocationArg, SimulateArgs};
pub(crate) use upgrade::{
    PackagesCommand, PolicyArgs, StartArgs, UpgradeCommand, UploadArgs, UploadsCommand, WatchArgs,
};

/// Printed below every help.
const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  it failed
  2  the command was not understood
  3  refused or blocked; nothing was changed
  4  the run ended, but not with every node upgraded
  5  the Management Node cannot be reached, is not trusted, or does not accept the user
  130  it was interrupted

Results go to standard output, messages and progress to standard error. Times are UTC.";

/// The release that this program belongs to. Leaked once, because clap wants a static text.
fn version() -> &'static str {
    Release::PRESENT.to_string().leak()
}

/// Upgrades a conferencing platform under live calls, and shows how far it is.
#[derive(Debug, Parser)]
#[command(name = "pitlane", version = version(), after_help = EXIT_CODES, max_term_width = 100)]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct Args {
    /// What every command takes.
    #[command(flatten)]
    pub(crate) global: Global,
    /// The command.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes. Whatever is not given comes from the profile that `login` saved.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Management Node")]
pub(crate) struct Global {
    /// The address of the Management Node, like https://manager.example:8443.
    #[arg(long, global = true, env = "PITLANE_MANAGER", value_name = "URL", value_hint = ValueHint::Url)]
    pub(crate) manager: Option<String>,
    /// The certificate of the platform's authority, in PEM form.
    #[arg(long, global = true, env = "PITLANE_AUTHORITY", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) authority: Option<PathBuf>,
    /// The fingerprint of the authority's or the Management Node's certificate: sha256:…
    #[arg(long, global = true, env = "PITLANE_FINGERPRINT", value_name = "SHA256")]
    pub(crate) fingerprint: Option<String>,
    /// The user.
    #[arg(long, global = true, env = "PITLANE_USER", value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// A file whose first line is the password. PITLANE_PASSWORD is used if it is not given.
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) password_file: Option<PathBuf>,
    /// Prints the API's own objects on standard output, and nothing else there.
    #[arg(long, global = true, help_heading = "Output")]
    pub(crate) json: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Checks the login at the Management Node, and saves it with the address in a profile.
    Login,
    /// Your account on the Management Node.
    #[command(subcommand)]
    Account(AccountCommand),
    /// Conferencing Nodes: list, add, remove, maintenance mode.
    #[command(subcommand)]
    Node(NodeCommand),
    /// Virtual Meeting Rooms and their aliases.
    #[command(subcommand)]
    Room(RoomCommand),
    /// System locations.
    #[command(subcommand)]
    Location(LocationCommand),
    /// Who is in a call now: list, mute, disconnect, dial.
    #[command(subcommand)]
    Participant(ParticipantCommand),
    /// The conferences that last now: list, lock, disconnect.
    #[command(subcommand)]
    Conference(ConferenceCommand),
    /// Anything that is configured: accounts, roles, locations and more, field by field.
    ///
    /// What there is and which fields it has comes from the Management Node: `pitlane config resources`, then
    /// `pitlane config fields RESOURCE`.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Backups of the Management Node: make, list, download, delete, restore.
    #[command(subcommand)]
    Backup(BackupCommand),
    /// Who changed what on the Management Node.
    Log(LogArgs),
    /// What an operator should look at.
    #[command(subcommand)]
    Alarm(AlarmCommand),
    /// Past conferences and participants, and what has happened to nodes.
    #[command(subcommand)]
    History(HistoryCommand),
    /// Upgrades of the platform: upload, check, start, watch.
    #[command(subcommand)]
    Upgrade(UpgradeCommand),
    /// Forecasts an upgrade: how long it takes, and what capacity and calls it costs.
    ///
    /// The decisions of the Management Node and of the nodes are simulated over many random days, with calls that
    /// begin, last and move to other nodes. Sizes and load are options, which needs no login, or are read from the
    /// running platform. The result is a table; with --json an object, and with --svg a picture in addition.
    Simulate(Box<SimulateArgs>),
    /// Upgrade packages on this machine: make keys, build, inspect, verify.
    #[command(subcommand)]
    Package(PackageCommand),
    /// Licences: install, list, usage; and on this machine: sign and verify.
    #[command(subcommand)]
    Licence(LicenceCommand),
    /// The machine that a Management Node or a Conferencing Node runs on.
    #[command(subcommand)]
    Machine(MachineCommand),
    /// Prints the completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Runs the demonstration (the program pitlane-demo in the directory of this one).
    Demo {
        /// The arguments of the demonstration.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENT")]
        arguments: Vec<std::ffi::OsString>,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn parse(line: &str) -> Result<Args, clap::Error> {
        Args::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn definition_of_the_commands_is_valid() {
        Args::command().debug_assert();
    }

    /// It would get the value of the global argument and of its environment variable: clap does not object to that.
    #[test]
    fn no_argument_of_a_command_has_the_name_of_a_global_one() {
        let all = Args::command();
        let global: Vec<_> =
            all.get_arguments().filter(|it| it.is_global_set()).map(clap::Arg::get_id).collect();
        assert!(global.iter().any(|id| *id == "user"), "{global:?}");
        let mut unread: Vec<&clap::Command> = all.get_subcommands().collect();
        while let Some(command) = unread.pop() {
            let own = command.get_arguments().map(clap::Arg::get_id).find(|id| global.contains(id));
            assert_eq!(own, None, "{}", command.get_name());
            unread.extend(command.get_subcommands());
        }
    }

    #[test]
    fn global_arguments_may_precede_or_follow_the_command() {
        for line in ["pitlane --json --user eve node list", "pitlane node list --json --user eve"] {
            let args = parse(line).unwrap();
            assert!(args.global.json);
            assert_eq!(args.global.user.as_deref(), Some("eve"));
            assert!(matches!(args.command, Command::Node(NodeCommand::List)));
        }
    }

    #[test]
    fn limits_of_a_run_are_read_with_their_units() {
        let args = parse(
            "pitlane upgrade start 34.1 --drain-limit 60s --run-limit 2h --nodes-at-once 3 --rest 1m \
             --first-nodes 1 --stop-at-failures 0 --stop-at-failure-percent 50 -y",
        );
        let Command::Upgrade(UpgradeCommand::Start(start)) = args.unwrap().command else {
            panic!("another command")
        };
        assert_eq!(start.package.as_deref(), Some("34.1"));
        assert!(start.yes);
        assert_eq!(
            start.policy.to_json(),
            serde_json::json!({
                "nodes_at_once": 3, "drain_limit_seconds": 60, "run_limit_seconds": 7200, "rest_seconds": 60,
                "first_nodes": 1, "stop_at_failures": 0, "stop_at_failure_percent": 50,
            })
        );
    }

    #[test]
    fn invalid_arguments_are_refused() {
        let check = |line: &str| assert!(parse(line).is_err(), "{line:?} was accepted");
        check("pitlane");
        check("pitlane upgrade start --drain-limit 60");
        check("pitlane upgrade start --nodes-at-once 0");
        check("pitlane upgrade start --stop-at-failure-percent 0");
        check("pitlane node add lon-1 --address 10.0.0.1 --location London");
        check("pitlane machine install --root /r --role bridge --package p --trust t");
        check("pitlane room add");
    }

    #[test]
    fn demonstration_gets_its_arguments_unchanged() {
        let Command::Demo { arguments } = parse("pitlane demo --nodes 4 -v").unwrap().command else {
            panic!("another command")
        };
        assert_eq!(arguments, ["--nodes", "4", "-v"]);
    }
}
