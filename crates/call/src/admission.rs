//! Decides whether a new call is admitted: maintenance mode, then the call limit, then the licences, then the rate of its
//! source.
//!
//! Pure: takes the time and the number of calls, makes no dialog, opens no socket. It is called before anything else
//! is done with an INVITE (R3).

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::settings::SourceRate;
use crate::time::Time;

/// The reason sent to callers in maintenance mode, in the words of the operator's document.
pub const MAINTENANCE_MODE: &str = "System in maintenance mode";

/// The reason sent to callers when the licences allow no more calls, as other systems know it.
pub const INSUFFICIENT_LICENCES: &str = "Insufficient licenses";

/// The most source addresses whose rate is kept; all further ones share one bucket. 4,096 entries are
/// under half a megabyte and far more sources than a node has calls.
pub const MAX_SOURCES: usize = 4096;

/// Failures are counted by the minute: one costs as many tokens, of which a second brings as many as there may be
/// failures in a minute.
const SECONDS: u32 = 60;

/// The shortest time between two sweeps of a full table of sources.
const SWEEP_PAUSE: Duration = Duration::from_secs(1);

/// Whether the node takes new calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Admission {
    /// New calls are admitted, within the limits.
    Open,
    /// New calls are refused; running ones are not touched.
    Closed(Closed),
}

/// Why new calls are refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// The text of the Reason header of the refusal.
    pub reason: String,
}

impl Closed {
    /// Closed for maintenance mode, in the words of the operator's document.
    #[must_use]
    pub fn maintenance_mode() -> Closed {
        Closed { reason: MAINTENANCE_MODE.into() }
    }
}

/// What to do about a new call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Answer it.
    Admit,
    /// Refuse it with a reason.
    Refuse(Refusal),
    /// Do not answer at all: the source sends requests above the rate at which they are answered.
    Drop,
}

/// Why a call is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The node takes no new calls.
    Closed(Closed),
    /// The node has as many calls as it may have.
    CallLimit,
    /// The node has as many calls as its share of the licences allows.
    Licences,
    /// The source makes calls above its rate.
    SourceRate,
}

/// The admission of a node: one for all its calls.
#[derive(Debug)]
pub struct Admitter {
    admission: Admission,
    call_limit: u32,
    licensed: Option<u32>,
    rate: SourceRate,
    sources: BTreeMap<IpAddr, Source>,
    everyone_else: Source,
    swept: Option<Time>,
}

impl Admitter {
    /// An admitter with full token buckets.
    #[must_use]
    pub fn new(admission: Admission, call_limit: u32, rate: SourceRate) -> Admitter {
        let everyone_else = Source::full(Time::default(), rate);
        let sources = BTreeMap::new();
        Admitter { admission, call_limit, licensed: None, rate, sources, everyone_else, swept: None }
    }

    /// Opens or closes the node for new calls.
    pub fn set(&mut self, admission: Admission) {
        self.admission = admission;
    }

    /// Sets how many calls there may be with a new one by the licences; none is without a limit.
    pub fn set_licensed(&mut self, calls: Option<u32>) {
        self.licensed = calls;
    }

    /// Whether the licences allow one more call than these.
    #[must_use]
    pub fn is_licensed(&self, calls: u32) -> bool {
        self.licensed.is_none_or(|most| calls < most)
    }

    /// Whether new calls are taken at all.
    #[must_use]
    pub fn admission(&self) -> &Admission {
        &self.admission
    }

    /// The decision on a new call of `source` while there are `calls` already.
    pub fn admit(&mut self, now: Time, source: IpAddr, calls: u32) -> Verdict {
        let refusal = match &self.admission {
            Admission::Closed(closed) => Some(Refusal::Closed(closed.clone())),
            Admission::Open if calls >= self.call_limit => Some(Refusal::CallLimit),
            Admission::Open if !self.is_licensed(calls) => Some(Refusal::Licences),
            Admission::Open => None,
        };
        let rate = self.rate;
        let source = self.source(now, source);
        let refusal = refusal.or_else(|| {
            let in_rate = source.calls.take(now, rate.admitted, rate.burst, 1);
            (!in_rate).then_some(Refusal::SourceRate)
        });
        match refusal {
            None => Verdict::Admit,
            Some(refusal) if source.take_answer(now, rate) => Verdict::Refuse(refusal),
            Some(_) => Verdict::Drop,
        }
    }

    /// Whether a request of `source` that makes no call (such as OPTIONS) is answered.
    pub fn answer(&mut self, now: Time, source: IpAddr) -> bool {
        let rate = self.rate;
        self.source(now, source).take_answer(now, rate)
    }

    /// A call that was admitted is only asked who calls: it counts as an answer and not as a call. Whether it is
    /// answered.
    pub fn challenge(&mut self, now: Time, source: IpAddr) -> bool {
        let rate = self.rate;
        let source = self.source(now, source);
        source.calls.give_back(rate.burst);
        source.take_answer(now, rate)
    }

