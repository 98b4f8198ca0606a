//! Chooses which room a caller dials and how long its call lasts.
//!
//! Pure: the choices follow from the random numbers of the caller and from the present occupancy of the conferences.

use std::collections::BTreeMap;

use rand::seq::IndexedRandom as _;
use rand_distr::{Distribution as _, LogNormal};

use crate::call_log::NodeName;
use crate::random::Random;
use crate::time::Millis;
use crate::tone::TONES;

/// The number of callers from which on a conference counts as one of three or more.
const SEVERAL: usize = 3;

/// An alias, and the number of callers that it takes on one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// The alias that is dialled.
    pub alias: String,
    /// The largest number of callers at a time on one node; at most 29, the number of tones.
    pub seats: usize,
}

impl Room {
    /// The seats, at most as many as there are tones.
    pub(crate) fn seats(&self) -> usize {
        self.seats.min(TONES)
    }
}

/// The distribution of the lengths of calls: lognormal, limited at both ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lengths {
    /// Half of the calls are shorter.
    pub median: Millis,
    /// The standard deviation of the logarithm. 0 makes all calls equally long; 0.8 is typical of real calls.
    pub spread: f64,
    /// The shortest length.
    pub shortest: Millis,
    /// The longest length.
    pub longest: Millis,
}

impl Lengths {
    /// Draws a length.
    pub(crate) fn draw(&self, random: &mut Random) -> Millis {
        // An infinite spread is no distribution: all calls are then equally long.
        let factor = LogNormal::new(0.0, self.spread).map_or(1.0, |factor| factor.sample(random));
        let drawn = Millis((self.median.0 as f64 * factor).round() as u64);
        drawn.min(self.longest).max(self.shortest)
    }
}

/// The number of callers in each conference, including those that are being dialled.
pub(crate) type Occupancy = BTreeMap<(NodeName, String), usize>;

/// Chooses the room that a caller dials on `node`. While the share of calls in conferences of three or more is too
/// small, that is the fullest room with a free seat; otherwise a random room with a free seat.
pub(crate) fn choose_room(
    random: &mut Random,
    rooms: &[Room],
    occupancy: &Occupancy,
    node: &NodeName,
    share: f64,
) -> Option<String> {
    let taken = |room: &Room| occupancy.get(&(node.clone(), room.alias.clone())).copied().unwrap_or(0);
    let free: Vec<&Room> = rooms.iter().filter(|room| taken(room) < room.seats()).collect();
    let several: usize = occupancy.values().filter(|callers| **callers >= SEVERAL).sum();
    let all: usize = occupancy.values().sum();
    let chosen = if (several as f64) < share * (all as f64 + 1.0) {
        free.iter().rev().max_by_key(|room| taken(room)).copied()
    } else {
        free.choose(random).copied()
    };
    chosen.map(|room| room.alias.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::of_caller;

    fn rooms(count: usize, seats: usize) -> Vec<Room> {
        (0..count).map(|n| Room { alias: format!("room{n}"), seats }).collect()
    }

    #[test]
    fn half_of_the_callers_are_in_conferences_of_three_or_more_and_no_room_overflows() {
        let (rooms, nodes) = (rooms(8, 6), ["x", "y", "z"].map(|n| NodeName(n.to_owned())));
        for seed in 0..20 {
            let mut occupancy = Occupancy::new();
            for n in 0..60 {
                let mut random = of_caller(seed, n);
                let node = nodes.choose(&mut random).expect("three nodes");
                let room = choose_room(&mut random, &rooms, &occupancy, node, 0.5).expect("a seat is free");
                *occupancy.entry((node.clone(), room)).or_default() += 1;
            }
            let several: usize = occupancy.values().filter(|callers| **callers >= 3).sum();
            assert!(several >= 30, "seed {seed}: {several}");
            assert!(occupancy.values().all(|callers| *callers <= 6));
        }
    }

    #[test]
    fn full_node_gives_no_room() {
        let node = NodeName("x".to_owned());
        let occupancy = Occupancy::from([((node.clone(), "room0".to_owned()), 2)]);
        assert_eq!(choose_room(&mut of_caller(1, 1), &rooms(1, 2), &occupancy, &node, 0.5), None);
    }

    #[test]
    fn lengths_lie_around_the_median_and_within_the_bounds() {
        let lengths =
            Lengths { median: Millis(1000), spread: 0.8, shortest: Millis(200), longest: Millis(5000) };
        let mut drawn: Vec<u64> = (0..2001).map(|n| lengths.draw(&mut of_caller(5, n)).0).collect();
        drawn.sort_unstable();
        assert!(drawn[0] >= 200 && drawn[2000] <= 5000);
        assert!((900..1100).contains(&drawn[1000]), "{}", drawn[1000]);
        assert!(drawn[2000] > 3000);
    }
}
