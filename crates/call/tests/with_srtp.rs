//! Phones whose sound is protected: by keys of the session descriptions (RFC 4568), over TLS and in the clear, and by
//! those of a handshake (RFC 5763).

mod common;

use call::CallEngine;
use common::tls::tls_engine;
use common::{address, both_hear_each_other, hear_each_other};
use phones::baresip::Baresip;
use phones::linphone::Linphone;
use tempfile::TempDir;

/// A value of `mediaenc` of baresip, and the module that has it.
type Protection = (&'static str, &'static str);

fn room(engine: &CallEngine, transport: &str) -> String {
    let tls = engine.tls_address().filter(|_| transport == "tls");
    format!("sip:meet@{};transport={transport}", tls.unwrap_or(engine.sip_address()))
}

/// Two phones of baresip, one of them with another protection, or none, that hear each other before and after a hold.
async fn two_of_baresip(test: u8, transport: &str, first: Protection, second: Option<Protection>) {
    let dir = TempDir::new().expect("directory");
    let (engine, _) = tls_engine(test, &dir, |_| {}).await;
    let uri = room(&engine, transport);
    let (low, high) = (Baresip::dial_with(400, &uri, Some(first)), Baresip::dial_with(1000, &uri, second));
    hear_each_other(engine, low, high).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn phones_of_baresip_hear_each_other_by_srtp_over_tls() {
    two_of_baresip(130, "tls", ("srtp-mand", "srtp"), Some(("srtp-mandf", "srtp"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn phone_of_baresip_that_may_protect_its_sound_hears_one_that_does_not() {
    two_of_baresip(131, "udp", ("srtp", "srtp"), None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn linphone_and_baresip_hear_each_other_by_srtp_over_tls() {
    let dir = TempDir::new().expect("directory");
    let (engine, _) = tls_engine(132, &dir, |_| {}).await;
    let uri = room(&engine, "tls");
    let mut other = Baresip::dial_with(1000, &uri, Some(("srtp-mand", "srtp")));
    other.established().await;
    let srtp =
        "media_encryption=srtp\nmedia_encryption_mandatory=1\nverify_server_certs=0\nverify_server_cn=0\n";
    let phone = Linphone::dial_with(address(132, 3), 400, &uri, srtp, &[]).await;
    both_hear_each_other(engine, phone, other).await;
}

/// The key of the phone's certificate is an RSA key, which baresip makes.
#[tokio::test(flavor = "multi_thread")]
async fn phones_of_baresip_hear_each_other_by_a_handshake_and_in_the_clear() {
    two_of_baresip(170, "udp", ("dtls_srtp", "dtls_srtp"), None).await;
}

/// The key of the phone's certificate is an RSA key, which Linphone makes.
#[tokio::test(flavor = "multi_thread")]
async fn linphone_and_baresip_hear_each_other_by_a_handshake_and_by_keys() {
    let dir = TempDir::new().expect("directory");
    let (engine, _) = tls_engine(171, &dir, |_| {}).await;
    let mut other = Baresip::dial_with(1000, &room(&engine, "tls"), Some(("srtp-mand", "srtp")));
    other.established().await;
    let dtls = "media_encryption=dtls\nmedia_encryption_mandatory=1\n";
    let uri = room(&engine, "udp");
    let phone = Linphone::dial_with(address(171, 3), 400, &uri, dtls, &[]).await;
    both_hear_each_other(engine, phone, other).await;
}
