//! Holds the code to the tables of `docs/architecture.md`: imports, one door per dependency, pure modules, names of files.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

#[path = "layering/paths.rs"]
mod paths;

use paths::paths;

/// The rules, as the page states them.
struct Rules {
    /// Module → modules it may import; None: all.
    imports: BTreeMap<String, Option<Vec<String>>>,
    /// Dependency → prefixes of the files it may be used in.
    doors: BTreeMap<String, Vec<String>>,
    /// Prefixes of pure files.
    pure: Vec<String>,
}

impl Rules {
    fn read(page: &str) -> Self {
        let mut imports = BTreeMap::new();
        for row in table(page, "| module |") {
            let allowed = (row[1] != "all").then(|| quoted(&row[1]));
            imports.extend(quoted(&row[0]).into_iter().map(|module| (module, allowed.clone())));
        }
        let mut doors = BTreeMap::new();
        for row in table(page, "| dependency |") {
            let files: Vec<_> =
                quoted(&row[1]).iter().map(|file| file.trim_end_matches('*').to_owned()).collect();
            doors.extend(quoted(&row[0]).into_iter().map(|dependency| (dependency, files.clone())));
        }
        let pure = table(page, "| pure module |").iter().flat_map(|row| quoted(&row[0])).collect();
        Self { imports, doors, pure }
    }

    /// What a file does that it may not; `file` is its path below `src/`.
    fn violations(&self, file: &str, source: &str) -> Vec<String> {
        let place = modules(file);
        let module = place.first().map_or("", String::as_str);
        let paths = paths(source);
        let mut found = Vec::new();
        let mut fault = |path: &[String], why: &str| found.push(format!("{file}: {} {why}", path.join("::")));

        // the roots of the crates only join the modules
        let root = matches!(file, "lib.rs" | "main.rs");
        let allowed = self.imports.get(module);
        if !root && allowed.is_none() {
            fault(&place, "has no row in the table of imports");
        }
        let is_pure = self.pure.iter().any(|prefix| file.starts_with(prefix.as_str()));
        for path in &paths {
            if let (false, Some(Some(allowed)), Some(target)) = (root, allowed, imported(path, &place))
                && target != module
                && !allowed.contains(&target)
            {
                fault(path, &format!("is not for {module}"));
            }
            let door = self.doors.get(&path[0]).filter(|_| path.len() > 1);
            if door.is_some_and(|files| !files.iter().any(|prefix| file.starts_with(prefix.as_str()))) {
                fault(path, &format!("is not for {file}"));
            }
            if is_pure && is_impure(path) {
                fault(path, "is not for a pure module");
            }
        }
        found
    }
}

/// The module of ours that a path in `place` leads to, if it leads out of its parent: `crate::x`, `super::super::x`.
fn imported(path: &[String], place: &[String]) -> Option<String> {
    match path[0].as_str() {
        "crate" | "foxglove_bridge" => path.get(1).cloned(),
        "super" => {
            let ups = path.iter().take_while(|name| *name == "super").count();
            if ups >= place.len() { path.get(ups).cloned() } else { None }
        }
        _ => None,
    }
}

fn is_impure(path: &[String]) -> bool {
    let names: Vec<&str> = path.iter().map(String::as_str).collect();
    let is_address = matches!(names.as_slice(), ["std", "net", "IpAddr" | "Ipv4Addr" | "Ipv6Addr", ..]);
    matches!(names.as_slice(), ["tokio" | "axum", _, ..] | ["std", "net" | "fs", ..]) && !is_address
        || names.windows(2).any(|pair| matches!(pair, ["Instant" | "Timestamp", "now"]))
        || names.contains(&"SystemTime")
}

/// `hub/outbox.rs` is `hub outbox`, `hub/mod.rs` is `hub`.
fn modules(file: &str) -> Vec<String> {
    let names = file.trim_end_matches(".rs").split('/');
    names.filter(|name| *name != "mod").map(str::to_owned).collect()
}

/// The rows of the table with this header.
fn table(page: &str, header: &str) -> Vec<Vec<String>> {
    let lines = page.lines().skip_while(|line| !line.starts_with(header)).skip(2);
    let rows = lines.take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

/// What stands between backticks.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

const PAGE: &str = include_str!("../docs/architecture.md");

fn rules() -> Rules {
    Rules::read(PAGE)
}

/// Names of files (`mod.rs`) and folders (`src/`) in the tree of files of a page.
fn named_in_tree(page: &str) -> BTreeSet<String> {
    let (_, tree) = page.split_once("## Files").expect("the page has a tree of files");
    let words = tree.split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '.' | '/'));
    words.filter(|word| word.ends_with(".rs") || word.ends_with('/')).map(str::to_owned).collect()
}

/// Names of all files and folders in a folder, its own included.
fn names(folder: &Path, found: &mut BTreeSet<String>) {
    found.insert(format!("{}/", folder.file_name().unwrap().to_str().unwrap()));
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            names(&path, found);
        } else {
            found.insert(path.file_name().unwrap().to_str().unwrap().to_owned());
        }
    }
}

/// All files below `src/`, but those of tests.
fn sources(folder: &Path, below: &str, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let file = format!("{below}{name}");
        if path.is_dir() && name != "tests" {
            sources(&path, &format!("{file}/"), found);
        } else if name.ends_with(".rs") && name != "tests.rs" {
            found.push((file, fs::read_to_string(&path).unwrap()));
        }
    }
}

