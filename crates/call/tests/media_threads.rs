//! Conferences on several media threads, with callers that are plain sockets.

mod common;

use std::num::NonZeroU32;

use call::audio::Codec;
use call::{Admission, CallEngine, Callers, Room, Rooms};
use common::{Caller, address, settings, wait_for_calls};

/// Calls one of the two rooms.
async fn call(engine: &CallEngine, test: u8, host: u8, room: &str) -> Caller {
    let mut caller = Caller::new(engine, address(test, host), &format!("caller-{host}")).await;
    caller.alias = room.to_owned();
    caller.call(Codec::Pcmu).await;
    caller
}

/// All say their level until each hears the other one of its room, or the test fails.
async fn talk(callers: &mut [Caller; 4]) {
    // What came while the others were calling.
    callers.iter().for_each(|caller| while caller.rtp.try_recv(&mut [0; 2048]).is_ok() {});
    let near = |heard: i16, level: i16| (i32::from(heard) - i32::from(level)).abs() <= 40;
    let levels = [250, 500, 1000, 2000];
    for _ in 0..200 {
        for (caller, level) in callers.iter_mut().zip(levels) {
            caller.say(Codec::Pcmu, level).await;
        }
        let mut heard = Vec::new();
        for caller in callers.iter() {
            heard.push(caller.hear(Codec::Pcmu).await.1);
        }
        // The first two are in one room, the others in another.
        if heard.iter().zip([500, 250, 2000, 1000]).all(|(heard, level)| near(*heard, level)) {
            return;
        }
    }
    panic!("they do not hear each other");
}

#[tokio::test(flavor = "multi_thread")]
async fn conferences_on_two_threads_are_mixed_apart_and_all_ends() {
    let mut settings = settings(160);
    settings.media_threads = NonZeroU32::new(2);
    let room =
        |name: &str| Room { name: name.to_owned(), aliases: vec![name.to_owned()], callers: Callers::Anyone };
    let rooms = Rooms::new([room("meet"), room("other")]);
    let engine = CallEngine::start(settings, rooms, Admission::Open).await.expect("engine");
    // So many that the next conference is on the other thread.
    let mut crowd = Vec::new();
    for host in 10..70 {
        crowd.push(call(&engine, 160, host, "meet").await);
    }
    let mut callers = [
        call(&engine, 160, 2, "meet").await,
        call(&engine, 160, 3, "meet").await,
        call(&engine, 160, 4, "other").await,
        call(&engine, 160, 5, "other").await,
    ];
    talk(&mut callers).await;
    for caller in crowd.iter_mut().chain(&mut callers) {
        caller.bye().await;
    }
    wait_for_calls(&engine, 0).await;
    engine.shut_down().await;
}
