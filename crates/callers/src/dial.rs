//! Places a call: its settings, the INVITE, and the answer or the reason why there is no call.
//!
//! Relies on `agent` for SIP and on `sdp` for offer and answer. A call that was answered is passed to `live`.

use std::net::SocketAddr;
use std::str::FromStr;

use rsipstack::dialog::DialogId;
use rsipstack::dialog::invitation::{InviteAsyncResult, InviteOption};
use rsipstack::dialog::invite_dialog::InviteDialog;
use rsipstack::sip::prelude::HeadersExt;
use rsipstack::sip::{Header, Response, StatusCodeKind, Uri};
use rsipstack::transport::SipAddr;
use serde::{Deserialize, Serialize};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

use crate::agent::Agent;
use crate::codec::Codec;
use crate::live::{self, LiveCall};
use crate::sdp::{self, Audio, Direction, SdpError};
use crate::session::SessionTimer;
use crate::time::Millis;
use crate::tone::{AMPLITUDE, Tone};
use crate::tone_monitor::ToneLimits;

/// The SIP transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// UDP.
    #[default]
    Udp,
    /// TCP, with one connection to a node for all calls of an agent.
    Tcp,
}

impl Transport {
    fn name(self) -> &'static str {
        match self {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
        }
    }
}

/// The target of a call: `sip:alias@address:port;transport=udp`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The alias of the Virtual Meeting Room.
    pub alias: String,
    /// The node's SIP address.
    pub node: SocketAddr,
    /// The SIP transport.
    pub transport: Transport,
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "sip:{}@{};transport={}", self.alias, self.node, self.transport.name())
    }
}

/// The text is not the target of a call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not the target of a call: write sip:alias@address:port;transport=udp or tcp, with an IP address"
)]
pub struct NotATarget(String);

impl FromStr for Target {
    type Err = NotATarget;

    fn from_str(text: &str) -> Result<Target, NotATarget> {
        let parse = || {
            let (alias, rest) = text.strip_prefix("sip:")?.split_once('@')?;
            let (node, transport) = match rest.split_once(';') {
                None | Some((_, "transport=udp")) => (rest.split(';').next()?, Transport::Udp),
                Some((node, "transport=tcp")) => (node, Transport::Tcp),
                Some(_) => return None,
            };
            let alias = (!alias.is_empty()).then(|| alias.to_owned())?;
            Some(Target { alias, node: node.parse().ok()?, transport })
        };
        parse().ok_or_else(|| NotATarget(text.to_owned()))
    }
}

/// The Call-ID of a call, as in the node's log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallId(pub String);

impl std::fmt::Display for CallId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The settings of a call.
#[derive(Debug, Clone)]
pub struct CallSettings {
    /// The Call-ID; must be unique.
    pub id: CallId,
    /// The target.
    pub target: Target,
    /// The caller's own tone.
    pub tone: Tone,
    /// The peak of the tone; full scale is 32767.
    pub amplitude: f32,
    /// The only codec offered.
    pub codec: Codec,
    /// The limits of the tone monitor.
    pub tone_limits: ToneLimits,
    /// An INVITE without a final answer for this time is cancelled.
    pub answer_within: Millis,
    /// The time limit for the answer to a request within the call (BYE, re-INVITE).
    pub request_within: Millis,
    /// The call is lost if no RTP arrives for this time while some is due.
    pub silence: Millis,
    /// The interval of the requested session timer (RFC 4028) in seconds; nodes reject less than 90.
    pub session_timer: Option<u32>,
}

impl CallSettings {
    /// A PCMU call with the usual limits: 4 s to answer, 8 s for a request within the call, lost
    /// after 5 s of silence, no session timer.
    #[must_use]
    pub fn new(id: CallId, target: Target, tone: Tone) -> CallSettings {
        CallSettings {
            id,
            target,
            tone,
            amplitude: AMPLITUDE,
            codec: Codec::default(),
            tone_limits: ToneLimits::default(),
            answer_within: Millis::seconds(4),
            request_within: Millis::seconds(8),
            silence: Millis::seconds(5),
            session_timer: None,
        }
    }
}

