//! `pitlane upgrade watch`: requests the status every second and draws it until the run ends, also across a restart of
//! the Management Node. The lines are made in `view`; nothing is changed on the platform.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use answers::UpgradeStatus;
use fleet::time::Span;
use serde_json::Value;

use super::session::{Output, Session};
use super::upgrade::STATUS;
use crate::api::now;
use crate::args::WatchArgs;
use crate::client::view;
use crate::client_error::ClientError;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal;
use crate::view::changes::changes;
use crate::view::upgrade::{absence, absence_lines, ended, screen};

/// How often the status is requested.
const EVERY: Duration = Duration::from_secs(1);

/// Lines of a terminal whose size is not known.
const ROWS: usize = 24;

/// The decision after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// The run goes on.
    GoesOn,
    /// There is nothing to wait for any more.
    Over(Exit),
}

/// Whether the watch is over, and with which exit code. `watched` is the run that was under way before.
fn verdict(watched: Option<u32>, view: &UpgradeStatus) -> Verdict {
    if let Some(run) = &view.run {
        // Another run under way means that it has replaced the watched one.
        return match watched {
            Some(id) if id != run.id => Verdict::Over(Exit::RunIncomplete),
            Some(_) | None => Verdict::GoesOn,
        };
    }
    match &view.last_run {
        Some(run) if run.outcome.as_deref() == Some("complete") && watched.is_none_or(|id| id == run.id) => {
            Verdict::Over(Exit::Ok)
        }
        Some(_) => Verdict::Over(Exit::RunIncomplete),
        None if watched.is_none() => Verdict::Over(Exit::Ok),
        None => Verdict::Over(Exit::RunIncomplete),
    }
}

/// The form of the output.
enum Drawing {
    /// In place on a terminal, over the last picture.
    InPlace(Picture),
    /// A line for each change.
    Lines,
    /// The API's object on a line, for each change.
    Objects,
}

/// The state of a watch.
struct Watch<'a> {
    session: &'a Session,
    drawing: Drawing,
    last: Option<(UpgradeStatus, Instant)>,
    watched: Option<u32>,
    absence_reported: bool,
}

/// Watches until the run ends, or the Management Node is away for too long.
pub(crate) async fn run(session: &Session, args: &WatchArgs) -> Result<Exit, Failure> {
    let drawing = match session.output {
        Output::Json => Drawing::Objects,
        Output::Words if std::io::stdout().is_terminal() => Drawing::InPlace(Picture::default()),
        Output::Words => Drawing::Lines,
    };
    let give_up_after = Duration::from_millis(args.give_up_after.span().0);
    let mut watch = Watch { session, drawing, last: None, watched: None, absence_reported: false };
    loop {
        let doing = "show the upgrade";
        let answer = session.client.get(doing, STATUS).await;
        match answer.and_then(|object| Ok((view::<UpgradeStatus>(doing, &object)?, object))) {
            Ok((status, object)) => {
                if let Verdict::Over(exit) = watch.answered(status, &object) {
                    return Ok(exit);
                }
            }
            Err(error) => watch.unanswered(error, give_up_after)?,
        }
        tokio::time::sleep(EVERY).await;
    }
}

impl Watch<'_> {
    fn answered(&mut self, status: UpgradeStatus, object: &Value) -> Verdict {
        let verdict = verdict(self.watched, &status);
        let new = changes(self.last.as_ref().map(|(view, _)| view), &status);
        match &mut self.drawing {
            Drawing::InPlace(picture) => {
                picture.redraw(&screen(&status, self.session.canvas_now(), rows()));
            }
            Drawing::Lines => {
                if std::mem::take(&mut self.absence_reported) {
                    terminal::print_line(format!("{} the Management Node answers again", status.now));
                }
                terminal::print(&new);
            }
            Drawing::Objects if new.is_empty() && verdict == Verdict::GoesOn => {}
            Drawing::Objects => terminal::print_line(object.to_string()),
        }
        if verdict != Verdict::GoesOn {
            self.print_end(&status);
        }
        self.watched = self.watched.or(status.run.as_ref().map(|run| run.id));
        self.last = Some((status, Instant::now()));
        verdict
    }

    /// Prints the end of the run; the picture on a terminal contains it already.
    fn print_end(&self, status: &UpgradeStatus) {
        let canvas = self.session.canvas_now();
        let other = status.run.as_ref().filter(|run| Some(run.id) != self.watched);
        if let (Some(run), Some(watched)) = (other, self.watched) {
            terminal::message(&format!("Run {watched} was ended; run {} was started instead of it.", run.id));
        }
        match (&self.drawing, &status.last_run, &status.run) {
            (Drawing::Lines, Some(run), None) => terminal::print(&ended(run, status.now, canvas)),
            (Drawing::Lines, None, None) => {
                terminal::print_line("No upgrade is under way, and none has been run yet.")
            }
            (Drawing::Lines | Drawing::InPlace(_) | Drawing::Objects, _, _) => {}
        }
    }

    /// Goes on without an answer, if there was one before and it is not too long ago.
    fn unanswered(&mut self, error: ClientError, give_up_after: Duration) -> Result<(), Failure> {
        let Some((view, heard)) = self.last.as_ref().filter(|_| error.is_transient()) else {
            return Err(error.into());
        };
        let away = heard.elapsed();
        if away > give_up_after {
            return Err(error.into());
        }
        let line = format!("{} {}", now(), absence(view));
        match &mut self.drawing {
            Drawing::InPlace(picture) => {
                let canvas = self.session.canvas_now();
                let away = Span(u64::try_from(away.as_millis()).unwrap_or(u64::MAX));
                let mut lines = absence_lines(view, away, canvas);
                lines.extend(screen(view, canvas, rows().saturating_sub(lines.len())));
                picture.redraw(&lines);
            }
            Drawing::Lines if !self.absence_reported => terminal::print_line(line),
            Drawing::Objects if !self.absence_reported => terminal::message(&line),
            Drawing::Lines | Drawing::Objects => {}
        }
        self.absence_reported = true;
        Ok(())
    }
}

