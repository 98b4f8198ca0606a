//! The engine calls itself: an INVITE to its own SIP address over a real socket, and sound in both
//! directions, as any caller would have it.
//!
//! Such a call is known by an alias that is made for it alone, cannot be guessed, and is good once and from
//! one address; so it is admitted although the node refuses everybody else, and nobody outside can make one.
//! It is in no count and in a room of its own, there is one at a time, and it never takes the last media port
//! that a caller could need. It does not leave the machine: a firewall between here and the callers is not
//! seen.

use std::fmt::Write as _;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tokio::net::UdpSocket;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep_until, timeout};

use crate::audio::{Codec, FRAME_SAMPLES, TICK};
use crate::rtp::{HEADER_BYTES, Header};
use crate::sdp::{Fingerprint, Local, Negotiation, Path};

use crate::driver::Driver;
use crate::signalling::{FULL, SDP};

/// How long an answer may take before the request is repeated.
const PATIENCE: Duration = Duration::from_millis(500);
/// How often a request is sent. A node that does not answer itself within two seconds is not well.
const TRIES: u32 = 4;
/// How long sound may take to come back. A media thread answers within two ticks, 40 ms; on a machine
/// that is too busy to do so within this time, callers hear nothing either.
const SOUND_WITHIN: Duration = Duration::from_secs(1);
/// The largest answer that is read, in bytes; one of ours has some 800.
const ANSWER_BYTES: usize = 4096;
/// Mu-law for silence.
const SILENT: u8 = 0xff;

/// What a call of the engine to itself has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probed {
    /// It was answered, and sound came back.
    Carried,
    /// It was answered, and there was no media port to spare: calls have them all, and sound moves.
    Full,
}

/// The engine cannot carry a call. Each text is the same for as long as the fault lasts.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The media address belongs to another machine, or to none.
    #[error("the media address {0} is not on this machine; set it to an address that the machine has")]
    MediaAddress(IpAddr),
    /// A socket for the call cannot be had.
    #[error("cannot open a UDP socket on {address} for a call to itself; check the limit of open files")]
    Socket {
        /// The address.
        address: IpAddr,
        /// Why not.
        source: io::Error,
    },
    /// Nobody answers SIP.
    #[error(
        "its own SIP address {0} does not answer a call; if that lasts, restart the node at a quiet time"
    )]
    Silent(SocketAddr),
    /// The call was refused.
    #[error("a call to its own SIP address was refused with {status}: {reason}")]
    Refused {
        /// The status.
        status: u16,
        /// The text of the answer's Reason, or its first line.
        reason: String,
    },
    /// The answer names no place to send sound to.
    #[error("its answer to a call names no media address that can be used: {0}")]
    NoMediaAddress(String),
    /// Sound was sent, and none came back.
    #[error(
        "no packet of sound came back from the media address {0}; look for a packet filter on this machine"
    )]
    NoSound(IpAddr),
    /// A media thread does not move.
    #[error(
        "a media thread is stuck: its calls hear nothing; if that lasts, restart the node at a quiet time"
    )]
    MediaStuck,
}

/// Takes the invitation back, however the probe ends.
struct Invited<'d>(&'d Driver);

impl Drop for Invited<'_> {
    fn drop(&mut self) {
        self.0.expect_no_probe();
    }
}

/// Where the engine is called.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) sip: SocketAddr,
    pub(crate) media: IpAddr,
}

/// Calls the engine of `driver` at `target`. The call is over soon after this returns; the permit comes back when its
/// signalling and its media are gone.
///
/// # Errors
/// See [`ProbeError`].
pub(crate) async fn call(
    target: Target,
    driver: &Driver,
    permit: OwnedSemaphorePermit,
) -> Result<Probed, ProbeError> {
    let caller = Caller::open(target).await?;
    driver.expect_probe(caller.alias.clone(), caller.from, permit);
    let invited = Invited(driver);
    let answer = caller.invite().await?;
    drop(invited);
    if answer.status != 200 {
        caller.acknowledge(&answer, "invite").await;
        return answer.refusal();
    }
    let carried = caller.talk(&answer).await;
    // The result is known before the BYE is answered.
    tokio::spawn(async move { caller.hang_up(&answer).await });
    carried.map(|()| Probed::Carried)
}

