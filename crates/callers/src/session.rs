//! The session timer of a call (RFC 4028): who refreshes it, when, and when it expires.
//!
//! Pure: the time and the messages are arguments. Sends nothing.

use rsipstack::sip::prelude::HeadersExt;
use rsipstack::sip::{Header, Request, Response};

use crate::time::{Millis, Time};

/// Who refreshes the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refresher {
    Caller,
    Node,
}

/// A running session timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SessionTimer {
    interval: Millis,
    refresher: Refresher,
    refreshed: Time,
}

/// What is due at the deadline of a session timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// Send a refresh.
    Refresh,
    /// The node did not refresh: the session is over.
    Lapsed,
}

impl SessionTimer {
    /// The headers of an INVITE that requests a timer of `seconds`.
    pub(crate) fn requested(seconds: Option<u32>) -> Vec<Header> {
        let Some(seconds) = seconds else { return Vec::new() };
        vec![Header::Supported("timer".into()), Header::SessionExpires(seconds.to_string().into())]
    }

    /// The timer in the node's answer; `None` if there is none or none was requested.
    pub(crate) fn agreed(answer: &Response, requested: Option<u32>, now: Time) -> Option<SessionTimer> {
        requested?;
        SessionTimer::parse(&answer.header_value("Session-Expires")?, now)
    }

    /// The timer after the node's own refresh, and the headers of our answer to it.
    pub(crate) fn refreshed_by(request: &Request, now: Time) -> Option<(SessionTimer, Vec<Header>)> {
        let value = request.header_value("Session-Expires")?;
        let seconds = seconds(&value)?;
        let timer =
            SessionTimer { interval: Millis::seconds(seconds), refresher: Refresher::Node, refreshed: now };
        // In this transaction the node is the user agent client.
        let headers = vec![
            Header::Require("timer".into()),
            Header::SessionExpires(format!("{seconds};refresher=uac").into()),
        ];
        Some((timer, headers))
    }

    /// The same timer, refreshed at `now`.
    pub(crate) fn refreshed(self, now: Time) -> SessionTimer {
        SessionTimer { refreshed: now, ..self }
    }

    /// The deadline and what is due then: our refresh at half the interval (section 7.2), or the end of the session
    /// if the node has not refreshed it by the interval less a third or 32 s, whichever is less (section 10).
    pub(crate) fn due(self) -> (Time, Due) {
        let Millis(interval) = self.interval;
        match self.refresher {
            Refresher::Caller => (self.refreshed.plus(Millis(interval / 2)), Due::Refresh),
            Refresher::Node => {
                let spare = (interval / 3).min(32_000);
                (self.refreshed.plus(Millis(interval - spare)), Due::Lapsed)
            }
        }
    }

    fn parse(value: &str, now: Time) -> Option<SessionTimer> {
        let refresher = if value.contains("refresher=uas") { Refresher::Node } else { Refresher::Caller };
        Some(SessionTimer { interval: Millis::seconds(seconds(value)?), refresher, refreshed: now })
    }
}

fn seconds(value: &str) -> Option<u64> {
    value.split(';').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time(1000);

    #[test]
    fn caller_refreshes_at_half_the_interval_unless_the_node_does() {
        let due = |value| SessionTimer::parse(value, NOW).unwrap().due();
        assert_eq!(due("90;refresher=uac"), (NOW.plus(Millis::seconds(45)), Due::Refresh));
        assert_eq!(due("90"), (NOW.plus(Millis::seconds(45)), Due::Refresh));
        assert_eq!(due("90;refresher=uas"), (NOW.plus(Millis::seconds(60)), Due::Lapsed));
        assert_eq!(due("1800;refresher=uas"), (NOW.plus(Millis::seconds(1768)), Due::Lapsed));
    }

    #[test]
    fn value_that_is_no_number_of_seconds_sets_no_timer() {
        assert_eq!(SessionTimer::parse("soon", NOW), None);
    }
}
