//! Standard output and standard error: their width, colours, and writing to them. What is written is decided
//! elsewhere.

use std::io::{self, IsTerminal as _, Write as _};

use console::{Color, Style};
use serde_json::Value;

/// How wide a line may be. Files and pipes have no width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Width {
    /// Columns of the terminal.
    Columns(usize),
    /// No limit.
    Endless,
}

impl Width {
    /// The columns, if they are limited.
    pub(crate) fn columns(self) -> Option<usize> {
        match self {
            Self::Columns(columns) => Some(columns),
            Self::Endless => None,
        }
    }
}

/// Whether to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paint {
    /// Plain text.
    Plain,
    /// With colours.
    Coloured,
}

/// The meaning of a colour. It adds nothing that the words do not contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// As it should be.
    Good,
    /// Under way.
    Busy,
    /// Not yet, or of no interest.
    Quiet,
    /// Look at it.
    Bad,
    /// A heading.
    Strong,
    /// Nothing special.
    Plain,
}

impl Paint {
    /// The text in its colour.
    pub(crate) fn tone(self, tone: Tone, text: &str) -> String {
        let style = match tone {
            Tone::Good => Style::new().fg(Color::Green),
            Tone::Busy => Style::new().fg(Color::Cyan),
            Tone::Quiet => Style::new().dim(),
            Tone::Bad => Style::new().fg(Color::Red).bold(),
            Tone::Strong => Style::new().bold(),
            Tone::Plain => return text.into(),
        };
        match self {
            Self::Plain => text.into(),
            Self::Coloured => style.force_styling(true).apply_to(text).to_string(),
        }
    }
}

/// Narrowest terminal that is drawn for, in columns; a narrower one wraps.
const MIN_COLUMNS: usize = 40;

/// How wide standard output is.
pub(crate) fn width() -> Width {
    width_of(&console::Term::stdout(), io::stdout().is_terminal())
}

/// How wide standard error is.
pub(crate) fn stderr_width() -> Width {
    width_of(&console::Term::stderr(), io::stderr().is_terminal())
}

fn width_of(term: &console::Term, is_terminal: bool) -> Width {
    match term.size_checked() {
        Some((_, columns)) if is_terminal => Width::Columns(usize::from(columns).max(MIN_COLUMNS)),
        Some(_) | None => Width::Endless,
    }
}

/// Whether standard output is coloured: on a terminal, and not with `NO_COLOR`.
pub(crate) fn paint() -> Paint {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    if io::stdout().is_terminal() && !refused && !dumb { Paint::Coloured } else { Paint::Plain }
}

/// Prints lines of the result. If the reader has closed the pipe, the program ends quietly, as others do.
pub(crate) fn print(lines: &[String]) {
    let mut out = io::stdout().lock();
    let written = lines.iter().try_for_each(|line| writeln!(out, "{line}")).and_then(|()| out.flush());
    if written.is_err() {
        std::process::exit(0);
    }
}

/// Prints one line of the result.
pub(crate) fn print_line(line: impl Into<String>) {
    print(&[line.into()]);
}

/// Prints an object of the API.
pub(crate) fn print_json(value: &Value) {
    print_line(format!("{value:#}"));
}

/// Prints a message on standard error.
pub(crate) fn message(line: &str) {
    // A closed standard error is no failure.
    let _ = writeln!(io::stderr(), "{line}");
}
