//! Placing a call: what is asked for, the INVITE, and the answer or the reason there is none.

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
use crate::ear::Judgement;
use crate::live::{self, LiveCall};
use crate::sdp::{self, Audio, Direction, SdpError};
use crate::session::SessionTimer;
use crate::time::Millis;
use crate::tone::{AMPLITUDE, Tone};

/// How SIP travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Datagrams.
    #[default]
    Udp,
    /// One connection to a node, shared by the calls of an agent.
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

/// Whom a call is for: `sip:alias@address:port;transport=udp`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The alias of the Virtual Meeting Room.
    pub alias: String,
    /// The node's SIP address.
    pub node: SocketAddr,
    /// How to reach it.
    pub transport: Transport,
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "sip:{}@{};transport={}", self.alias, self.node, self.transport.name())
    }
}

/// The text is no target of a call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no target of a call: write sip:alias@address:port;transport=udp or tcp, with an IP address"
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

/// The Call-ID of a call: the same word in the node's log and in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallId(pub String);

impl std::fmt::Display for CallId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a call is placed and watched.
#[derive(Debug, Clone)]
pub struct CallSettings {
    /// The Call-ID; must not have been used before.
    pub id: CallId,
    /// Whom it is for.
    pub target: Target,
    /// The caller's own tone.
    pub tone: Tone,
    /// The peak of the tone, of 32767.
    pub amplitude: f32,
    /// The only codec offered.
    pub codec: Codec,
    /// How the ear judges.
    pub judgement: Judgement,
    /// An INVITE not answered finally within this time is given up.
    pub answer_within: Millis,
    /// A request within the call (BYE, re-INVITE) must be answered within this time.
    pub request_within: Millis,
    /// No RTP for so long while some is due means that the call is lost.
    pub silence: Millis,
    /// Asks for a session timer (RFC 4028) of so many seconds; nodes refuse less than 90.
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
            judgement: Judgement::default(),
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
    /// The call was answered with a session description that gives no sound; it was hung up.
    #[error("the node answered the call, but gives it no sound")]
    BadAnswer(#[source] SdpError),
    /// No socket for the sound.
    #[error("no UDP socket could be opened for the sound")]
    NoSocket(#[source] std::io::Error),
}

impl Agent {
    /// Places a call and waits for its answer. The call then sends its tone and listens until it
    /// ends; dropping the [`LiveCall`] does not hang up.
    ///
    /// # Errors
    /// A [`DialError`] says why there is no call; nothing is left behind then.
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
                let line = live::Line { socket, ours, theirs, timer };
                Ok(live::begin(self, settings, dialog, changes, line))
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
            headers: Some(SessionTimer::asked_for(settings.session_timer)),
            ..InviteOption::default()
        })
    }
}

/// The 2xx to the INVITE. When it does not come in time the INVITE is cancelled; an answer that
/// crosses the CANCEL is acknowledged and hung up by the stack.
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
    fn a_target_is_read_as_it_is_written() {
        for text in ["sip:meet.alice@127.0.0.1:5060;transport=udp", "sip:1234@10.0.0.7:5070;transport=tcp"] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), text);
        }
        let plain: Target = "sip:lobby@127.0.0.1:5060".parse().unwrap();
        assert_eq!(plain.transport, Transport::Udp);
    }

    #[test]
    fn what_is_no_target_is_refused() {
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
