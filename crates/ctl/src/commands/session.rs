//! What every command needs that talks to the Management Node: the client, the layout of standard output and the form
//! of the results. Relies on `connect` for address, trust and password; knows no command.

use super::connect;
use crate::args::Global;
use crate::client::{Client, Connection};
use crate::failure::Failure;
use crate::terminal;
use crate::view::Canvas;

/// The connection to the Management Node and the output of a command.
pub(crate) struct Session {
    /// The client of the Management Node.
    pub(super) client: Client,
    /// The layout of standard output.
    pub(super) canvas: Canvas,
    /// The form of the results.
    pub(super) output: Output,
}

/// The form of the results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// For people.
    Words,
    /// The API's own objects.
    Json,
}

impl Session {
    pub(super) fn open(global: &Global) -> Result<Self, Failure> {
        Self::over(global, connect::connection(global)?)
    }

    pub(super) fn over(global: &Global, connection: Connection) -> Result<Self, Failure> {
        let client = Client::new(connection)?;
        Ok(Self { client, canvas: Canvas::stdout(), output: output(global) })
    }

    /// Prints an object of the API, or the lines for people.
    pub(super) fn answer(&self, object: &serde_json::Value, words: impl FnOnce() -> Vec<String>) {
        match self.output {
            Output::Json => terminal::print_json(object),
            Output::Words => terminal::print(&words()),
        }
    }

    /// Reports what was done. The answer had no object, so with `--json` nothing is printed on standard output.
    pub(super) fn done(&self, sentence: &str) {
        match self.output {
            Output::Json => terminal::message(sentence),
            Output::Words => terminal::print_line(sentence),
        }
    }
}

pub(super) fn output(global: &Global) -> Output {
    if global.json { Output::Json } else { Output::Words }
}

/// One thread is enough to wait for one answer at a time.
pub(super) fn block_on<T>(command: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(Failure::io("start the runtime"))?.block_on(command)
}
