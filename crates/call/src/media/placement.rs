//! Which shard each leg is in: all legs of a conference in one, for they are mixed together. A conference begins in the
//! first shard that has few legs, else where there are the fewest. Pure.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use crate::rooms::RoomName;

use super::shard::LegId;

/// So many legs leave a thread idle for nearly all of its time (less than a millisecond of each tick of 20): there another
/// thread would only wake up once more.
pub(crate) const FEW: u32 = 50;

/// The number of a shard, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ShardId(pub(crate) u32);

/// The legs and conferences of all shards.
#[derive(Debug)]
pub(crate) struct Placement {
    /// How many legs each shard has.
    shards: BTreeMap<ShardId, u32>,
    conferences: BTreeMap<RoomName, Place>,
    legs: BTreeMap<LegId, RoomName>,
}

/// Where a conference is, and how many legs it has.
#[derive(Clone, Copy, Debug)]
struct Place {
    shard: ShardId,
    legs: u32,
}

impl Placement {
    /// So many shards without legs.
    pub(crate) fn new(shards: NonZeroU32) -> Placement {
        let shards = (0..shards.get()).map(|shard| (ShardId(shard), 0)).collect();
        Placement { shards, conferences: BTreeMap::new(), legs: BTreeMap::new() }
    }

    /// A leg joins a conference. Returns the shard of both.
    pub(crate) fn join(&mut self, leg: LegId, room: &RoomName) -> ShardId {
        let free = self.free();
        let place = self.conferences.entry(room.clone()).or_insert(Place { shard: free, legs: 0 });
        place.legs += 1;
        self.legs.insert(leg, room.clone());
        self.shards.entry(place.shard).and_modify(|legs| *legs += 1);
        place.shard
    }

    /// The shard of a leg; `None` when it has left.
    pub(crate) fn find(&self, leg: LegId) -> Option<ShardId> {
        self.conferences.get(self.legs.get(&leg)?).map(|place| place.shard)
    }

    /// The shard of a conference; `None` when it has no leg.
    pub(crate) fn find_conference(&self, room: &RoomName) -> Option<ShardId> {
        self.conferences.get(room).map(|place| place.shard)
    }

    /// A leg leaves. Returns the shard that it was in; the next conference of that name may be in another one.
    pub(crate) fn leave(&mut self, leg: LegId) -> Option<ShardId> {
        let room = self.legs.remove(&leg)?;
        let place = self.conferences.get_mut(&room)?;
        let shard = place.shard;
        place.legs -= 1;
        if place.legs == 0 {
            self.conferences.remove(&room);
        }
        self.shards.entry(shard).and_modify(|legs| *legs -= 1);
        Some(shard)
    }

    /// Where a conference begins.
    fn free(&self) -> ShardId {
        let first = self.shards.iter().find(|(_, legs)| **legs < FEW);
        let emptiest = || self.shards.iter().min_by_key(|(shard, legs)| (**legs, **shard));
        first.or_else(emptiest).map_or(ShardId(0), |(shard, _)| *shard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placement(shards: u32) -> Placement {
        Placement::new(NonZeroU32::new(shards).expect("not zero"))
    }

    /// A conference of so many legs, whose numbers begin with this one.
    fn fill(placement: &mut Placement, room: &str, first: u64, legs: u32) -> Vec<u32> {
        let mut shards: Vec<_> =
            (first..).zip(0..legs).map(|(leg, _)| placement.join(LegId(leg), &room.into()).0).collect();
        shards.dedup();
        shards
    }

    #[test]
    fn conference_begins_in_the_first_shard_with_few_legs_and_stays_there() {
        let mut placement = placement(3);
        assert_eq!(fill(&mut placement, "a", 0, FEW - 1), [0]);
        assert_eq!(fill(&mut placement, "b", 1000, FEW + 7), [0], "it began when there were few");
        assert_eq!(fill(&mut placement, "c", 2000, FEW + 5), [1]);
        assert_eq!(fill(&mut placement, "d", 3000, FEW + 9), [2]);
        assert_eq!(fill(&mut placement, "e", 4000, 10), [1], "all have many, and this one the fewest");
        assert_eq!(fill(&mut placement, "a", 5000, 1), [0]);
        assert_eq!(placement.find_conference(&"d".into()), Some(ShardId(2)));
    }

    #[test]
    fn leg_is_found_until_it_leaves_and_makes_room_for_the_next() {
        let mut placement = placement(2);
        fill(&mut placement, "a", 0, FEW);
        assert_eq!(placement.join(LegId(100), &"b".into()), ShardId(1));
        assert_eq!(placement.leave(LegId(0)), Some(ShardId(0)));
        assert_eq!((placement.find(LegId(0)), placement.leave(LegId(0))), (None, None));
        assert_eq!(placement.find(LegId(1)), Some(ShardId(0)));
        assert_eq!(placement.join(LegId(101), &"b".into()), ShardId(1), "the conference is there still");
        assert_eq!([100, 101].map(|leg| placement.leave(LegId(leg))), [Some(ShardId(1)); 2]);
        assert_eq!(placement.join(LegId(102), &"b".into()), ShardId(0), "it has begun anew");
        assert_eq!(placement.shards.values().copied().collect::<Vec<_>>(), [FEW, 0]);
        assert_eq!((placement.conferences.len(), placement.legs.len()), (2, FEW as usize));
    }
}
