//! Session timers (RFC 4028): how long a call lasts without a refresh.
//!
//! Pure: writes header values, decides when to refresh and when to end the call. Reading and sending is done in `signalling`.

use std::time::Duration;

use crate::time::Time;

/// How long before its expiry a session is ended at most (RFC 4028 section 10).
const MAX_LEAD: Duration = Duration::from_secs(32);

/// The longest time without a refresh, unless our own interval is longer. A far end may ask for 136 years; a call on
/// hold has no media timeout, so a vanished caller would block every drain until then (R4). Two hours: four times
/// the usual interval.
const MAX_INTERVAL: Duration = Duration::from_secs(2 * 60 * 60);

/// Who sends the refresh requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refresher {
    /// This node.
    Us,
    /// The far end.
    FarEnd,
}

/// The intervals that this node accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Policy {
    /// The interval we ask for and the longest we agree to.
    pub(crate) interval: Duration,
    /// The shortest interval we accept.
    pub(crate) shortest: Duration,
}

/// What a request says about session timers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Session-Expires, in seconds.
    pub(crate) expires: Option<u32>,
    /// The refresher named in Session-Expires: `uac` is the sender of the request.
    pub(crate) refresher_is_sender: Option<bool>,
    /// Min-SE, in seconds.
    pub(crate) min_se: Option<u32>,
    /// Whether `timer` stands in Supported or Require.
    pub(crate) supported: bool,
}

/// The asked interval is too short; answer 422 with this Min-SE, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooShort {
    /// The value of Min-SE.
    pub(crate) min_se: u64,
}

/// A running session timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SessionTimer {
    /// The agreed interval, as it is announced.
    pub(crate) interval: Duration,
    /// The longest interval we rely on; a longer one is agreed to, but refreshed by us this often.
    pub(crate) longest: Duration,
    /// Who refreshes.
    pub(crate) refresher: Refresher,
    /// When the session was last refreshed.
    pub(crate) refreshed: Time,
}

impl SessionTimer {
    /// Answers a request of the far end (RFC 4028 section 9).
    ///
    /// # Errors
    /// The asked interval is shorter than we accept and the far end knows session timers.
    pub(crate) fn agree(now: Time, asked: Asked, policy: Policy) -> Result<SessionTimer, TooShort> {
        let wanted = asked.expires.map(|seconds| Duration::from_secs(seconds.into()));
        if asked.supported && wanted.is_some_and(|wanted| wanted < policy.shortest) {
            return Err(TooShort { min_se: policy.shortest.as_secs() });
        }
        let floor =
            asked.min_se.map_or(Duration::ZERO, |s| Duration::from_secs(s.into())).max(policy.shortest);
        let interval = wanted.unwrap_or(policy.interval).min(policy.interval).max(floor);
        // A far end that does not support session timers cannot refresh. One that does refreshes, unless it asks us
        // to: then its absence is noticed without a request of ours.
        let refresher = match (asked.supported, asked.refresher_is_sender) {
            (false, _) | (true, Some(false)) => Refresher::Us,
            (true, Some(true) | None) => Refresher::FarEnd,
        };
        let longest = MAX_INTERVAL.max(policy.interval);
        Ok(SessionTimer { interval, longest, refresher, refreshed: now }.watched())
    }

    /// Goes on with the timer of another process.
    pub(crate) fn continued(
        interval: Duration,
        refresher: Refresher,
        refreshed: Time,
        policy: Policy,
    ) -> SessionTimer {
        let interval = interval.max(policy.shortest);
        let longest = MAX_INTERVAL.max(policy.interval);
        SessionTimer { interval, longest, refresher, refreshed }.watched()
    }

    /// Reads the far end's 200 to our refresh. Without Session-Expires we go on refreshing by ourselves.
    pub(crate) fn confirmed(self, now: Time, answered: Asked) -> SessionTimer {
        let interval = answered.expires.map_or(self.interval, |s| Duration::from_secs(s.into()));
        let refresher = match answered.refresher_is_sender {
            // In the answer to our request, `uac` is this node.
            Some(true) | None => Refresher::Us,
            Some(false) => Refresher::FarEnd,
        };
        SessionTimer { interval: interval.min(self.interval), refresher, refreshed: now, ..self }.watched()
    }

    /// Adopts the Min-SE, in seconds, of a far end that finds our interval too short (422). One that is longer than
    /// the longest interval is not adopted: the refresh is tried again unchanged, and the session expires unless
    /// that succeeds.
    pub(crate) fn lengthened(self, min_se: u32) -> SessionTimer {
        let asked = Duration::from_secs(min_se.into());
        let interval = if asked > self.longest { self.interval } else { self.interval.max(asked) };
        SessionTimer { interval, ..self }
    }

    /// Makes us the refresher if the agreed interval is longer than the longest one, whoever was named: the far end
    /// may be refreshed more often than agreed, and then its absence is noticed.
    fn watched(self) -> SessionTimer {
        let refresher = if self.interval > self.longest { Refresher::Us } else { self.refresher };
        SessionTimer { refresher, ..self }
    }

    /// The interval that counts: the announced one, as far as we rely on it.
    fn relied_on(&self) -> Duration {
        self.interval.min(self.longest)
    }

    /// When we refresh: after half the interval; never when the far end does.
    pub(crate) fn refresh_at(&self) -> Option<Time> {
        match self.refresher {
            Refresher::Us => Some(self.refreshed + self.relied_on() / 2),
            Refresher::FarEnd => None,
        }
    }

