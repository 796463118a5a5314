//! `call`: calls a service of a server, and prints its response.

use anyhow::anyhow;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::args::CallArgs;
use super::remote::{answered, once, read_stdin};
use super::{Failure, print};

/// Prints JSON as it is, on a line of its own; anything else in an object as base64.
pub(crate) fn run(args: &CallArgs) -> Result<(), Failure> {
    let request = match args.request.as_str() {
        "-" => read_stdin()?,
        text => text.as_bytes().to_vec(),
    };
    if args.encoding.as_deref().is_none_or(|encoding| encoding == "json")
        && let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(&request)
    {
        return Err(Failure::Input(anyhow!("the request is not JSON: {error}")));
    }
    once(&args.url, &args.server, async |client| {
        let response = match &args.encoding {
            Some(encoding) => client.call_as(&args.service, encoding, request).await,
            None => client.call(&args.service, request).await,
        };
        let response = answered(&format!("calling {}", args.service), response)?;
        let text = match std::str::from_utf8(&response.payload) {
            Ok(text) if response.encoding == "json" => text.trim_end().to_owned(),
            _ => serde_json::json!({
                "encoding": response.encoding,
                "data_base64": BASE64_STANDARD.encode(&response.payload),
            })
            .to_string(),
        };
        print(&format!("{text}\n")).map(drop)
    })
}
