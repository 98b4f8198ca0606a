//! Live calls as the API shows them, and the commands to them.

use fleet::node::NodeId;
use fleet::platform::Event;
use fleet::starts::StartId;
use fleet::time::Span;
use serde_json::{Value, json};
use tokio::time::Instant;
use uuid::Uuid;
use wire::live::{Action, Failure, MediaStatistics, Outcome, Participant, ParticipantChanges, Stream};

use super::kit::{Kit, OLD};
use crate::calls::{LiveReport, participant_for_tests};

const START: StartId = StartId(7);
const PARTICIPANTS: &str = "/status/v1/participant/";

/// The participant of this number, in the conference of this number.
fn participant(conference: u128, id: u128) -> Participant {
    participant_for_tests(conference << 64 | id)
}

fn uuid(conference: u128, id: u128) -> String {
    Uuid::from_u128(conference << 64 | id).to_string()
}

impl Kit {
    /// A node says that it has these participants, and no others.
    fn say(&self, node: u32, changed: Vec<Participant>) {
        let statistics = Vec::new();
        let participants = Some(ParticipantChanges { to: 1, changed, ..ParticipantChanges::default() });
        self.take(node, LiveReport { participants, statistics, outcomes: Vec::new() });
    }

    fn take(&self, node: u32, reported: LiveReport) {
        let now = (self.committer.now(), self.committer.wall());
        self.committer.calls().take(NodeId(node), START, now, reported);
    }

    /// Plays the node: takes its next command, and says what has become of it.
    async fn play(
        &self,
        node: u32,
        outcome: impl FnOnce(&Action) -> (Option<Uuid>, Option<Failure>),
    ) -> Action {
        let command = loop {
            let mut commands = self.committer.calls().take_due(NodeId(node), START, Instant::now());
            match commands.pop() {
                Some(command) => break command,
                None => tokio::task::yield_now().await,
            }
        };
        let (participant, failure) = outcome(&command.action);
        let outcomes = vec![Outcome { command: command.id, participant, failure }];
        self.take(node, LiveReport { outcomes, ..LiveReport::default() });
        command.action
    }

    /// A platform of two nodes in service, of which the second has no calls.
    async fn with_calls() -> Self {
        let kit = Self::new().await;
        for node in [1, 2] {
            assert_eq!(kit.add_node(node).await.status, 201);
            kit.report(node, OLD).await;
            kit.say(node, Vec::new());
        }
        let mut muted = participant(1, 2);
        (muted.muted, muted.display_name, muted.joined) = (true, "Bob".into(), None);
        kit.say(1, vec![participant(1, 1), muted]);
        kit.report_calls(1, 2).await;
        let room = json!({"name": "standup", "aliases": [{"alias": "8000"}]});
        kit.call("POST", "/configuration/v1/conference/", room).await.expect(201);
        kit
    }

    async fn list(&self, path: &str) -> Vec<Value> {
        let answer = self.get(path).await.expect(200);
        answer["objects"].as_array().unwrap().clone()
    }
}

