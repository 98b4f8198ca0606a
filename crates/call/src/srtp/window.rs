//! The packets of one stream that have come: which index a sequence number stands for, and whether it has come before.

/// For how many packets up to the highest it is known whether they have come; RFC 3711 section 3.3.2 wants 64 at least. Two seconds and a half
/// of packets of 20 ms: what is later than that is played by nobody.
const WIDTH: u64 = 128;

/// The indices are counted with 48 bits, 16 of which a packet says (RFC 3711 section 3.3.1).
const END: u64 = 1 << 48;

/// The packets of a stream that have come. Plain data: a copy goes on in another process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The highest index: for sound the sequence number with its wraps above it.
    pub highest: u64,
    /// Which came of the 128 packets up to the highest; that one is the lowest bit.
    pub seen: u128,
}

impl Window {
    /// Of a stream whose first packet is this.
    pub(super) fn new(index: u64) -> Window {
        Window { highest: index, seen: 1 }
    }

    /// The index of a sequence number: the nearest to the highest one (RFC 3711 appendix A). `None` before the first
    /// packet that there can be, and after the last.
    pub(super) fn index(&self, sequence: u16) -> Option<u64> {
        let ahead = sequence.wrapping_sub(self.highest as u16) as i16;
        self.highest.checked_add_signed(ahead.into()).filter(|index| *index < END)
    }

    /// Whether a packet has not come yet. One that is too old to know counts as one that has.
    pub(super) fn is_new(&self, index: u64) -> bool {
        match self.highest.checked_sub(index) {
            None => true,
            Some(behind) => behind < WIDTH && self.seen & (1 << behind) == 0,
        }
    }

    /// The packet of this index came, and it was genuine.
    pub(super) fn accept(&mut self, index: u64) {
        match self.highest.checked_sub(index) {
            None => {
                let ahead = index - self.highest;
                self.seen = if ahead < WIDTH { self.seen << ahead } else { 0 } | 1;
                self.highest = index;
            }
            Some(behind) if behind < WIDTH => self.seen |= 1 << behind,
            Some(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequence_number_stands_for_the_nearest_index() {
        let check = |highest: u64, sequence: u16, expected: Option<u64>| {
            assert_eq!(Window::new(highest).index(sequence), expected, "{highest:#x} {sequence:#x}");
        };
        check(10, 11, Some(11));
        check(10, 9, Some(9));
        check(10, 0xffff, None);
        check(0xffff, 0, Some(0x1_0000));
        check(0x1_0000, 0xffff, Some(0xffff));
        check(0x5_8000, 0x7fff, Some(0x5_7fff));
        check(0x5_c000, 0x3fff, Some(0x6_3fff));
        check(0x6_3fff, 0xc000, Some(0x5_c000));
        check(END - 1, 0xfff0, Some(END - 16));
        check(END - 1, 0, None);
    }

    #[test]
    fn packet_is_new_once_and_only_within_the_window() {
        let mut window = Window::new(1000);
        assert!(!window.is_new(1000));
        for index in [1001, 1005, 1003, 900, 1100] {
            assert!(window.is_new(index), "{index}");
            window.accept(index);
            assert!(!window.is_new(index), "{index}");
        }
        assert!(window.is_new(1004) && window.is_new(1100 - 127));
        assert!(!window.is_new(1100 - 128), "too old to know");
        window.accept(1100 - 128);
        window.accept(1_000_000);
        assert!(window.is_new(999_999) && !window.is_new(1100));
    }

    /// The window against a list of all that came.
    #[test]
    fn random_packets_are_new_as_a_list_of_them_says() {
        let mut seed = 5_u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % below
        };
        let mut window = Window::new(70_000);
        let mut came = std::collections::BTreeSet::from([70_000]);
        for _ in 0..100_000 {
            let step = if random(50) == 0 { 300 } else { 20 };
            let index = window.highest + random(step) - random(140).min(window.highest);
            let expected = !came.contains(&index) && window.highest < index + 128;
            assert_eq!(window.is_new(index), expected, "{index} at {}", window.highest);
            assert_eq!(window.index(index as u16), Some(index));
            if expected {
                window.accept(index);
                came.insert(index);
            }
        }
    }
}
