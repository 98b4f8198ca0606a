//! A call engine without a node, for tests with phones: `cargo run -p call --example answer 127.0.0.1:5060`, with a
//! media address behind it if that of SIP is a wildcard. Its room is `meet`; a line on standard input (`close`, `open`) sets the admission, the end of the input stops it.

use std::net::SocketAddr;

use call::{Admission, CallEngine, Callers, Closed, Room, Rooms, Settings, SourceRate};
use tokio::io::{AsyncBufReadExt, BufReader};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address: SocketAddr = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:5060".into()).parse()?;
    let media = std::env::args().nth(2).map_or(Ok(address.ip()), |media| media.parse())?;
    let mut settings = Settings::new(address, media);
    settings.call_limit = 2000;
    settings.source_rate =
        SourceRate { admitted: 1000, burst: 2000, answered: 2000, ..SourceRate::default() };
    let rooms =
        Rooms::new([Room { name: "Meeting".into(), aliases: vec!["meet".into()], callers: Callers::Anyone }]);
    let engine = CallEngine::start(settings, rooms, Admission::Open).await?;
    println!("answering on {}", engine.sip_address());
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        match line.as_str() {
            "close" => engine.set_admission(Admission::Closed(Closed::maintenance_mode())),
            "open" => engine.set_admission(Admission::Open),
            _ => {}
        }
        let calls = *engine.calls().borrow();
        println!("{calls:?} {:?}", engine.stats());
    }
    engine.shut_down().await;
    Ok(())
}