#[tokio::test]
async fn participants_are_listed_filtered_and_shown_with_the_names_of_the_compatible_api() {
    let kit = Kit::with_calls().await;
    let all = kit.list(PARTICIPANTS).await;
    assert_eq!(all.len(), 2);
    let ann = all.iter().find(|row| row["display_name"] == "Ann").unwrap();
    let connect_time = ann["connect_time"].as_str().unwrap();
    assert_eq!(connect_time.len(), "2020-11-27T20:40:44.605738".len());
    let expected = json!({
        "id": uuid(1, 1), "resource_uri": format!("/api/admin/status/v1/participant/{}/", uuid(1, 1)),
        "call_direction": "in", "call_quality": "0_unknown", "call_uuid": uuid(1, 1), "conference": "standup",
        "connect_time": connect_time, "conversation_id": "a84b4c76e66710", "destination_alias": "standup",
        "display_name": "Ann", "encryption": "On", "has_media": true, "is_direct": false,
        "is_disconnect_supported": true, "is_mute_supported": true, "is_muted": false, "is_on_hold": false,
        "is_presentation_supported": false, "is_presenting": false, "is_streaming": false,
        "is_transfer_supported": false, "license_count": 1, "license_type": "port",
        "media_node": "10.0.0.1", "protocol": "SIP", "proxy_node": "", "remote_address": "192.0.2.2",
        "remote_port": 5060, "role": "chair", "service_type": "conference", "signalling_node": "10.0.0.1",
        "source_alias": "ann@example.com", "system_location": "Oslo", "transcoding_enabled": true,
        "vendor": "Phone/1.0",
    });
    assert_eq!(*ann, expected);
    assert_eq!(kit.get(&format!("{PARTICIPANTS}{}/", uuid(1, 1))).await.expect(200), expected);
    for (query, count) in [
        ("display_name__icontains=AN", 1),
        ("is_muted=true", 1),
        ("connect_time__isnull=true", 1),
        ("service_type=connecting", 1),
        ("conference=standup", 2),
        (&format!("conference={}", uuid(1, 0)), 2),
        (&format!("conference=/api/admin/status/v1/conference/{}/", uuid(1, 0)), 2),
        ("conference=another", 0),
        ("order_by=-display_name", 2),
    ] {
        assert_eq!(kit.list(&format!("{PARTICIPANTS}?{query}")).await.len(), count, "{query}");
    }
    kit.get(&format!("{PARTICIPANTS}?colour=red")).await.expect(400);
    kit.get(&format!("{PARTICIPANTS}{}/", uuid(1, 9))).await.expect(404);
    kit.get(&format!("{PARTICIPANTS}x/")).await.expect(404);
}

#[tokio::test]
async fn conference_is_listed_once_and_with_a_shard_for_each_node() {
    let kit = Kit::with_calls().await;
    let mut elsewhere = participant(2, 3);
    (elsewhere.conference_age, elsewhere.locked) = (Span::hours(1), true);
    kit.say(2, vec![elsewhere]);
    let conferences = kit.list("/status/v1/conference/").await;
    assert_eq!(conferences.len(), 1);
    let start_time = conferences[0]["start_time"].clone();
    let expected = json!({
        "id": uuid(2, 0), "resource_uri": format!("/api/admin/status/v1/conference/{}/", uuid(2, 0)),
        "direct_media_available": false, "guests_muted": false, "is_locked": false, "is_started": true,
        "name": "standup", "service_type": "conference", "start_time": start_time, "tag": "",
    });
    assert_eq!(conferences[0], expected);
    for id in [uuid(1, 0), uuid(2, 0)] {
        let shown = kit.get(&format!("/status/v1/conference/{id}/")).await.expect(200);
        assert_eq!(shown, expected, "the name of each part names it");
    }
    let shards = kit.list("/status/v1/conference_shard/?order_by=node").await;
    let nodes: Vec<_> = shards.iter().map(|row| (row["node"].clone(), row["is_locked"].clone())).collect();
    assert_eq!(nodes, [("10.0.0.1".into(), false.into()), ("10.0.0.2".into(), true.into())]);
    let shard = kit.get(&format!("/status/v1/conference_shard/{}/", uuid(1, 0))).await.expect(200);
    assert_eq!((&shard["conference"], &shard["system_location"]), (&"standup".into(), &"Oslo".into()));
    kit.get(&format!("/status/v1/conference/{}/", uuid(9, 0))).await.expect(404);
}

