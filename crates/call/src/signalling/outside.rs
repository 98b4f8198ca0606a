//! Requests that belong to no dialog: a new call goes to the admission, all else is answered at once.

use sip::fields::Fields;
use sip::message::Request;
use sip::method::Method;
use sip::name::Name;
use sip::uri::Uri;

use crate::admission::{Admission, Refusal, Verdict};
use crate::calls::Stats;
use crate::rooms::RoomName;
use crate::sdp::{Offer, Unacceptable, body};
use crate::session_timer::{Policy, SessionTimer, TooShort};

use super::agent::{ExpectedProbe, UserAgent};
use super::authentication::Authorizations;
use super::call::{Call, Invite, Media, Progress, Purpose, Received, Refresh};
use super::destination::is_translated;
use super::headers::{self, Field, abilities};
use super::member::Member;
use super::response::{Refused, Response, of_unacceptable};

/// The status that answers a call to a locked conference: it was understood, and is not to be repeated (RFC 3261
/// section 21.4.4). With 480 or 503 a proxy would try another node, where the same room is not locked.
const LOCKED: u16 = 403;

/// What an INVITE agrees to before anything is opened for it.
struct Terms {
    room: RoomName,
    offer: Option<Offer>,
    timer: SessionTimer,
}

impl UserAgent {
    /// A request outside of any dialog.
    pub(super) fn outside(&mut self, received: Received) {
        if received.request.method() == Method::Invite {
            return self.new_call(received);
        }
        if !self.may_answer(&received) {
            return;
        }
        if let Some(lacking) = headers::lacking(&received.request) {
            return self.respond(&received, &Response::of_lacking(lacking));
        }
        if received.request.method() == Method::Register {
            return self.register(&received);
        }
        let response = match received.request.method() {
            Method::Options => self.options(&received.request),
            Method::Bye | Method::Update | Method::Info | Method::Prack | Method::Notify => {
                Response::new(481, Vec::new())
            }
            method @ (Method::Register
            | Method::Subscribe
            | Method::Message
            | Method::Publish
            | Method::Refer
            | Method::Invite
            | Method::Ack
            | Method::Cancel
            | Method::Other(_)) => Response::of_method(method, self.allow_outside()),
        };
        self.respond(&received, &response);
    }

    /// A request within a dialog that there is not.
    pub(super) fn refuse_unknown(&mut self, received: &Received) {
        if self.may_answer(received) {
            self.respond(received, &Response::new(481, Vec::new()));
        }
    }

    /// Whether a request that begins no call is answered: not above the rate of its source.
    fn may_answer(&mut self, received: &Received) -> bool {
        let may = self.admitter.answer(self.time(), received.source());
        if !may {
            self.drop_unanswered(received);
        }
        may
    }

    fn drop_unanswered(&mut self, received: &Received) {
        self.stats.dropped += 1;
        self.layer.abandon(received.transaction);
    }

    /// The answer to OPTIONS: what this node can do, or why it, or the room that is asked for, takes no calls. The
    /// status is that of an INVITE (RFC 3261 section 11.2). Without a user part the node itself is asked for.
    fn options(&self, request: &Request) -> Response {
        match self.admitter.admission() {
            Admission::Closed(closed) => {
                Response::new(503, headers::refusal(&Refusal::Closed(closed.clone())))
            }
            Admission::Open if self.port_refused => Response::new(503, headers::refusal(&Refusal::CallLimit)),
            Admission::Open => match dialled(request) {
                None => Response::new(416, Vec::new()),
                Some((user, host)) if !user.is_empty() && self.room(&user, &host).is_none() => {
                    Response::new(404, Vec::new())
                }
                Some((user, host))
                    if self.room(&user, &host).is_some_and(|room| self.roster.is_locked(room)) =>
                {
                    locked()
                }
                Some(_) => Response::new(200, abilities(self.allow_outside())),
            },
        }
    }

