//! Trials in Chromium, driven by npm `playwright-core`.

use std::path::{Path, PathBuf};

use super::peers::works;

/// Sentence, script, and the name of the trial in it.
pub(crate) const TRIALS: &[(&str, &str, &str)] = &[
    ("Chromium is refused by origin, and reads a whole recording compressed", "browser.cjs", ""),
    ("the page loads without a complaint, and asks nobody else", "page.cjs", "loads"),
    ("the page plays, pauses, steps, loops, and repeats a part", "page.cjs", "plays"),
    ("the page's timeline is dragged, with one request at a time", "page.cjs", "drags"),
    ("the page shows where messages are", "page.cjs", "density"),
    ("the page shows a message, keeps its nodes open, and plots a number", "page.cjs", "message"),
    ("the page shows pictures, compressed and raw", "page.cjs", "picture"),
    ("the page shows rates of live sources, and hostile names as text", "page.cjs", "live"),
    ("the page says that the server is gone, and comes back", "page.cjs", "returns"),
    ("the page fits a phone", "page.cjs", "phone"),
    ("the page is used by keyboard alone", "page.cjs", "keyboard"),
    ("the page draws of a thousand topics those in sight", "page.cjs", "topics"),
    ("the page stays where it is, whatever comes and goes", "page.cjs", "still"),
    ("the page's timeline is zoomed and moved", "page.cjs", "zooms"),
    ("a link to the page seeks once", "page.cjs", "links"),
    ("pages of other sites change nothing, by no name", "page.cjs", "strangers"),
];

/// A Chromium, if npm `playwright-core` is there to drive it.
pub(crate) fn chromium() -> Result<PathBuf, String> {
    let candidates = ["chromium", "chromium-browser", "google-chrome"];
    let found = candidates.into_iter().map(PathBuf::from).find(|browser| works(browser, &["--version"]));
    match found {
        Some(browser) if works(Path::new("node"), &["-e", "require('playwright-core')"]) => which(&browser),
        _ => Err("no Chromium, or no npm playwright-core; .ci/run installs them where it may".into()),
    }
}

/// Where in PATH a program is.
fn which(program: &Path) -> Result<PathBuf, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file());
    found.ok_or_else(|| format!("{} is not in PATH", program.display()))
}
