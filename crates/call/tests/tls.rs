//! SIP over TLS, with a client of a TLS library.

mod common;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use call::rtp::Header;
use call::srtp::{MasterKey, Received, Receiver, Suite};
use call::{CallEngine, TlsSettings};
use common::tls::{Authority, FarEnd, ok, tls_engine};
use common::{BOUND, address, header, settings, wait_for_calls};
use rcgen::KeyPair;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

#[tokio::test(flavor = "multi_thread")]
async fn call_over_tls_is_secure_and_ended_over_its_connection() {
    let dir = TempDir::new().expect("directory");
    let (engine, roots) = tls_engine(70, &dir, |_| {}).await;
    // What is no TLS, and what says nothing, holds up nobody.
    let mut garbage = TcpStream::connect(engine.tls_address().expect("TLS")).await.expect("connect");
    garbage.write_all(b"OPTIONS sip:meet SIP/2.0\r\n\r\n").await.expect("write");
    let _silent = TcpStream::connect(engine.tls_address().expect("TLS")).await.expect("connect");
    let mut a = FarEnd::connect(&engine, roots).await;
    let answer = a.call().await;
    let contact = format!("<sips:{}>", engine.tls_address().expect("TLS"));
    assert_eq!(header(&answer, "Contact"), contact);
    wait_for_calls(&engine, 1).await;
    let ending = tokio::spawn(engine.shut_down());
    let bye = a.connection.expect("BYE sips:a@").await;
    assert!(header(&bye, "Via").starts_with("SIP/2.0/TLS "), "{bye}");
    a.connection.send(&ok(&bye, "", "")).await;
    ending.await.expect("the engine ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn offer_over_tls_names_keys_and_sound_is_sent_under_the_one_that_is_chosen() {
    let dir = TempDir::new().expect("directory");
    let (engine, roots) = tls_engine(133, &dir, |_| {}).await;
    let mut a = FarEnd::connect(&engine, roots).await;
    let offer = a.invite("").await;
    assert!(offer.contains(" RTP/AVP "), "{offer}");
    let (_, key) = offer.split_once("a=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:").expect("a key");
    let key = BASE64_STANDARD.decode(&key[..40]).expect("base64");
    let rtp = UdpSocket::bind((address(133, 2), 0)).await.expect("bind");
    let here = rtp.local_addr().expect("local");
    let answer = format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {} RTP/AVP 0\r\n\
         a=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:{}\r\n",
        here.port(),
        "A".repeat(40),
        ip = here.ip(),
    );
    a.send("ACK", 1, &answer).await;
    let (mut datagram, mut opened) = ([0; 2048], Vec::new());
    let length = timeout(BOUND, rtp.recv(&mut datagram)).await.expect("nothing").expect("receive");
    let key = MasterKey::new(Suite::AesCm128Sha32, &key).expect("a key");
    assert!(Receiver::new(Received::new(key, 0)).open(&datagram[..length], None, &mut opened));
    assert_eq!(
        Header::parse(&opened).map(|(header, sound)| (header.payload_type, sound.len())),
        Some((0, 160))
    );
    engine.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn advertised_address_stands_in_contact_and_session_description() {
    let dir = TempDir::new().expect("directory");
    let (engine, roots) =
        tls_engine(71, &dir, |settings| settings.advertised = Some([203, 0, 113, 9].into())).await;
    let mut a = FarEnd::connect(&engine, roots).await;
    let answer = a.call().await;
    let port = engine.tls_address().expect("TLS").port();
    assert_eq!(header(&answer, "Contact"), format!("<sips:203.0.113.9:{port}>"));
    assert!(answer.contains("c=IN IP4 203.0.113.9\r\n"), "{answer}");
    engine.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn certificate_that_cannot_be_used_keeps_the_engine_from_starting_and_is_named() {
    let dir = TempDir::new().expect("directory");
    let good = Authority::new().trusting_node(dir.path(), (address(72, 1), 0).into());
    let check = async |change: fn(&mut TlsSettings), expected: &str| {
        let mut tls = good.clone();
        change(&mut tls);
        let mut settings = settings(72);
        settings.tls = Some(tls);
        let trial = call::Trial { sip: settings.sip, tls: None, held_ports: 0 };
        let faults = call::preflight(&settings, trial).await;
        let chain = |error: &dyn std::error::Error| {
            format!("{error}: {}", error.source().map_or(String::new(), ToString::to_string))
        };
        let said: Vec<_> = faults.iter().map(|fault| chain(fault)).collect();
        assert!(said.len() == 1 && said[0].contains(expected), "{said:?}");
        let started = CallEngine::start(settings, common::rooms(), call::Admission::Open).await;
        assert!(started.is_err_and(|error| chain(&error).contains(expected)));
    };
    check(|tls| tls.key = "/nonexistent/key.pem".into(), "cannot read /nonexistent/key.pem").await;
    check(|tls| tls.key = tls.certificate.clone(), "is not the PEM file").await;
    check(|tls| tls.certificate = tls.key.clone(), "it has no certificate").await;
    check(|tls| tls.trust = Some("/nonexistent/trust.pem".into()), "cannot read /nonexistent/trust.pem")
        .await;
    check(|tls| tls.trust = Some(tls.key.clone()), "it has no certificate").await;
    std::fs::write(&good.key, KeyPair::generate().expect("key").serialize_pem()).expect("write");
    check(|_| {}, "cannot be used together").await;
}
