//! The course of the measurement: adds and enrols the nodes, measures the idle platform, a run and a restart.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout};
use wire::{Enrolled, EnrolmentRequest};

use crate::connection::{Access, Connection, address_of, client_config};
use crate::figures::{Part, Times, compared, line};
use crate::light_node::{LightNode, RESTART, Seen};
use crate::machine::{BenchMachine, NODES};
use crate::operator::Operator;
use crate::process::Process;
use crate::{Failure, baseline};

/// How many nodes are enrolled at once.
const ENROLLED_AT_ONCE: usize = 16;

/// How long everything that is waited for may take.
const LONGEST: Duration = Duration::from_secs(600);

/// How often it is looked whether something has come about.
const LOOK: Duration = Duration::from_millis(20);

/// How often the lists are read in a run, as `pitlane upgrade watch` does.
const WATCHED: Duration = Duration::from_millis(500);

/// How many requests are measured while the platform is idle.
const REQUESTS: usize = 20;

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// How many nodes there are.
    pub(crate) nodes: u32,
    /// How many a run takes at once.
    pub(crate) at_once: u32,
    /// How long the idle platform is measured, in seconds.
    pub(crate) idle_seconds: u64,
}

/// The platform.
struct Platform {
    plan: Plan,
    machine: BenchMachine,
    process: Process,
    operator: Operator,
    seen: Arc<Seen>,
    nodes: Vec<Access>,
    running: Vec<AbortHandle>,
}

/// How long requests of the management API took.
#[derive(Debug, Default)]
struct Requests {
    list: Times,
    detail: Times,
    page: Times,
}

/// Measures, and prints the table.
pub(crate) async fn measure(plan: Plan) -> Result<(), Failure> {
    let load = std::fs::read_to_string("/proc/loadavg")?;
    let processors = std::thread::available_parallelism()?;
    line("nodes", &plan.nodes.to_string());
    line("processors, load of the machine before", &format!("{processors}, {}", load.trim()));
    let machine = BenchMachine::install()?;
    let process = Process::start(machine.root()).await?;
    let operator = Operator::new(&machine)?;
    let (seen, nodes, running) = (Seen::new(plan.nodes), Vec::new(), Vec::new());
    let mut platform = Platform { plan, machine, process, operator, seen, nodes, running };
    platform.add_nodes().await?;
    platform.connect().await?;
    let idle = platform.idle().await?;
    platform.run(&idle).await?;
    platform.restart().await
}

impl Platform {
    async fn add_nodes(&mut self) -> Result<(), Failure> {
        self.operator.add_location().await?;
        let (mut times, mut enrolling) = (Times::default(), JoinSet::new());
        for number in 0..self.plan.nodes {
            let (file, took) = self.operator.add_node(number).await?;
            times.push(took);
            let manager = SocketAddr::new(self.machine.address, NODES);
            while enrolling.len() >= ENROLLED_AT_ONCE {
                self.nodes.extend(enrolling.join_next().await.transpose()?.transpose()?);
            }
            enrolling.spawn(enrol(file, address_of(number), manager));
        }
        while let Some(enrolled) = enrolling.join_next().await {
            self.nodes.push(enrolled??);
        }
        let (first, last) = (times.part(Part::First).median(), times.part(Part::Last).median());
        compared("adding a node, last tenth, median", last, "the first tenth", first);
        Ok(())
    }

    /// Starts all nodes, and waits until each was answered.
    async fn connect(&mut self) -> Result<(), Failure> {
        let began = Instant::now();
        for (index, access) in self.nodes.iter().enumerate() {
            let node = LightNode::new(access.clone(), index, self.seen.clone());
            self.running.push(tokio::spawn(node.run()).abort_handle());
        }
        self.wait_for_answers().await?;
        line("all nodes connected for the first time", &format!("{:.1?}", began.elapsed()));
        Ok(())
    }

    /// Waits until each node was answered by the present start of the Management Node.
    async fn wait_for_answers(&self) -> Result<(), Failure> {
        let all = async {
            while self.seen.answered() < self.nodes.len() {
                sleep(LOOK).await;
            }
        };
        timeout(LONGEST, all).await.map_err(|_| {
            let answered = self.seen.answered();
            let failure = self.seen.last_failure.lock().take().unwrap_or_default();
            let all = self.nodes.len();
            format!("only {answered} of {all} nodes were answered in {LONGEST:?}: {failure}").into()
        })
    }

