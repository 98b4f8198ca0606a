//! The packets that have come and are not played yet, in the order of their timestamps, and which came twice.

use super::distance;

/// The most packets that are kept: half a second of the shortest ones. Further ones are dropped.
pub(super) const MAX_PACKETS: usize = 50;

/// The largest payload that is kept: 200 ms of G.711 (RFC 3551 section 4.2), and more than Opus needs.
pub(super) const MAX_PAYLOAD: usize = 1600;

/// A packet and the timestamps that it covers, from `begin` to before `end`.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    pub(super) begin: u32,
    pub(super) end: u32,
    pub(super) payload: Vec<u8>,
}

/// The packets of one stream, the earliest last.
#[derive(Clone, Debug, Default)]
pub(super) struct Packets {
    waiting: Vec<Packet>,
    /// Memory of packets that were played.
    spare: Vec<Vec<u8>>,
}

impl Packets {
    /// Puts a packet in its place. One with the timestamp of another is dropped.
    pub(super) fn insert(&mut self, begin: u32, end: u32, payload: &[u8]) {
        let later = self.waiting.iter().rev().take_while(|packet| distance(packet.begin, begin) > 0).count();
        let place = self.waiting.len() - later;
        let is_there = place < self.waiting.len() && self.waiting[place].begin == begin;
        let is_known = place > 0 && self.waiting[place - 1].begin == begin;
        if is_there || is_known || self.waiting.len() >= MAX_PACKETS {
            return;
        }
        let mut copy = self.spare.pop().unwrap_or_default();
        copy.clear();
        copy.extend_from_slice(payload);
        self.waiting.insert(place, Packet { begin, end, payload: copy });
    }

    /// The earliest packet.
    pub(super) fn first(&self) -> Option<&Packet> {
        self.waiting.last()
    }

    /// Where the last packet ends.
    pub(super) fn end(&self) -> Option<u32> {
        self.waiting.first().map(|packet| packet.end)
    }

    /// Takes the earliest packet out; [`Packets::give_back`] takes its memory.
    pub(super) fn pop(&mut self) -> Option<Packet> {
        self.waiting.pop()
    }

    /// Keeps the memory of a packet for the next one.
    pub(super) fn give_back(&mut self, packet: Packet) {
        self.spare.push(packet.payload);
    }

    /// Drops all packets.
    pub(super) fn clear(&mut self) {
        self.spare.extend(self.waiting.drain(..).map(|packet| packet.payload));
    }
}

/// The sequence numbers of the last packets, across their wrap at 2^16.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    highest: Option<u16>,
    /// Bit `n` is the packet `n` before the highest.
    bits: u64,
}

impl Seen {
    /// Whether a packet came before; notes that it has come. One 64 packets or more before the highest counts as new:
    /// it is too late in any case.
    pub(super) fn note(&mut self, sequence: u16) -> bool {
        let Some(highest) = self.highest else {
            (self.highest, self.bits) = (Some(sequence), 1);
            return false;
        };
        let ahead = sequence.wrapping_sub(highest).cast_signed();
        if ahead > 0 {
            self.bits = self.bits.checked_shl(u32::from(ahead.unsigned_abs())).unwrap_or(0) | 1;
            self.highest = Some(sequence);
            return false;
        }
        let bit = 1_u64.checked_shl(u32::from(ahead.unsigned_abs())).unwrap_or(0);
        let came = self.bits & bit != 0;
        self.bits |= bit;
        came
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_come_out_in_order_across_the_wrap_of_timestamps() {
        let mut packets = Packets::default();
        for begin in [160_u32, u32::MAX - 159, 0, 160, 320] {
            packets.insert(begin, begin.wrapping_add(160), &[1]);
        }
        assert_eq!(packets.end(), Some(480));
        let order: Vec<u32> = std::iter::from_fn(|| packets.pop()).map(|packet| packet.begin).collect();
        assert_eq!(order, [u32::MAX - 159, 0, 160, 320]);
    }

    #[test]
    fn number_and_memory_of_packets_are_bounded() {
        let mut packets = Packets::default();
        for round in 0..10 {
            (0..200).for_each(|n| packets.insert(n * 160, n * 160 + 160, &[round; 160]));
            assert_eq!(packets.waiting.len(), MAX_PACKETS);
            packets.clear();
        }
        assert_eq!(packets.spare.len(), MAX_PACKETS);
    }

    #[test]
    fn sequence_number_counts_once_across_its_wrap() {
        let mut seen = Seen::default();
        let notes = [65_534, 65_535, 1, 65_535, 0, 0, 1, 2, 900, 900, 2].map(|sequence| seen.note(sequence));
        assert_eq!(notes, [false, false, false, true, false, true, true, false, false, true, false],);
    }
}
