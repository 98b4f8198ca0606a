//! The members of each conference (the same alias on the same node). Assigns tones, and reports to the members when
//! another one is dialled, answered or leaves.
//!
//! Pure: a member is anything that implements [`Listener`]. Does no I/O.

use std::collections::BTreeMap;

use crate::call_log::NodeName;
use crate::dial::CallId;
use crate::time::{Millis, Time};
use crate::tone::Tone;

/// How long a released tone is not assigned to another caller of the conference, so that audio of its former caller
/// in a node's buffers is not attributed to the new one.
const TONE_REST: Millis = Millis::seconds(3);

/// A conference: the node and the alias.
pub(crate) type Conference = (NodeName, String);

/// Receives reports about the other members of a conference.
pub(crate) trait Listener {
    /// The tone must be received, since `since`.
    fn expect(&self, tone: Tone, since: Time);
    /// The tone may be received.
    fn allow(&self, tone: Tone);
    /// The caller of the tone left at `at`.
    fn excuse(&self, tone: Tone, at: Time);
}

#[derive(Debug)]
struct Member<L> {
    tone: Tone,
    answered: Option<(Time, L)>,
}

/// The members of all conferences.
#[derive(Debug)]
pub(crate) struct Roster<L> {
    conferences: BTreeMap<Conference, BTreeMap<CallId, Member<L>>>,
    released: BTreeMap<(Conference, Tone), Time>,
}

impl<L> Default for Roster<L> {
    fn default() -> Self {
        Roster { conferences: BTreeMap::new(), released: BTreeMap::new() }
    }
}

impl<L: Listener> Roster<L> {
    /// The number of members of each conference, including those that are being dialled.
    pub(crate) fn occupancy(&self) -> BTreeMap<Conference, usize> {
        self.conferences.iter().map(|(conference, members)| (conference.clone(), members.len())).collect()
    }

    /// Assigns a tone to a caller that is about to dial: the free tone that was released first. The others may
    /// receive it from now on. `None` if no tone is free for long enough.
    pub(crate) fn seat(&mut self, conference: &Conference, id: &CallId, now: Time) -> Option<Tone> {
        let members = self.conferences.entry(conference.clone()).or_default();
        let free = Tone::all().filter(|tone| members.values().all(|member| member.tone != *tone));
        let released = |tone: &Tone| self.released.get(&(conference.clone(), *tone)).copied();
        let ready = free.filter(|tone| released(tone).is_none_or(|since| now.since(since) >= TONE_REST));
        let tone = ready.min_by_key(released)?;
        for (_, listener) in members.values().filter_map(|member| member.answered.as_ref()) {
            listener.allow(tone);
        }
        members.insert(id.clone(), Member { tone, answered: None });
        Some(tone)
    }

    /// The call was answered: from now on it and all others that were answered must hear each other.
    pub(crate) fn answered(&mut self, conference: &Conference, id: &CallId, at: Time, listener: L) {
        let Some(members) = self.conferences.get_mut(conference) else { return };
        let Some(tone) = members.get(id).map(|member| member.tone) else { return };
        for (_, other) in members.iter().filter(|(other, _)| *other != id) {
            match &other.answered {
                Some((since, other_listener)) => {
                    let both = at.max(*since);
                    other_listener.expect(tone, both);
                    listener.expect(other.tone, both);
                }
                None => listener.allow(other.tone),
            }
        }
        for ((_, left), since) in self.released.iter().filter(|((of, _), _)| of == conference) {
            if members.values().all(|member| member.tone != *left) {
                listener.excuse(*left, *since);
            }
        }
        if let Some(member) = members.get_mut(id) {
            member.answered = Some((at, listener));
        }
    }

    /// The call began to end at `at`, or was not answered: it and the others need not hear each other any more.
    pub(crate) fn leave(&mut self, conference: &Conference, id: &CallId, at: Time) {
        let Some(members) = self.conferences.get_mut(conference) else { return };
        let Some(gone) = members.remove(id) else { return };
        for other in members.values() {
            if let Some((_, listener)) = &other.answered {
                listener.excuse(gone.tone, at);
                if let Some((_, own)) = &gone.answered {
                    own.excuse(other.tone, at);
                }
            }
        }
        self.released.insert((conference.clone(), gone.tone), at);
        if members.is_empty() {
            self.conferences.remove(conference);
        }
    }

