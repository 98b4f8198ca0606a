//! The operator's certificate is shown to callers at once, while calls go on, until it is taken away.

mod support;

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use callers::time::Millis;
use callers::tone::Tone;
use callers::{Agent, CallId, CallSettings, LiveCall, Target, Transport};
use fleet::observed::Calls;
use fleet::version::Sha256;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use slots::Slot;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use wire::{Configuration, NodeCertificate, Room, ShownCertificate};

use support::machine::TestMachine;
use support::{Manager, until};

const NAME: &str = "lon-1.example.com";

/// A certificate for the node's name, in PEM with its key, and in DER.
struct Made {
    chain: String,
    key: String,
    der: Vec<u8>,
}

fn made() -> Made {
    let made = rcgen::generate_simple_self_signed([NAME.to_string()]).unwrap();
    let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    Made { chain, key, der: made.cert.der().to_vec() }
}

/// A machine that answers SIP over TLS with a certificate of its own, and the address.
fn with_tls(own: &Made) -> (TestMachine, SocketAddr) {
    let machine = TestMachine::installed();
    let (chain, key) = (machine.path().join("own.pem"), machine.path().join("own.key"));
    fs::write(&chain, &own.chain).unwrap();
    fs::write(&key, &own.key).unwrap();
    let address = SocketAddr::new(machine.sip.ip(), 5061);
    let table = format!(
        "sip_tls = {{ address = \"{address}\", certificate = \"{}\", key = \"{}\" }}\nweb = ",
        chain.display(),
        key.display()
    );
    machine.set("web = ", &table);
    (machine, address)
}

/// The certificate that a caller is shown; it trusts these.
async fn leaf(address: SocketAddr, trusted: &[&Made]) -> Vec<u8> {
    let mut roots = RootCertStore::empty();
    trusted.iter().for_each(|made| roots.add(made.der.clone().into()).unwrap());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.unwrap().with_root_certificates(roots).with_no_client_auth();
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from(NAME).unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

async fn dial(agent: &Agent, machine: &TestMachine) -> LiveCall {
    let target = Target { alias: "team".into(), node: machine.sip, transport: Transport::Udp };
    let settings = CallSettings::new(CallId("caller".into()), target, Tone::nth(0));
    agent.dial(CallSettings { answer_within: Millis::seconds(10), ..settings }).await.unwrap()
}

/// Gives the node another certificate, and waits until it says that it shows it.
async fn give(manager: &Manager, certificate: Option<NodeCertificate>) {
    let wanted = certificate.as_ref().map_or(ShownCertificate::Own, |it| ShownCertificate::Operators(it.id));
    manager.with(|fake| fake.certificate = certificate);
    let shows = || manager.with(|fake| fake.seen.last().is_some_and(|sync| sync.certificate == Some(wanted)));
    until("the node shows the certificate", shows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_certificate_is_shown_at_once_beside_a_call_and_after_a_restart_until_it_is_taken_away() {
    let (own, operators) = (made(), made());
    let ((machine, address), manager) = (with_tls(&own), Manager::start().await);
    let room = Room { name: "Team".into(), aliases: vec!["team".into()] };
    manager.with(|fake| fake.configuration = Configuration { revision: 1, rooms: vec![room] });
    assert!(machine.enrol(&manager).await.status.success());
    let mut node = machine.start_logged(Slot::A);
    machine.until_web_says(200).await;
    let has_rooms = || manager.with(|fake| fake.seen.last().is_some_and(|sync| sync.configuration == 1));
    until("the node has the rooms", has_rooms).await;
    let agent = Agent::open(IpAddr::V4(Ipv4Addr::LOCALHOST)).await.unwrap();
    let call = dial(&agent, &machine).await;
    let trusted = [&own, &operators];
    assert_eq!(leaf(address, &trusted).await, own.der);
    let (chain, key) = (operators.chain.clone(), operators.key.clone());
    let certificate = NodeCertificate { id: Sha256([7; 32]), subject: format!("CN={NAME}"), chain, key };
    give(&manager, Some(certificate)).await;
    assert_eq!(leaf(address, &trusted).await, operators.der);
    let counted = manager.last().unwrap().calls;
    assert!(matches!(counted, Calls::Known { count: 1, .. }), "the call goes on: {counted:?}");
    assert_eq!(machine.logged("shows the operator's certificate of CN=lon-1.example.com").len(), 1);
    let file = machine.path().join("state/certificate.json");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(machine.logged("PRIVATE KEY").is_empty());
    drop(call);
    node.terminate();
    node.ended().await;
    let _node = machine.start_logged(Slot::A);
    machine.until_web_says(200).await;
    assert_eq!(leaf(address, &trusted).await, operators.der);
    give(&manager, None).await;
    assert_eq!(leaf(address, &trusted).await, own.der);
    assert!(!fs::read_to_string(file).unwrap().contains("PRIVATE KEY"));
}
