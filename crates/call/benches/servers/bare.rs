//! The baseline: `rsipstack` answers an INVITE with a session description, and a BYE, and every packet of sound is sent
//! back. It has no conference and no session timer, and one media port for all.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::thread;

use rsipstack::dialog::dialog::{Dialog, DialogState, DialogStateReceiver};
use rsipstack::dialog::dialog_layer::DialogLayer;
use rsipstack::sip::{Header, Method, StatusCode, Uri};
use rsipstack::transaction::TransactionReceiver;
use rsipstack::transaction::transaction::Transaction;
use rsipstack::transport::TransportLayer;
use rsipstack::transport::udp::UdpConnection;
use tokio_util::sync::CancellationToken;

/// Serves calls from now on; returns where.
pub(super) async fn start(ip: IpAddr) -> SocketAddr {
    let stop = CancellationToken::new();
    let transport = TransportLayer::new(stop.clone());
    let udp = UdpConnection::create_connection(SocketAddr::new(ip, 0), None, Some(stop.child_token()));
    let udp = udp.await.expect("a port");
    let address = udp.get_addr().get_socketaddr().expect("an address");
    transport.add_transport(udp.into());
    let endpoint =
        rsipstack::EndpointBuilder::new().with_cancel_token(stop).with_transport_layer(transport).build();
    let layer = Arc::new(DialogLayer::new(endpoint.inner.clone()));
    let incoming = endpoint.incoming_transactions().expect("nobody else takes them");
    tokio::spawn(async move { endpoint.serve().await });
    let sound = send_back(ip);
    tokio::spawn(answer(incoming, layer, address, sound));
    address
}

/// Sends every packet back to where it came from; returns the port.
fn send_back(ip: IpAddr) -> u16 {
    let socket = UdpSocket::bind((ip, 0)).expect("a port");
    let port = socket.local_addr().expect("it is bound").port();
    thread::spawn(move || {
        let mut buffer = [0; 2048];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            socket.send_to(&buffer[..length], from).expect("a datagram");
        }
    });
    port
}

async fn answer(mut incoming: TransactionReceiver, layer: Arc<DialogLayer>, address: SocketAddr, sound: u16) {
    while let Some(mut transaction) = incoming.recv().await {
        match layer.match_dialog(&transaction) {
            Some(Dialog::Invite(mut dialog)) => {
                tokio::spawn(async move { dialog.handle(&mut transaction).await });
            }
            _ if transaction.original.method == Method::Invite => {
                invited(transaction, &layer, address, sound);
            }
            _ if transaction.original.method == Method::Ack => {}
            _ => {
                let status = StatusCode::CallTransactionDoesNotExist;
                tokio::spawn(async move { transaction.reply(status).await });
            }
        }
    }
}

fn invited(mut transaction: Transaction, layer: &Arc<DialogLayer>, address: SocketAddr, sound: u16) {
    let (states, changes) = layer.new_dialog_state_channel();
    let contact = Uri::try_from(format!("sip:node@{address}").as_str()).expect("a URI");
    let dialog = layer.get_or_create_server_invite(&transaction, states, None, Some(contact));
    let mut dialog = dialog.expect("a dialog");
    let kind = Header::ContentType("application/sdp".into());
    dialog.accept(Some(vec![kind]), Some(description(address.ip(), sound))).expect("an answer");
    tokio::spawn(async move { dialog.handle(&mut transaction).await });
    tokio::spawn(forget(changes, Arc::clone(layer)));
}

fn description(ip: IpAddr, port: u16) -> Vec<u8> {
    format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 8 101\r\n\
         a=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n"
    )
    .into_bytes()
}

/// Removes the dialog when it is over.
async fn forget(mut changes: DialogStateReceiver, layer: Arc<DialogLayer>) {
    while let Some(change) = changes.recv().await {
        if let DialogState::Terminated(id, _) = change {
            layer.remove_dialog(&id);
            return;
        }
    }
}
