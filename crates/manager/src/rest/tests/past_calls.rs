//! Past calls, alarms and events of nodes as the API shows them.

use fleet::node::NodeId;
use fleet::platform::Event;
use fleet::starts::StartId;
use fleet::time::Span;
use serde_json::Value;
use uuid::Uuid;
use wire::live::{Departed, Departure, MediaStatistics, Participant, ParticipantChanges, Stream};

use super::kit::Kit;
use crate::calls::{LiveReport, participant_for_tests};
use crate::driver::{alarms, store_past_calls};
use crate::resources::history::calls::{CONFERENCE, PARTICIPANT};

const CONFERENCES: &str = "/history/v1/conference/";
const PARTICIPANTS: &str = "/history/v1/participant/";

fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

fn report(kit: &Kit, participants: ParticipantChanges, statistics: Vec<MediaStatistics>) {
    let now = (kit.committer.now(), kit.committer.wall());
    let report = LiveReport { participants: Some(participants), statistics, outcomes: Vec::new() };
    kit.committer.calls().take(NodeId(1), StartId(7), now, report);
}

/// Two have been in a conference for one and three minutes, and have left; the sound of the first was counted.
async fn with_past_calls() -> Kit {
    let kit = Kit::new().await;
    kit.add_node(1).await;
    let of = |n, minutes| Participant { joined: Some(Span::minutes(minutes)), ..participant_for_tests(n) };
    let changed = vec![of(1, 1), of(2, 3)];
    let stream =
        |lost| Stream { codec: "opus".into(), packets: 90, lost: Some(lost), jitter_us: Some(2_000) };
    let counted = MediaStatistics { participant: id(1), received: Some(stream(10)), sent: stream(0) };
    report(&kit, ParticipantChanges { to: 1, changed, ..ParticipantChanges::default() }, vec![counted]);
    let departed = |n, why| Departed { participant: id(n), why };
    let changes = ParticipantChanges {
        since: 1,
        to: 2,
        removed: vec![id(1), id(2)],
        departures: vec![departed(1, Departure::HungUp), departed(2, Departure::ConferenceEnded)],
        ..ParticipantChanges::default()
    };
    report(&kit, changes, Vec::new());
    store_past_calls(&kit.committer).await.unwrap();
    kit
}

fn ids(list: &Value) -> Vec<Uuid> {
    list["objects"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap().parse().unwrap()).collect()
}

/// The object has the fields of its schema and no others.
async fn fits_its_schema(kit: &Kit, list: &str, object: &Value) {
    let schema = kit.get(&format!("{list}schema/")).await.expect(200);
    let names = |value: &Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
    assert_eq!(names(object), names(&schema["fields"]), "{list}");
}

#[tokio::test]
async fn conference_that_is_over_is_shown_with_its_participants() {
    let kit = with_past_calls().await;
    let list = kit.get(CONFERENCES).await.expect(200);
    assert_eq!(list["meta"]["total_count"], 1);
    let conference = &list["objects"][0];
    fits_its_schema(&kit, CONFERENCES, conference).await;
    assert_eq!(conference["name"], "standup");
    assert_eq!(
        (&conference["participant_count"], &conference["service_type"]),
        (&2.into(), &"conference".into())
    );
    assert!(conference["duration"].as_i64().unwrap() >= 120, "{conference}");
    let uri = |n| Value::from(format!("/api/admin{PARTICIPANTS}{}/", id(n)));
    assert_eq!(conference["participants"], Value::from(vec![uri(1), uri(2)]));
    let own = conference["resource_uri"].as_str().unwrap().strip_prefix("/api/admin").unwrap();
    assert_eq!(&kit.get(own).await.expect(200), conference);
    assert_eq!(kit.get("/status/v1/conference/").await.expect(200)["meta"]["total_count"], 0);
}

#[tokio::test]
async fn past_participants_are_filtered_and_ordered_by_the_store() {
    let kit = with_past_calls().await;
    let found = async |query: &str| ids(&kit.get(&format!("{PARTICIPANTS}?{query}")).await.expect(200));
    assert_eq!(found("order_by=-start_time").await, [id(1), id(2)]);
    assert_eq!(found("order_by=start_time&limit=1").await, [id(2)]);
    assert_eq!(found("disconnect_reason=Conference%20terminated").await, [id(2)]);
    assert_eq!(found("duration__gte=100").await, [id(2)]);
    assert_eq!(found("conference_name__icontains=STAND&id=1").await, [] as [Uuid; 0]);
    assert_eq!(found(&format!("id={}", id(1))).await, [id(1)]);
    assert_eq!(found("start_time__gte=2000-01-01T00:00:00Z&protocol=SIP").await.len(), 2);
    assert_eq!(found("end_time__lt=2000-01-01T00:00:00Z").await, [] as [Uuid; 0]);
    let conference = kit.get(CONFERENCES).await.expect(200)["objects"][0].clone();
    for name in [&conference["id"], &conference["resource_uri"]] {
        assert_eq!(found(&format!("conference={}", name.as_str().unwrap())).await.len(), 2);
    }
    assert_eq!(found(&format!("conference={}", id(99))).await, [] as [Uuid; 0]);
    kit.get(&format!("{PARTICIPANTS}?colour=red")).await.expect(400);
    for of in [&CONFERENCE, &PARTICIPANT] {
        for name in of.fields.iter().filter(|field| field.filtered).map(|field| field.name) {
            let asked = format!("/history/v1/{}/?order_by={name}&{name}__isnull=true", of.name);
            assert_eq!(kit.get(&asked).await.expect(200)["meta"]["total_count"], 0, "{name}");
        }
    }
}

