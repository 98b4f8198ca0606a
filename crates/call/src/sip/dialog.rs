//! One dialog as the called side (RFC 3261 section 12): its identity, its counters, and where its
//! requests go.

use std::net::SocketAddr;

use rsipstack::sip::prelude::HeadersExt;
use rsipstack::sip::uri::ParamsExt as _;
use rsipstack::sip::{
    Contact, Header, Host, Method, Param, Request, Response, ToTypedHeader as _, Transport, Uri, Version,
};
use rsipstack::transaction::endpoint::EndpointInner;
use rsipstack::transaction::{Transaction, random_text};
use rsipstack::transport::{SipAddr, SipConnection};

use super::message;
use super::transport::is_closed;

/// What tells dialogs apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct DialogKey {
    pub(super) call_id: String,
    pub(super) remote_tag: String,
    pub(super) local_tag: String,
}

impl DialogKey {
    /// The dialog that a request belongs to; without a tag in To it belongs to none yet.
    pub(super) fn of(request: &Request) -> Option<DialogKey> {
        Some(DialogKey {
            call_id: message::call_id(request)?,
            remote_tag: message::from_tag(request)?,
            local_tag: message::to_tag(request).unwrap_or_default(),
        })
    }
}

/// How the far end is reached.
#[derive(Clone)]
pub(super) struct Flow {
    connection: SipConnection,
    source: SocketAddr,
}

impl Flow {
    pub(super) fn of(tx: &Transaction) -> Option<Flow> {
        let connection = tx.connection.clone()?;
        let source = connection.get_remote_addr()?.get_socketaddr().ok()?;
        Some(Flow { connection, source })
    }

    pub(super) fn source(&self) -> SocketAddr {
        self.source
    }

    pub(super) fn connection(&self) -> &SipConnection {
        &self.connection
    }
}

/// A dialog.
#[derive(Clone)]
pub(super) struct Dialog {
    pub(super) key: DialogKey,
    local: String,
    remote: String,
    contact: String,
    target: Uri,
    routes: Vec<Header>,
    record_routes: Vec<Header>,
    local_sequence: u32,
    remote_sequence: u32,
    flow: Flow,
}

impl Dialog {
    /// The dialog that an INVITE asks for. `None` when the INVITE lacks what a dialog needs.
    pub(super) fn begin(invite: &Request, flow: Flow, sip: SocketAddr) -> Option<Dialog> {
        let mut key = DialogKey::of(invite)?;
        key.local_tag = random_text(16);
        let to = invite.to_header().ok()?.with_tag(key.local_tag.clone().into());
        let routes = invite.record_route_headers();
        let transport = flow.connection.transport();
        Some(Dialog {
            local: to.value().to_owned(),
            remote: invite.header_value("From")?,
            contact: format!("<sip:{sip};transport={}>", transport.to_string().to_lowercase()),
            target: target(invite, &flow)?,
            record_routes: routes.iter().map(|route| Header::RecordRoute((*route).clone())).collect(),
            routes: routes.iter().map(|route| Header::Route(route.value().to_owned().into())).collect(),
            local_sequence: 0,
            remote_sequence: message::sequence(invite)?,
            key,
            flow,
        })
    }

    /// Whether a request of the far end is newer than all before it; remembers it when it is.
    pub(super) fn advance(&mut self, request: &Request) -> bool {
        let newer = message::sequence(request).filter(|sequence| *sequence > self.remote_sequence);
        self.remote_sequence = newer.unwrap_or(self.remote_sequence);
        newer.is_some()
    }

    /// The far end may be somewhere else now (a request that refreshes the target).
    pub(super) fn refresh_target(&mut self, tx: &Transaction) {
        self.flow = Flow::of(tx).unwrap_or_else(|| self.flow.clone());
        self.target = target(&tx.original, &self.flow).unwrap_or_else(|| self.target.clone());
    }

    /// The far end named another target in its answer to a refresh of ours.
    pub(super) fn refresh_target_from(&mut self, response: &Response) {
        self.target = target(response, &self.flow).unwrap_or_else(|| self.target.clone());
    }

    pub(super) fn flow(&self) -> &Flow {
        &self.flow
    }

    pub(super) fn contact(&self) -> Header {
        message::header("Contact", self.contact.clone())
    }

    /// A response to a request of this dialog, the INVITE that began it included.
    pub(super) fn response(
        &self,
        endpoint: &EndpointInner,
        request: &Request,
        status: u16,
        headers: Vec<Header>,
        body: Option<String>,
    ) -> Response {
        let mut response = endpoint.make_response(request, status.into(), body.map(String::into_bytes));
        response.headers.retain(|header| !matches!(header, Header::To(_)));
        response.headers.push(Header::To(self.local.clone().into()));
        response.headers.extend(self.record_routes.clone());
        response.headers.extend(headers);
        response
    }

    /// The next request of this side.
    pub(super) fn request(&mut self, method: Method, headers: Vec<Header>, body: String) -> Request {
        self.local_sequence += 1;
        let address = self.flow.connection.get_addr().addr.clone();
        let transport = self.flow.connection.transport();
        let via = format!("SIP/2.0/{transport} {address};branch=z9hG4bK{};rport", random_text(16));
        let mut all = vec![
            Header::Via(via.into()),
            Header::MaxForwards(70.into()),
            Header::From(self.local.clone().into()),
            Header::To(self.remote.clone().into()),
            Header::CallId(self.key.call_id.clone().into()),
            Header::CSeq(format!("{} {method}", self.local_sequence).into()),
            Header::Contact(self.contact.clone().into()),
        ];
        all.extend(self.routes.clone());
        all.extend(headers);
        let body = body.into_bytes();
        Request { method, uri: self.target.clone(), version: Version::V2, headers: all.into(), body }
    }

    /// Over which connection, or else to which address, requests of this side go.
    pub(super) fn route(&self) -> (Option<SipConnection>, Option<SipAddr>) {
        if self.flow.connection.is_reliable() {
            let connection = Some(self.flow.connection.clone()).filter(|connection| !is_closed(connection));
            return (connection, None);
        }
        if !self.routes.is_empty() {
            return (None, None);
        }
        // A contact that is not where its requests come from lies behind address translation.
        let translated = self.target.host() != &Host::from(self.flow.source.ip());
        (None, translated.then(|| SipAddr::new(Transport::Udp, self.flow.source.into())))
    }
}

/// The far end's Contact. Reached over TCP it says so, or a new connection would not be TCP.
fn target(message: &impl HeadersExt, flow: &Flow) -> Option<Uri> {
    let contact: &Contact = message.contact_header().ok()?;
    let mut uri = contact.typed().ok()?.uri;
    if flow.connection.is_reliable() && uri.transport().is_none() {
        uri.params.push(Param::Transport(flow.connection.transport()));
    }
    let usable = !matches!(uri.host(), Host::Domain(domain) if domain.0.is_empty());
    let transport_known = uri.transport().is_none_or(|t| matches!(t, Transport::Udp | Transport::Tcp));
    (usable && transport_known).then_some(uri)
}
