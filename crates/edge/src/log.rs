//! Escapes the fields of log lines. Every field of every event passes through it, so that no call site can forget
//! to escape foreign text: one event stays one line. Relies on `tracing_subscriber` for everything else.

use std::fmt;

use tracing::field::{Field, Visit};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::Writer;

use crate::text::visible;

/// Writes fields as `tracing_subscriber` does, with hidden characters escaped. For `fmt_fields` of a subscriber
/// or of a layer.
#[derive(Clone, Copy, Debug, Default)]
pub struct VisibleFields;

impl<'w> FormatFields<'w> for VisibleFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut line = Line { writer, between: "", written: Ok(()) };
        fields.record(&mut line);
        line.written
    }
}

struct Line<'w> {
    writer: Writer<'w>,
    /// The separator before the next field.
    between: &'static str,
    written: fmt::Result,
}

impl Visit for Line<'_> {
    /// Called for fields of every type: the default methods for the others forward to it.
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        let (between, text) = (std::mem::replace(&mut self.between, " "), visible(&text));
        let written = match field.name() {
            "message" => write!(self.writer, "{between}{text}"),
            name => write!(self.writer, "{between}{}={text}", name.trim_start_matches("r#")),
        };
        self.written = self.written.and(written);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use tracing::{info, warn};

    use super::*;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn lines(log: impl FnOnce()) -> Vec<String> {
        let written = Log::default();
        let writer = written.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).without_time().with_target(false);
        let subscriber = subscriber.fmt_fields(VisibleFields).with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(subscriber, log);
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        text.split('\n').map(str::to_string).filter(|line| !line.is_empty()).collect()
    }

    #[test]
    fn foreign_text_forges_no_log_line() {
        let forged = "disk full\n2026-11-29T00:00:00Z  INFO pitlane::platform: all is well\u{202e}";
        let lines = lines(|| {
            info!("{forged}");
            warn!(why = forged, "a node reports");
            warn!(why = %forged, ?forged, number = 7, "a node reports");
            let error = io::Error::other(forged);
            warn!(error = &error as &dyn std::error::Error, "failed");
            tracing::info_span!("span", %forged).in_scope(|| info!("within"));
        });
        assert_eq!(lines.len(), 5, "{lines:#?}");
        assert!(lines.iter().all(|line| !line.contains(crate::text::is_hidden)), "{lines:#?}");
    }

    #[test]
    fn line_without_hidden_characters_is_unchanged() {
        let lines =
            lines(|| warn!(node = 7, name = "oslo-1", error = %"no route", "Unable to contact node."));
        assert_eq!(lines, [" WARN Unable to contact node. node=7 name=\"oslo-1\" error=no route"]);
    }
}
