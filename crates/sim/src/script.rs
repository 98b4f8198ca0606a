//! Scenario scripts: comments, commands, and the expected output in place, readable by an operator. This file parses
//! commands and formats output; what they do is in `world` and `machine`.
//!
//! ```text
//! # What the scenario shows (R5).
//! platform nodes=2 version=34
//! calls node1 3
//! start 34.1
//! ----
//! 00:00:00  run 1 started: from 34 (0) to 34.1 (0)
//! ```
//!
//! A block of commands ends with `----`, its output with an empty line.

use std::fmt::Write as _;

use fleet::fact::Fact;
use fleet::node::{Duty, NodeId};
use fleet::platform::Event;
use fleet::policy::Policy;
use fleet::time::{Span, Time};
use fleet::version::{Build, Release, Version};

use crate::machine::ReleaseOutcome;
use crate::world::{World, package_of};

/// How long `finish` waits for a run: longer than any run may take.
const FINISH: Span = Span::hours(60);

/// Runs a script and returns it with the real output of its commands.
///
/// # Panics
/// When the script cannot be parsed, or a promise is broken.
pub fn run_script(text: &str) -> String {
    let mut world = World::new(0, Version::new(34, 0));
    let mut out = String::new();
    for block in text.trim_end().split("\n\n") {
        let commands = block.split("\n----").next().unwrap_or_default();
        let mut output = String::new();
        for line in commands.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            output.push_str(&command(&mut world, line));
        }
        let _ = write!(out, "{}", commands.trim_end());
        if commands.lines().any(|line| !line.starts_with('#')) {
            let _ = write!(out, "\n----\n{}", output.trim_end());
        }
        let _ = write!(out, "\n\n");
    }
    format!("{}\n", out.trim_end())
}

/// A line of a script, split into its arguments.
struct Line<'a> {
    text: &'a str,
    arguments: Vec<&'a str>,
}

impl<'a> Line<'a> {
    fn argument(&self, position: usize) -> &'a str {
        self.arguments.get(position).unwrap_or_else(|| panic!("an argument is missing: {:?}", self.text))
    }

    fn setting(&self, name: &str) -> Option<&'a str> {
        self.arguments.iter().find_map(|argument| argument.strip_prefix(name)?.strip_prefix('='))
    }

    fn node(&self, position: usize) -> NodeId {
        NodeId(
            self.argument(position).trim_start_matches("node").parse().expect("a node is named like node3"),
        )
    }

    /// `node3` or `node1..node10`.
    fn nodes(&self, position: usize) -> Vec<NodeId> {
        let number =
            |name: &str| name.trim_start_matches("node").parse().expect("nodes are named like node3");
        let (first, last) = self
            .argument(position)
            .split_once("..")
            .unwrap_or((self.argument(position), self.argument(position)));
        (number(first)..=number(last)).map(NodeId).collect()
    }
}

fn command(world: &mut World, text: &str) -> String {
    let line = Line { text, arguments: text.split_whitespace().collect() };
    match line.argument(0) {
        "platform" => {
            let count = line.setting("nodes").map_or(0, number);
            *world = World::new(count, version(line.setting("version").unwrap_or("34")));
            world.settle();
            String::new()
        }
        "start" => start(world, &line),
        "check" => check(world, &line),
        "status" => status(world),
        "dial" => dial(world, &line),
        "manager" => manager(world, &line),
        "finish" => {
            world.pass_until_done(FINISH);
            facts(world)
        }
        _ => {
            machine_command(world, &line);
            world.settle();
            facts(world)
        }
    }
}

