//! A small Conferencing Node that mixes audio and can be given a defect, for tests of what the callers detect.
//! Implements only what these tests need; shares no code with the call engine.

mod own_address;

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use callers::{Codec, Node, NodeName};
use own_address::own_address;
use rsipstack::dialog::dialog::{Dialog, DialogState};
use rsipstack::dialog::dialog_layer::DialogLayer;
use rsipstack::sip::prelude::HeadersExt;
use rsipstack::sip::{Header, Method, StatusCode};
use rsipstack::transaction::endpoint::Endpoint;
use rsipstack::transaction::transaction::Transaction;
use rsipstack::transport::udp::UdpConnection;
use rsipstack::transport::{TcpListenerConnection, TransportLayer};
use rtp_rs::{RtpPacketBuilder, RtpReader, Seq};
use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;

pub(crate) const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
type Frame = [i16; 160];

/// A defect of the node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Defect {
    None,
    /// Each caller receives its own tone too.
    Echo,
    /// Each caller receives all rooms.
    Leak,
    /// No caller receives the one with this index in the order of Call-IDs.
    Mute(usize),
}

struct Leg {
    room: String,
    codec: Codec,
    socket: Arc<UdpSocket>,
    peer: SocketAddr,
    queue: VecDeque<Frame>,
    sends: bool,
    sequence: u16,
}

type Legs = Arc<Mutex<BTreeMap<String, Leg>>>;

pub(crate) struct TestNode {
    pub(crate) node: Node,
    pub(crate) defect: Arc<Mutex<Defect>>,
    pub(crate) closed: Arc<Mutex<bool>>,
    legs: Legs,
    layer: Arc<DialogLayer>,
    endpoint: Endpoint,
    stop: CancellationToken,
}

impl TestNode {
    pub(crate) async fn start(name: &str) -> TestNode {
        let stop = CancellationToken::new();
        let transport = TransportLayer::new(stop.clone());
        let udp =
            UdpConnection::create_connection(own_address(), None, Some(stop.child_token())).await.unwrap();
        let sip = udp.get_addr().get_socketaddr().unwrap();
        transport.add_transport(udp.into());
        transport.add_transport(TcpListenerConnection::new(sip, None).await.unwrap().into());
        let endpoint = rsipstack::EndpointBuilder::new()
            .with_cancel_token(stop.clone())
            .with_transport_layer(transport)
            .build();
        let layer = Arc::new(DialogLayer::new(endpoint.inner.clone()));
        let node = TestNode {
            node: Node { name: NodeName(name.to_owned()), sip },
            defect: Arc::new(Mutex::new(Defect::None)),
            closed: Arc::default(),
            legs: Legs::default(),
            layer,
            endpoint,
            stop,
        };
        node.serve();
        node
    }

    /// Crashes: no more SIP, no more RTP, no BYE.
    pub(crate) fn kill(&self) {
        self.stop.cancel();
        self.endpoint.shutdown();
    }

    /// Hangs up one call.
    pub(crate) async fn hang_up(&self, call: &str) {
        let id =
            self.layer.all_dialog_ids().into_iter().find(|id| id.contains(call)).expect("the call is here");
        let Some(Dialog::Invite(dialog)) = self.layer.get_dialog_with(&id) else { panic!("no dialog") };
        dialog.bye().await.unwrap();
    }

    fn serve(&self) {
        let serving = self.endpoint.inner.clone();
        tokio::spawn(async move { serving.serve().await });
        let mut incoming = self.endpoint.incoming_transactions().unwrap();
        let (layer, legs, closed) = (self.layer.clone(), self.legs.clone(), self.closed.clone());
        let (sip, stop) = (self.node.sip, self.stop.clone());
        tokio::spawn(async move {
            while let Some(mut tx) = incoming.recv().await {
                match layer.match_dialog(&tx) {
                    Some(Dialog::Invite(mut dialog)) => {
                        tokio::spawn(async move { dialog.handle(&mut tx).await });
                    }
                    _ if tx.original.method == Method::Invite => {
                        let closed = *closed.lock().unwrap();
                        tokio::spawn(invited(tx, layer.clone(), legs.clone(), sip, closed, stop.clone()));
                    }
                    _ if tx.original.method == Method::Ack => {}
                    _ => {
                        tokio::spawn(async move { tx.reply(StatusCode::CallTransactionDoesNotExist).await });
                    }
                }
            }
        });
        tokio::spawn(mix(self.legs.clone(), self.defect.clone(), self.stop.clone()));
    }
}

