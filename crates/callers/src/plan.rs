//! Where the next caller dials: which nodes in which order, which room, for how long.
//!
//! Pure: the choices follow from the seed and from who is where.

use std::collections::BTreeMap;

use crate::ledger::NodeName;
use crate::rng::Rng;
use crate::time::Millis;
use crate::tone::TONES;

/// From so many callers on, a conference counts as one of three or more.
const SEVERAL: usize = 3;

/// An alias and how many callers of the crowd it takes on one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// What is dialled.
    pub alias: String,
    /// The most callers at a time on one node, 29 at most: so many tones there are.
    pub seats: usize,
}

impl Room {
    /// The seats, no more than there are tones.
    pub(crate) fn seats(&self) -> usize {
        self.seats.min(TONES)
    }
}

/// How long calls last: lognormal, cut off at both ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lengths {
    /// Half of the calls are shorter.
    pub median: Millis,
    /// The spread: the deviation of the logarithm. 0 makes all calls equally long, 0.8 is lifelike.
    pub spread: f64,
    /// No call is shorter.
    pub shortest: Millis,
    /// No call is longer.
    pub longest: Millis,
}

impl Lengths {
    /// A length drawn from the distribution.
    pub(crate) fn draw(&self, rng: &mut Rng) -> Millis {
        let factor = (self.spread * rng.normal()).exp();
        let drawn = Millis((self.median.0 as f64 * factor).round() as u64);
        drawn.min(self.longest).max(self.shortest)
    }
}

/// Who is where: callers in a conference, those being dialled included.
pub(crate) type Occupancy = BTreeMap<(NodeName, String), usize>;

/// The room a caller dials on `node`: while too few of all calls are in conferences of three or
/// more, the fullest one with a free seat, otherwise any with a free seat.
pub(crate) fn choose_room(
    rng: &mut Rng,
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
        free.get(rng.below(free.len())).copied()
    };
    chosen.map(|room| room.alias.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rooms(count: usize, seats: usize) -> Vec<Room> {
        (0..count).map(|n| Room { alias: format!("room{n}"), seats }).collect()
    }

    #[test]
    fn half_of_a_crowd_sits_in_conferences_of_three_or_more_and_no_room_overflows() {
        let (rooms, nodes) = (rooms(8, 6), ["x", "y", "z"].map(|n| NodeName(n.to_owned())));
        for seed in 0..20 {
            let mut occupancy = Occupancy::new();
            for n in 0..60 {
                let mut rng = Rng::of(seed, n);
                let node = &nodes[rng.below(3)];
                let room = choose_room(&mut rng, &rooms, &occupancy, node, 0.5).expect("there is room");
                *occupancy.entry((node.clone(), room)).or_default() += 1;
            }
            let several: usize = occupancy.values().filter(|callers| **callers >= 3).sum();
            assert!(several >= 30, "seed {seed}: {several}");
            assert!(occupancy.values().all(|callers| *callers <= 6));
        }
    }

    #[test]
    fn a_full_node_has_no_room() {
        let node = NodeName("x".to_owned());
        let occupancy = Occupancy::from([((node.clone(), "room0".to_owned()), 2)]);
        assert_eq!(choose_room(&mut Rng::of(1, 1), &rooms(1, 2), &occupancy, &node, 0.5), None);
    }

    #[test]
    fn lengths_lie_around_the_median_and_within_the_bounds() {
        let lengths =
            Lengths { median: Millis(1000), spread: 0.8, shortest: Millis(200), longest: Millis(5000) };
        let mut drawn: Vec<u64> = (0..2001).map(|n| lengths.draw(&mut Rng::of(5, n)).0).collect();
        drawn.sort_unstable();
        assert!(drawn[0] >= 200 && drawn[2000] <= 5000);
        assert!((900..1100).contains(&drawn[1000]), "{}", drawn[1000]);
        assert!(drawn[2000] > 3000);
    }
}