impl Session {
    /// The present layout: a terminal may have been resized.
    fn canvas_now(&self) -> crate::view::Canvas {
        crate::view::Canvas { width: terminal::width(), ..self.canvas }
    }
}

/// Lines that may be drawn: all but the one that the cursor stands on.
fn rows() -> usize {
    let rows = console::Term::stdout().size_checked().map_or(ROWS, |(rows, _)| usize::from(rows));
    rows.saturating_sub(1).max(8)
}

/// What was drawn last, and the size of the terminal then.
#[derive(Debug, Default)]
struct Picture {
    lines: usize,
    size: Option<(u16, u16)>,
}

impl Picture {
    /// Replaces what was drawn, in one write so that nothing flickers.
    fn redraw(&mut self, lines: &[String]) {
        let size = console::Term::stdout().size_checked();
        let text = self.replacement(lines, size);
        let mut out = std::io::stdout().lock();
        if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
            std::process::exit(0);
        }
        *self = Self { lines: lines.len(), size };
    }

    /// Moves up, writes each line over the old one and clears its rest, then clears everything below. After a resize
    /// the position of the old lines is not known, so the whole screen is cleared.
    fn replacement(&self, lines: &[String], size: Option<(u16, u16)>) -> String {
        let mut text = match self.lines {
            0 => String::new(),
            _ if self.size != size => "\u{1b}[H\u{1b}[2J".into(),
            drawn => format!("\r\u{1b}[{drawn}A"),
        };
        for line in lines {
            text.push_str(line);
            text.push_str("\u{1b}[K\r\n");
        }
        text.push_str("\u{1b}[J");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::samples;

    #[test]
    fn watch_ends_with_its_run_and_its_exit_code_is_the_outcome() {
        let check = |watched: Option<u32>, view: &UpgradeStatus, expected: Verdict| {
            assert_eq!(verdict(watched, view), expected);
        };
        check(None, &samples::under_way(), Verdict::GoesOn);
        check(Some(2), &samples::under_way(), Verdict::GoesOn);
        check(Some(1), &samples::under_way(), Verdict::Over(Exit::RunIncomplete));
        check(Some(2), &samples::ended("complete"), Verdict::Over(Exit::Ok));
        check(None, &samples::ended("complete"), Verdict::Over(Exit::Ok));
        check(Some(2), &samples::ended("incomplete"), Verdict::Over(Exit::RunIncomplete));
        check(Some(3), &samples::ended("complete"), Verdict::Over(Exit::RunIncomplete));
        check(None, &samples::never(), Verdict::Over(Exit::Ok));
        check(Some(1), &samples::never(), Verdict::Over(Exit::RunIncomplete));
    }

    #[test]
    fn picture_is_drawn_over_the_last_one_and_on_a_clear_screen_after_a_resize() {
        let check = |lines: usize, size: Option<(u16, u16)>, begins: &str| {
            let picture = Picture { lines, size: Some((24, 80)) };
            let expected = format!("{begins}a line\u{1b}[K\r\n\u{1b}[J");
            assert_eq!(picture.replacement(&["a line".into()], size), expected);
        };
        check(0, Some((24, 80)), "");
        check(3, Some((24, 80)), "\r\u{1b}[3A");
        check(3, Some((24, 60)), "\u{1b}[H\u{1b}[2J");
    }
}
