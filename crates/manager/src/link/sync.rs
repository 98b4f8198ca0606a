//! `POST /node/v1/sync`: the node's report in the request, its desired state in the answer.
//!
//! When nothing is new the answer is held, and the held request is the node's sign of life. Foreign text is
//! escaped and cut here, and the messages are converted to and from the core's types, before anything else sees
//! them. What the report means, the core decides.

use std::borrow::Cow;
use std::net::IpAddr;

use axum::Json;
use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use edge::text::visible;
use fleet::node::NodeId;
use fleet::observed::Observed;
use fleet::platform::Event;
use fleet::starts::StartId;
use fleet::time::{Offset, Wall};
use serde::Deserialize;
use tokio::time::{Instant, sleep_until, timeout_at};
use wire::machine::Machine;
use wire::report::{REPORT_BYTES, Report, SENTENCE_CHARACTERS, cut};
use wire::share::HeldShare;
use wire::{
    Configuration, ConfigurationChange, PROTOCOL, Protocols, ShownCertificate, Sync, SyncAnswer, Tally, Wait,
};

use super::caller::{Caller, bytes, message};
use super::{Link, Peer, Refusal};
use crate::calls::LiveReport;
use crate::driver::{Committer, RoomsToSend};
use crate::presence::OpenRequest;

/// The part that every version of the message has.
#[derive(Deserialize)]
struct Header {
    protocols: Protocols,
}

/// A message of a node, in the core's types.
#[derive(Debug)]
struct Received {
    observed: Observed,
    tally: Tally,
    configuration: u64,
    takes_changes: bool,
    wait: Wait,
    started_at: Option<u64>,
    /// How far the node's wall clock was ahead of ours when the message arrived.
    clock_ahead: Option<Offset>,
    /// What it says of participants and commands.
    live: LiveReport,
    /// The share of the licences that it goes by.
    call_share: Option<HeldShare>,
    /// Which certificate it shows, if its release can show one of the operator's.
    certificate: Option<ShownCertificate>,
    /// What its machine is.
    machine: Option<Machine>,
}

impl Received {
    fn new(sync: Sync, from: IpAddr, wall: Wall) -> Self {
        let Sync {
            protocols: _,
            observed: mut report,
            tally,
            configuration,
            takes_changes,
            wait,
            started_at,
            wall: nodes,
            participants,
            statistics,
            outcomes,
            call_share,
            certificate,
            machine,
        } = sync;
        sanitise(&mut report);
        let mut observed = Observed::from(report);
        if let Some(process) = &mut observed.process {
            process.address = Some(from);
        }
        // The node read its clock before it sent the request, so this includes the time of transfer.
        let clock_ahead = nodes.map(|nodes| nodes.ahead_of(wall));
        let live = LiveReport { participants, statistics, outcomes };
        let machine = machine.map(sanitised_machine);
        Self {
            observed,
            tally,
            configuration,
            takes_changes,
            wait,
            started_at,
            clock_ahead,
            live,
            call_share,
            certificate,
            machine,
        }
    }
}

pub(crate) async fn sync(
    caller: Caller,
    ConnectInfo(peer): ConnectInfo<Peer>,
    State(link): State<Link>,
    body: Body,
) -> Result<Json<SyncAnswer>, Refusal> {
    let node = caller.node;
    let body = bytes(body, REPORT_BYTES).await?;
    let Header { protocols } = message(&body)?;
    let protocol = PROTOCOL.shared_with(protocols).ok_or(Refusal::Protocol(protocols))?;
    let mut received =
        Received::new(message(&body)?, peer.address.ip().to_canonical(), link.committer.wall());
    let live = std::mem::take(&mut received.live);
    let request = link.presence.begin(node);
    take_live(&link.committer, node, &received.observed, live, received.machine.take());
    take_share(&link.committer, node, &received);
    accept_report(&link.committer, &request, node, &received).await?;
    let answer = answer(&link, node, protocol, &received).await?;
    caller.check_still_valid(&link).await?;
    Ok(Json(answer))
}

/// Cuts the sentences of a report, and escapes characters that cannot be seen: they are written to the
/// journal, to pages and to terminals.
fn sanitise(report: &mut Report) {
    report.sentences().for_each(|text| {
        cut(text, SENTENCE_CHARACTERS);
        if let Cow::Owned(visible) = visible(text) {
            *text = visible;
            cut(text, SENTENCE_CHARACTERS);
        }
    });
}