#[tokio::test]
async fn past_participant_is_shown_with_what_was_counted_of_its_sound() {
    let kit = with_past_calls().await;
    let one = kit.get(&format!("{PARTICIPANTS}{}/", id(1))).await.expect(200);
    fits_its_schema(&kit, PARTICIPANTS, &one).await;
    assert_eq!((&one["disconnect_reason"], &one["has_media"]), (&"Call disconnected".into(), &true.into()));
    assert!((60..120).contains(&one["duration"].as_i64().unwrap()), "{one}");
    let conference = kit.get(CONFERENCES).await.expect(200)["objects"][0]["resource_uri"].clone();
    assert_eq!(one["conference"], conference);
    assert_eq!(one["media_streams"][0]["rx_packet_loss"], 10.0);
    let streams = kit.get(&format!("{PARTICIPANTS}{}/media_stream/", id(1))).await.expect(200);
    assert_eq!(streams["objects"], one["media_streams"]);
    let none = kit.get(&format!("{PARTICIPANTS}{}/media_stream/", id(2))).await.expect(200);
    assert_eq!(none["meta"]["total_count"], 0);
    kit.get(&format!("{PARTICIPANTS}{}/", id(9))).await.expect(404);
}

#[tokio::test]
async fn past_conference_is_deleted_with_its_participants_and_this_is_noted() {
    let kit = with_past_calls().await;
    let uri = kit.get(CONFERENCES).await.expect(200)["objects"][0]["resource_uri"].clone();
    let own = uri.as_str().unwrap().strip_prefix("/api/admin").unwrap();
    kit.call("DELETE", own, Value::Null).await.expect(204);
    kit.call("DELETE", own, Value::Null).await.expect(404);
    for list in [CONFERENCES, PARTICIPANTS] {
        assert_eq!(kit.get(list).await.expect(200)["meta"]["total_count"], 0);
        assert_eq!(kit.call("DELETE", list, Value::Null).await.status, 405);
    }
    let noted = kit.get("/history/v1/audit/?resource=conference").await.expect(200);
    assert_eq!(
        (&noted["meta"]["total_count"], &noted["objects"][0]["action"]),
        (&1.into(), &"deleted".into())
    );
}

#[tokio::test]
async fn alarms_and_events_of_nodes_are_shown_while_they_stand_and_afterwards() {
    let kit = Kit::new().await;
    kit.add_node(1).await;
    let checked = async |why: Option<&str>| {
        kit.committer.apply(Event::ManagerChecked { fault: why.map(Into::into) }).await.unwrap();
        alarms::compare(&kit.committer, "manager.example").await.unwrap();
    };
    checked(Some("no settings")).await;
    let standing = kit.get("/status/v1/alarm/?name=start_fault&level=error").await.expect(200);
    assert_eq!(standing["meta"]["total_count"], 1);
    let alarm = &standing["objects"][0];
    fits_its_schema(&kit, "/status/v1/alarm/", alarm).await;
    let details =
        "a restart of the Management Node would fail: no settings; it is checked again every minute";
    assert_eq!((&alarm["node"], &alarm["details"]), (&"manager.example".into(), &details.into()));
    kit.get("/status/v1/alarm/1/").await.expect(200);
    checked(None).await;
    assert_eq!(kit.get("/status/v1/alarm/").await.expect(200)["meta"]["total_count"], 0);
    let over = kit.get("/history/v1/alarm/?time_lowered__gte=2000-01-01T00:00:00Z").await.expect(200);
    fits_its_schema(&kit, "/history/v1/alarm/", &over["objects"][0]).await;
    assert_eq!(
        (&over["objects"][0]["id"], &over["objects"][0]["time_raised"]),
        (&alarm["id"], &alarm["time_raised"])
    );

    let events = kit.get("/history/v1/workervm_status_event/?workervm_configuration_id=1").await.expect(200);
    fits_its_schema(&kit, "/history/v1/workervm_status_event/", &events["objects"][0]).await;
    assert_eq!(events["objects"][0]["event_type"], "workervm_added");
}
