//! One INVITE: where it goes, what it says, and its CANCEL.

use sip::draft::Draft;
use sip::method::Method;
use sip::name::Name;
use sip::sequence::CSeq;
use sip::transaction::TransactionId;
use sip::transaction::outgoing::{Branch, Outgoing, Unsendable};
use sip::transport::flow::{Destination, Flow};
use sip::transport::next_hop::NextHop;
use sip::uri::Uri;

use crate::dial::DialError;
use crate::sdp::{Local, Negotiation};
use crate::signalling::agent::UserAgent;
use crate::signalling::call::{Call, Progress};
use crate::signalling::destination::media_path;
use crate::signalling::headers;
use crate::signalling::input::Output;
use crate::signalling::response::finish;

use super::begin::of_target;
use super::state::{Dialling, Step};
use super::target::{By, Target, is_secure};

/// The hops of a request (RFC 3261 section 8.1.1.6).
const MAX_FORWARDS: u8 = 70;

/// Where a target is.
enum Place {
    /// It is reached over this flow, and the INVITE goes there.
    Known(Flow, Destination),
    /// Its name is being resolved.
    Awaited(String),
}

impl UserAgent {
    /// The media port of a call that is dialled is open: its targets are tried.
    pub(in crate::signalling) fn begin_trying(&mut self, call: &mut Call, media: std::net::SocketAddr) {
        let Some(dialling) = &mut call.dialling else { return };
        dialling.media = Some(media);
        let until = self.time() + dialling.answer_within;
        call.progress = Progress::Calling { until, turn: until };
        self.try_next(call);
    }

    /// Tries the next target. Without one, the call has failed for the reason of the one before.
    pub(super) fn try_next(&mut self, call: &mut Call) {
        let next = |call: &mut Call| {
            let dialling = call.dialling.as_mut().filter(|dialling| dialling.may_invite());
            dialling.and_then(|dialling| dialling.targets.next())
        };
        while let Some(target) = next(call) {
            (call.negotiation, call.authorizations) = (None, target.authorizations());
            self.begin_turn(call);
            match self.try_target(call, target) {
                Ok(()) => return,
                Err(failure) => call.dialling.iter_mut().for_each(|it| it.failure.clone_from(&failure)),
            }
        }
        let failure = call.dialling.as_ref().map_or(DialError::HungUp, |dialling| dialling.failure.clone());
        self.dial_failed(call, failure);
    }

    /// Sends an INVITE to a target, or waits for its address.
    ///
    /// # Errors
    /// It cannot be reached, or the node is full.
    pub(super) fn try_target(&mut self, call: &mut Call, target: Target) -> Result<(), DialError> {
        let step = match self.place(&target)? {
            Place::Known(flow, destination) => {
                let transaction = self.send_invite(call, &target, flow, destination)?;
                Step::Response { transaction, target }
            }
            Place::Awaited(name) => {
                self.awaited_names.entry(name).or_default().push(call.id);
                Step::Name(target)
            }
        };
        call.dialling.iter_mut().for_each(|dialling| dialling.step = step.clone());
        Ok(())
    }

    /// The addresses of a name have come, or there are none.
    pub(in crate::signalling) fn on_resolved(&mut self, name: &str) {
        for id in self.awaited_names.remove(name).unwrap_or_default() {
            self.with_call(id, |agent, call| {
                let step = call.dialling.as_ref().map(|dialling| dialling.step.clone());
                let Some(Step::Name(target)) = step else { return };
                if let Err(failure) = agent.try_target(call, target) {
                    agent.target_failed(call, failure);
                }
            });
        }
    }

    fn place(&mut self, target: &Target) -> Result<Place, DialError> {
        let uri = Uri::new(target.uri.as_bytes()).map_err(|why| of_target(&target.uri, &why.to_string()))?;
        match target.by {
            By::Registration { flow, is_translated } => {
                let hop = NextHop::of(uri).ok().filter(|_| !is_translated);
                Ok(Place::Known(flow, self.toward(hop, flow)))
            }
            By::Uri | By::Redirection => {
                let hop = NextHop::of(uri).map_err(|why| of_target(&target.uri, &why.to_string()))?;
                self.place_of_hop(target, hop)
            }
        }
    }

