//! The page that a browser is shown at `/`: plain files, compiled in, that ask nothing of any other server.
//!
//! Whoever does not ask for HTML, `curl` above all, gets text.

use std::sync::LazyLock;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Response, header};
use axum::routing::get;
use bytes::Bytes;

use super::headers;
use super::validator::Validators;

/// What the page may load: files, data and pictures of this server; pictures that it made itself. Nothing may frame it.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; img-src 'self' data: blob:; base-uri 'none'; object-src 'none'; form-action 'none'; \
     frame-ancestors 'none'",
);

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// A file of the page, as it is sent.
struct File {
    name: &'static str,
    kind: &'static str,
    content: Bytes,
}

/// All files, under one ETag: a page of one version never runs with scripts of another.
struct Page {
    index: File,
    /// What it loads, below `/page/`.
    files: Vec<File>,
    validators: Validators,
}

/// Modules, each after those that it needs while it is loaded. They are sent as one script, without their imports, so that
/// nothing waits for a second request: no name is that of two things.
macro_rules! modules {
    ($($name:literal),* $(,)?) => { [$(include_str!($name)),*] };
}

const MODULES: [&str; 9] = modules![
    "dom.js",
    "draw.js",
    "qr.js",
    "server.js",
    "playback.js",
    "links.js",
    "message.js",
    "topics.js",
    "page.js",
];

static PAGE: LazyLock<Page> = LazyLock::new(|| {
    let file = |name, kind, source| File { name, kind, content: compact(source, kind) };
    let index = file("index.html", HTML, include_str!("index.html"));
    let files =
        vec![file("page.css", CSS, include_str!("page.css")), file("page.js", SCRIPT, &MODULES.concat())];
    let mut sum = crc32fast::Hasher::new();
    for file in [&index].into_iter().chain(&files) {
        sum.update(&file.content);
    }
    Page { index, files, validators: Validators::of_content(&format!("{:08x}", sum.finalize())) }
});

/// Without what only people read: comments that have a line of their own, indentation, and spaces and ends of lines beside marks; and without
/// what joins modules. No text of the page goes over several lines, a test sees to that.
fn compact(source: &str, kind: &str) -> Bytes {
    let lines = source.lines().map(str::trim_start);
    let left_out = |line: &&str| ["//", "/**", "import "].iter().any(|start| line.starts_with(start));
    let sent = lines.filter(|line| !(line.is_empty() || left_out(line)));
    let sent = sent.map(|line| line.strip_prefix("export ").unwrap_or(line));
    let mut out = String::with_capacity(source.len());
    for line in sent {
        out.push_str(&tight(line, kind));
        let goes_on = match kind {
            HTML => line.ends_with('>'),
            // a comment goes to the end of its line
            _ => line.ends_with(['{', '}', ',', ';']) && !line.contains("//"),
        };
        out.push_str(if goes_on { "" } else { "\n" });
    }
    // the last of a block needs no end of its own
    if kind == HTML { out.into() } else { out.replace(";}", "}").into() }
}

/// The line without spaces before and after marks where they mean nothing. Texts are kept, and lines that may hold a regular
/// expression (a slash that does not divide), or a template within another.
fn tight(line: &str, kind: &str) -> String {
    let (before, after) = match kind {
        SCRIPT => ("{}()[],;:=<>?&|*!/+-%\"'`", "{}()[],;:=<>?&|*!/+-%\"'`"),
        // a space before a colon, or after a bracket, joins selectors
        CSS => ("{};,>", "{};,>:"),
        _ => return line.to_owned(),
    };
    let mut quote = None;
    let mut quoted = |letter: char| {
        let within = quote.is_some();
        match quote {
            None if "\"'`".contains(letter) => quote = Some(letter),
            Some(opened) if opened == letter => quote = None,
            _ => {}
        }
        within || quote.is_some()
    };
    let letters: Vec<_> = line.chars().map(|letter| (letter, quoted(letter))).collect();
    let code: String = letters.iter().filter(|(_, quoted)| !quoted).map(|(letter, _)| *letter).collect();
    let has_expression = kind == SCRIPT && code.replace(" / ", "").contains('/');
    let has_template_within = line.contains("${") && line.matches('`').count() > 2;
    if line.contains('\\') || has_expression || has_template_within {
        return line.to_owned();
    }
    let mut out = String::with_capacity(line.len());
    for (at, &(letter, quoted)) in letters.iter().enumerate() {
        let next = letters.get(at + 1).map_or(' ', |(next, _)| *next);
        // `a + +b` is not `a ++ b`
        let signs = out.ends_with(['+', '-']) && "+-".contains(next);
        let glued = out.ends_with(|mark| after.contains(mark)) || before.contains(next);
        if quoted || letter != ' ' || signs || !glued {
            out.push(letter);
        }
    }
    out
}

/// The routes of what the page loads.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    PAGE.files.iter().fold(Router::new(), |router, file| {
        let answer = move |headers: HeaderMap| async move { file.answer(&headers) };
        router.route(&format!("/page/{}", file.name), get(answer))
    })
}

/// `/`: the page, or `text` for whoever does not ask for HTML.
pub(super) fn front(headers: &HeaderMap, text: impl FnOnce() -> Response<Body>) -> Response<Body> {
    let mut response = if asks_for_html(headers) { PAGE.index.answer(headers) } else { text() };
    response.headers_mut().append(header::VARY, HeaderValue::from_static("Accept"));
    response
}

fn asks_for_html(headers: &HeaderMap) -> bool {
    headers::texts(headers, header::ACCEPT).any(|value| value.contains("text/html"))
}

impl File {
    fn answer(&self, headers: &HeaderMap) -> Response<Body> {
        // asked for each time, so that a server of another version is shown at once
        let mut response = PAGE.validators.respond(headers, || Body::from(self.content.clone()));
        let answer = response.headers_mut();
        answer.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.kind));
        answer.insert(header::CONTENT_SECURITY_POLICY, POLICY);
        answer.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        response
    }
}

#[cfg(test)]
mod tests;
