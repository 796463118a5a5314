use super::*;

#[test]
fn what_does_not_shrink_is_stored_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mcap");
    let mut writer = writer(&path, Split::default(), &[]);
    let sent = [(1, 1, noise(1, CHUNK_SIZE)), (2, 2, vec![7; CHUNK_SIZE]), (3, 3, Vec::new())];
    sent.iter().for_each(|message| send(&mut writer, message));
    writer.finish().unwrap();
    assert_eq!(messages(&path), sent);
    let summary = mcap::Summary::read(&fs::read(&path).unwrap()).unwrap().unwrap();
    let compressions: Vec<_> = summary.chunk_indexes.iter().map(|chunk| chunk.compression.as_str()).collect();
    assert_eq!(compressions, ["", "zstd", ""]);
    let shrunk = &summary.chunk_indexes[1];
    assert!(shrunk.compressed_size < shrunk.uncompressed_size / 100);
}

#[test]
fn a_flush_hands_over_what_has_waited_and_nothing_else_does() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mcap");
    let mut writer = writer(&path, Split::default(), &[]);
    let header = writer.bytes();
    assert_eq!(writer.flush_at(), None, "channels wait for messages");
    send(&mut writer, &(1, 1, vec![1]));
    let at = writer.flush_at().expect("a message waits");
    writer.flush_if_due(at - Duration::from_millis(1)).unwrap();
    assert_eq!(writer.flush_at(), Some(at));
    writer.flush_if_due(at).unwrap();
    assert_eq!(writer.flush_at(), None);
    while writer.bytes() == header {
        std::thread::sleep(Duration::from_millis(1));
    }
    // without an end
    let file = fs::read(&path).unwrap();
    let stream = mcap::MessageStream::new_with_options(&file, mcap::read::Options::IgnoreEndMagic.into());
    assert_eq!(stream.unwrap().map_while(Result::ok).count(), 1);
}

#[test]
fn a_writer_that_is_dropped_completes_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.mcap");
    let mut writer = writer(&path, Split::default(), &[]);
    send(&mut writer, &(1, 5, vec![1]));
    drop(writer);
    assert_eq!(messages(&path), [(1, 5, vec![1])]);
}

#[test]
#[cfg(unix)]
fn an_error_of_the_disk_comes_once_and_later_calls_fail_too() {
    let folder = tempfile::tempdir().unwrap();
    let split = Split { duration: Some(Duration::from_secs(1)), ..Split::default() };
    let mut writer = writer(&folder.path().join("a.mcap"), split, &[]);
    let first = writer.path().to_owned();
    send(&mut writer, &(1, 0, vec![1]));
    // the next file has no folder
    let moved = folder.path().with_extension("moved");
    fs::rename(folder.path(), &moved).unwrap();
    let mut errors = Vec::new();
    for second in 1..2_000_000 {
        let entry = Entry::at(ChannelId(1), Timestamp(second * 1_000_000_000));
        if let Err(error) = writer.write(&entry, b"x") {
            errors.push(error.to_string());
            break;
        }
    }
    assert!(errors[0].contains("a-0002.mcap: can't be created: No such file"), "{errors:?}");
    let again =
        (0..2_000_000).find_map(|_| writer.write(&Entry::at(ChannelId(1), Timestamp(0)), &[0; 1000]).err());
    assert!(again.unwrap().to_string().contains("has failed before"));
    assert_eq!(writer.abandon(), 1);
    assert_eq!(messages(&moved.join(first.file_name().unwrap())), [(1, 0, vec![1])]);
    fs::rename(&moved, folder.path()).unwrap();
}