    async fn idle(&self) -> Result<Requests, Failure> {
        // What follows from the first reports is over when the held requests were all renewed.
        let idle = Duration::from_secs(self.plan.idle_seconds);
        sleep(idle).await;
        let (before, began) = (self.process.processor_time()?, Instant::now());
        sleep(idle).await;
        let used = self.process.processor_time()?.saturating_sub(before);
        let (share, now) =
            (used.as_secs_f64() / began.elapsed().as_secs_f64() * 100.0, self.process.memory()?.0);
        line("idle: share of a processor", &format!("{share:.1} %"));
        let each = now / u64::from(self.plan.nodes);
        line("idle: memory", &format!("{:.0} MiB, {each} KiB a node", now as f64 / 1_024.0));
        let mut requests = Requests::default();
        for _ in 0..REQUESTS {
            self.request(&mut requests).await?;
        }
        line("idle: list of all nodes, median", &format!("{:.1?}", requests.list.median()));
        line("idle: one node, median", &format!("{:.1?}", requests.detail.median()));
        line("idle: upgrade status, median", &format!("{:.1?}", requests.page.median()));
        Ok(requests)
    }

    async fn request(&self, requests: &mut Requests) -> Result<bool, Failure> {
        let (_, took) = self.operator.get("/status/v1/worker_vm/?limit=0").await?;
        requests.list.push(took);
        let (_, took) = self.operator.get("/status/v1/worker_vm/7/").await?;
        requests.detail.push(took);
        let (page, took) = self.operator.get("/status/v1/upgrade/").await?;
        requests.page.push(took);
        Ok(page["run"].is_null())
    }

    async fn run(&mut self, idle: &Requests) -> Result<(), Failure> {
        let Plan { nodes, at_once, idle_seconds: _ } = self.plan;
        self.operator.upload(&self.machine.upload).await?;
        let began = Instant::now();
        self.operator.start_run(at_once).await?;
        timeout(LONGEST, self.process.ended()).await??;
        let most_before = Instant::now();
        self.seen.start.fetch_add(1, Ordering::Relaxed);
        self.process = Process::start(self.machine.root()).await?;
        self.wait_for_answers().await?;
        line("run: all nodes back after its own restart", &format!("{:.1?}", most_before.elapsed()));
        self.seen.news.lock().clear();
        let (turns, mut requests) = (Instant::now(), Requests::default());
        while !self.request(&mut requests).await? {
            sleep(WATCHED).await;
            if began.elapsed() > LONGEST {
                return Err("the run did not end".into());
            }
        }
        let news = Times::from(self.seen.news.lock().clone());
        line("run: whole, its nodes", &format!("{:.1?}, {:.1?}", began.elapsed(), turns.elapsed()));
        compared("run: nodes", turns.elapsed(), "the restarts", RESTART * nodes.div_ceil(at_once));
        let most = self.process.memory()?.1;
        line("run: memory at most", &format!("{:.0} MiB", most as f64 / 1_024.0));
        compared(
            "run: list of all nodes, p99",
            requests.list.percentile(99),
            "idle",
            idle.list.percentile(99),
        );
        compared("run: one node, p99", requests.detail.percentile(99), "idle", idle.detail.percentile(99));
        compared("run: upgrade status, p99", requests.page.percentile(99), "idle", idle.page.percentile(99));
        line("run: report with news, p99", &format!("{:.1?}", news.percentile(99)));
        Ok(())
    }

    async fn restart(mut self) -> Result<(), Failure> {
        let failures = self.seen.failures.load(Ordering::Relaxed);
        self.process.stop().await?;
        let began = Instant::now();
        self.seen.start.fetch_add(1, Ordering::Relaxed);
        self.process = Process::start(self.machine.root()).await?;
        let serves = began.elapsed();
        self.wait_for_answers().await?;
        let back = began.elapsed();
        let failed = self.seen.failures.load(Ordering::Relaxed) - failures;
        self.running.iter().for_each(AbortHandle::abort);
        self.process.stop().await?;
        let bare = baseline::measure(&self.machine, &self.nodes).await?;
        compared("restart: all nodes back", back, "bare handshakes", bare);
        line("restart: until it served, failed conversations", &format!("{serves:.1?}, {failed}"));
        Ok(())
    }
}

/// Enrols a machine as a node does; returns what it needs to connect.
async fn enrol(
    file: wire::EnrolmentFile,
    from: std::net::IpAddr,
    manager: SocketAddr,
) -> Result<Access, Failure> {
    let key = rcgen::KeyPair::generate()?;
    let request = rcgen::CertificateParams::default().serialize_request(&key)?.pem()?;
    let tls = client_config(&file.authority, None)?;
    let mut connection = Connection::open(&Access { from, manager, tls }).await?;
    let release = Some(fleet::version::Release::PRESENT);
    let body = EnrolmentRequest { token: Some(file.token), request, release };
    let Enrolled { certificate, renew_at: _ } = connection.post("/node/v1/enrol", &body).await?;
    let tls = client_config(&file.authority, Some((&certificate, &key.serialize_pem())))?;
    Ok(Access { from, manager, tls })
}