/// The calling side.
struct Caller {
    target: Target,
    sip: UdpSocket,
    from: SocketAddr,
    /// Where sound is said to be wanted. The engine sends it elsewhere once it has heard sound from there.
    declared: UdpSocket,
    /// Where sound is sent from. What comes back here shows that the engine has heard this side.
    sound: UdpSocket,
    /// The alias that is called, Call-ID and tag.
    alias: String,
}

/// A final answer to the INVITE.
struct Answer {
    status: u16,
    text: String,
}

impl Caller {
    async fn open(target: Target) -> Result<Caller, ProbeError> {
        let target = Target { sip: reachable(target.sip), ..target };
        let (sip, media) = (target.sip.ip(), target.media);
        let opened = |address: IpAddr| async move {
            UdpSocket::bind((address, 0)).await.map_err(|source| {
                if source.kind() == io::ErrorKind::AddrNotAvailable && address == media {
                    ProbeError::MediaAddress(address)
                } else {
                    ProbeError::Socket { address, source }
                }
            })
        };
        let failed = |source| ProbeError::Socket { address: sip, source };
        let (declared, sound, line) = (opened(media).await?, opened(media).await?, opened(sip).await?);
        line.connect(target.sip).await.map_err(failed)?;
        let from = line.local_addr().map_err(failed)?;
        let alias = format!("probe-{}", uuid::Uuid::new_v4().simple());
        Ok(Caller { target, sip: line, from, declared, sound, alias })
    }

    /// Sends the INVITE until its final answer.
    async fn invite(&self) -> Result<Answer, ProbeError> {
        let invite = self.request("INVITE", 1, "invite", "", &self.offer());
        self.ask(&invite, "INVITE").await.ok_or(ProbeError::Silent(self.target.sip))
    }

    async fn acknowledge(&self, answer: &Answer, branch: &str) {
        let ack = self.request("ACK", 1, branch, answer.tag(), "");
        let _ = self.sip.send(ack.as_bytes()).await;
    }

    /// Confirms the call and sends sound until some comes back.
    async fn talk(&self, answer: &Answer) -> Result<(), ProbeError> {
        let unusable = |why: &dyn ToString| ProbeError::NoMediaAddress(why.to_string());
        let from = self.declared.local_addr().map_err(|error| unusable(&error))?;
        let mut negotiation = Negotiation::new(Local {
            address: from,
            session: 1,
            path: Path::Open,
            certificate: Fingerprint::of(&[]),
        });
        // Over an open path no key is made.
        negotiation.offer(&mut StdRng::from_seed([0; 32]));
        let agreed = negotiation.apply_answer(answer.body().as_bytes()).map_err(|error| unusable(&error))?;
        let media = agreed.remote.ok_or_else(|| unusable(&"there is none"))?;
        self.acknowledge(answer, "ack").await;
        let until = Instant::now() + SOUND_WITHIN;
        let mut ticks = tokio::time::interval(TICK);
        let (mut sent, mut buffer) = (0, [0; HEADER_BYTES + 2 * FRAME_SAMPLES]);
        loop {
            tokio::select! {
                received = self.sound.recv_from(&mut buffer) => match received {
                    Ok((length, from)) if from == media && Header::parse(&buffer[..length]).is_some() => {
                        return Ok(());
                    }
                    // A port that is closed says so by an error; it is silent all the same.
                    Ok(_) | Err(_) => {}
                },
                _ = ticks.tick() => {
                    let _ = self.sound.send_to(&packet(sent), media).await;
                    sent += 1;
                }
                () = sleep_until(until) => return Err(ProbeError::NoSound(media.ip())),
            }
        }
    }

    /// Ends the call. The engine ends it by itself when it does not hear of it.
    async fn hang_up(self, answer: &Answer) {
        self.ask(&self.request("BYE", 2, "bye", answer.tag(), ""), "BYE").await;
    }

