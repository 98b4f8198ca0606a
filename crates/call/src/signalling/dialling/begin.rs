//! How a call to the outside begins: whether it may, and whom it can reach.

use std::net::SocketAddr;
use std::time::Duration;

use sip::draft::{SentAddress, escaped_user};
use sip::transport::flow::{Flow, Protocol};
use sip::transport::next_hop::NextHop;
use sip::uri::Uri;

use crate::admission::Admission;
use crate::audio::Participant;
use crate::dial::{DialError, DialOptions, DialTarget};
use crate::participants::ParticipantId;
use crate::rooms::RoomName;
use crate::session_timer::{Refresher, SessionTimer};
use crate::signalling::agent::UserAgent;
use crate::signalling::authentication::Authorizations;
use crate::signalling::call::{Call, Media, Progress, Purpose, Refresh};
use crate::signalling::input::Output;
use crate::signalling::member::Member;
use crate::time::Time;

use super::state::{Dialling, Step};
use super::target::{By, Target, Targets};

/// The longest time until an answer, whatever is asked for: as long as an INVITE waits (RFC 3261 section 13.3.1.1 has
/// three minutes).
const LONGEST_WAIT: Duration = Duration::from_secs(180);

/// A call to be made.
#[derive(Clone, Debug)]
pub(crate) struct Dial {
    /// The conference that the far end joins.
    pub(crate) room: RoomName,
    pub(crate) target: DialTarget,
    pub(crate) options: DialOptions,
}

impl UserAgent {
    /// Makes a call, and names its participant. [`Output::Dialled`] follows, once.
    ///
    /// # Errors
    /// It cannot be made, and nothing is left of it.
    pub(crate) fn dial(
        &mut self,
        now: Time,
        dial: &Dial,
    ) -> (Result<(Participant, ParticipantId), DialError>, Vec<Output>) {
        self.advance_to(now);
        let begun = self.begin_dialling(dial);
        (begun, self.finish())
    }

    fn begin_dialling(&mut self, dial: &Dial) -> Result<(Participant, ParticipantId), DialError> {
        if let Admission::Closed(closed) = self.admitter.admission() {
            return Err(DialError::Closed(closed.reason.clone()));
        }
        if self.calls.count() >= self.settings.call_limit {
            return Err(DialError::CallLimit);
        }
        if !self.admitter.is_licensed(self.calls.count()) {
            self.stats.refused_licences += 1;
            return Err(DialError::Licences);
        }
        let dialling = self.dialling(dial)?;
        let member = self.member_to(dial);
        let (id, participant) = (self.calls.next_id(), member.id);
        let mut call = Call {
            id,
            purpose: Purpose::Caller,
            began: self.time(),
            room: dial.room.clone(),
            member,
            tag: self.random.tag(),
            progress: Progress::Opening { tries: 0, retry: None },
            media: Media::None,
            invite: None,
            deferred: None,
            dialog: None,
            secure: false,
            flow: dialling.targets.first().map_or_else(|| self.nowhere(), |target| self.flow_of(target)),
            is_translated: false,
            session: self.random.number() >> 1,
            offer: None,
            negotiation: None,
            stream: self.random.stream(),
            received: None,
            timer: self.proposed_timer(),
            refresh: Refresh::ByTimer,
            dialling: Some(Box::new(dialling)),
            authorizations: Authorizations::default(),
        };
        self.stats.dialled += 1;
        self.open_port(&mut call);
        self.add_call(call);
        Ok((id, participant))
    }

    fn member_to(&mut self, dial: &Dial) -> Member {
        let Dial { room, target: DialTarget::Uri(target) | DialTarget::Device(target), options } = dial;
        let ids = self.member_ids(room);
        let alias = self.rooms.alias(room).unwrap_or_default();
        Member::of_dialled(ids, alias, target, options.display_name.as_deref())
    }