    /// What this node can be asked to do outside of calls.
    fn allow_outside(&self) -> Field {
        if self.accounts.is_empty() { headers::allow() } else { headers::allow_with_register() }
    }

    /// The room that has an alias, which may be a telephone number with parameters.
    pub(super) fn room(&self, user: &str, host: &str) -> Option<&RoomName> {
        self.rooms.find(user, host).or_else(|| self.rooms.find(number(user), host))
    }

    fn new_call(&mut self, received: Received) {
        let from = received.arrival.flow.remote;
        let is_probe = |expected: &mut ExpectedProbe| {
            expected.from == from
                && dialled(&received.request).is_some_and(|(user, _)| user == expected.alias)
        };
        if self.expected.take_if(is_probe).is_some() {
            return self.begin(Purpose::Probe, received);
        }
        match self.admitter.admit(self.time(), received.source(), self.calls.count()) {
            Verdict::Admit => match self.authorise(&received) {
                Ok(()) => self.begin(Purpose::Caller, received),
                Err(response) if self.admitter.challenge(self.time(), received.source()) => {
                    self.respond(&received, &response);
                }
                Err(_) => self.drop_unanswered(&received),
            },
            Verdict::Refuse(refusal) => {
                match &refusal {
                    Refusal::Closed(_) => self.stats.refused_maintenance += 1,
                    Refusal::CallLimit => self.stats.refused_limit += 1,
                    Refusal::Licences => self.stats.refused_licences += 1,
                    Refusal::SourceRate => self.stats.refused_rate += 1,
                }
                let response = Response::new(503, headers::refusal(&refusal));
                self.report_refusal(&received, &response);
                self.respond(&received, &response);
            }
            Verdict::Drop => self.drop_unanswered(&received),
        }
    }

    /// Begins a call that is admitted, or refuses it for what it says.
    fn begin(&mut self, purpose: Purpose, received: Received) {
        let terms = match self.terms(purpose, &received) {
            Ok(terms) => terms,
            Err(Refused { response, count }) => {
                self.count(purpose, count);
                if purpose == Purpose::Caller {
                    self.report_refusal(&received, &response);
                }
                return self.respond(&received, &response);
            }
        };
        let id = self.calls.next_id();
        if purpose == Purpose::Probe {
            self.probe = Some(id);
        }
        self.by_invite.insert(received.transaction, id);
        let offers = terms.offer.is_none();
        let member = Member::of_caller(self.member_ids(&terms.room), &received.request);
        let mut call = Call {
            id,
            purpose,
            began: self.time(),
            room: terms.room,
            member,
            tag: self.random.tag(),
            progress: Progress::Opening { tries: 0, retry: None },
            media: Media::None,
            dialog: None,
            secure: headers::is_secure(&received.request, self.listeners()),
            flow: received.arrival.flow,
            is_translated: is_translated(&received),
            invite: Some(Invite { received, offers }),
            deferred: None,
            session: self.random.number() >> 1,
            stream: self.random.stream(),
            received: None,
            offer: terms.offer,
            negotiation: None,
            timer: terms.timer,
            refresh: Refresh::ByTimer,
            dialling: None,
            authorizations: Authorizations::default(),
        };
        self.open_port(&mut call);
        self.add_call(call);
    }

    fn terms(&self, purpose: Purpose, received: &Received) -> Result<Terms, Refused> {
        let invite = &received.request;
        let not_acceptable = |response| Refused { response, count: |stats| stats.not_acceptable += 1 };
        if let Some(lacking) = headers::lacking(invite) {
            return Err(not_acceptable(Response::of_lacking(lacking)));
        }
        let Some((user, host)) = dialled(invite) else {
            return Err(not_acceptable(Response::new(416, Vec::new())));
        };
        let no_room =
            || Refused { response: Response::new(404, Vec::new()), count: |stats| stats.not_found += 1 };
        let room = match purpose {
            // A probe is alone in a room whose name, its alias, no other has.
            Purpose::Probe => user.as_str().into(),
            Purpose::Caller => self.room(&user, &host).cloned().ok_or_else(no_room)?,
        };
        if self.roster.is_locked(&room) {
            return Err(Refused { response: locked(), count: |stats| stats.refused_locked += 1 });
        }
        check_accept(invite).map_err(not_acceptable)?;
        let offer = read_offer(invite).map_err(not_acceptable)?;
        self.check_families(offer.as_ref(), received.arrival.flow).map_err(not_acceptable)?;
        let timer = self.agree_timer(invite).map_err(not_acceptable)?;
        Ok(Terms { room, offer, timer })
    }