/// What a node says of its machine, in texts that can be seen and are not too long.
fn sanitised_machine(machine: Machine) -> Machine {
    let mut machine = machine.cut();
    machine.texts().for_each(|text| {
        if let Cow::Owned(visible) = visible(text) {
            *text = visible;
        }
    });
    machine.cut()
}

/// Takes over what a node says of participants, commands and its machine. When two processes report as one node, only
/// what one of them says is shown, as with their reports.
fn take_live(
    committer: &Committer,
    node: NodeId,
    observed: &Observed,
    live: LiveReport,
    machine: Option<Machine>,
) {
    if let Some(start) = start_that_counts(committer, node, observed) {
        committer.calls().take(node, start, (committer.now(), committer.wall()), live);
        machine.into_iter().for_each(|machine| committer.note_machine(node, machine));
    }
}

/// Takes over which share of the licences a node goes by. When two processes report as one node, the share of one of them
/// counts; the other one keeps its own.
fn take_share(committer: &Committer, node: NodeId, received: &Received) {
    if let Some(said) = received.call_share
        && start_that_counts(committer, node, &received.observed).is_some()
    {
        committer.licences().shares().heard(node, said, committer.now());
    }
}

/// The process that has reported, if its participants are shown.
fn start_that_counts(committer: &Committer, node: NodeId, observed: &Observed) -> Option<StartId> {
    let process = observed.process?;
    committer.read(|fleet, now| fleet.believes(node, now, observed)).then_some(process.start)
}

/// Applies what is new in a report. A change that follows the last one too fast is delayed, so that a node
/// whose state changes all the time does not fill the journal.
async fn accept_report(
    committer: &Committer,
    request: &OpenRequest,
    node: NodeId,
    received: &Received,
) -> Result<(), Refusal> {
    let Received { observed, tally, started_at, clock_ahead, .. } = received;
    let clock_ahead = *clock_ahead;
    // When two processes report as one node, only the state of one of them is shown.
    let believed = committer.read(|fleet, now| fleet.believes(node, now, observed));
    match committer.node_runtime(node).filter(|_| !believed) {
        Some(of_the_other) => committer.heard(node, of_the_other.tally, of_the_other.clock_ahead),
        None => committer.heard(node, *tally, clock_ahead),
    }
    if let Some(ahead) =
        clock_ahead.filter(|ahead| believed && clock_judgement_changes(committer, node, *ahead))
    {
        sleep_until(request.next_event_at()).await;
        committer.apply(Event::ClockOffset { id: node, ahead }).await?;
    }
    if let Some(started_at) = started_at.as_ref().filter(|_| believed) {
        committer.remember_start(node, *started_at).await?;
    }
    // After a start of the Management Node no link counts as up, so the first report of each node is new.
    if committer.read(|fleet, now| fleet.is_news(node, now, observed)) {
        sleep_until(request.next_event_at()).await;
        committer.apply(Event::Report { id: node, observed: observed.clone() }).await?;
    }
    Ok(())
}

/// Whether this measurement changes the judgement of a node's clock.
fn clock_judgement_changes(committer: &Committer, node: NodeId, ahead: Offset) -> bool {
    committer.read(|fleet, _| {
        fleet.nodes().get(node).is_some_and(|node| node.clock_judged(ahead) != node.clock_off)
    })
}