    /// Whether a device of `source` may be registered: as often as it may call.
    pub fn register(&mut self, now: Time, source: IpAddr) -> bool {
        let rate = self.rate;
        self.source(now, source).registrations.take(now, rate.admitted, rate.burst, 1)
    }

    /// Whether credentials of `source` are looked at: not when too many were wrong.
    pub fn may_fail(&mut self, now: Time, source: IpAddr) -> bool {
        let rate = self.rate;
        self.source(now, source).failures.has(now, rate.failed, rate.failures())
    }

    /// Credentials of `source` were wrong.
    pub fn failed(&mut self, now: Time, source: IpAddr) {
        let rate = self.rate;
        self.source(now, source).failures.take(now, rate.failed, rate.failures(), SECONDS);
    }

    fn source(&mut self, now: Time, address: IpAddr) -> &mut Source {
        let address = group(address);
        if self.sources.len() >= MAX_SOURCES && !self.sources.contains_key(&address) {
            self.sweep(now);
            if self.sources.len() >= MAX_SOURCES {
                return &mut self.everyone_else;
            }
        }
        self.sources.entry(address).or_insert_with(|| Source::full(now, self.rate))
    }

    /// Removes the sources whose buckets are full; at most once a second, however many new ones come.
    fn sweep(&mut self, now: Time) {
        if self.swept.is_some_and(|swept| now.since(swept) < SWEEP_PAUSE) {
            return;
        }
        self.swept = Some(now);
        let rate = self.rate;
        self.sources.retain(|_, source| !source.is_full(now, rate));
    }
}