async fn invited(
    mut tx: Transaction,
    layer: Arc<DialogLayer>,
    legs: Legs,
    sip: SocketAddr,
    closed: bool,
    stop: CancellationToken,
) {
    if closed {
        let reason = Header::Reason("SIP;cause=503;text=\"System in maintenance mode\"".into());
        tx.reply_with(StatusCode::ServiceUnavailable, vec![reason], None).await.unwrap();
        return;
    }
    let (states, mut changes) = layer.new_dialog_state_channel();
    let contact = rsipstack::sip::Uri::try_from(format!("sip:node@{sip}").as_str()).unwrap();
    let mut dialog = layer.get_or_create_server_invite(&tx, states, None, Some(contact)).unwrap();
    let socket = Arc::new(UdpSocket::bind((LOOPBACK, 0)).await.unwrap());
    let port = socket.local_addr().unwrap().port();
    let call = tx.original.call_id_header().unwrap().value().to_owned();
    let offer = String::from_utf8(tx.original.body.clone()).unwrap();
    let room = tx.original.uri.auth.as_ref().unwrap().user.clone();
    let (peer, codec, sends) = read(&offer);
    let leg = Leg { room, codec, socket: socket.clone(), peer, queue: VecDeque::new(), sends, sequence: 0 };
    legs.lock().unwrap().insert(call.clone(), leg);
    tokio::spawn(receive(socket, legs.clone(), call.clone(), codec, stop));
    dialog.accept(Some(sdp_type()), Some(answer(port, codec, sends))).unwrap();
    tokio::spawn(async move { dialog.handle(&mut tx).await });
    while let Some(change) = changes.recv().await {
        match change {
            DialogState::Updated(_, request, handle) => {
                let (_, _, sends) = read(&String::from_utf8(request.body.clone()).unwrap());
                if let Some(leg) = legs.lock().unwrap().get_mut(&call) {
                    leg.sends = sends;
                }
                handle.respond(StatusCode::OK, Some(sdp_type()), Some(answer(port, codec, sends))).await.ok();
            }
            DialogState::Terminated(id, _) => {
                layer.remove_dialog(&id);
                break;
            }
            DialogState::Calling(_)
            | DialogState::Trying(_)
            | DialogState::Early(..)
            | DialogState::WaitAck(..)
            | DialogState::Confirmed(..)
            | DialogState::Publish(..)
            | DialogState::Notify(..)
            | DialogState::Refer(..)
            | DialogState::Message(..)
            | DialogState::Info(..)
            | DialogState::Options(..) => {}
        }
    }
    legs.lock().unwrap().remove(&call);
}

fn sdp_type() -> Vec<Header> {
    vec![Header::ContentType("application/sdp".into())]
}

/// The caller's address, its codec, and whether it accepts audio.
fn read(offer: &str) -> (SocketAddr, Codec, bool) {
    let after = |key: &str| offer.lines().find_map(|line| line.strip_prefix(key)).expect(key);
    let mut audio = after("m=audio ").split_whitespace();
    let port: u16 = audio.next().unwrap().parse().unwrap();
    let codec = if audio.nth(1) == Some("8") { Codec::Pcma } else { Codec::Pcmu };
    (SocketAddr::new(after("c=IN IP4 ").parse().unwrap(), port), codec, !offer.contains("a=sendonly"))
}

fn answer(port: u16, codec: Codec, sends: bool) -> Vec<u8> {
    let (pt, way) = (codec.payload_type(), if sends { "sendrecv" } else { "recvonly" });
    format!("v=0\r\no=n 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port} RTP/AVP {pt}\r\na={way}\r\n")
        .into_bytes()
}

async fn receive(socket: Arc<UdpSocket>, legs: Legs, call: String, codec: Codec, stop: CancellationToken) {
    let mut buffer = [0; 1500];
    while let Some(Ok((length, _))) = stop.run_until_cancelled(socket.recv_from(&mut buffer)).await {
        let Ok(packet) = RtpReader::new(&buffer[..length]) else { continue };
        let mut frame = [0; 160];
        frame.iter_mut().zip(codec.decode(packet.payload())).for_each(|(to, from)| *to = from);
        let mut legs = legs.lock().unwrap();
        let Some(leg) = legs.get_mut(&call) else { return };
        leg.queue.push_back(frame);
        while leg.queue.len() > 10 {
            leg.queue.pop_front();
        }
    }
}

async fn mix(legs: Legs, defect: Arc<Mutex<Defect>>, stop: CancellationToken) {
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    while stop.run_until_cancelled(tick.tick()).await.is_some() {
        let defect = *defect.lock().unwrap();
        let out = {
            let mut legs = legs.lock().unwrap();
            let sent: Vec<(String, String, Frame)> = legs
                .iter_mut()
                .map(|(id, leg)| (id.clone(), leg.room.clone(), leg.queue.pop_front().unwrap_or([0; 160])))
                .collect();
            legs.iter_mut()
                .filter(|(_, leg)| leg.sends)
                .map(|(id, leg)| packet(id, leg, &sent, defect))
                .collect::<Vec<_>>()
        };
        for (socket, peer, packet) in out {
            socket.send_to(&packet, peer).await.ok();
        }
    }
}

fn packet(
    id: &str,
    leg: &mut Leg,
    sent: &[(String, String, Frame)],
    defect: Defect,
) -> (Arc<UdpSocket>, SocketAddr, Vec<u8>) {
    let mut sum = [0_i16; 160];
    for (index, (who, room, frame)) in sent.iter().enumerate() {
        let own = who == id;
        let heard = match defect {
            Defect::None => !own && *room == leg.room,
            Defect::Echo => *room == leg.room,
            Defect::Leak => !own,
            Defect::Mute(muted) => !own && *room == leg.room && index != muted,
        };
        if heard {
            sum.iter_mut().zip(frame).for_each(|(to, from)| *to = to.saturating_add(*from));
        }
    }
    leg.sequence = leg.sequence.wrapping_add(1);
    let payload = leg.codec.encode(&sum);
    let packet = RtpPacketBuilder::new()
        .payload_type(leg.codec.payload_type())
        .sequence(Seq::from(leg.sequence))
        .timestamp(u32::from(leg.sequence) * 160)
        .ssrc(1)
        .payload(&payload);
    (leg.socket.clone(), leg.peer, packet.build().unwrap())
}