#[tokio::test]
async fn media_stream_is_shown_when_it_was_counted() {
    let kit = Kit::with_calls().await;
    let path = format!("{PARTICIPANTS}{}/media_stream/", uuid(1, 1));
    assert_eq!(kit.list(&path).await, [] as [Value; 0]);
    let stream = |lost| Stream { codec: "opus".into(), packets: 99, lost, jitter_us: Some(2_000) };
    let counted = MediaStatistics {
        participant: Uuid::from_u128(1 << 64 | 1),
        received: Some(stream(Some(1))),
        sent: stream(None),
    };
    kit.take(1, LiveReport { statistics: vec![counted], ..LiveReport::default() });
    let rows = kit.list(&path).await;
    let rx = ["rx_codec", "rx_packets_received", "rx_packets_lost", "rx_packet_loss", "rx_jitter"];
    let rx: Vec<_> = rx.iter().map(|name| rows[0][name].clone()).collect();
    assert_eq!(rx, [json!("opus"), json!(99), json!(1), json!(1.0), json!(2.0)]);
    assert_eq!((&rows[0]["tx_packet_loss"], &rows[0]["type"]), (&Value::Null, &json!("audio")));
    kit.get(&format!("{PARTICIPANTS}{}/media_stream/", uuid(1, 9))).await.expect(404);
}

#[tokio::test]
async fn command_goes_to_the_node_of_its_participant_and_is_answered_with_its_outcome() {
    let kit = Kit::with_calls().await;
    let id = Uuid::from_u128(1 << 64 | 1);
    for (name, expected) in [
        ("disconnect", Action::Disconnect { participant: id }),
        ("mute", Action::SetMuted { participant: id, muted: true }),
        ("unmute", Action::SetMuted { participant: id, muted: false }),
    ] {
        let path = format!("/command/v1/participant/{name}/");
        let (answer, action) = tokio::join!(
            kit.call("POST", &path, json!({"participant_id": id.to_string()})),
            kit.play(1, |_| (None, None))
        );
        assert_eq!((answer.expect(202), action), (json!({"status": "success", "data": null}), expected));
    }
    let missing = Failure { missing: true, why: "there is no such participant any more".into() };
    let body = json!({"participant_id": id.to_string()});
    let (answer, _) = tokio::join!(
        kit.call("POST", "/command/v1/participant/mute/", body.clone()),
        kit.play(1, |_| (None, Some(missing)))
    );
    assert!(answer.expect(404)["error"].as_str().unwrap().contains("no such participant any more"));
    let moving = Failure { missing: false, why: "the call is just moving".into() };
    let (answer, _) = tokio::join!(
        kit.call("POST", "/command/v1/participant/mute/", body),
        kit.play(1, |_| (None, Some(moving)))
    );
    assert_eq!(answer.expect(409)["error"], "node1: the call is just moving");
}

#[tokio::test]
async fn command_that_names_nothing_or_cannot_be_delivered_is_refused_with_what_to_do() {
    let kit = Kit::with_calls().await;
    let mute = |id: Value| kit.call("POST", "/command/v1/participant/mute/", json!({"participant_id": id}));
    assert_eq!(
        mute(Value::Null).await.expect(400)["participant"]["participant_id"][0],
        "This field is required."
    );
    mute("x".into()).await.expect(400);
    mute(uuid(1, 9).into()).await.expect(404);
    kit.committer.apply(Event::LinkDown { id: NodeId(1) }).await.unwrap();
    let refusal = mute(uuid(1, 1).into()).await.expect(503);
    assert_eq!(refusal["kind"], "unreachable");
    assert!(refusal["error"].as_str().unwrap().starts_with("node1 cannot be contacted"), "{refusal}");
}

#[tokio::test]
async fn command_to_a_conference_goes_to_every_node_that_holds_a_part_of_it() {
    let kit = Kit::with_calls().await;
    kit.say(2, vec![participant(2, 3)]);
    let body = json!({"conference_id": uuid(1, 0)});
    let lock = Action::SetLocked { room: "standup".into(), locked: true };
    let (answer, one, two) = tokio::join!(
        kit.call("POST", "/command/v1/conference/lock/", body),
        kit.play(1, |_| (None, None)),
        kit.play(2, |_| (None, None))
    );
    answer.expect(202);
    assert_eq!((&one, &two), (&lock, &lock));
    let form = kit
        .request("POST", "/command/v1/conference/disconnect/")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("conference_id={}", uuid(2, 0)).into())
        .unwrap();
    let (answer, one, _) =
        tokio::join!(kit.send(form), kit.play(1, |_| (None, None)), kit.play(2, |_| (None, None)));
    answer.expect(202);
    assert_eq!(one, Action::DisconnectAll { room: "standup".into() });
    kit.call("POST", "/command/v1/conference/unlock/", json!({"conference_id": uuid(9, 0)}))
        .await
        .expect(404);
}

