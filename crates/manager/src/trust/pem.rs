//! Finds the blocks of PEM in a text (RFC 7468, and RFC 1421 for encrypted keys of the older form). Text around the
//! blocks is passed over, as OpenSSL does: it writes names and attributes there. What a block contains is read
//! elsewhere.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::fault::{Fault, Field};

/// Most characters of a label that are kept: those of real ones are below thirty.
const MAX_LABEL: usize = 40;

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// One block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Block<'t> {
    /// What the block says that it is, such as `CERTIFICATE`.
    pub(super) label: &'t str,
    /// What stands between the first line and the last, with headers if it has any.
    body: &'t str,
}

impl Block<'_> {
    /// The content of a block without headers, decoded.
    pub(super) fn decoded(&self, field: Field) -> Result<Vec<u8>, Fault> {
        let characters: Vec<u8> = self.body.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        STANDARD
            .decode(characters)
            .map_err(|_| Fault::NotBase64 { field, label: shortened(self.label).into() })
    }

    /// Whether a header says that the content is encrypted (RFC 1421 section 4.6.1.1).
    pub(super) fn has_encrypted_header(&self) -> bool {
        self.body.lines().any(|line| line.trim().starts_with("Proc-Type:") && line.contains("ENCRYPTED"))
    }

    /// The block as OpenSSL reads it: no spaces around its lines, and line ends of one character.
    pub(super) fn normal(&self) -> String {
        let body: String = self.body.trim().lines().map(|line| format!("{}\n", line.trim())).collect();
        format!("{BEGIN}{label}{DASHES}\n{body}{END}{label}{DASHES}\n", label = self.label)
    }
}

/// All blocks of a text, in their order.
///
/// # Errors
/// [`Fault::TooLong`] beyond `limit` bytes, and [`Fault::Unended`].
pub(super) fn blocks(text: &str, field: Field, limit: usize) -> Result<Vec<Block<'_>>, Fault> {
    if text.len() > limit {
        return Err(Fault::TooLong { field, has: text.len(), limit });
    }
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some((_, begun)) = rest.split_once(BEGIN) {
        let Some((label, after)) = begun.split_once(DASHES).filter(|(label, _)| is_label(label)) else {
            rest = begun;
            continue;
        };
        let end = format!("{END}{label}{DASHES}");
        let unended = || Fault::Unended { field, label: shortened(label).into() };
        let (body, after) = after.split_once(&end).ok_or_else(unended)?;
        if body.contains(BEGIN) {
            return Err(unended());
        }
        blocks.push(Block { label, body });
        rest = after;
    }
    Ok(blocks)
}

fn is_label(label: &str) -> bool {
    !label.is_empty() && label.bytes().all(|byte| byte == b' ' || byte.is_ascii_alphanumeric())
}

/// The label as a message shows it.
pub(super) fn shortened(label: &str) -> &str {
    &label[..label.len().min(MAX_LABEL)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str) -> Result<Vec<&str>, Fault> {
        blocks(text, Field::Certificate, 1_000).map(|all| all.into_iter().map(|block| block.label).collect())
    }

    #[test]
    fn blocks_are_found_between_other_text_and_with_any_line_ends() {
        let text = "subject=CN\r\n-----BEGIN A-----\r\nAAAA\r\n-----END A-----\r\n\nand\n-----BEGIN B C-----\n\
                    -----END B C-----";
        assert_eq!(labels(text).unwrap(), ["A", "B C"]);
        assert_eq!(labels("").unwrap(), [""; 0]);
        assert_eq!(labels("-----BEGIN A\n-----BEGIN ä-----\n").unwrap(), [""; 0]);
    }

    #[test]
    fn block_without_its_end_is_named() {
        for text in [
            "-----BEGIN A-----\nAAAA\n",
            "-----BEGIN A-----\n-----BEGIN B-----\n-----END B-----\n-----END A-----",
        ] {
            assert_eq!(labels(text), Err(Fault::Unended { field: Field::Certificate, label: "A".into() }));
        }
    }

    #[test]
    fn text_beyond_the_limit_is_not_read() {
        let text = " ".repeat(1_001);
        assert_eq!(
            labels(&text),
            Err(Fault::TooLong { field: Field::Certificate, has: 1_001, limit: 1_000 })
        );
    }

    #[test]
    fn content_is_decoded_whatever_the_length_of_its_lines_and_nothing_else_is() {
        let decoded = |body: &str| Block { label: "A", body }.decoded(Field::Certificate);
        assert_eq!(decoded("\n  AQID\r\n\tBAUG\n").unwrap(), [1, 2, 3, 4, 5, 6]);
        for wrong in ["AQI", "AQ ID!", "Proc-Type: 4,ENCRYPTED\n\nAQID"] {
            assert!(matches!(decoded(wrong), Err(Fault::NotBase64 { .. })), "{wrong}");
        }
    }

    #[test]
    fn normal_form_has_no_spaces_around_its_lines() {
        let block = Block { label: "K", body: "\r\n\r\n  Proc-Type: 4,ENCRYPTED\r\n\r\nAQID  \r\n  " };
        assert_eq!(block.normal(), "-----BEGIN K-----\nProc-Type: 4,ENCRYPTED\n\nAQID\n-----END K-----\n");
        assert!(block.has_encrypted_header());
    }
}