    fn place_of_hop(&mut self, target: &Target, hop: NextHop<'_>) -> Result<Place, DialError> {
        let unreachable = || DialError::Unreachable(target.uri.clone());
        let (name, now) = (hop.host.to_string(), self.time());
        let ours = self.own_address(hop.protocol).ok_or_else(unreachable)?.ip().to_canonical();
        if hop.host.address().is_none() {
            if self.names.ask(now, &name) {
                self.outputs.push(Output::Resolve(name.clone()));
            }
            if self.names.find(&name, ours).is_none() {
                let is_awaited = self.names.is_awaited(&name);
                return if is_awaited { Ok(Place::Awaited(name)) } else { Err(DialError::Unresolved(name)) };
            }
        }
        let address = hop.host.address().or_else(|| self.names.find(&name, ours)).ok_or_else(unreachable)?;
        let remote = (address.to_canonical(), hop.port).into();
        let flow = self.flow_to(hop.protocol, remote).ok_or_else(unreachable)?;
        self.usable(hop, flow).ok_or_else(unreachable)?;
        Ok(Place::Known(flow, self.toward(Some(hop), flow)))
    }

    fn send_invite(
        &mut self,
        call: &mut Call,
        target: &Target,
        flow: Flow,
        destination: Destination,
    ) -> Result<TransactionId, DialError> {
        call.flow = flow;
        call.is_translated = matches!(target.by, By::Registration { is_translated: true, .. });
        let unreachable = || DialError::Unreachable(target.uri.clone());
        let bytes = self.written_invite(call, &target.uri, &destination).ok_or_else(unreachable)?;
        let branch = Branch::new(self.random.branch());
        let outgoing = Outgoing { bytes, destination, branch };
        let sent = self.layer.request(self.now(), outgoing);
        let (transaction, effects) = sent.map_err(|error| match error {
            Unsendable::Full => DialError::Full,
            Unsendable::NotARequest
            | Unsendable::Cancel
            | Unsendable::BranchInUse
            | Unsendable::NothingToCancel => unreachable(),
        })?;
        self.by_our_invite.insert(transaction, call.id);
        self.effects.extend(effects);
        Ok(transaction)
    }

    fn written_invite(&mut self, call: &mut Call, uri: &str, destination: &Destination) -> Option<Vec<u8>> {
        let read = Uri::new(uri.as_bytes()).ok()?;
        let Dialling { call_id, from, to, sequence, media, .. } = call.dialling.as_mut()?.as_mut();
        *sequence += 1;
        call.secure = is_secure(uri);
        let (address, path) = ((*media)?, media_path(call.flow));
        let local = Local { address, session: call.session, path, certificate: self.certificate };
        let negotiation = call.negotiation.get_or_insert_with(|| Negotiation::new(local));
        let offer = negotiation.repeat_offer(self.random.generator());
        let cseq = CSeq { number: *sequence, method: Method::Invite };
        let draft = Draft::request(Method::Invite, read)
            .field(Name::From, format!("{from};tag={}", call.tag))
            .and_then(|draft| draft.field(Name::To, to))
            .and_then(|draft| draft.field(Name::CallId, call_id))
            .and_then(|draft| draft.field(Name::CSeq, cseq))
            .and_then(|draft| draft.field(Name::MaxForwards, MAX_FORWARDS));
        let (protocol, local) = (destination.protocol(), destination.local());
        let contact = headers::contact(self.listeners(), protocol, local, call.secure);
        let mut fields = headers::of_refresh(contact, &call.timer);
        fields.extend(call.authorizations.next(Method::Invite, uri, self.random.number()));
        Some(finish(draft.ok()?, &fields, Some(&offer)))
    }

    /// Sends the CANCEL of an INVITE, which must wait for a provisional response (RFC 3261 section 9.1).
    pub(super) fn cancel_invite(&mut self, transaction: TransactionId) {
        if let Ok((_, effects)) = self.layer.cancel(self.now(), transaction) {
            self.effects.extend(effects);
        }
    }
}
