//! Printers into pipes that are read fast, slowly, or not at all.

use std::io::{BufRead, BufReader, PipeReader, Read};

use super::*;

fn pipe() -> (PipeReader, Printer) {
    let (reader, writer) = io::pipe().unwrap();
    (reader, Printer::new("a pipe", writer))
}

/// More lines than the queue and a pipe hold, and how many found room.
fn fill(printer: &Printer) -> u64 {
    let line = vec![b'x'; 1 << 20];
    (0..20).filter(|_| printer.offer(line.clone()).is_ok()).count() as u64
}

#[test]
fn lines_arrive_in_their_order_and_what_waits_at_the_end_too() {
    let (reader, printer) = pipe();
    for n in 0..5000 {
        printer.print(n.to_string().into_bytes());
    }
    let reading = std::thread::spawn(move || BufReader::new(reader).lines().map_while(Result::ok).collect());
    printer.close();
    let lines: Vec<String> = reading.join().unwrap();
    assert_eq!(lines, (0..5000).map(|n| n.to_string()).collect::<Vec<_>>());
    assert_eq!(printer.offer(b"x".to_vec()), Err(NotSent::Closed));
}

#[test]
fn what_is_not_read_is_bounded_and_counted_once_it_is_read() {
    let (reader, printer) = pipe();
    let fit = fill(&printer);
    assert!((7..=9).contains(&fit), "{fit}");
    for _ in 0..5 {
        printer.print(vec![b'y'; 1 << 20]);
    }
    let mut reader = BufReader::new(reader);
    let mut line = String::new();
    for _ in 0..fit {
        line.clear();
        reader.read_line(&mut line).unwrap();
        assert!(line.starts_with('x'));
    }
    printer.print(b"z".to_vec());
    line.clear();
    reader.read_line(&mut line).unwrap();
    assert_eq!(line, "{\"op\":\"dropped\",\"count\":5}\n");
    line.clear();
    reader.read_line(&mut line).unwrap();
    assert_eq!(line, "z\n");
}

#[test]
fn a_single_line_may_be_larger_than_the_queue() {
    let (mut reader, printer) = pipe();
    let large = vec![b'x'; LIMIT + 1];
    printer.offer(large.clone()).unwrap();
    assert_eq!(printer.offer(b"y".to_vec()), Err(NotSent::Full));
    let mut read = vec![0; large.len()];
    reader.read_exact(&mut read).unwrap();
    assert!(read == large);
}

#[test]
fn a_reader_that_takes_nothing_does_not_hold_the_end() {
    let (_reader, printer) = pipe();
    fill(&printer);
    printer.close();
    // it does not end if the thread stays
    while Arc::strong_count(printer.shared()) > 1 {
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_reader_that_goes_ends_it() {
    let (reader, printer) = pipe();
    drop(reader);
    while printer.offer(b"x".to_vec()).is_ok() {
        std::thread::yield_now();
    }
    assert_eq!(printer.offer(b"x".to_vec()), Err(NotSent::Closed));
    printer.close();
}

#[test]
fn who_is_never_written_to_costs_no_thread() {
    let (mut reader, printer) = pipe();
    assert_eq!(Arc::strong_count(printer.shared()), 1);
    printer.close();
    assert_eq!(reader.read(&mut [0]).unwrap(), 0, "it is closed");
}