/// The address that has a rate. An IPv6 caller owns a whole /64 (RFC 6177), so that is counted as one source.
pub(crate) fn group(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

#[derive(Debug)]
struct Source {
    calls: Bucket,
    answers: Bucket,
    failures: Bucket,
    registrations: Bucket,
}

impl SourceRate {
    /// The tokens of the failures that there may be at once.
    fn failures(self) -> u32 {
        self.failed.saturating_mul(SECONDS)
    }
}

impl Source {
    fn full(now: Time, rate: SourceRate) -> Source {
        let full = |burst| Bucket::full(now, burst);
        Source {
            calls: full(rate.burst),
            answers: full(rate.answered),
            failures: full(rate.failures()),
            registrations: full(rate.burst),
        }
    }

    fn take_answer(&mut self, now: Time, rate: SourceRate) -> bool {
        self.answers.take(now, rate.answered, rate.answered, 1)
    }

    fn is_full(&mut self, now: Time, rate: SourceRate) -> bool {
        self.calls.fill(now, rate.admitted, rate.burst);
        self.answers.fill(now, rate.answered, rate.answered);
        self.failures.fill(now, rate.failed, rate.failures());
        self.registrations.fill(now, rate.admitted, rate.burst);
        self.calls.holds(rate.burst)
            && self.registrations.holds(rate.burst)
            && self.answers.holds(rate.answered)
            && self.failures.holds(rate.failures())
    }
}

/// A token bucket, in thousandths of a token, so that no time is lost to rounding.
#[derive(Debug)]
struct Bucket {
    millitokens: u64,
    filled: Time,
}

impl Bucket {
    fn full(now: Time, burst: u32) -> Bucket {
        Bucket { millitokens: u64::from(burst) * 1000, filled: now }
    }

    fn take(&mut self, now: Time, per_second: u32, burst: u32, tokens: u32) -> bool {
        self.fill(now, per_second, burst);
        let taken = self.millitokens.checked_sub(u64::from(tokens) * 1000);
        self.millitokens = taken.unwrap_or(self.millitokens);
        taken.is_some()
    }

    /// Whether a failure can be taken.
    fn has(&mut self, now: Time, per_second: u32, burst: u32) -> bool {
        self.fill(now, per_second, burst);
        self.millitokens >= u64::from(SECONDS) * 1000
    }

    fn give_back(&mut self, burst: u32) {
        self.millitokens = (self.millitokens + 1000).min(u64::from(burst) * 1000);
    }

    /// One token a second is one thousandth of a token a millisecond.
    fn fill(&mut self, now: Time, per_second: u32, burst: u32) {
        let gained = now.0.saturating_sub(self.filled.0).saturating_mul(u64::from(per_second));
        self.millitokens = self.millitokens.saturating_add(gained).min(u64::from(burst) * 1000);
        self.filled = self.filled.max(now);
    }

    fn holds(&self, burst: u32) -> bool {
        self.millitokens == u64::from(burst) * 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const RATE: SourceRate = SourceRate { admitted: 2, burst: 3, answered: 4, failed: 2 };

    fn open() -> Admitter {
        Admitter::new(Admission::Open, 10, RATE)
    }

    #[test]
    fn maintenance_mode_comes_before_the_limit_and_the_limit_before_the_rate() {
        let mut admitter = open();
        for _ in 0..3 {
            assert_eq!(admitter.admit(Time(0), HERE, 0), Verdict::Admit);
        }
        assert_eq!(admitter.admit(Time(0), HERE, 0), Verdict::Refuse(Refusal::SourceRate));
        assert_eq!(admitter.admit(Time(0), HERE, 10), Verdict::Refuse(Refusal::CallLimit));
        let closed = Closed::maintenance_mode();
        admitter.set(Admission::Closed(closed.clone()));
        assert_eq!(admitter.admit(Time(0), HERE, 10), Verdict::Refuse(Refusal::Closed(closed)));
    }

    #[test]
    fn call_limit_is_the_most_calls_at_one_time() {
        let mut admitter = open();
        assert_eq!(admitter.admit(Time(0), HERE, 9), Verdict::Admit);
        assert_eq!(admitter.admit(Time(0), HERE, 10), Verdict::Refuse(Refusal::CallLimit));
    }

    #[test]
    fn licences_limit_new_calls_after_the_call_limit_and_before_the_rate() {
        let mut admitter = open();
        admitter.set_licensed(Some(2));
        assert_eq!(admitter.admit(Time(0), HERE, 1), Verdict::Admit);
        assert_eq!(admitter.admit(Time(0), HERE, 2), Verdict::Refuse(Refusal::Licences));
        assert_eq!(admitter.admit(Time(0), HERE, 10), Verdict::Refuse(Refusal::CallLimit));
        admitter.set_licensed(None);
        assert_eq!(admitter.admit(Time(0), HERE, 2), Verdict::Admit);
    }

    #[test]
    fn source_that_goes_on_above_its_rate_gets_no_answer() {
        let mut admitter = open();
        let verdicts: Vec<_> = (0..9).map(|_| admitter.admit(Time(0), HERE, 0)).collect();
        assert_eq!(verdicts[..3], [const { Verdict::Admit }; 3]);
        assert_eq!(verdicts[3..7], [const { Verdict::Refuse(Refusal::SourceRate) }; 4]);
        assert_eq!(verdicts[7..], [const { Verdict::Drop }; 2]);
    }

    #[test]
    fn source_recovers_at_its_rate_and_others_are_not_affected() {
        let mut admitter = open();
        for _ in 0..9 {
            admitter.admit(Time(0), HERE, 0);
        }
        assert_eq!(admitter.admit(Time(0), [10, 0, 0, 1].into(), 0), Verdict::Admit);
        assert_eq!(admitter.admit(Time(499), HERE, 0), Verdict::Refuse(Refusal::SourceRate));
        assert_eq!(admitter.admit(Time(500), HERE, 0), Verdict::Admit);
        assert_eq!(admitter.admit(Time(500), HERE, 0), Verdict::Refuse(Refusal::SourceRate));
    }

    #[test]
    fn call_that_is_only_asked_who_calls_counts_as_an_answer() {
        let mut admitter = open();
        for answered in [true, true, true, true, false] {
            assert_eq!(admitter.admit(Time(0), HERE, 0), Verdict::Admit);
            assert_eq!(admitter.challenge(Time(0), HERE), answered);
        }
    }

    #[test]
    fn source_may_register_as_often_as_it_may_call_and_beside_that() {
        let mut admitter = open();
        for _ in 0..3 {
            assert!(admitter.register(Time(0), HERE));
        }
        assert!(!admitter.register(Time(499), HERE));
        assert!(admitter.register(Time(500), HERE));
        assert_eq!(admitter.admit(Time(500), HERE, 0), Verdict::Admit);
    }

    #[test]
    fn source_may_fail_so_often_in_a_minute() {
        let mut admitter = open();
        let there = [10, 0, 0, 1].into();
        for _ in 0..2 {
            assert!(admitter.may_fail(Time(0), HERE));
            admitter.failed(Time(0), HERE);
        }
        admitter.failed(Time(0), HERE);
        assert!(!admitter.may_fail(Time(29_999), HERE) && admitter.may_fail(Time(0), there));
        assert!(admitter.may_fail(Time(30_000), HERE));
        admitter.failed(Time(30_000), HERE);
        assert!(!admitter.may_fail(Time(59_999), HERE));
    }

    #[test]
    fn table_of_sources_is_bounded_and_drops_quiet_ones() {
        let mut admitter = open();
        let address = |n: u32| IpAddr::from(n.to_be_bytes());
        for n in 0..MAX_SOURCES as u32 + 100 {
            admitter.admit(Time(0), address(n), 0);
        }
        assert_eq!(admitter.sources.len(), MAX_SOURCES);
        assert_eq!(admitter.admit(Time(0), address(9_999), 0), Verdict::Drop);
        assert_eq!(admitter.admit(Time(5_000), address(9_999), 0), Verdict::Admit);
        assert_eq!(admitter.sources.len(), 1);
    }

    #[test]
    fn ipv6_caller_has_one_rate_for_its_network() {
        let mut admitter = open();
        let address = |last| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, last));
        for last in 0..3 {
            assert_eq!(admitter.admit(Time(0), address(last), 0), Verdict::Admit);
        }
        assert_eq!(admitter.admit(Time(0), address(3), 0), Verdict::Refuse(Refusal::SourceRate));
    }
}
