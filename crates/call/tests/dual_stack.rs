//! An engine that is called over IPv4 and over IPv6.

mod common;

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use call::audio::Codec;
use call::{PreflightError, ProbeError, Probed, Settings, Trial};
use common::{Caller, address, engine, header, settings, wait_for_calls};

const SIX: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// The settings of an engine that listens on all addresses; its callers with IPv4 get its address of the test.
fn everywhere(test: u8) -> Settings {
    let mut settings = settings(test);
    settings.sip = (Ipv6Addr::UNSPECIFIED, 0).into();
    settings
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_with_ipv4_and_with_ipv6_hear_each_other() {
    let engine = engine(everywhere(186)).await;
    let at = |node: IpAddr| SocketAddr::new(node, engine.sip_address().port());
    let mut four = Caller::of(at(address(186, 1)), address(186, 2), "four").await;
    let mut six = Caller::of(at(SIX), SIX, "six").await;
    for (caller, connection) in
        [(&mut four, format!("c=IN IP4 {}\r\n", address(186, 1))), (&mut six, "c=IN IP6 ::1\r\n".into())]
    {
        let answer = caller.invite("", Codec::Pcmu, "sendrecv").await;
        assert!(answer.contains(&connection), "{answer}");
        caller.ack().await;
    }
    let near = |heard: i16, wanted: i16| (i32::from(heard) - i32::from(wanted)).abs() <= 40;
    let mut is_heard = false;
    for _ in 0..200 {
        four.say(Codec::Pcmu, 1000).await;
        six.say(Codec::Pcmu, -500).await;
        let heard = (four.hear(Codec::Pcmu).await.1, six.hear(Codec::Pcmu).await.1);
        is_heard |= near(heard.0, -500) && near(heard.1, 1000);
    }
    assert!(is_heard);
    four.bye().await;
    six.bye().await;
    wait_for_calls(&engine, 0).await;
    engine.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn advertised_address_is_given_to_callers_of_its_family_alone() {
    let mut settings = everywhere(189);
    settings.advertised = Some([203, 0, 113, 9].into());
    let engine = engine(settings).await;
    let port = engine.sip_address().port();
    for (node, ip, name, outer) in
        [(address(189, 1), address(189, 2), "four", "203.0.113.9"), (SIX, SIX, "six", "[::1]")]
    {
        let mut caller = Caller::of(SocketAddr::new(node, port), ip, name).await;
        let answer = caller.invite("", Codec::Pcmu, "sendrecv").await;
        assert_eq!(header(&answer, "Contact"), format!("<sip:{outer}:{port};transport=udp>"));
        assert!(answer.contains(&format!(" {}\r\n", outer.trim_matches(['[', ']']))), "{answer}");
    }
    engine.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn engine_without_an_address_of_ipv6_refuses_sound_over_it_and_says_why() {
    let engine = engine(settings(187)).await;
    let caller = Caller::new(&engine, address(187, 2), "four").await;
    let offer = caller.offer(Codec::Pcmu, "sendrecv");
    let offer = offer.replace(&format!("c=IN IP4 {}", address(187, 2)), "c=IN IP6 2001:db8::2");
    caller.send(&caller.request("INVITE", "1", "Content-Type: application/sdp\r\n", &offer)).await;
    let refusal = caller.expect("SIP/2.0 488").await;
    let warning =
        "301 pitlane \"no media address of the family IP6 here; offer an address of the other family\"";
    assert_eq!(header(&refusal, "Warning"), warning);
    engine.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn probe_and_check_before_a_start_try_the_media_addresses_of_both_families() {
    let mut settings = everywhere(188);
    settings.media_v6 = Some(Ipv6Addr::LOCALHOST);
    let trial = Trial { sip: settings.sip, tls: None, held_ports: 0 };
    assert!(call::preflight(&settings, trial).await.is_empty());
    let both = engine(settings.clone()).await;
    assert_eq!(both.probe_call().await.expect("a call"), Probed::Carried);
    both.shut_down().await;

    settings.media_v6 = Some(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));
    let faults = call::preflight(&settings, trial).await;
    let said = faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("");
    assert!(
        matches!(faults[..], [PreflightError::Media(_)]) && said.contains("media_v6 = 2001:db8::1"),
        "{said}"
    );
    let one = engine(settings).await;
    let error = one.probe_call().await.expect_err("no such address");
    assert!(matches!(error, ProbeError::MediaAddress(at) if at.is_ipv6()), "{error}");
    one.shut_down().await;
}