/// Why there is no call.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The node answered with a final status other than 2xx.
    #[error("the node refused the call with {status} {phrase}")]
    Refused {
        /// The status code.
        status: u16,
        /// The reason phrase of the status line.
        phrase: String,
        /// The Reason header.
        reason: Option<String>,
        /// The Retry-After header, in seconds.
        retry_after: Option<u32>,
    },
    /// No final answer came in time.
    #[error("the node did not answer the call within {0}")]
    NoAnswer(Millis),
    /// The INVITE could not be sent.
    #[error("the INVITE could not be sent to the node: {0}")]
    Unreachable(String),
    /// The call was answered without a usable session description, and was hung up.
    #[error("the node answered the call with a session description that gives no audio")]
    BadAnswer(#[source] SdpError),
    /// No socket for RTP.
    #[error("no UDP socket could be opened for RTP")]
    NoSocket(#[source] std::io::Error),
}

impl Agent {
    /// Places a call and waits for its answer. The call then sends its tone and monitors the received audio until it
    /// ends; dropping the [`LiveCall`] does not hang up.
    ///
    /// # Errors
    /// A [`DialError`], after which no part of the call remains.
    pub async fn dial(&self, settings: CallSettings) -> Result<LiveCall, DialError> {
        let socket = UdpSocket::bind((self.inner.ip, 0)).await.map_err(DialError::NoSocket)?;
        let address = socket.local_addr().map_err(DialError::NoSocket)?;
        let ours = Audio { address, direction: Direction::SendRecv };
        let offer = sdp::write(live::session_id(&settings.id), 0, ours, settings.codec);
        let option = self.invitation(&settings, offer)?;
        let (states, changes) = self.inner.layer.new_dialog_state_channel();
        let (dialog, invite) = self.inner.layer.do_invite_async(option, states).map_err(unreachable)?;
        let answer = await_answer(&dialog, invite, settings.answer_within).await?;
        match sdp::read(&answer.body, settings.codec) {
            Ok(theirs) => {
                let timer = SessionTimer::agreed(&answer, settings.session_timer, self.inner.clock.now());
                let negotiated = live::Negotiated { socket, ours, theirs, timer };
                Ok(live::begin(self, settings, dialog, changes, negotiated))
            }
            Err(error) => {
                tokio::spawn(async move {
                    let _ = dialog.bye().await;
                });
                Err(DialError::BadAnswer(error))
            }
        }
    }

    fn invitation(&self, settings: &CallSettings, offer: String) -> Result<InviteOption, DialError> {
        let uri =
            |text: String| Uri::try_from(text.as_str()).map_err(|e| DialError::Unreachable(e.to_string()));
        let transport = match settings.target.transport {
            Transport::Udp => rsipstack::sip::Transport::Udp,
            Transport::Tcp => rsipstack::sip::Transport::Tcp,
        };
        let (sip, hz) = (self.inner.sip, settings.tone.hz());
        Ok(InviteOption {
            caller: uri(format!("sip:tone-{hz}@{}", sip.ip()))?,
            callee: uri(settings.target.to_string())?,
            contact: uri(format!("sip:tone-{hz}@{sip};transport={}", settings.target.transport.name()))?,
            destination: Some(SipAddr::new(transport, settings.target.node.into())),
            offer: Some(offer.into_bytes()),
            call_id: Some(settings.id.0.clone()),
            headers: Some(SessionTimer::requested(settings.session_timer)),
            ..InviteOption::default()
        })
    }
}

/// Waits for the 2xx to the INVITE. Cancels the INVITE after the time limit; the stack acknowledges and hangs up an
/// answer that crosses the CANCEL.
async fn await_answer(
    dialog: &InviteDialog,
    invite: JoinHandle<InviteAsyncResult>,
    limit: Millis,
) -> Result<Response, DialError> {
    let Ok(outcome) = tokio::time::timeout(limit.duration(), invite).await else {
        let dialog = dialog.clone();
        tokio::spawn(async move { dialog.cancel().await });
        return Err(DialError::NoAnswer(limit));
    };
    let answered: (DialogId, Option<Response>) =
        outcome.map_err(|e| DialError::Unreachable(e.to_string()))?.map_err(unreachable)?;
    match answered.1 {
        None => Err(DialError::NoAnswer(limit)),
        Some(response) if response.status_code.kind() == StatusCodeKind::Successful => Ok(response),
        Some(response) => Err(refused(&response)),
    }
}

fn refused(response: &Response) -> DialError {
    // Retry-After may carry a comment and parameters after the seconds (RFC 3261 section 20.33).
    let retry_after = response.header_value("Retry-After").and_then(|value| {
        value.split(|c: char| !c.is_ascii_digit()).next().and_then(|seconds| seconds.parse().ok())
    });
    DialError::Refused {
        status: response.status_code.code(),
        phrase: response.reason_phrase().map_or_else(|| response.status_code.to_string(), str::to_owned),
        reason: response.header_value("Reason"),
        retry_after,
    }
}

fn unreachable(error: rsipstack::Error) -> DialError {
    DialError::Unreachable(error.to_string())
}

/// The headers of a request that carries a session description.
pub(crate) fn sdp_headers() -> Vec<Header> {
    vec![Header::ContentType("application/sdp".into())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_is_parsed_as_it_is_printed() {
        for text in ["sip:meet.alice@127.0.0.1:5060;transport=udp", "sip:1234@10.0.0.7:5070;transport=tcp"] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), text);
        }
        let plain: Target = "sip:lobby@127.0.0.1:5060".parse().unwrap();
        assert_eq!(plain.transport, Transport::Udp);
    }

    #[test]
    fn text_that_is_no_target_is_rejected() {
        for text in [
            "lobby@127.0.0.1:5060",
            "sip:@127.0.0.1:5060",
            "sip:a@host:5060",
            "sip:a@1.2.3.4:5;transport=sctp",
        ] {
            assert_eq!(text.parse::<Target>(), Err(NotATarget(text.to_owned())));
        }
    }
}
