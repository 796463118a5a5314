use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;

/// An output into a channel that takes nothing until it is opened.
struct Stalled {
    output: LogOutput,
    open: Option<Sender<()>>,
    written: Receiver<Vec<u8>>,
}

impl Stalled {
    fn new() -> Self {
        let (open, opened) = channel();
        let (sender, written) = channel();
        let write = move |bytes: &[u8]| {
            opened.recv().ok();
            sender.send(bytes.to_vec()).ok();
        };
        Self { output: LogOutput::start_with(write, || true, || 4).unwrap(), open: Some(open), written }
    }

    /// Waits until the thread has taken what there is, and stands still with it.
    fn is_stalled(&self) {
        loop {
            let state = self.output.shared.lock();
            if state.writing && state.lines.is_empty() && !state.bar_changed {
                return;
            }
            drop(state);
            std::thread::yield_now();
        }
    }

    /// Everything that is written once the output takes something again.
    fn rest(&mut self) -> String {
        self.open = None;
        self.output.flush();
        let bytes: Vec<u8> = self.written.try_iter().flatten().collect();
        String::from_utf8(bytes).unwrap()
    }
}

#[test]
fn lines_that_find_no_room_are_left_out_and_counted_and_nobody_waits() {
    let mut stalled = Stalled::new();
    stalled.output.write_all(b"first\n").unwrap();
    stalled.is_stalled();
    let line = [&[b'x'; 1023][..], b"\n"].concat();
    let begin = Instant::now();
    for _ in 0..3000 {
        stalled.output.write_all(&line).unwrap();
    }
    stalled.output.flush();
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
    let rest = stalled.rest();
    let whole = rest.matches(&"x".repeat(1023)).count();
    assert_eq!(whole * line.len(), LIMIT);
    let notice = format!("{} log lines were left out here: stderr was not read\n", 3000 - whole);
    assert!(rest.starts_with("first\n") && rest.ends_with(&notice), "{notice}");
}

#[test]
fn lines_appear_above_the_newest_bar() {
    let mut stalled = Stalled::new();
    stalled.output.set_bar(Some("one".into()));
    stalled.is_stalled();
    stalled.output.set_bar(Some("two".into()));
    stalled.output.set_bar(Some("three".into()));
    stalled.output.say(Level::Info, "a line", "", &[]);
    // the terminal has four columns: "three" takes two lines
    assert_eq!(stalled.rest(), "one\r\x1b[2Ka line\nthree");
    stalled.output.set_bar(None);
    assert_eq!(stalled.rest(), "\r\x1b[2K\x1b[1A\x1b[2K");
}

#[test]
fn a_bar_is_cleared_whole_when_the_terminal_has_become_narrower() {
    assert_eq!(clear(79, 80), CLEAR);
    assert_eq!(clear(80, 80), CLEAR);
    assert_eq!(clear(81, 80), [CLEAR, CLEAR_ABOVE].concat());
    assert_eq!(clear(79, 30), [CLEAR, CLEAR_ABOVE, CLEAR_ABOVE].concat());
    assert_eq!(clear(0, 0), CLEAR);
}

#[test]
fn as_json_what_is_said_is_one_object() {
    let mut stalled = Stalled::new();
    stalled.output.set_format(LogFormat::Json);
    stalled.output.set_bar(Some("a bar".into()));
    stalled.output.say(Level::Info, "text", "message", &[]);
    let object: Value = serde_json::from_str(&stalled.rest()).unwrap();
    assert_eq!(object["message"], "message");
    let line = rendered(LogFormat::Json, Level::Error, "error: x\ny", "x\ny", &[("code", "1")]);
    let line = String::from_utf8(line).unwrap();
    assert_eq!(line.matches('\n').count(), 1);
    let object: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&object["level"], &object["message"]), (&"ERROR".into(), &"x\ny".into()));
    assert_eq!(object["code"], "1");
    assert!(object["timestamp"].as_str().unwrap().ends_with('Z'));
    assert_eq!(rendered(LogFormat::Text, Level::Info, "a\nb\n", "c", &[]), b"a\nb\n");
}

#[test]
fn an_event_is_one_line_whatever_others_wrote() {
    let mut stalled = Stalled::new();
    stalled.output.write_all(b"\x1b[32m INFO\x1b[0m recording into a\nERROR forged\r\xe2\x80\xae\n").unwrap();
    let expected = "\x1b[32m INFO\x1b[0m recording into a\\u{a}ERROR forged\\u{d}\\u{202e}\n";
    assert_eq!(stalled.rest(), expected);
}
