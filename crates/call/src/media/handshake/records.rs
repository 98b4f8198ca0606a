//! What of a far end that is not known yet may reach OpenSSL: little enough that what it keeps of it stays small.
//!
//! OpenSSL 3.6 puts together up to ten messages at a time, of up to 100 kB, and allocates all of a message with its first
//! fragment. Of records that are encrypted before it has keys it keeps a hundred, each in a buffer of 17 kB. Datagrams
//! of a few bytes would thus cost a leg 3 MB; within these limits it is less than half a megabyte.

use super::NoKeys;

/// The longest message, in bytes: a chain of certificates with keys of 4096 bits has 6 kB.
const MAX_MESSAGE: usize = 16 * 1024;
/// The most records that are encrypted. A far end has one, which it may repeat a few times.
const MAX_ENCRYPTED: u8 = 16;

/// The content type of handshakes.
const HANDSHAKE: u8 = 22;
/// The header of a record: type, version, epoch, number, and length (RFC 6347 section 4.1).
const RECORD_HEADER: usize = 13;
/// The header of a fragment: type, length of the message, number, offset, and length (RFC 6347 section 4.2.2).
const FRAGMENT_HEADER: usize = 12;

/// What has come during an attempt.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Intake {
    encrypted: u8,
}

impl Intake {
    /// Takes note of a datagram. What is malformed is for OpenSSL to drop.
    ///
    /// # Errors
    /// It exceeds a limit, and must not reach OpenSSL.
    pub(super) fn take(&mut self, datagram: &[u8]) -> Result<(), NoKeys> {
        let mut rest = datagram;
        while let Some((header, after)) = rest.split_at_checked(RECORD_HEADER) {
            let (body, next) = after.split_at_checked(number(&header[11..])).unwrap_or((after, &[]));
            let is_encrypted = number(&header[3..5]) > 0;
            if is_encrypted {
                self.encrypted += 1;
            }
            let is_large = header[0] == HANDSHAKE && !is_encrypted && has_large_message(body);
            if is_large || self.encrypted > MAX_ENCRYPTED {
                return Err(NoKeys::TooMuch);
            }
            rest = next;
        }
        Ok(())
    }
}

/// Whether a record has a fragment of a message that is too long.
fn has_large_message(record: &[u8]) -> bool {
    let mut rest = record;
    while let Some((header, after)) = rest.split_at_checked(FRAGMENT_HEADER) {
        if number(&header[1..4]) > MAX_MESSAGE {
            return true;
        }
        rest = after.get(number(&header[9..])..).unwrap_or_default();
    }
    false
}

/// Up to three bytes as a number.
fn number(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record with one fragment, whose message has this length.
    fn record(epoch: u8, message: u16) -> Vec<u8> {
        let [high, low] = message.to_be_bytes();
        let header = [HANDSHAKE, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, 1, 0, 14];
        [&header[..], &[1, 0, high, low, 0, 0, 0, 0, 0, 0, 0, 2, 7, 7]].concat()
    }

    #[test]
    fn message_over_the_limit_is_refused_wherever_it_is_in_a_datagram() {
        let most = MAX_MESSAGE as u16;
        let (small, large) = (record(0, most), record(0, most + 1));
        assert_eq!(Intake::default().take(&[&small[..], &small].concat()), Ok(()));
        assert_eq!(Intake::default().take(&large), Err(NoKeys::TooMuch));
        assert_eq!(Intake::default().take(&[&small[..], &large].concat()), Err(NoKeys::TooMuch));
        let mut both = [&small[..], &large[RECORD_HEADER..]].concat();
        both[12] = 28;
        assert_eq!(Intake::default().take(&both), Err(NoKeys::TooMuch), "the second in a record");
    }

    #[test]
    fn encrypted_records_are_counted_in_and_across_datagrams() {
        let mut intake = Intake::default();
        let half = record(1, u16::MAX).repeat(usize::from(MAX_ENCRYPTED) / 2);
        assert_eq!([intake.take(&half), intake.take(&half)], [Ok(()), Ok(())]);
        assert_eq!(intake.take(&record(0, 1)), Ok(()));
        assert_eq!(intake.take(&record(2, 1)), Err(NoKeys::TooMuch));
    }

    #[test]
    fn datagram_that_is_cut_off_is_checked_as_far_as_it_goes() {
        let large = record(0, u16::MAX);
        for length in 0..large.len() {
            let is_shown = length >= RECORD_HEADER + FRAGMENT_HEADER;
            assert_eq!(Intake::default().take(&large[..length]).is_err(), is_shown, "{length}");
        }
    }
}
