//! Divides the calls that the licences allow among the nodes. Pure.
//!
//! What a node has, another cannot have, and a node goes by its share until it has heard of a smaller one. So a share is
//! lowered first, and given to another when the node has said that it goes by the lower one: also when messages are late,
//! all shares together are never more than the licences allow. Shares are left as they are while every node has some to
//! spare, so that a platform of many nodes does not send all of them another one with each call.

use std::collections::BTreeSet;

/// A node, as the division sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Holder {
    /// How many calls it has.
    pub(super) calls: u32,
    /// The share that it was given last.
    pub(super) granted: u32,
    /// The largest share that it may still go by.
    pub(super) held: u32,
    /// What it would do with more.
    pub(super) demand: Demand,
}

/// What a node would do with a larger share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Demand {
    /// It has just refused calls that it could have taken.
    Refusing,
    /// It takes calls.
    Open,
    /// It takes none.
    None,
}

impl Holder {
    /// How many calls nobody else can have: its share, or those that it has beyond it.
    fn occupied(self) -> u32 {
        self.held.max(self.calls)
    }

    /// Whether it is to be given more, so that it need not refuse calls: at less than half of the spare calls that it
    /// should have.
    fn is_short_of(self, aim: u32) -> bool {
        let spare = u64::from(self.held.saturating_sub(self.calls));
        let enough = u64::from(aim.saturating_sub(self.calls));
        aim > self.occupied()
            && match self.demand {
                Demand::Refusing => true,
                Demand::Open => 2 * spare < enough,
                Demand::None => false,
            }
    }
}

/// The next share of each node, of `total` calls.
pub(super) fn divide(total: u32, holders: &[Holder]) -> Vec<u32> {
    let aims = aims(total, holders);
    let mut shares: Vec<u32> = holders.iter().map(|holder| holder.granted).collect();
    let occupied: u64 = holders.iter().map(|holder| u64::from(holder.occupied())).sum();
    let mut free = u64::from(total).saturating_sub(occupied);
    let mut missing = occupied.saturating_sub(total.into());
    let mut short: Vec<usize> = (0..holders.len()).filter(|i| holders[*i].is_short_of(aims[*i])).collect();
    short.sort_by_key(|i| (holders[*i].demand, holders[*i].held.saturating_sub(holders[*i].calls)));
    for i in &short {
        let wanted = u64::from(aims[*i] - holders[*i].occupied());
        let more = wanted.min(free);
        free -= more;
        missing += wanted - more;
        shares[*i] = holders[*i].occupied() + u32::try_from(more).unwrap_or(u32::MAX);
    }
    let short: BTreeSet<usize> = short.into_iter().collect();
    let rest: Vec<usize> = (0..holders.len()).filter(|i| !short.contains(i)).collect();
    lower(&mut shares, &rest, holders, &aims, missing);
    // Who takes no calls gives back what it does not use while it hears of it: it may be about to restart.
    for (share, holder) in shares.iter_mut().zip(holders).filter(|(_, holder)| holder.demand == Demand::None)
    {
        *share = (*share).min(holder.calls);
    }
    shares
}

/// Lowers the shares of those who have more than they should, until as much as is missing will be given back.
fn lower(shares: &mut [u32], of: &[usize], holders: &[Holder], aims: &[u32], missing: u64) {
    let coming: u64 = of.iter().map(|i| u64::from(holders[*i].held.saturating_sub(shares[*i]))).sum();
    let mut missing = missing.saturating_sub(coming);
    let mut of = of.to_vec();
    of.sort_by_key(|i| std::cmp::Reverse(shares[*i].saturating_sub(aims[*i])));
    for i in of {
        let surplus = u64::from(shares[i].saturating_sub(aims[i])).min(missing);
        missing -= surplus;
        shares[i] -= u32::try_from(surplus).unwrap_or(0);
    }
}

/// The share that each node should have: its calls, and of the calls that are left half for those who refuse any, the
/// other half for all who take some. When there are more calls than are allowed, everyone has less than it uses.
fn aims(total: u32, holders: &[Holder]) -> Vec<u32> {
    let calls: u64 = holders.iter().map(|holder| u64::from(holder.calls)).sum();
    let Some(spare) = u64::from(total).checked_sub(calls).filter(|spare| *spare > 0) else {
        let part = |calls: u32, all: u64| u64::from(calls) * u64::from(total) / all.max(1);
        let aim = |holder: &Holder| u32::try_from(part(holder.calls, calls)).unwrap_or(0);
        return holders.iter().map(aim).collect();
    };
    let mut aims: Vec<u32> = holders.iter().map(|holder| holder.calls).collect();
    let of = |wanted: &dyn Fn(Demand) -> bool| -> Vec<usize> {
        (0..holders.len()).filter(|i| wanted(holders[*i].demand)).collect()
    };
    let (refusing, open) = (of(&|demand| demand == Demand::Refusing), of(&|demand| demand != Demand::None));
    let first = if refusing.is_empty() { 0 } else { spare.div_ceil(2) };
    spread(&mut aims, refusing, first, holders);
    spread(&mut aims, open, spare - first, holders);
    aims
}

