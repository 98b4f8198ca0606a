//! Handshakes with far ends whose certificate has an RSA key, and why one gives no keys.

use openssl::asn1::Asn1Time;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::ssl::{SslContextBuilder, SslMethod};
use openssl::x509::{X509, X509NameBuilder};

use super::*;
use crate::sdp::{Fingerprint, Role};

/// As phones make it themselves: an RSA key, and a certificate that it has signed.
fn with_rsa(bits: u32) -> (X509, PKey<Private>) {
    let key = PKey::from_rsa(Rsa::generate(bits).expect("a key")).expect("a key");
    let mut name = X509NameBuilder::new().expect("a name");
    name.append_entry_by_text("CN", "phone").expect("a name");
    let name = name.build();
    let mut certificate = X509::builder().expect("a certificate");
    certificate.set_subject_name(&name).expect("a subject");
    certificate.set_issuer_name(&name).expect("an issuer");
    certificate.set_pubkey(&key).expect("a key");
    certificate.set_not_before(&Asn1Time::days_from_now(0).expect("a time")).expect("a time");
    certificate.set_not_after(&Asn1Time::days_from_now(1).expect("a time")).expect("a time");
    certificate.sign(&key, MessageDigest::sha256()).expect("a signature");
    (certificate.build(), key)
}

fn identity_with_rsa() -> Identity {
    identity_with_rsa_of(2048)
}

fn identity_with_rsa_of(bits: u32) -> Identity {
    let (certificate, key) = with_rsa(bits);
    let key = key.private_key_to_pkcs8().expect("a key");
    Identity::of(&certificate.to_der().expect("a certificate"), &key).expect("an identity")
}

fn handshake(role: Role, ours: &Identity, theirs: &Identity) -> Handshake {
    let agreed = sdp::Handshake { role, theirs: vec![theirs.fingerprint()] };
    Handshake::new(Time(0), ours, &agreed, None)
}

/// Lets both act until neither has anything to say. Returns their keys.
fn complete(a: &mut Handshake, b: &mut Handshake) -> [Option<Keys>; 2] {
    let (mut of_a, mut of_b) = (a.pass_time(Time(0)), b.pass_time(Time(0)));
    loop {
        let (from_a, from_b) = (a.next_packet(), b.next_packet());
        if from_a.is_none() && from_b.is_none() {
            return [of_a, of_b];
        }
        of_b = from_a.and_then(|datagram| b.receive(Time(0), &datagram)).or(of_b);
        of_a = from_b.and_then(|datagram| a.receive(Time(0), &datagram)).or(of_a);
    }
}

#[test]
fn far_end_with_an_rsa_key_has_the_same_keys_in_each_role() {
    let (ours, theirs) = (Identity::generate().expect("an identity"), identity_with_rsa());
    for (role, other) in [(Role::Server, Role::Client), (Role::Client, Role::Server)] {
        let mut node = handshake(role, &ours, &theirs);
        let mut phone = handshake(other, &theirs, &ours);
        let keys = complete(&mut node, &mut phone);
        let [Some(node), Some(phone)] = keys else { panic!("{role:?}: {keys:?}") };
        assert_eq!((node.ours, node.theirs), (phone.theirs, phone.ours), "{role:?}");
        assert_ne!(node.ours, node.theirs);
        assert_eq!(node.ours.suite().name(), "AEAD_AES_256_GCM");
    }
}

#[test]
fn no_keys_have_the_reason_of_what_came() {
    let (ours, theirs) = (Identity::generate().expect("an identity"), identity_with_rsa());
    let hello = {
        let mut phone = handshake(Role::Client, &theirs, &ours);
        phone.pass_time(Time(0));
        phone.next_packet().expect("it begins")
    };
    let mut long = hello.clone();
    long[14..17].fill(0xff);
    let alert = [21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 42];
    let check = |datagram: Option<&[u8]>, expected| {
        let mut node = handshake(Role::Server, &ours, &theirs);
        datagram.into_iter().for_each(|datagram| assert_eq!(node.receive(Time(0), datagram), None));
        assert_eq!(node.expire(Time(14_999)), None);
        assert_eq!(node.expire(Time(15_000)), Some(expected));
        while node.next_packet().is_some() {}
        node.receive(Time(15_000), &hello);
        assert_eq!(node.next_packet(), None, "it is given up");
    };
    check(None, NoKeys::Unanswered);
    check(Some(&hello), NoKeys::Unfinished);
    check(Some(&long), NoKeys::TooMuch);
    check(Some(&alert), NoKeys::Failed("ssl/tls alert bad certificate"));
}

#[test]
fn far_end_with_a_longer_key_than_phones_have_gets_no_keys() {
    let (ours, theirs) = (Identity::generate().expect("an identity"), identity_with_rsa_of(4104));
    let mut node = handshake(Role::Server, &ours, &theirs);
    let mut phone = handshake(Role::Client, &theirs, &ours);
    assert_eq!(complete(&mut node, &mut phone)[0], None);
    assert_eq!(node.expire(Time(15_000)), Some(NoKeys::Failed("certificate verify failed")));
}

#[test]
fn far_end_without_a_suite_of_srtp_gets_no_keys() {
    let ours = Identity::generate().expect("an identity");
    let (certificate, key) = with_rsa(2048);
    let mut context = SslContextBuilder::new(SslMethod::dtls()).expect("a context");
    context.set_certificate(&certificate).expect("a certificate");
    context.set_private_key(&key).expect("a key");
    let theirs = Identity { context: context.build(), ..identity_with_rsa() };
    let agreed = Fingerprint::of(&certificate.to_der().expect("a certificate"));
    let agreed = sdp::Handshake { role: Role::Server, theirs: vec![agreed] };
    let mut node = Handshake::new(Time(0), &ours, &agreed, None);
    let mut phone = handshake(Role::Client, &theirs, &ours);
    assert_eq!(complete(&mut node, &mut phone)[0], None);
    assert_eq!(node.expire(Time(15_000)), Some(NoKeys::NoSuite));
}
