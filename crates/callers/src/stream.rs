//! The order of a received RTP stream: detects missing, late and duplicate packets by the sequence numbers.
//!
//! A missing packet is detected when a later one arrives. Knows nothing of audio.

/// The largest number of consecutive missing packets; beyond it a new stream begins.
const LARGEST_GAP: u16 = 250;

/// The position of a packet in its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// The next one, after `missed` packets that did not arrive.
    Next {
        /// Missing packets before this one.
        missed: u16,
    },
    /// Older than an earlier packet, or a duplicate.
    Late,
    /// The first one of a stream: another source, or a jump of the sequence number.
    Fresh,
}

/// The position in an RTP stream.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    last: Option<(u32, u16)>,
}

impl Stream {
    /// Processes a packet of source `ssrc` with sequence number `sequence`.
    pub(crate) fn take(&mut self, ssrc: u32, sequence: u16) -> Arrival {
        let arrival = match self.last {
            Some((source, last)) if source == ssrc => position(sequence.wrapping_sub(last)),
            Some(_) | None => Arrival::Fresh,
        };
        match arrival {
            Arrival::Next { .. } | Arrival::Fresh => self.last = Some((ssrc, sequence)),
            Arrival::Late => {}
        }
        arrival
    }
}

fn position(ahead: u16) -> Arrival {
    match ahead {
        1..=LARGEST_GAP => Arrival::Next { missed: ahead - 1 },
        0 => Arrival::Late,
        _ if ahead > u16::MAX - LARGEST_GAP => Arrival::Late,
        _ => Arrival::Fresh,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sequences: &[(u32, u16)], expected: &[Arrival]) {
        let mut stream = Stream::default();
        let arrivals: Vec<Arrival> = sequences.iter().map(|(ssrc, seq)| stream.take(*ssrc, *seq)).collect();
        assert_eq!(arrivals, expected);
    }

    #[test]
    fn sequence_continues_over_the_wrap() {
        let next = Arrival::Next { missed: 0 };
        check(&[(1, 65_534), (1, 65_535), (1, 0), (1, 1)], &[Arrival::Fresh, next, next, next]);
    }

    #[test]
    fn gap_is_counted_and_late_packet_is_not_used() {
        check(
            &[(1, 10), (1, 13), (1, 12), (1, 13), (1, 14)],
            &[
                Arrival::Fresh,
                Arrival::Next { missed: 2 },
                Arrival::Late,
                Arrival::Late,
                Arrival::Next { missed: 0 },
            ],
        );
    }

    #[test]
    fn another_source_or_a_jump_begins_a_new_stream() {
        check(&[(1, 10), (2, 40), (2, 4000)], &[Arrival::Fresh, Arrival::Fresh, Arrival::Fresh]);
    }
}