/// Adds an amount to these in equal parts; what is left over goes to those with the most calls.
fn spread(aims: &mut [u32], mut among: Vec<usize>, amount: u64, holders: &[Holder]) {
    let count = among.len() as u64;
    if count == 0 {
        return;
    }
    among.sort_by_key(|i| std::cmp::Reverse(holders[*i].calls));
    let left_over = amount % count;
    for (position, i) in (0..).zip(among) {
        let part = amount / count + u64::from(position < left_over);
        aims[i] = aims[i].saturating_add(u32::try_from(part).unwrap_or(u32::MAX));
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::SmallRng;
    use rand::{RngExt as _, SeedableRng as _};

    use super::*;

    fn open(calls: u32, share: u32) -> Holder {
        Holder { calls, granted: share, held: share, demand: Demand::Open }
    }

    fn occupied(holders: &[Holder]) -> u64 {
        holders.iter().map(|holder| u64::from(holder.occupied())).sum()
    }

    /// Divides, and has every node go by its share, until nothing changes.
    fn settle(total: u32, holders: &mut [Holder]) {
        for _ in 0..50 {
            let shares = divide(total, holders);
            if shares.iter().zip(&*holders).all(|(share, holder)| *share == holder.held) {
                return;
            }
            for (holder, share) in holders.iter_mut().zip(shares) {
                (holder.granted, holder.held) = (share, share);
            }
        }
        panic!("shares of {total} do not settle: {holders:?}");
    }

    fn shares(holders: &[Holder]) -> Vec<u32> {
        holders.iter().map(|holder| holder.held).collect()
    }

    #[test]
    fn nodes_without_a_share_get_equal_parts_of_what_is_left() {
        let mut holders = [open(0, 0), open(3, 0), open(0, 0)];
        settle(12, &mut holders);
        assert_eq!(shares(&holders), [3, 6, 3]);
        assert_eq!(divide(2, &[open(0, 0), open(0, 0), open(0, 0)]), [1, 1, 0]);
    }

    #[test]
    fn shares_stay_while_every_node_has_some_to_spare() {
        let holders = [open(2, 5), open(0, 5), open(1, 5)];
        assert_eq!(divide(15, &holders), [5, 5, 5]);
    }

    #[test]
    fn last_call_goes_to_the_node_that_refuses_one() {
        let refusing = Holder { demand: Demand::Refusing, ..open(1, 1) };
        let mut holders = [refusing, open(0, 1)];
        assert_eq!(divide(2, &holders), [1, 0], "first it is taken away");
        settle(2, &mut holders);
        assert_eq!(shares(&holders), [2, 0]);
    }

    #[test]
    fn share_that_a_node_may_still_go_by_is_given_to_nobody() {
        let refusing = Holder { demand: Demand::Refusing, ..open(1, 1) };
        let away = Holder { granted: 0, ..open(0, 1) };
        assert_eq!(divide(2, &[refusing, away]), [1, 0]);
    }

    #[test]
    fn node_that_takes_no_calls_is_left_with_those_that_it_has() {
        let mut holders = [Holder { demand: Demand::None, ..open(2, 10) }, open(8, 8)];
        holders[1].demand = Demand::Refusing;
        settle(18, &mut holders);
        assert_eq!(shares(&holders), [2, 16]);
    }

    #[test]
    fn with_more_calls_than_are_allowed_no_node_may_take_one() {
        let mut holders = [open(6, 8), open(2, 4), open(0, 3)];
        settle(4, &mut holders);
        assert!(holders.iter().all(|holder| holder.held <= holder.calls), "{holders:?}");
        assert_eq!(shares(&holders).iter().sum::<u32>(), 4);
    }

    /// Nodes whose calls come, go and are refused at random, and who hear of their shares late or never.
    #[test]
    fn calls_never_become_more_than_are_allowed_and_every_share_gets_where_it_is_wanted() {
        let mut rng = SmallRng::seed_from_u64(49);
        for _ in 0..300 {
            let mut total = rng.random_range(0..40);
            let mut holders = vec![open(0, 0); rng.random_range(1..7)];
            for _ in 0..60 {
                let before = occupied(&holders);
                let running: u64 = holders.iter().map(|holder| u64::from(holder.calls)).sum();
                let shares = divide(total, &holders);
                for (holder, share) in holders.iter_mut().zip(shares) {
                    let is_kept = share >= holder.calls.min(holder.granted);
                    assert!(is_kept || running >= total.into(), "{holder:?} is left with {share} of {total}");
                    holder.granted = share;
                    holder.held = holder.held.max(share);
                    if rng.random_bool(0.7) {
                        holder.held = holder.granted;
                    }
                }
                let most = before.max(total.into());
                assert!(occupied(&holders) <= most, "{holders:?} are more than {most}");
                for holder in &mut holders {
                    holder.demand = Demand::Open;
                    match rng.random_range(0..4) {
                        0 => holder.calls = holder.calls.saturating_sub(1),
                        1 if holder.calls < holder.held => holder.calls += 1,
                        1 => holder.demand = Demand::Refusing,
                        _ => {}
                    }
                }
                if rng.random_bool(0.03) {
                    total = rng.random_range(0..40);
                }
            }
            wants_all(total, holders);
        }
    }

    /// All other nodes end their calls, and callers come to the first one for as long as it takes them.
    fn wants_all(total: u32, mut holders: Vec<Holder>) {
        for holder in &mut holders[1..] {
            holder.calls = 0;
        }
        for _ in 0..200 {
            let first = &mut holders[0];
            first.calls = first.held.max(first.calls);
            first.demand = Demand::Refusing;
            let shares = divide(total, &holders);
            for (holder, share) in holders.iter_mut().zip(shares) {
                (holder.granted, holder.held) = (share, share);
            }
        }
        assert!(holders[0].calls >= total, "{holders:?} of {total}");
    }
}
