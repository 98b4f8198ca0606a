//! Shares of the licences over the link.

use fleet::starts::StartId;
use licence::{Licence, sign};
use package::{TrustedKeys, generate_key};
use wire::report::Process;
use wire::share::{CallShare, HeldShare};

use super::*;
use crate::store::licences as stored;

/// Installs a licence of so many calls, signed by somebody.
async fn install(server: &Server, calls: u32) {
    let (dir, pair) = (tempfile::tempdir().unwrap(), generate_key("licences for tests").unwrap());
    pair.write(dir.path(), "licences").unwrap();
    let terms = serde_json::json!({
        "id": "L-1", "customer": "Example Ltd", "counts": {"port": calls}, "versions": {"from": 1}
    });
    let text = sign(&serde_json::from_value(terms).unwrap(), &pair.signing).unwrap();
    let licence = Licence::read(&text, &TrustedKeys::load(dir.path()).unwrap()).unwrap();
    let wall = server.committer.wall();
    let write = move |tx: &rusqlite::Transaction<'_>| stored::insert(tx, &licence, wall);
    server.committer.store().write(write).await.unwrap();
    server.committer.licences().reload(server.committer.store()).await.unwrap();
}

#[tokio::test]
async fn share_of_the_licences_is_the_answer_to_a_held_request_and_is_not_said_again() {
    // Longer than the time between two divisions.
    let timing = Timing { hold: Duration::from_secs(3), ..TIMING };
    let server = Server::start(timing).await;
    let client = server.enrolled(1).await;
    let answer = async |sync: &Sync| server.sync(&client, sync).await.json::<SyncAnswer>().await.unwrap();
    assert_eq!(answer(&first_report()).await.call_share, None, "a release without a share hears of none");
    let mut sync = first_report();
    sync.observed.process = Some(Process { start: StartId(7), beside: None, address: None });
    sync.call_share = Some(HeldShare::default());
    let first = answer(&sync).await;
    assert_eq!(first.call_share, Some(CallShare { most: None }), "nothing is limited without licences");
    let held = |share| Sync {
        call_share: Some(HeldShare { share, refused: 0 }),
        observed: wire::report::Report {
            process: sync.observed.process,
            ..content(&first, server.committer.rooms().revision).observed
        },
        ..content(&first, server.committer.rooms().revision)
    };
    install(&server, 2).await;
    let given = answer(&held(CallShare { most: None })).await.call_share;
    assert_eq!(given, Some(CallShare { most: Some(2) }));
    let again = answer(&held(CallShare { most: Some(2) })).await.call_share;
    assert_eq!(again, Some(CallShare { most: Some(2) }), "the hold is over");
}
