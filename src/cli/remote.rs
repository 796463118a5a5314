//! Talking to a server: what all commands that do have in common.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, anyhow};
use foxglove_bridge::client::{
    Client, ClientOptions, ConnectError, Reconnect, RequestError, ServerUrl, TIMEOUT, Trust,
};

use super::Failure;
use super::args::ServerArgs;

/// A request has no more bytes.
const LARGEST_REQUEST: usize = 16 << 20;

/// Whether a text is the address of a server.
pub(super) fn is_url(text: &str) -> bool {
    text.split_once("://")
        .is_some_and(|(scheme, _)| matches!(scheme.to_ascii_lowercase().as_str(), "ws" | "wss"))
}

/// The failure of a text that names no file and looks like the address of a server, which it is not.
pub(super) fn meant_as_address(text: &str) -> Option<Failure> {
    let port = text.rsplit_once(':').map(|(_, port)| port.trim_end_matches('/'));
    let is_address = text.contains("://") || port.is_some_and(|port| port.parse::<u16>().is_ok());
    if !is_address || Path::new(text).exists() {
        return None;
    }
    text.parse::<ServerUrl>().err().map(|error| Failure::Input(error.into()))
}

/// Connects, does the work, and closes the connection.
pub(super) fn with_client<W>(
    url: &str,
    args: &ServerArgs,
    reconnect: Reconnect,
    work: impl FnOnce(Client) -> W,
) -> Result<(), Failure>
where
    W: Future<Output = Result<(), Failure>>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime =
        runtime.map_err(|error| Failure::Runtime(anyhow::Error::from(error).context("starting")))?;
    let done = runtime.block_on(async {
        let client = Client::connect_with(url, options(args, reconnect)).await;
        let client = client.map_err(|error| failure(url, error))?;
        let done = work(client.clone()).await;
        client.close().await;
        done
    });
    // what reads stdin can't be ended
    runtime.shutdown_background();
    done
}

/// For commands that ask something once.
pub(super) fn once<W>(url: &str, args: &ServerArgs, work: impl FnOnce(Client) -> W) -> Result<(), Failure>
where
    W: Future<Output = Result<(), Failure>>,
{
    with_client(url, args, Reconnect::Never, work)
}

/// How a client connects by these flags.
pub(super) fn options(args: &ServerArgs, reconnect: Reconnect) -> ClientOptions {
    let trust = match (&args.ca_file, args.insecure) {
        (Some(file), _) => Trust::File(file.clone()),
        (None, true) => Trust::Anybody,
        (None, false) => Trust::System,
    };
    let timeout = args.timeout.unwrap_or(TIMEOUT);
    ClientOptions {
        token: args.token.clone().filter(|token| !token.is_empty()),
        trust,
        reconnect,
        connect_timeout: timeout,
        request_timeout: timeout,
        ..ClientOptions::default()
    }
}

/// Why there is no connection, with what helps.
pub(super) fn failure(url: &str, error: ConnectError) -> Failure {
    match &error {
        ConnectError::Url(_) if !url.contains("://") && Path::new(url).extension().is_some() => {
            Failure::Input(anyhow!("{error}; a recording is played by foxglove-bridge serve {url}"))
        }
        ConnectError::Url(_) => Failure::Input(error.into()),
        ConnectError::Options(_) => Failure::Input(anyhow::Error::from(error).context(url.to_owned())),
        ConnectError::Unreachable { .. } if names_no_port(url) => Failure::Runtime(anyhow!(
            "{url}: {error}; servers of this protocol usually listen on port 8765, which the address must name"
        )),
        ConnectError::Refused { status: 401 | 403, .. } => {
            Failure::Runtime(anyhow!("{url}: {error}; --token gives the server a token"))
        }
        ConnectError::Tls { .. } => Failure::Runtime(anyhow!(
            "{url}: {error}; --ca-file names the certificate of its authority, --insecure believes any"
        )),
        ConnectError::Unreachable { .. }
        | ConnectError::NoTls(_)
        | ConnectError::Refused { .. }
        | ConnectError::NotWebSocket(_)
        | ConnectError::Subprotocol(_)
        | ConnectError::Ended(_)
        | ConnectError::TimedOut { .. } => {
            Failure::Runtime(anyhow::Error::from(error).context(url.to_owned()))
        }
    }
}

fn names_no_port(url: &str) -> bool {
    url.parse::<ServerUrl>().is_ok_and(|url| matches!(url.port, 80 | 443))
}

/// What a request came to.
pub(super) fn answered<T>(what: &str, answer: Result<T, RequestError>) -> Result<T, Failure> {
    answer.with_context(|| what.to_owned()).map_err(Failure::Runtime)
}

/// All of stdin, which is a request.
pub(super) fn read_stdin() -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let most = u64::try_from(LARGEST_REQUEST).unwrap_or(u64::MAX);
    std::io::stdin()
        .lock()
        .take(most.saturating_add(1))
        .read_to_end(&mut bytes)
        .context("reading stdin")
        .map_err(Failure::Input)?;
    if bytes.len() > LARGEST_REQUEST {
        return Err(Failure::Input(anyhow!("stdin has more than the {LARGEST_REQUEST} bytes of a request")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_servers_are_told_from_files() {
        for (text, is) in [("ws://a", true), ("WSS://a:1/x", true), ("http://a", false), ("ws.mcap", false)] {
            assert_eq!(is_url(text), is, "{text}");
        }
    }

    #[test]
    fn what_was_meant_as_an_address_says_how_one_looks() {
        for text in ["http://robot:8765", "robot:8765", "localhost:8765/", "ftp://robot"] {
            let Some(Failure::Input(error)) = meant_as_address(text) else { panic!("{text}") };
            assert!(error.to_string().contains("ws://HOST:PORT"), "{error}");
        }
        for text in ["a.mcap", "-", "a:b.mcap", "C:\\a.mcap"] {
            assert!(meant_as_address(text).is_none(), "{text}");
        }
    }
}
