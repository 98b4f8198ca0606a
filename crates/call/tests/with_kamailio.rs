//! Two nodes behind a proxy, Kamailio, that stays in the path of each call.

mod common;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use call::{Admission, CallEngine, Closed};
use common::baresip::Baresip;
use common::kamailio::Kamailio;
use common::{address, check_sipp, count, engine, run_sipp, settings, wait_for_calls, wait_until};
use tokio::task::JoinSet;

struct Site {
    test: u8,
    nodes: [CallEngine; 2],
    proxy: Kamailio,
}

impl Site {
    /// Two nodes that the proxy reaches over a transport. `values` is for its configuration file.
    async fn new(test: u8, transport: &str, values: &[&str], ring: Duration) -> Site {
        let node = async |host| {
            let mut settings = settings(test);
            settings.sip.set_ip(address(test, host));
            settings.media = address(test, host);
            settings.ring_time = ring;
            engine(settings).await
        };
        let nodes = [node(1).await, node(2).await];
        let addresses = [nodes[0].sip_address(), nodes[1].sip_address()];
        let proxy = Kamailio::start(address(test, 9), &addresses, transport, values).await;
        Site { test, nodes, proxy }
    }

    /// Runs scenarios of sipp at the same time, each over UDP and over TCP.
    async fn sipp(&self, scenarios: &[&str]) {
        let mut runs = JoinSet::new();
        let mut host = 10;
        for scenario in scenarios {
            for transport in ["u1", "t1"] {
                let (target, caller, file) =
                    (self.proxy.address, address(self.test, host), format!("{scenario}.xml"));
                let count = ["-m", "1", "-d", "200"];
                runs.spawn(async move {
                    let run = [&["-sf", &file, "-s", "meet", "-t", transport], &count[..]].concat();
                    run_sipp(target, caller, &run).await
                });
                host += 1;
            }
        }
        while let Some(run) = runs.join_next().await {
            check_sipp(&run.expect("sipp was started"), &self.known());
        }
        for node in &self.nodes {
            wait_for_calls(node, 0).await;
        }
    }

    /// Ten short calls, one after the other.
    async fn ten_calls(&self) {
        let run = ["-sf", "call.xml", "-s", "meet", "-m", "10", "-l", "1", "-d", "10"];
        let output = run_sipp(self.proxy.address, address(self.test, 10), &run).await;
        check_sipp(&output, &self.known());
    }

    /// A phone that calls the room through the proxy, and the index of the node that carries its call.
    async fn phone(&self, hertz: u32, transport: &str) -> (Baresip, usize) {
        let before = [count(&self.nodes[0]), count(&self.nodes[1])];
        let uri = format!("sip:meet@{};transport={transport}", self.proxy.address);
        let mut phone = Baresip::dial(hertz, &uri);
        phone.established().await;
        let node = (0..2).find(|node| count(&self.nodes[*node]) > before[*node]);
        (phone, node.expect("a node carries the call"))
    }

    /// Ends the nodes, which hang up what calls they have, and then the proxy.
    async fn end(self, calls: Vec<Baresip>) {
        assert!(!calls.iter().any(Baresip::is_over), "a call has ended by itself");
        for node in self.nodes {
            node.shut_down().await;
        }
        for call in calls {
            call.wait_for_hang_up().await;
        }
        self.proxy.program.stop().await;
    }

    fn stats(&self) -> [call::Stats; 2] {
        [self.nodes[0].stats(), self.nodes[1].stats()]
    }

    /// What is known when sipp fails.
    fn known(&self) -> String {
        format!("{:?}\n{}", self.stats(), self.proxy.program.written())
    }

    fn total(&self, counter: fn(&call::Stats) -> u64) -> u64 {
        self.stats().iter().map(counter).sum()
    }
}

fn maintenance_mode() -> Admission {
    Admission::Closed(Closed::maintenance_mode())
}

