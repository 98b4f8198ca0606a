//! The order of an incoming RTP stream: what is next, what is missing, what came too late.
//!
//! Knows no audio. Loss is counted when a later packet shows it.

/// Packets missing in a row beyond which the stream is taken as begun anew.
const LARGEST_HOLE: u16 = 250;

/// What a packet means to the stream it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// The next one, after `missed` that did not come.
    Next {
        /// Packets skipped before this one.
        missed: u16,
    },
    /// Older than one already taken, or the same again.
    Late,
    /// The first of a stream: another source, or a jump of the sequence.
    Fresh,
}

/// The place in one RTP stream.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    last: Option<(u32, u16)>,
}

impl Stream {
    /// Takes a packet of source `ssrc` with number `sequence`.
    pub(crate) fn take(&mut self, ssrc: u32, sequence: u16) -> Arrival {
        let arrival = match self.last {
            Some((source, last)) if source == ssrc => place(sequence.wrapping_sub(last)),
            Some(_) | None => Arrival::Fresh,
        };
        match arrival {
            Arrival::Next { .. } | Arrival::Fresh => self.last = Some((ssrc, sequence)),
            Arrival::Late => {}
        }
        arrival
    }
}

fn place(ahead: u16) -> Arrival {
    match ahead {
        1..=LARGEST_HOLE => Arrival::Next { missed: ahead - 1 },
        0 => Arrival::Late,
        _ if ahead > u16::MAX - LARGEST_HOLE => Arrival::Late,
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
    fn numbers_run_on_over_the_wrap() {
        let next = Arrival::Next { missed: 0 };
        check(&[(1, 65_534), (1, 65_535), (1, 0), (1, 1)], &[Arrival::Fresh, next, next, next]);
    }

    #[test]
    fn a_hole_is_counted_and_a_straggler_is_not_taken() {
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
    fn another_source_or_a_jump_begins_anew() {
        check(&[(1, 10), (2, 40), (2, 4000)], &[Arrival::Fresh, Arrival::Fresh, Arrival::Fresh]);
    }
}