/// Commands that change a machine, or advance time.
fn machine_command(world: &mut World, line: &Line<'_>) {
    let now = world.now;
    match line.argument(0) {
        "pass" => world.pass(span(line.argument(1))),
        "calls" => calls(world, line),
        "hangup" => {
            let count = line.arguments.get(2).map_or(usize::MAX, |count| number(count) as usize);
            each(world, line, |machine| machine.hang_up(now, count));
        }
        "cut" => each(world, line, |machine| machine.linked = false),
        "heal" => each(world, line, |machine| machine.linked = true),
        "off" => each(world, line, |machine| machine.powered = false),
        // `copy node1 node101`, and `copy node1 node101 off` for one that is switched on later.
        "copy" => {
            let copy = line.node(2);
            world.copy(line.node(1), copy);
            if let Some(machine) = world.machines.get_mut(&copy) {
                machine.powered = line.arguments.get(3) != Some(&"off");
            }
        }
        "on" => each(world, line, |machine| machine.powered = true),
        "start-fault" => {
            let fault = line.text.split_once('"').map(|(_, why)| why.trim_end_matches('"').to_string());
            each(world, line, |machine| machine.set_start_fault(now, fault.clone()));
        }
        "release" => {
            let outcome = match line.argument(2) {
                "good" => ReleaseOutcome::Good,
                "falls-back" => ReleaseOutcome::FallsBack,
                "disk-full" => ReleaseOutcome::DiskFull,
                other => panic!("unknown outcome of a release: {other:?}"),
            };
            each(world, line, |machine| machine.outcome = outcome);
        }
        "maintenance" => {
            let reason =
                line.text.split_once('"').map(|(_, reason)| reason.trim_end_matches('"').to_string());
            let operator = (line.argument(2) == "on").then(|| reason.unwrap_or_default());
            for id in line.nodes(1) {
                world.apply(Event::Maintenance { id, operator: operator.clone() });
            }
        }
        "add" => {
            let duty = if line.arguments.contains(&"bursting") { Duty::Bursting } else { Duty::AlwaysOn };
            let runs = version(line.setting("version").unwrap_or("34"));
            for id in line.nodes(1) {
                world.add_node(id, duty, runs);
            }
        }
        "pause" | "resume" | "stop" => {
            let why = line.text.split_once('"').map(|(_, why)| why.trim_end_matches('"').to_string());
            world.order(line.argument(0), why.unwrap_or_default());
        }
        "remove" => {
            let id = line.node(1);
            world.machines.remove(&id);
            world.apply(Event::NodeRemoved { id });
        }
        other => panic!("unknown command {other:?}"),
    }
}

fn each(world: &mut World, line: &Line<'_>, change: impl Fn(&mut crate::machine::Machine)) {
    for id in line.nodes(1) {
        change(world.machines.get_mut(&id).unwrap_or_else(|| panic!("there is no node{id}")));
    }
}

/// `calls node1 3`, `calls node1 3 for 30m`, `calls node1 unknown`, `calls node1 known`.
fn calls(world: &mut World, line: &Line<'_>) {
    let now = world.now;
    let ends = line.arguments.get(4).map(|length| now + span(length));
    match line.argument(2) {
        "unknown" => each(world, line, |machine| machine.know_calls(now, false)),
        "known" => each(world, line, |machine| machine.know_calls(now, true)),
        count => each(world, line, |machine| {
            for _ in 0..number(count) {
                machine.dial(now, ends);
            }
        }),
    }
}

fn dial(world: &mut World, line: &Line<'_>) -> String {
    let now = world.now;
    let mut output = String::new();
    for id in line.nodes(1) {
        let machine = world.machines.get_mut(&id).expect("the node exists");
        let answer = match machine.dial(now, None) {
            fleet::observed::Admission::Admitting => "200 OK",
            fleet::observed::Admission::Refusing => "503 System in maintenance mode",
        };
        let _ = writeln!(output, "node{id} answers {answer}");
    }
    world.settle();
    output + &facts(world)
}

fn manager(world: &mut World, line: &Line<'_>) -> String {
    match line.argument(1) {
        "restart" => {
            let release = world.fleet.platform.release;
            world.apply(Event::ManagerStarted { release, fell_back: None, wall: None });
            world.settle();
        }
        "start-fault" => {
            let fault = line.text.split_once('"').map(|(_, why)| why.trim_end_matches('"').to_string());
            world.apply(Event::ManagerChecked { fault });
        }
        "release" => world.manager.good = line.argument(2) == "good",
        "snapshot" => world.restore_point = Some(world.fleet.clone()),
        "restored" => {
            // The machine is restored with the store, so its release is the old one as well.
            world.fleet = world.restore_point.clone().expect("there is a snapshot");
            let release = world.fleet.platform.release;
            world.apply(Event::ManagerStarted { release, fell_back: None, wall: None });
            world.settle();
        }
        "forgets" => {
            // The manager is restored from a restore point before everything but the registrations.
            let nodes = world.fleet.nodes().iter();
            let names: Vec<_> = nodes.map(|(id, node)| (id, node.name.clone(), node.duty)).collect();
            world.fleet = fleet::platform::Fleet::new(
                world.fleet.platform.release,
                world.fleet.platform.policy.clone(),
            );
            for (id, name, duty) in names {
                world.apply(Event::NodeAdded { id, name, duty });
            }
            world.take_facts();
            world.settle();
        }
        other => panic!("unknown command for the manager: {other:?}"),
    }
    facts(world)
}

fn policy(line: &Line<'_>) -> Policy {
    let mut policy = Policy::standard();
    if let Some(limit) = line.setting("drain-limit") {
        policy.drain_limit = span(limit);
    }
    if let Some(limit) = line.setting("run-limit") {
        policy.run_limit = span(limit);
    }
    if let Some(count) = line.setting("nodes-at-once") {
        policy.nodes_at_once = number(count);
    }
    if let Some(count) = line.setting("first-nodes") {
        policy.first_nodes = number(count);
    }
    if let Some(count) = line.setting("stop-at-failures") {
        policy.stop_at_failures = number(count);
    }
    policy
}