    /// The intervals of sessions that are accepted.
    pub(super) fn policy(&self) -> Policy {
        Policy { interval: self.settings.session_interval, shortest: self.settings.min_session_interval }
    }

    /// Agrees on a session timer.
    pub(super) fn agree_timer(&self, request: &Request) -> Result<SessionTimer, Response> {
        SessionTimer::agree(self.time(), headers::asked(request.headers()), self.policy())
            .map_err(|TooShort { min_se }| Response::new(422, vec![(Name::MinSe, min_se.to_string())]))
    }

    /// Counts something that happened to a call, unless it is a probe.
    pub(super) fn count(&mut self, purpose: Purpose, change: fn(&mut Stats)) {
        if purpose == Purpose::Caller {
            change(&mut self.stats);
        }
    }
}

fn locked() -> Response {
    Response::new(LOCKED, vec![headers::reason(LOCKED, "Locked conference")])
}

impl Received {
    /// Where it came from.
    pub(super) fn source(&self) -> std::net::IpAddr {
        self.arrival.flow.remote.ip().to_canonical()
    }
}

/// What the caller dials, user part and host; `None` for a scheme that is not understood.
pub(super) fn dialled(invite: &Request) -> Option<(String, String)> {
    address_of(invite.uri())
}

/// User part and host of a URI; `None` for a scheme that is not understood.
pub(super) fn address_of(uri: Uri<'_>) -> Option<(String, String)> {
    let text = |bytes: Option<std::borrow::Cow<'_, [u8]>>| {
        String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
    };
    match uri {
        Uri::Sip(uri) => Some((text(uri.decoded_user()), uri.host.to_string())),
        Uri::Tel(uri) => {
            let digits = uri.number.chars().filter(|c| !matches!(c, '-' | '.' | '(' | ')'));
            Some((digits.collect(), String::new()))
        }
        Uri::Other(_) => None,
    }
}

/// The number without the parameters of a telephone number (RFC 3261 section 19.1.6).
fn number(user: &str) -> &str {
    user.split_once(';').map_or(user, |(number, _)| number)
}

/// Whether an INVITE has room in its Accept for the session description of its answer.
///
/// # Errors
/// It has none, and is refused.
pub(super) fn check_accept(invite: &Request) -> Result<(), Response> {
    if headers::accepts_description(invite.headers()) {
        return Ok(());
    }
    let why = "the answer is application/sdp, which Accept does not name";
    Err(Response::new(406, vec![headers::warning(399, why)]))
}

/// Reads the offer of a request; `None` when it makes none and wants ours.
pub(super) fn read_offer(request: &Request) -> Result<Option<Offer>, Response> {
    let described = description_of(request.headers(), request.body());
    let offer = described.and_then(|description| description.map(Offer::read).transpose());
    offer.map_err(|fault| of_unacceptable(&fault))
}

/// The session description that a message carries; `None` when it carries none.
pub(super) fn description_of<'m>(
    headers: &Fields,
    bytes: &'m [u8],
) -> Result<Option<&'m [u8]>, Unacceptable> {
    let text = |name| headers.value(name).and_then(|value| std::str::from_utf8(value).ok());
    let headers = body::Headers {
        kind: text(Name::ContentType),
        disposition: text(Name::ContentDisposition),
        encoding: text(Name::ContentEncoding),
    };
    body::description(headers, bytes)
}