#[tokio::test]
async fn dial_goes_to_the_node_that_is_named_or_holds_the_conference_and_answers_with_the_participant() {
    let kit = Kit::with_calls().await;
    let dialled = Uuid::from_u128(77);
    let dial = |more: Value| {
        let mut body =
            json!({"conference_alias": "8000", "destination": "sip:bob@example.com", "protocol": "sip"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        kit.call("POST", "/command/v1/participant/dial/", body)
    };
    for (more, node) in [
        (json!({}), 1),
        (json!({"node": "node2", "remote_display_name": "Bob"}), 2),
        (json!({"node": "10.0.0.2"}), 2),
        (json!({"system_location": "oslo", "role": "guest", "routing": "manual", "streaming": false}), 1),
    ] {
        let (answer, action) = tokio::join!(dial(more.clone()), kit.play(node, |_| (Some(dialled), None)));
        let data = answer.expect(202)["data"].clone();
        assert_eq!(
            data,
            json!({"participant_id": dialled.to_string(), "participant_ids": [dialled.to_string()]})
        );
        let display_name = more["remote_display_name"].as_str().map(str::to_string);
        let destination = "sip:bob@example.com".into();
        assert_eq!(action, Action::Dial { room: "standup".into(), destination, display_name }, "{more}");
    }
    for (more, field) in [
        (json!({"conference_alias": "nobody"}), "conference_alias"),
        (json!({"destination": ""}), "destination"),
        (json!({"node": "node9"}), "node"),
        (json!({"system_location": "Paris"}), "system_location"),
        (json!({"protocol": "h323"}), "protocol"),
        (json!({"streaming": "true"}), "streaming"),
        (json!({"remote_display_name": "x".repeat(251)}), "remote_display_name"),
    ] {
        let refusal = dial(more).await.expect(400);
        assert!(refusal["dial"][field].is_array(), "{field}: {refusal}");
    }
    kit.committer
        .apply(Event::Maintenance { id: NodeId(1), operator: Some("a new fan".into()) })
        .await
        .unwrap();
    let refusal = dial(json!({"node": "node1"})).await.expect(409);
    assert!(refusal["error"].as_str().unwrap().contains("maintenance mode"), "{refusal}");
    let (answer, _) = tokio::join!(dial(json!({})), kit.play(2, |_| (Some(dialled), None)));
    answer.expect(202);
    kit.committer
        .apply(Event::Maintenance { id: NodeId(2), operator: Some("a new fan".into()) })
        .await
        .unwrap();
    assert_eq!(dial(json!({})).await.expect(503)["kind"], "unreachable");
}

#[tokio::test]
async fn participants_of_a_removed_node_are_gone_and_commands_to_it_fail() {
    let kit = Kit::with_calls().await;
    let id = NodeId(1);
    let body = json!({"participant_id": uuid(1, 1)});
    let remove = async {
        while kit.committer.calls().due(id, START, Instant::now()).is_none() {
            tokio::task::yield_now().await;
        }
        kit.committer.apply(Event::NodeRemoved { id }).await.unwrap();
    };
    let (answer, ()) = tokio::join!(kit.call("POST", "/command/v1/participant/mute/", body), remove);
    assert!(answer.expect(409)["error"].as_str().unwrap().contains("was removed"));
    assert_eq!(kit.list(PARTICIPANTS).await.len(), 0);
}