fn start(world: &mut World, line: &Line<'_>) -> String {
    match world.start(package_of(build(line.argument(1))), policy(line)) {
        Ok(()) => facts(world),
        Err(blockers) => blockers.iter().map(|blocker| format!("refused: {blocker}\n")).collect(),
    }
}

fn check(world: &World, line: &Line<'_>) -> String {
    let check = world.fleet.check_start(&package_of(build(line.argument(1))), world.now);
    let blockers = check.blockers.iter().map(|blocker| format!("blocker: {blocker}\n"));
    let warnings = check.warnings.iter().map(|warning| format!("warning: {warning}\n"));
    let output: String = blockers.chain(warnings).collect();
    if output.is_empty() { "nothing blocks the upgrade\n".into() } else { output }
}

/// The status of the platform; nodes with the same status share a line.
fn status(world: &World) -> String {
    let mut rows: Vec<(String, String)> = Vec::new();
    let manager = world.fleet.manager_status();
    rows.push((
        "manager".into(),
        format!("{:<6} {manager}", world.fleet.platform.release.version.to_string()),
    ));
    for (id, node) in world.fleet.nodes().iter() {
        let runs = node.observed.as_ref().map_or("-".into(), |observed| observed.release.version.to_string());
        let status = world.fleet.status(id).expect("the node exists");
        let waits = world.fleet.waits(id, world.now).map(|waits| format!(": {waits}")).unwrap_or_default();
        let owners = node.owners();
        let owners = if owners.is_empty() { String::new() } else { format!(" [maintenance mode: {owners}]") };
        let row = format!("{runs:<6} {status}{waits}{owners}");
        match rows.last_mut() {
            Some((names, last)) if *last == row && names != "manager" => {
                let first = names.split("..").next().unwrap_or_default().to_string();
                *names = format!("{first}..{}", node.name);
            }
            _ => rows.push((node.name.clone(), row)),
        }
    }
    rows.iter().map(|(names, row)| format!("{names:<14} {row}\n")).collect()
}

/// The facts since the last command; equal facts of several nodes at one time share a line.
fn facts(world: &mut World) -> String {
    let mut rows: Vec<(Time, Vec<String>, String)> = Vec::new();
    for (at, fact) in world.take_facts() {
        let text = fact.to_string();
        let (who, what) = match &fact {
            Fact::Node { name, what, .. } => (name.clone(), what.to_string()),
            Fact::RunStarted { .. }
            | Fact::ManagerInstalling { .. }
            | Fact::ManagerUpgraded { .. }
            | Fact::LockLifted { .. }
            | Fact::RunPaused { .. }
            | Fact::RunResumed { .. }
            | Fact::RunEnded { .. }
            | Fact::FailureStopOver { .. }
            | Fact::EpochRaised { .. }
            | Fact::ManagerStartFault { .. }
            | Fact::ManagerStartFaultOver
            | Fact::ClockStepped { .. }
            | Fact::ClockSteady => (String::new(), text),
        };
        let same =
            rows.iter_mut().rev().take_while(|(then, ..)| *then == at).find(|(_, _, output)| *output == what);
        match same {
            Some((_, names, _)) if !who.is_empty() => names.push(who),
            _ => rows.push((at, vec![who], what)),
        }
    }
    rows.iter().map(|(at, names, what)| format!("{}  {}{what}\n", clock(*at), subjects(names))).collect()
}

fn subjects(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] if one.is_empty() => String::new(),
        [one] => format!("{one}: "),
        [first, .., last] if names.len() > 2 => format!("{first}..{last} ({}): ", names.len()),
        [first, .., last] => format!("{first}, {last}: "),
    }
}

fn clock(time: Time) -> String {
    let seconds = time.0 / 1_000;
    format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

fn number(text: &str) -> u32 {
    text.parse().unwrap_or_else(|_| panic!("{text:?} is not a number"))
}

fn version(text: &str) -> Version {
    text.parse().unwrap_or_else(|_| panic!("{text:?} is not a version"))
}

/// A version, or another build of it: `34.1+1`.
fn build(text: &str) -> Release {
    let (name, build) = text.split_once('+').unwrap_or((text, "0"));
    Release { version: version(name), build: Build(number(build)) }
}

fn span(text: &str) -> Span {
    let (count, unit) = text.split_at(text.len() - 1);
    let count: u64 = count.parse().unwrap_or_else(|_| panic!("{text:?} is not a span like 90s, 10m or 1h"));
    match unit {
        "s" => Span::seconds(count),
        "m" => Span::minutes(count),
        "h" => Span::hours(count),
        _ => panic!("{text:?} is not a span like 90s, 10m or 1h"),
    }
}
