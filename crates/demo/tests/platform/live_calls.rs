//! Who is in a call is shown by the Management Node, and its commands reach the phones: muted, heard again,
//! disconnected, dialled, refused.

use std::time::{Duration, Instant};

use phones::baresip::Baresip;
use serde_json::Value;

use crate::fixture::{Fixture, ROOM, TIMEOUT};

/// For how long a phone is muted: so many seconds of sound that it hears itself.
const SECONDS_MUTED: u32 = 4;
/// It is not heard for longer than this, and who is heard all the time never for as long.
const UNHEARD: Duration = Duration::from_secs(2);

impl Fixture {
    /// The output of a command, which must succeed.
    fn query(&self, line: &[&str]) -> Value {
        self.platform.pitlane.query(line).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Waits until the participants of the room meet a condition.
    fn wait_for_participants(&self, what: &str, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let until = Instant::now() + TIMEOUT;
        loop {
            let list = self.query(&["participant", "list", "--room", ROOM]);
            let rows = list["objects"].as_array().cloned().unwrap_or_default();
            if wanted(&rows) {
                return rows;
            }
            assert!(Instant::now() < until, "never: {what}: {rows:#?}");
        }
    }

    fn command(&self, line: &[&str]) {
        self.platform.pitlane.run(line).unwrap_or_else(|error| panic!("{error}"));
    }
}

fn takes_part(row: &Value) -> bool {
    row["connect_time"].is_string()
}

/// The id of the participant that called from this port.
fn id_of(rows: &[Value], phone: &Baresip) -> String {
    let row = rows.iter().find(|row| row["remote_port"] == phone.sip().port()).expect("it is listed");
    row["id"].as_str().expect("an id").to_owned()
}

#[test]
fn participants_are_shown_muted_heard_again_disconnected_dialled_and_refused() {
    let fixture = Fixture::new(1);
    let node = fixture.platform.sip(1);
    fixture.runtime.block_on(async {
        let uri = format!("sip:{ROOM}@{node};transport=udp");
        let mut low = Baresip::dial(400, &uri);
        let mut high = Baresip::dial(1000, &uri);
        let rows = fixture
            .wait_for_participants("both phones", |rows| rows.len() == 2 && rows.iter().all(takes_part));
        assert!(rows.iter().all(|row| row["media_node"] == node.ip().to_string().as_str()), "{rows:#?}");
        assert!(rows.iter().all(|row| row["vendor"].as_str().is_some_and(|it| it.starts_with("baresip"))));
        low.hears(1000).await;
        high.hears(400).await;

        let id = id_of(&rows, &high);
        fixture.command(&["participant", "mute", &id]);
        fixture.wait_for_participants("it is muted", |rows| rows.iter().any(|row| row["is_muted"] == true));
        for _ in 0..SECONDS_MUTED {
            high.hears(400).await;
        }
        fixture.command(&["participant", "unmute", &id]);
        low.hears(1000).await;
        assert!(low.longest_gap(1000) > Some(UNHEARD), "it was heard: {:?}", low.longest_gap(1000));
        assert!(high.longest_gap(400) < Some(UNHEARD), "it has heard the other: {:?}", high.longest_gap(400));

        fixture.command(&["conference", "lock", ROOM]);
        assert!(!fixture_accepts(&fixture).await, "the room is locked");
        let log = fixture.platform.nodes[0].log();
        assert!(log.contains("a call was refused") && log.contains("Locked conference"), "{log}");
        fixture.command(&["conference", "unlock", ROOM]);

        let mut dialled = Baresip::answering(1400);
        dialled.is_ready().await;
        let target = format!("sip:tone1400@{}", dialled.sip());
        let answer = fixture.query(&["participant", "dial", ROOM, &target, "--name", "The third"]);
        let third = answer["data"]["participant_id"].as_str().expect("an id").to_owned();
        dialled.established().await;
        fixture.wait_for_participants("who was dialled", |rows| {
            rows.iter().any(|row| {
                row["id"] == third.as_str() && row["display_name"] == "The third" && takes_part(row)
            })
        });
        low.hears(1400).await;

        fixture.command(&["participant", "disconnect", &id]);
        high.wait_for_hang_up().await;
        let rows = fixture.wait_for_participants("two are left", |rows| rows.len() == 2);
        assert!(rows.iter().all(|row| row["id"] != id.as_str()));
        fixture.command(&["conference", "disconnect", ROOM]);
        low.wait_for_hang_up().await;
        dialled.wait_for_hang_up().await;
        fixture.wait_for_participants("nobody is left", <[Value]>::is_empty);
    });
}

/// Whether the node takes a call to the room now.
async fn fixture_accepts(fixture: &Fixture) -> bool {
    let node = fixture.platform.sip(1);
    let caller = fixture.platform.callers();
    let output =
        phones::sipp::run(node, caller, &["-sn", "uac", "-s", ROOM, "-m", "1", "-timeout", "30s"]).await;
    output.status.success()
}