    /// When the call is ended for lack of a refresh: a third of the interval, at most 32 seconds, before it expires.
    pub(crate) fn lapses_at(&self) -> Time {
        let interval = self.relied_on();
        self.refreshed + (interval - (interval / 3).min(MAX_LEAD))
    }

    /// The value of Session-Expires in a response to the far end's request.
    pub(crate) fn response_header(&self) -> String {
        self.header(Refresher::FarEnd)
    }

    /// The value of Session-Expires in a request of ours.
    pub(crate) fn request_header(&self) -> String {
        self.header(Refresher::Us)
    }

    fn header(&self, uac: Refresher) -> String {
        let name = if self.refresher == uac { "uac" } else { "uas" };
        format!("{};refresher={name}", self.interval.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use sip::session::{Refresher as Side, SessionExpires};
    use sip::value::Value as _;

    use super::*;

    const POLICY: Policy = Policy { interval: Duration::from_secs(1800), shortest: Duration::from_secs(90) };

    /// A session that we refresh.
    fn of(seconds: u64) -> SessionTimer {
        let interval = Duration::from_secs(seconds);
        SessionTimer { interval, longest: MAX_INTERVAL, refresher: Refresher::Us, refreshed: Time(0) }
    }

    #[test]
    fn endless_interval_is_announced_but_refreshed_by_us_within_two_hours() {
        let endless = "4294967295";
        for expires in [None, Some("4294967295"), Some("4294967295;refresher=uac")] {
            let timer = agree(expires, Some(endless), true).expect("agreed");
            assert_eq!(timer.response_header(), "4294967295;refresher=uas");
            assert_eq!(timer.request_header(), "4294967295;refresher=uac");
            assert_eq!(timer.refresh_at(), Some(Time(3_600_000)));
            assert_eq!(timer.lapses_at(), Time(7_168_000));
            let handed_back = read(Some("4294967295;refresher=uas"), None, true);
            let refreshed = timer.confirmed(Time(3_600_000), handed_back);
            assert_eq!(refreshed.refresh_at(), Some(Time(7_200_000)));
        }
        let longer = Policy { interval: Duration::from_secs(10_000), ..POLICY };
        let timer = SessionTimer::agree(Time(0), read(None, Some(endless), true), longer);
        assert_eq!(timer.expect("agreed").refresh_at(), Some(Time(5_000_000)));
    }

    #[test]
    fn refresh_found_too_short_is_lengthened_within_the_limit_only() {
        let check = |min_se, expected| assert_eq!(of(600).lengthened(min_se).interval.as_secs(), expected);
        check(0, 600);
        check(900, 900);
        check(7200, 7200);
        check(7201, 600);
        check(u32::MAX, 600);
    }

    fn read(expires: Option<&str>, min_se: Option<&str>, supported: bool) -> Asked {
        let expires = expires.and_then(|text| SessionExpires::whole(text.as_bytes()).ok());
        Asked {
            expires: expires.map(|expires| expires.seconds),
            refresher_is_sender: expires.and_then(|expires| Some(expires.refresher? == Side::Uac)),
            min_se: min_se.and_then(|text| text.parse().ok()),
            supported,
        }
    }

    fn agree(expires: Option<&str>, min_se: Option<&str>, supported: bool) -> Result<SessionTimer, TooShort> {
        SessionTimer::agree(Time(0), read(expires, min_se, supported), POLICY)
    }

    #[test]
    fn interval_and_the_refresher_are_agreed_as_rfc_4028_says() {
        let check = |expires, min_se, supported, header: &str| {
            let timer = agree(expires, min_se, supported).expect(header);
            assert_eq!(timer.response_header(), header);
        };
        check(None, None, false, "1800;refresher=uas");
        check(None, None, true, "1800;refresher=uac");
        check(Some("600"), None, true, "600;refresher=uac");
        check(Some("600 ; Refresher=UAS"), None, true, "600;refresher=uas");
        check(Some("600;refresher=uac"), None, false, "600;refresher=uas");
        check(Some("7200"), None, true, "1800;refresher=uac");
        check(Some("7200"), Some("3600"), true, "3600;refresher=uac");
        check(Some("nonsense"), Some(""), true, "1800;refresher=uac");
        check(Some("10"), None, false, "90;refresher=uas");
    }

    #[test]
    fn shorter_interval_than_ours_is_refused_with_min_se() {
        assert_eq!(agree(Some("89"), None, true), Err(TooShort { min_se: 90 }));
        assert!(agree(Some("90"), None, true).is_ok());
    }

    #[test]
    fn refresher_refreshes_at_half_and_the_call_lapses_before_the_end() {
        let check = |seconds, refresher, refresh: Option<u64>, lapse| {
            let timer = SessionTimer { refresher, refreshed: Time(1000), ..of(seconds) };
            assert_eq!(timer.refresh_at(), refresh.map(Time));
            assert_eq!(timer.lapses_at(), Time(lapse));
        };
        check(1800, Refresher::Us, Some(901_000), 1_769_000);
        check(1800, Refresher::FarEnd, None, 1_769_000);
        check(90, Refresher::FarEnd, None, 61_000);
        check(3, Refresher::Us, Some(2_500), 3_000);
    }

    #[test]
    fn answer_to_our_refresh_may_change_the_refresher() {
        let timer = of(600);
        assert_eq!(timer.request_header(), "600;refresher=uac");
        let same = timer.confirmed(Time(5), Asked::default());
        assert_eq!(same, SessionTimer { refreshed: Time(5), ..timer });
        let theirs = timer.confirmed(Time(5), read(Some("300;refresher=uas"), None, true));
        assert_eq!((theirs.refresher, theirs.interval.as_secs()), (Refresher::FarEnd, 300));
    }
}
