//! What `benches/log.rs` measures against: the crate `foxglove` logs messages. `foxglove-log-peer BACKLOG BYTES`: BACKLOG is
//! how many messages it queues for a client. Prints its port; for each line with a number on stdin it logs so many messages
//! of so many bytes, and prints the seconds that took. Ends with stdin.
use std::time::Instant;

use foxglove::{ChannelBuilder, WebSocketServer};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut number = || arguments.next().ok_or("BACKLOG BYTES")?.parse::<usize>().map_err(|e| e.to_string());
    let (backlog, bytes) = (number()?, number()?);
    let channel = ChannelBuilder::new("/log").message_encoding("cbor").build_raw()?;
    let server =
        WebSocketServer::new().bind("127.0.0.1", 0).message_backlog_size(backlog).start_blocking()?;
    println!("{}", server.port());
    let payload = vec![b'x'; bytes];
    for line in std::io::stdin().lines() {
        let messages: u64 = line?.parse()?;
        let begin = Instant::now();
        for _ in 0..messages {
            channel.log(&payload);
        }
        println!("{}", begin.elapsed().as_secs_f64());
    }
    Ok(())
}
