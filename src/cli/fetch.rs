//! `fetch`: copies an asset of a server to stdout or to a new file.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};

use anyhow::{Context, anyhow};

use super::args::FetchArgs;
use super::remote::{answered, once};
use super::{Failure, print_bytes};

pub(crate) fn run(args: &FetchArgs) -> Result<(), Failure> {
    once(&args.url, &args.server, async |client| {
        let asset = answered(&format!("fetching {}", args.asset), client.fetch_asset(&args.asset).await)?;
        let Some(path) = &args.output else { return print_bytes(&asset).map(drop) };
        let mut file = match OpenOptions::new().write(true).create_new(true).open(path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let shown = path.display();
                return Err(Failure::Input(anyhow!(
                    "{shown}: exists already and is not overwritten; choose another name"
                )));
            }
            opened => {
                opened.with_context(|| format!("creating {}", path.display())).map_err(Failure::Input)?
            }
        };
        let written = file.write_all(&asset);
        if written.is_err() {
            // a part of it would be taken for the whole, and refused the next time
            fs::remove_file(path).ok();
        }
        written.with_context(|| format!("writing {}", path.display())).map_err(Failure::Runtime)
    })
}
