//! Asks on the terminal before a command that cannot be undone. Without a terminal it refuses, and names the option
//! that answers in advance. An empty answer is never a yes.

use std::io::{self, IsTerminal as _, Write as _};

use crate::failure::Failure;

/// A question to the user of the command.
#[derive(Debug)]
pub(crate) struct Question {
    /// The question itself: `Start the upgrade to 34.1?`
    pub(crate) asks: String,
    /// What it decides: `whether to start the upgrade`.
    pub(crate) subject: String,
    /// What `--yes` does without asking: `start`.
    pub(crate) unasked: &'static str,
}

impl Question {
    /// Asks. Only a plain yes confirms.
    pub(crate) fn confirmed(&self) -> Result<bool, Failure> {
        let Self { asks, subject, unasked } = self;
        if !io::stdin().is_terminal() {
            return Err(Failure::Usage(format!(
                "there is no terminal to ask on {subject}; add --yes to {unasked} without asking"
            )));
        }
        let mut error = io::stderr();
        let question = format!("{asks} [yes/no] ");
        let mut answer = String::new();
        error.write_all(question.as_bytes()).and_then(|()| error.flush()).map_err(Failure::io("ask"))?;
        io::stdin().read_line(&mut answer).map_err(Failure::io("read the answer"))?;
        Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
    }
}