    /// Sends a request until it is answered.
    async fn ask(&self, request: &str, method: &str) -> Option<Answer> {
        for _ in 0..TRIES {
            // A port that nobody listens at says so by an error at the next use; it is asked again.
            let _ = self.sip.send(request.as_bytes()).await;
            if let Ok(answer) = timeout(PATIENCE, self.answer_to(method)).await {
                return Some(answer);
            }
        }
        None
    }

    async fn answer_to(&self, method: &str) -> Answer {
        let mut buffer = [0; ANSWER_BYTES];
        loop {
            let Ok(length) = self.sip.recv(&mut buffer).await else {
                tokio::time::sleep(TICK).await;
                continue;
            };
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if let Some(answer) = Answer::read(text, &self.alias, method) {
                return answer;
            }
        }
    }

    fn request(&self, method: &str, sequence: u32, branch: &str, tag: &str, body: &str) -> String {
        let Caller { target: Target { sip, .. }, from, alias, .. } = self;
        let kind = if body.is_empty() { String::new() } else { format!("Content-Type: {SDP}\r\n") };
        format!(
            "{method} sip:{alias}@{sip} SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bK{alias}{branch};rport\r\n\
             Max-Forwards: 1\r\nFrom: <sip:probe@{from}>;tag={alias}\r\nTo: <sip:{alias}@{sip}>{tag}\r\n\
             Call-ID: {alias}\r\nCSeq: {sequence} {method}\r\nContact: <sip:probe@{from}>\r\n{kind}\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    fn offer(&self) -> String {
        let ip = self.target.media;
        let family = if ip.is_ipv4() { "IP4" } else { "IP6" };
        let port = self.declared.local_addr().map_or(0, |address| address.port());
        let mut offer = format!("v=0\r\no=- 1 1 IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\n");
        let _ = write!(offer, "m=audio {port} RTP/AVP {}\r\n", Codec::Pcmu.offered_payload_type());
        offer
    }
}

impl Answer {
    /// A final answer to a request of this call; anything else is none.
    fn read(text: String, call_id: &str, method: &str) -> Option<Answer> {
        let status = text.strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()?;
        let answer = Answer { status, text };
        let is_ours = answer.header("Call-ID") == Some(call_id)
            && answer.header("CSeq").is_some_and(|value| value.ends_with(method));
        (is_ours && status >= 200).then_some(answer)
    }

    fn header(&self, name: &str) -> Option<&str> {
        let head = self.text.split("\r\n\r\n").next()?;
        head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.trim().eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    fn body(&self) -> &str {
        self.text.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }

    /// The parameter of To that the engine added.
    fn tag(&self) -> &str {
        let to = self.header("To").unwrap_or_default();
        to.find(";tag=").map_or("", |at| &to[at..])
    }

    /// What a refusal shows.
    fn refusal(&self) -> Result<Probed, ProbeError> {
        if self.status == FULL {
            return Ok(Probed::Full);
        }
        let text = self.header("Reason").and_then(|reason| Some(reason.split_once("text=\"")?.1));
        let first_line = self.text.lines().next().unwrap_or_default();
        let reason = text.map_or(first_line, |text| text.trim_end_matches('"')).to_owned();
        Err(ProbeError::Refused { status: self.status, reason })
    }
}

/// One tick of silence.
fn packet(sent: u16) -> Vec<u8> {
    let header = Header {
        payload_type: Codec::Pcmu.offered_payload_type(),
        marker: sent == 0,
        sequence: sent,
        timestamp: u32::from(sent) * FRAME_SAMPLES as u32,
        ssrc: 1,
    };
    let mut datagram = Vec::new();
    header.write(&[SILENT; FRAME_SAMPLES], &mut datagram);
    datagram
}

fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_a_refusal_is_passed_on() {
        let answer = |reason: &str| {
            let text =
                format!("SIP/2.0 503 Service Unavailable\r\nCall-ID: a\r\nCSeq: 1 INVITE\r\n{reason}\r\n");
            Answer::read(text, "a", "INVITE").expect("an answer").refusal().unwrap_err().to_string()
        };
        let said = answer("Reason: SIP;cause=503;text=\"no port\"\r\n");
        assert!(said.ends_with("refused with 503: no port"), "{said}");
        assert!(answer("").ends_with("503 Service Unavailable"));
    }
}