    /// The call with a tone in the conference.
    pub(crate) fn owner(&self, conference: &Conference, tone: Tone) -> Option<CallId> {
        let members = self.conferences.get(conference)?;
        members.iter().find(|(_, member)| member.tone == tone).map(|(id, _)| id.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::rc::Rc;

    /// Records the reports.
    #[derive(Clone, Default)]
    struct Recorder(Rc<RefCell<Vec<String>>>);

    impl Listener for Recorder {
        fn expect(&self, tone: Tone, since: Time) {
            self.0.borrow_mut().push(format!("expect {tone} since {}", since.0));
        }
        fn allow(&self, tone: Tone) {
            self.0.borrow_mut().push(format!("allow {tone}"));
        }
        fn excuse(&self, tone: Tone, at: Time) {
            self.0.borrow_mut().push(format!("excuse {tone} at {}", at.0));
        }
    }

    fn id(name: &str) -> CallId {
        CallId(name.to_owned())
    }

    fn conference(node: &str) -> Conference {
        (NodeName(node.to_owned()), "lobby".to_owned())
    }

    fn join(roster: &mut Roster<Recorder>, at: &str, name: &str, time: u64) -> Recorder {
        let recorder = Recorder::default();
        roster.seat(&conference(at), &id(name), Time(time)).expect("a tone is free");
        roster.answered(&conference(at), &id(name), Time(time), recorder.clone());
        recorder
    }

    #[test]
    fn members_of_a_conference_expect_each_other_since_the_later_answer() {
        let mut roster = Roster::default();
        let a = join(&mut roster, "x", "a", 10);
        let b = join(&mut roster, "x", "b", 20);
        let elsewhere = join(&mut roster, "y", "c", 30);
        assert_eq!(*a.0.borrow(), ["allow 500 Hz", "expect 500 Hz since 20"]);
        assert_eq!(*b.0.borrow(), ["expect 400 Hz since 20"]);
        assert!(elsewhere.0.borrow().is_empty());
    }

    #[test]
    fn member_that_leaves_is_excused_on_both_sides() {
        let mut roster = Roster::default();
        let a = join(&mut roster, "x", "a", 10);
        let b = join(&mut roster, "x", "b", 20);
        roster.leave(&conference("x"), &id("a"), Time(50));
        assert_eq!(a.0.borrow().last().unwrap(), "excuse 500 Hz at 50");
        assert_eq!(b.0.borrow().last().unwrap(), "excuse 400 Hz at 50");
        assert_eq!(roster.owner(&conference("x"), Tone::nth(1)), Some(id("b")));
        assert_eq!(roster.owner(&conference("x"), Tone::nth(0)), None);
    }

    #[test]
    fn call_that_is_not_answered_is_allowed_and_excused() {
        let mut roster = Roster::default();
        let a = join(&mut roster, "x", "a", 10);
        roster.seat(&conference("x"), &id("b"), Time(20)).unwrap();
        roster.leave(&conference("x"), &id("b"), Time(30));
        assert_eq!(*a.0.borrow(), ["allow 500 Hz", "excuse 500 Hz at 30"]);
    }

    #[test]
    fn released_tone_is_not_assigned_again_at_once() {
        let mut roster: Roster<Recorder> = Roster::default();
        for n in 0..29 {
            join(&mut roster, "x", &format!("c{n}"), 0);
        }
        assert_eq!(roster.seat(&conference("x"), &id("late"), Time(0)), None);
        roster.leave(&conference("x"), &id("c3"), Time(1000));
        assert_eq!(roster.seat(&conference("x"), &id("late"), Time(3999)), None);
        assert_eq!(roster.seat(&conference("x"), &id("late"), Time(4000)), Some(Tone::nth(3)));
    }
}