async fn all_kinds_of_calls(test: u8, transport: &str) {
    let mut site = Site::new(test, transport, &[], Duration::ZERO).await;
    site.sipp(&["options", "call", "hold", "late_offer", "update", "refresh", "lapse"]).await;
    assert_eq!(site.total(|stats| stats.carried), 12);
    assert_eq!(site.total(|stats| stats.ended_by_far_end), 10);
    assert_eq!(site.total(|stats| stats.ended_by_session_timer), 2);
    assert!(site.nodes.iter().all(|node| node.stats().carried > 0), "one node got all calls");
    // The refreshes and the BYEs of the nodes went through the proxy, too.
    for method in ["INVITE", "BYE"] {
        let seen = |node: u8| format!("within a call: {method} from {}", address(test, node));
        let from = [seen(1), seen(2)];
        let both = from.iter().map(|text| site.proxy.program.count(text)).sum::<usize>();
        assert!(both >= 2, "{method}: {}", site.proxy.program.written());
    }
    site.proxy.program.wait_for("within a call: ACK", 1).await;
    site.end(Vec::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_all_kinds_pass_a_proxy_that_reaches_the_nodes_over_udp() {
    all_kinds_of_calls(110, "udp").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_all_kinds_pass_a_proxy_that_reaches_the_nodes_over_tcp() {
    all_kinds_of_calls(111, "tcp").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn call_that_is_cancelled_through_a_proxy_ends() {
    for transport in ["udp", "tcp"] {
        let site = Site::new(112, transport, &[], Duration::from_secs(20)).await;
        site.sipp(&["cancel"]).await;
        assert_eq!((site.total(|stats| stats.cancelled), site.total(|stats| stats.carried)), (2, 0));
        site.end(Vec::new()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn prack_passes_a_proxy() {
    let mut site = Site::new(153, "udp", &[], Duration::from_secs(2)).await;
    site.sipp(&["prack"]).await;
    assert_eq!(site.total(|stats| stats.ended_by_far_end), 2);
    site.proxy.program.wait_for("within a call: PRACK", 2).await;
    site.end(Vec::new()).await;
}

/// The proxy does not know that the node is in maintenance mode until the node refuses a call.
async fn drain(test: u8, transport: &str) {
    let site = Site::new(test, transport, &[], Duration::ZERO).await;
    let (mut staying, drained) = site.phone(400, transport).await;
    let (other, open) = site.phone(1000, transport).await;
    assert_ne!(drained, open, "the proxy distributes calls");

    site.nodes[drained].set_admission(maintenance_mode());
    site.ten_calls().await;
    let stats = site.nodes[drained].stats();
    assert!(stats.carried == 1 && stats.refused_maintenance > 0, "{stats:?}");
    assert_eq!(site.nodes[open].stats().carried, 11);

    // The call of the node in maintenance mode goes on, and can be changed.
    staying.hold().await;
    staying.resume().await;
    assert_eq!(count(&site.nodes[drained]), 1);
    staying.hang_up().await;
    wait_for_calls(&site.nodes[drained], 0).await;
    assert_eq!(site.nodes[drained].stats().ended_by_far_end, 1);

    // The BYE of the other node reaches its phone.
    site.end(vec![other]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_in_maintenance_mode_keeps_its_call_and_gets_no_new_one_over_udp() {
    drain(113, "udp").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_in_maintenance_mode_keeps_its_call_and_gets_no_new_one_over_tcp() {
    drain(114, "tcp").await;
}

async fn drain_under_load(test: u8, transport: &str, client: &str) {
    let site = Site::new(test, transport, &[], Duration::ZERO).await;
    let run =
        ["-sf", "call.xml", "-s", "meet", "-t", client, "-m", "200", "-r", "50", "-l", "200", "-d", "1000"];
    let close = async {
        wait_until("calls are carried", || site.nodes[0].stats().carried > 20).await;
        site.nodes[0].set_admission(maintenance_mode());
    };
    let (output, ()) = tokio::join!(run_sipp(site.proxy.address, address(test, 10), &run), close);
    check_sipp(&output, &site.known());
    for node in &site.nodes {
        wait_for_calls(node, 0).await;
    }
    assert_eq!(site.total(|stats| stats.carried), 200);
    assert_eq!(site.total(|stats| stats.ended_by_far_end), 200);
    site.end(Vec::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_caller_is_refused_when_one_of_two_nodes_is_drained_under_load_over_udp() {
    drain_under_load(117, "udp", "u1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_caller_is_refused_when_one_of_two_nodes_is_drained_under_load_over_tcp() {
    drain_under_load(118, "tcp", "t1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn proxy_that_asks_by_options_sends_no_call_to_a_node_in_maintenance_mode() {
    let mut site = Site::new(115, "udp", &["PROBE=1"], Duration::ZERO).await;
    let node = site.nodes[0].sip_address();
    site.nodes[0].set_admission(maintenance_mode());
    site.proxy.program.wait_for(&format!("down: sip:{node}"), 1).await;
    site.ten_calls().await;
    let stats = site.nodes[0].stats();
    assert_eq!((stats.carried, stats.refused_maintenance), (0, 0));
    assert_eq!(site.nodes[1].stats().carried, 10);

    site.nodes[0].set_admission(Admission::Open);
    site.proxy.program.wait_for(&format!("up: sip:{node}"), 1).await;
    site.ten_calls().await;
    wait_until("calls of the node that is up again", || site.nodes[0].stats().carried > 0).await;
    site.end(Vec::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_hangs_up_through_a_proxy_that_has_closed_the_idle_connection() {
    let site = Site::new(116, "tcp", &["LIFETIME=1"], Duration::ZERO).await;
    let (phone, node) = site.phone(400, "udp").await;
    let node = site.nodes[node].sip_address();
    let connection = std::net::TcpStream::connect(node).expect("the node listens");
    assert!(connections_to(node) > 0, "the table is misread");
    drop(connection);
    wait_until("the proxy closes its connection", || connections_to(node) == 0).await;
    site.end(vec![phone]).await;
}

/// The established connections to an address of this machine.
fn connections_to(listener: SocketAddr) -> usize {
    let IpAddr::V4(ip) = listener.ip() else { panic!("{listener} is not an address of IPv4") };
    // As proc_pid_net(5) has it: the address as a number of this machine, the port, and 01 for what is established.
    let local = format!("{:08X}:{:04X}", u32::from_ne_bytes(ip.octets()), listener.port());
    let table = std::fs::read_to_string("/proc/net/tcp").expect("the kernel's table of connections");
    let is_established = |line: &&str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        fields.get(1) == Some(&local.as_str()) && fields.get(3) == Some(&"01")
    };
    table.lines().filter(is_established).count()
}
