//! `fetch`: copies an asset of a server to stdout or to a new file.

use std::fs::OpenOptions;
use std::io::Write;

use anyhow::Context;

use super::args::FetchArgs;
use super::remote::{answered, once};
use super::{Failure, print_bytes};

pub(crate) fn run(args: &FetchArgs) -> Result<(), Failure> {
    once(&args.url, &args.server, async |client| {
        let asset = answered(&format!("fetching {}", args.asset), client.fetch_asset(&args.asset).await)?;
        let Some(path) = &args.output else { return print_bytes(&asset).map(drop) };
        let opened = OpenOptions::new().write(true).create_new(true).open(path);
        opened
            .and_then(|mut file| file.write_all(&asset))
            .with_context(|| format!("writing {}", path.display()))
            .map_err(Failure::Runtime)
    })
}
