//! Callers made of text: they place calls over one UDP socket, and count those that fail.

mod talkers;

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

pub(crate) use talkers::Talkers;

/// How long the last answer may take. Nothing is sent again: what is lost on loopback is a failure.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a caller does with a call that is answered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    HangUp,
    Stand,
}

/// When a call is placed.
#[derive(Clone, Copy)]
pub(crate) enum Pace {
    /// So many a second.
    Rate(u32),
    /// When fewer than so many are not over.
    AtOnce(u32),
}

/// Calls to place. Names are used once for each target.
#[derive(Clone, Copy)]
pub(crate) struct Load<'a> {
    pub(crate) target: SocketAddr,
    pub(crate) name: &'a str,
    pub(crate) calls: u32,
    pub(crate) pace: Pace,
    pub(crate) after: After,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    Invited,
    Answered,
    Over,
}

impl<'a> Load<'a> {
    /// Places the calls; returns how many were not answered, or not ended when they should be.
    pub(crate) fn run(self) -> u32 {
        self.place().open
    }

    /// Places the calls, which all have to be answered, and which stand as long as their talkers.
    pub(crate) fn talkers(self) -> Talkers {
        let Callers { sip, sound, media, open, .. } = self.place();
        assert_eq!(open, 0, "a call was not answered");
        Talkers { _sip: sip, sound, media }
    }

    fn place(self) -> Callers<'a> {
        let sip = UdpSocket::bind("127.160.0.3:0").expect("a port");
        sip.connect(self.target).expect("an address");
        // Sound goes to a port that is open and never read.
        let sound = UdpSocket::bind("127.160.0.3:0").expect("a port");
        let mut callers = Callers { load: self, sip, sound, calls: Vec::new(), media: Vec::new(), open: 0 };
        let began = Instant::now();
        for call in 0..self.calls {
            match self.pace {
                Pace::Rate(a_second) => {
                    let due = began + Duration::from_secs(1) * call / a_second;
                    callers.receive_until(due, |_| false);
                }
                Pace::AtOnce(calls) => callers.receive_until(patience(), |open| open < calls),
            }
            callers.invite();
        }
        callers.receive_until(patience(), |open| open == 0);
        callers
    }
}

fn media_port(description: &str) -> u16 {
    let line = description.lines().find_map(|line| line.strip_prefix("m=audio "));
    line.and_then(|line| line.split(' ').next()?.parse().ok()).expect("a media port")
}

fn patience() -> Instant {
    Instant::now() + PATIENCE
}

struct Callers<'a> {
    load: Load<'a>,
    sip: UdpSocket,
    sound: UdpSocket,
    calls: Vec<Progress>,
    /// Where the sound of those goes that were answered.
    media: Vec<SocketAddr>,
    /// Calls that have not come as far as they should.
    open: u32,
}

impl Callers<'_> {
    /// Takes answers in until then, or until so few calls are open.
    fn receive_until(&mut self, until: Instant, is_enough: impl Fn(u32) -> bool) {
        let mut buffer = [0; 4096];
        while !is_enough(self.open)
            && let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
        {
            self.sip.set_read_timeout(Some(left)).expect("it is not zero");
            if let Ok(length) = self.sip.recv(&mut buffer) {
                self.received(&String::from_utf8_lossy(&buffer[..length]));
            }
        }
    }

    fn invite(&mut self) {
        let call = self.calls.len();
        let address = self.sound.local_addr().expect("it is bound");
        let (ip, port) = (address.ip(), address.port());
        let offer = format!(
            "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 8 0 101\r\n\
             a=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n"
        );
        self.calls.push(Progress::Invited);
        self.open += 1;
        self.send("INVITE", 1, "i", call, "", &offer);
    }

    fn received(&mut self, text: &str) {
        let header = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        let number = header("Call-ID: ").strip_prefix(self.load.name).and_then(|id| id.strip_prefix('-'));
        let Some(call) = number.and_then(|number| number.parse::<usize>().ok()) else { return };
        if !text.starts_with("SIP/2.0 200") {
            return;
        }
        match (self.calls[call], header("CSeq: ")) {
            (Progress::Invited, "1 INVITE") => {
                let tag = header("To: ").find(";tag=").map_or("", |at| &header("To: ")[at..]);
                self.calls[call] = Progress::Answered;
                self.media.push(SocketAddr::new(self.load.target.ip(), media_port(text)));
                self.send("ACK", 1, "a", call, tag, "");
                match self.load.after {
                    After::HangUp => self.send("BYE", 2, "b", call, tag, ""),
                    After::Stand => self.open -= 1,
                }
            }
            (Progress::Answered, "2 BYE") => {
                self.calls[call] = Progress::Over;
                self.open -= 1;
            }
            (Progress::Invited | Progress::Answered | Progress::Over, _) => {}
        }
    }

    fn send(&self, method: &str, sequence: u32, branch: &str, call: usize, tag: &str, body: &str) {
        let Load { target, name, .. } = self.load;
        let from = self.sip.local_addr().expect("it is bound");
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let text = format!(
            "{method} sip:meet@{target} SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bK{name}-{call}-{branch};rport\r\n\
             Max-Forwards: 70\r\nFrom: \"Caller\" <sip:caller@{from}>;tag={name}-{call}\r\nTo: <sip:meet@{target}>{tag}\r\n\
             Call-ID: {name}-{call}\r\nCSeq: {sequence} {method}\r\nContact: <sip:caller@{from}>\r\n\
             Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE\r\nSupported: replaces, timer\r\n\
             User-Agent: bench\r\n{kind}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.sip.send(text.as_bytes()).expect("a datagram");
    }
}
