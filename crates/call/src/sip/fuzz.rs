//! What the fuzz targets reach of SIP: everything that is read of a request without a connection.

use std::time::Duration;

use rsipstack::sip::SipMessage;
use rsipstack::sip::ToTypedHeader as _;
use rsipstack::sip::prelude::HeadersExt as _;

use crate::session_timer::{Policy, SessionTimer};
use crate::time::Time;

use super::dialog::DialogKey;
use super::{message, negotiate};

const POLICY: Policy = Policy { interval: Duration::from_secs(1800), shortest: Duration::from_secs(90) };

/// Reads a datagram as the stack does, and of a request all that this node reads of one.
pub(crate) fn read_request(datagram: &[u8]) {
    let Ok(message) = SipMessage::try_from(datagram) else { return };
    let asked = match &message {
        SipMessage::Request(request) => message::session_timer(request),
        SipMessage::Response(response) => message::session_timer(response),
    };
    if let Ok(timer) = SessionTimer::agree(Time(u64::MAX / 2), asked, POLICY) {
        let timer = timer.lengthened(asked.min_se.unwrap_or_default());
        let timer = timer.confirmed(Time(u64::MAX / 2), asked);
        assert!(timer.lapses_at() >= timer.refreshed, "a session lapses before it was refreshed");
        let _ = (timer.refresh_at(), timer.request_header(), timer.response_header());
    }
    let SipMessage::Request(request) = message else { return };
    let _ = (message::lacking(&request), message::sequence(&request), DialogKey::of(&request));
    let _ = (request.contact_header().map(|contact| contact.typed()), request.to_string());
    if let Err((status, headers)) = negotiate::read_body(&request) {
        assert!((400..500).contains(&status), "{status}");
        let broken = |text: &str| text.contains(['\r', '\n']);
        assert!(!headers.iter().any(|header| broken(header.value())), "{headers:?}");
    }
}