#[test]
fn the_code_keeps_to_the_layers_of_the_architecture() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut files);
    assert!(files.len() > 10, "the sources were not found");
    let rules = rules();
    let found: Vec<_> = files.iter().flat_map(|(file, text)| rules.violations(file, text)).collect();
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn the_page_has_the_tables() {
    let rules = rules();
    assert_eq!(rules.imports["time"], Some(Vec::new()));
    assert_eq!(rules.imports["cli"], None);
    assert!(!rules.imports["server"].as_ref().unwrap().contains(&"source".to_owned()));
    assert_eq!(rules.doors["mcap"], ["source/mcap/", "sink/mcap_"]);
    assert!(rules.pure.contains(&"hub/outbox".to_owned()));
}

#[test]
fn whatever_the_page_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    sources(&root.join("src"), "", &mut files);
    let rules = rules();
    let doors = rules.doors.values().flatten();
    for prefix in rules.pure.iter().chain(doors) {
        assert!(files.iter().any(|(file, _)| file.starts_with(prefix.as_str())), "there is no {prefix}");
    }
    let there: BTreeSet<_> = files.iter().filter_map(|(file, _)| modules(file).into_iter().next()).collect();
    let gone: Vec<_> = rules.imports.keys().filter(|module| !there.contains(*module)).collect();
    assert!(gone.is_empty(), "modules without files: {gone:?}");

    let named = named_in_tree(PAGE);
    assert!(named.len() > 100 && named.contains("mod.rs") && named.contains("mcap/"));
    let mut there = BTreeSet::new();
    for folder in ["src", "tests", "benches", "examples", "testdata", "config"] {
        names(&root.join(folder), &mut there);
    }
    let gone: Vec<_> = named.difference(&there).collect();
    assert!(gone.is_empty(), "not in the folders: {gone:?}");
}

#[test]
fn a_forbidden_import_is_found_in_every_notation() {
    for bad in [
        "use crate::playback::Rate;",
        "use crate::{time, playback::{Rate, StartOn}};",
        "use crate::{model::Batch, source as s};",
        "fn f(rate: crate::playback::Rate) {}",
        "fn f() -> impl Fn() + use<> { let a = 1; crate::playback::x() }",
        "use super::super::playback::Rate;",
        "use super::super::{time::Timestamp, playback};",
        "pub(crate) use ::foxglove_bridge::playback::Rate;",
        "#[cfg(test)] use crate::time::Timestamp; use crate::playback::Rate;",
        "#[cfg(test)]\nmod tests { use crate::playback::Rate; }\nuse crate::source::Source;",
        "const A: char = '\"'; use crate::playback::Rate; const B: char = '\"';",
    ] {
        assert!(!rules().violations("server/socket.rs", bad).is_empty(), "{bad}");
    }
    assert_eq!(rules().violations("server/mod.rs", "use super::source::Source;").len(), 1);
    assert_eq!(rules().violations("attic/mod.rs", "").len(), 1, "a module without a row");
}

#[test]
fn what_is_allowed_is_not_found() {
    for good in [
        "use crate::hub::Hub; use crate::server::auth; use super::session::Session; use axum::Router;",
        "fn f() -> impl Fn() + use<> { let a = 1; let b = 2; }",
        "// use crate::playback::Rate;\n/* crate::source::X /* nested */ crate::playback */",
        "/// See [`crate::playback::Rate`].\nfn f() -> &'static str { \"crate::playback::Rate\" }",
        "const R: &str = r#\"a \" crate::playback::Rate\"#;",
        "#[cfg(test)]\nmod tests { use crate::playback::Rate; fn f() { if x { crate::source::y() } } }",
        "#[cfg(test)]\nuse crate::{playback::Rate};\nuse crate::time::Timestamp;",
        "#[cfg(test)]\nmod tests;",
    ] {
        assert_eq!(rules().violations("server/socket.rs", good), [""; 0], "{good}");
    }
    assert_eq!(rules().violations("lib.rs", "pub mod a; use crate::hub::Hub;"), [""; 0]);
    assert_eq!(rules().violations("cli/serve.rs", "use foxglove_bridge::source::Source;"), [""; 0]);
}

#[test]
fn a_dependency_beside_its_door_is_found() {
    let found = |file: &str, source: &str| rules().violations(file, source).len();
    assert_eq!(found("hub/mod.rs", "use axum::Router;"), 1);
    assert_eq!(found("hub/mod.rs", "use {axum::Router, bytes::Bytes};"), 1);
    assert_eq!(found("source/reader.rs", "fn f() { mcap::read::x() }"), 1);
    assert_eq!(found("source/mcap/file.rs", "fn f() { mcap::read::x() }"), 0);
    assert_eq!(found("lib.rs", "#[derive(clap::Parser)] struct A;"), 1);
    assert_eq!(found("main.rs", "use clap::Parser;"), 0);
    assert_eq!(found("source/mod.rs", "mod mcap; fn f(mcap: u8) {}"), 0);
}

#[test]
fn clocks_and_sockets_in_a_pure_module_are_found() {
    let found = |file: &str, source: &str| rules().violations(file, source).len();
    for bad in [
        "use tokio::sync::Notify;",
        "use std::{fmt, net::TcpStream};",
        "fn f() { let now = std::time::Instant::now(); }",
        "use std::time::Instant; fn f() { Instant::now(); }",
        "use std::time::SystemTime;",
        "fn f() { let now = Timestamp::now(); }",
        "fn f() { std::fs::read(path) }",
    ] {
        assert_eq!(found("hub/outbox.rs", bad), 1, "{bad}");
        assert_eq!(found("hub/mod.rs", bad), 0, "{bad}");
    }
    assert_eq!(found("playback/clock.rs", "use std::time::Instant; fn f(now: Instant) {}"), 0);
    assert_eq!(found("hub/outbox.rs", "use std::net::IpAddr;"), 0, "an address is a value");
    assert_eq!(found("hub/outbox.rs", "#[cfg(test)] mod tests { use tokio::time; }"), 0);
}
