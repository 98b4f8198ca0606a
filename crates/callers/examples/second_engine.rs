//! A call engine in a process of its own, for the tests in which calls move between processes: it answers SIP on the
//! address in its first argument, and the conferences of `call` move over the Unix socket in its second. Who connects
//! gives it calls; after a line on its standard input it gives the calls of `lobby` to the next who connects. It ends
//! with its standard input.

use std::error::Error;
use std::net::SocketAddr;

use call::{Admission, CallEngine, Closed, Rooms, Settings};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::UnixListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(address), Some(socket)) = (arguments.next(), arguments.next()) else {
        return Err("give an address and a path".into());
    };
    let address: SocketAddr = address.parse()?;
    // It takes calls over and admits none, as a node in maintenance mode.
    let closed = Admission::Closed(Closed::maintenance_mode());
    let engine = CallEngine::start(Settings::new(address, address.ip()), Rooms::default(), closed).await?;
    let listener = UnixListener::bind(socket)?;
    let mut input = BufReader::new(tokio::io::stdin()).lines();
    println!("answering on {}", engine.sip_address());
    loop {
        let taken = engine.take_calls(listener.accept().await?.0).await;
        println!("took {taken}");
        if input.next_line().await?.is_none() {
            break;
        }
        let given = engine.give_conference(&"lobby".into(), listener.accept().await?.0).await;
        println!("gave {given:?}");
    }
    engine.shut_down().await;
    Ok(())
}