    fn dialling(&mut self, dial: &Dial) -> Result<Dialling, DialError> {
        let Dial { room, target, options } = dial;
        let from = self.from(room, options)?;
        let (targets, to) = match target {
            DialTarget::Uri(uri) => (vec![Target { uri: checked(uri)?, by: By::Uri }], checked(uri)?),
            DialTarget::Device(alias) => (self.devices(alias)?, self.own_uri(alias)),
        };
        Ok(Dialling {
            call_id: format!("{:016x}{:016x}", self.random.number(), self.random.number()),
            from,
            to: format!("<{to}>"),
            sequence: 0,
            answer_within: options.answer_within.min(LONGEST_WAIT),
            media: None,
            targets: Targets::new(targets),
            step: Step::Port,
            failure: DialError::HungUp,
        })
    }

    /// The devices of an alias, the last registered one first.
    fn devices(&self, alias: &str) -> Result<Vec<Target>, DialError> {
        let (user, host) = alias.split_once('@').unwrap_or((alias, ""));
        let found = self.accounts.alias(user, host);
        let targets: Vec<_> =
            found.iter().flat_map(|alias| self.bindings.of(alias)).map(Target::of).collect();
        if targets.is_empty() { Err(DialError::NotRegistered(alias.to_owned())) } else { Ok(targets) }
    }

    /// The value of From: the room by its name, and the URI that it is called by.
    fn from(&self, room: &RoomName, options: &DialOptions) -> Result<String, DialError> {
        let alias = self.rooms.alias(room).ok_or_else(|| DialError::NoRoom(room.to_string()))?;
        let uri = match &options.from {
            Some(uri) => checked(uri)?,
            None => self.own_uri(alias),
        };
        let name: String = room.to_string().chars().filter(|character| !character.is_control()).collect();
        let read = Uri::new(uri.as_bytes()).map_err(|why| of_target(&uri, &why.to_string()))?;
        Ok(SentAddress { display: &name, uri: read, tag: None }.to_string())
    }

    /// The URI of an alias at this node.
    fn own_uri(&self, alias: &str) -> String {
        match alias.split_once('@') {
            Some((user, host)) => format!("sip:{}@{host}", escaped_user(user.as_bytes())),
            None => {
                let host = self.listeners().sent_by(Protocol::Udp, self.nowhere().local.ip());
                format!("sip:{}@{host}", escaped_user(alias.as_bytes()))
            }
        }
    }

    /// What the INVITE to a target goes over, as far as that is known before a name is resolved.
    fn flow_of(&self, target: &Target) -> Flow {
        let by_uri = || {
            let hop = NextHop::of(Uri::new(target.uri.as_bytes()).ok()?).ok()?;
            self.flow_to(hop.protocol, SocketAddr::new(hop.host.address()?, hop.port))
        };
        match target.by {
            By::Registration { flow, .. } => flow,
            By::Uri | By::Redirection => by_uri().unwrap_or_else(|| self.nowhere()),
        }
    }

    /// What a call goes over of which no target is known yet.
    fn nowhere(&self) -> Flow {
        let here = self.own_address(Protocol::Udp).unwrap_or(self.settings.sip);
        Flow::datagrams(here, here)
    }

    /// The session timer that we propose, and keep by ourselves if the far end knows none.
    pub(super) fn proposed_timer(&self) -> SessionTimer {
        let policy = self.policy();
        SessionTimer::continued(policy.interval, Refresher::Us, self.time(), policy)
    }
}

/// A SIP URI without headers, which have no meaning in a Request-URI.
fn checked(uri: &str) -> Result<String, DialError> {
    match Uri::new(uri.as_bytes()) {
        Ok(read @ Uri::Sip(_)) => Ok(read.without_headers().to_owned()),
        Ok(Uri::Tel(_) | Uri::Other(_)) => Err(of_target(uri, "it is neither a sip: nor a sips: URI")),
        Err(why) => Err(of_target(uri, &why.to_string())),
    }
}

pub(super) fn of_target(uri: &str, why: &str) -> DialError {
    DialError::Target { uri: uri.to_owned(), why: why.to_owned() }
}