/// Answers when something is new for the node, or when the hold ends.
async fn answer(
    link: &Link,
    node: NodeId,
    protocol: u16,
    received: &Received,
) -> Result<SyncAnswer, Refusal> {
    let observed = &received.observed;
    let until = Instant::now() + link.timing.hold;
    let waiting = link.committer.changes_of(node);
    let stepped_at = || link.committer.read(|fleet, _| fleet.platform.wall.stepped_at());
    let stepped_before = stepped_at();
    let heard_at = || link.committer.read(|fleet, _| Some(fleet.nodes().get(node)?.observed.as_ref()?.at));
    // A report that is older than the last accepted one is ignored; the answer gives the node that time, from
    // which it continues.
    let late = heard_at().is_some_and(|heard_at| observed.at < heard_at);
    let start = start_that_counts(&link.committer, node, observed);
    let share = || {
        let said = received.call_share?.share;
        Some(start.and_then(|_| link.committer.licences().shares().of(node)).unwrap_or(said))
    };
    let commands_due = || start.and_then(|start| link.committer.calls().due(node, start, Instant::now()));
    loop {
        let news = waiting.notified();
        tokio::pin!(news);
        // Registers for notifications before reading the state, so that no change is missed.
        news.as_mut().enable();
        let desired = link.committer.read(|fleet, _| fleet.wanted(node)).ok_or(Refusal::NotRegistered)?;
        let rooms = link.committer.rooms_since(received.configuration, received.takes_changes);
        let call_share = share();
        let certificate = link.committer.certificates().for_node(node, received.certificate);
        let newer = desired.generation != observed.generation
            || rooms != RoomsToSend::Nothing
            || certificate.is_some()
            || call_share != received.call_share.map(|said| said.share);
        let commands = commands_due();
        let hold = match received.wait {
            // After a clock step, each node is answered at once, so that it renews its certificate by the
            // corrected clock.
            Wait::ForNews => {
                let is_due = commands.is_some_and(|at| at <= Instant::now());
                !newer && !late && !is_due && stepped_at().is_none_or(|at| Some(at) == stepped_before)
            }
            Wait::No => false,
        };
        let over = hold && {
            tokio::select! {
                woken = timeout_at(commands.map_or(until, |at| at.min(until)), news) => {
                    woken.is_err() && Instant::now() >= until
                }
                () = link.gate.closes() => true,
            }
        };
        if !hold || over {
            let (configuration, configuration_change) = shown_rooms(rooms);
            let process = observed.process.map(|process| process.start);
            let beside = link.committer.read(|fleet, _| fleet.nodes().get(node)?.starts.beside(process?));
            let calls = link.committer.calls();
            return Ok(SyncAnswer {
                protocol,
                desired: desired.into(),
                configuration,
                configuration_change,
                fetch_rate: link.fetch_rate,
                heard_at: heard_at(),
                wall: Some(link.committer.wall()),
                beside,
                participants: start.map(|start| calls.revision(node, start)),
                commands: start.map(|start| calls.take_due(node, start, Instant::now())).unwrap_or_default(),
                call_share,
                certificate,
            });
        }
    }
}

/// The two fields of an answer for the rooms.
fn shown_rooms(rooms: RoomsToSend) -> (Option<Configuration>, Option<ConfigurationChange>) {
    match rooms {
        RoomsToSend::Nothing => (None, None),
        RoomsToSend::Change(change) => (None, Some(change)),
        RoomsToSend::All(all) => (Some(Configuration::clone(&all)), None),
    }
}

#[cfg(test)]
mod tests {
    use fleet::desired::RunId;
    use fleet::version::Sha256;
    use wire::report::Staging;

    use super::*;
    use crate::testing::observed;

    #[test]
    fn sentences_of_a_report_are_cut_at_a_character() {
        let long = "é".repeat(SENTENCE_CHARACTERS + 1);
        let rejected =
            |why: &str| Staging::Rejected { run: RunId(1), manifest: Sha256([7; 32]), why: why.to_string() };
        let (unfit, start_fault) = (Some(long.clone()), Some(long.clone()));
        let mut report = Report { unfit, start_fault, staging: rejected(&long), ..observed(1).into() };
        sanitise(&mut report);
        let kept = "é".repeat(SENTENCE_CHARACTERS);
        assert_eq!((report.unfit.as_deref(), &report.staging), (Some(kept.as_str()), &rejected(&kept)));
        assert_eq!(report.start_fault.as_deref(), Some(kept.as_str()));
        let same = report.clone();
        sanitise(&mut report);
        assert_eq!(report, same);
    }

    #[test]
    fn sentence_of_a_report_is_one_line_of_what_can_be_seen() {
        let forged = "full\n2026-11-29 INFO all is well\u{202e}\u{1b}[2J";
        let mut report = Report { unfit: Some(forged.into()), ..observed(1).into() };
        sanitise(&mut report);
        let expected = "full\\n2026-11-29 INFO all is well\\u{202e}\\u{1b}[2J";
        assert_eq!(report.unfit.as_deref(), Some(expected));
        let mut long = Report { unfit: Some("\n".repeat(SENTENCE_CHARACTERS)), ..observed(1).into() };
        sanitise(&mut long);
        assert_eq!(long.unfit.map(|text| text.len()), Some(SENTENCE_CHARACTERS));
    }
}
