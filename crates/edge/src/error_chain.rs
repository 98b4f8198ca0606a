//! Formats an error with its causes as one line, for logs, terminals and answers.
//!
//! It relies on `Error::source` alone, and never prints anything itself.

use std::error::Error;

/// An error with its causes in one line, from the outermost to the innermost. A cause with which the text ends
/// already is left out: some errors repeat their source in their own message.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::{fmt, io};

    use super::*;

    #[derive(Debug)]
    struct Outer(&'static str, io::Error);

    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.1)
        }
    }

    #[test]
    fn cause_is_appended_unless_the_message_ends_with_it() {
        let check = |message, expected| {
            assert_eq!(chain(&Outer(message, io::Error::other("disk full"))), expected);
        };
        check("could not write x", "could not write x: disk full");
        check("could not write x: disk full", "could not write x: disk full");
    }
}