fn profile(path: &Path) -> String {
    match mcap::read::LinearReader::new(&fs::read(path).unwrap()).unwrap().next().unwrap().unwrap() {
        mcap::records::Record::Header(header) => header.profile,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_profile_that_comes_first_is_that_of_all_files() {
    let folder = tempfile::tempdir().unwrap();
    let ros2 = || Extra::Profile("ros2".into());
    let split = Split { duration: Some(Duration::from_secs(1)), ..Split::default() };
    let options = WriterOptions { split, ..WriterOptions::default() };
    let path = folder.path().join("stream.mcap");
    let file = McapWriter::create(&folder.path().join("run.mcap"), options).unwrap();
    let stream = McapWriter::stream("it", fs::File::create(&path).unwrap()).unwrap();
    for (mut writer, count) in [(file, 2), (stream, 1)] {
        // what comes before records is there, and the last one counts
        writer.write_extra(Extra::Profile("a longer profile".into())).unwrap();
        writer.write_extra(ros2()).unwrap();
        writer.add_channel(&channel(1, false)).unwrap();
        send(&mut writer, &(1, 0, vec![]));
        writer.write_extra(Extra::Profile("ros1".into())).unwrap();
        send(&mut writer, &(1, 2_000_000_000, vec![]));
        let parts = writer.finish().unwrap().parts;
        let paths: Vec<_> = if count == 1 {
            vec![path.clone()]
        } else {
            parts.iter().map(|part| part.path.clone()).collect()
        };
        assert_eq!(paths.iter().map(|path| profile(path)).collect::<Vec<_>>(), vec!["ros2"; count]);
        assert_eq!(paths.iter().flat_map(|path| messages(path)).count(), 2);
    }
}

/// Takes so many writes, then it is closed.
struct Reader(usize);

impl Write for Reader {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 = self.0.checked_sub(1).ok_or(std::io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_stream_is_the_file_and_ends_when_it_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let sent = [(1, 5, vec![1]), (2, 3, noise(2, CHUNK_SIZE)), (1, 7, Vec::new())];
    let write = |writer: &mut McapWriter| {
        [1, 2].iter().for_each(|id| writer.add_channel(&channel(*id, false)).unwrap());
        sent.iter().for_each(|message| send(writer, message));
    };
    let [file, stream] = ["file", "stream"].map(|name| folder.path().join(name));
    let mut writer = McapWriter::create(&file, WriterOptions::default()).unwrap();
    write(&mut writer);
    writer.finish().unwrap();
    let mut writer = McapWriter::stream("it", fs::File::create(&stream).unwrap()).unwrap();
    write(&mut writer);
    let recorded = writer.finish().unwrap();
    assert!(fs::read(file).unwrap() == fs::read(&stream).unwrap());
    assert_eq!((recorded.messages, recorded.on_disk, recorded.files()), (3, OnDisk::Yes, "it".to_owned()));
    assert_eq!(recorded.bytes, fs::metadata(&stream).unwrap().len());
    // closed within its header, its messages or its end
    for writes in 0..4 {
        let mut writer = McapWriter::stream("it", Reader(writes)).unwrap();
        let closed = [1, 2].map(|id| writer.add_channel(&channel(id, false)));
        let sent = sent
            .iter()
            .map(|(id, time, payload)| writer.write(&Entry::at(ChannelId(*id), Timestamp(*time)), payload));
        let mut outcomes: Vec<_> = closed.into_iter().chain(sent).collect();
        if outcomes.iter().all(Result::is_ok) {
            outcomes.push(writer.finish().map(drop));
        }
        let error = outcomes.into_iter().find_map(Result::err);
        assert!(matches!(error, Some(SinkError::Closed(_))), "{writes}: {error:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    /// Whatever the threads do, chunks are in the order in which they were made.
    #[test]
    fn the_order_of_messages_is_kept(
        lengths in prop::collection::vec((1u32..6, any::<u64>(), 0usize..400_000, any::<bool>()), 0..30),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.mcap");
        let mut writer = writer(&path, Split::default(), &[]);
        let sent: Vec<Sent> = lengths.iter().map(|(channel, time, length, shrinks)| {
            (*channel, *time, if *shrinks { vec![3; *length] } else { noise(*time, *length) })
        }).collect();
        sent.iter().for_each(|message| send(&mut writer, message));
        let recorded = writer.finish().unwrap();
        prop_assert!(messages(&path) == sent);
        prop_assert_eq!(recorded.messages, sent.len() as u64);
        prop_assert_eq!(recorded.bytes, fs::metadata(&path).unwrap().len());
        prop_assert_eq!(recorded.on_disk, OnDisk::Yes);
        let times = || sent.iter().map(|message| message.1);
        let range = recorded.parts[0].range.map(|range| (range.start.0, range.end.0));
        prop_assert_eq!(range, times().min().zip(times().max()));
    }
}
