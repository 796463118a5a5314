use super::*;

const SECOND: u64 = 1_000_000_000;

/// What is in the files, and whether they are numbered from 1 on.
fn all(recorded: &Recorded) -> Vec<Vec<Sent>> {
    for part in &recorded.parts {
        assert_eq!(part.bytes, fs::metadata(&part.path).unwrap().len());
    }
    recorded.parts.iter().map(|part| messages(&part.path)).collect()
}

fn numbers(folder: &Path) -> Vec<u32> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut numbers: Vec<u32> =
        names.map(|name| name["run-".len()..name.len() - ".mcap".len()].parse().unwrap()).collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn files_split_by_time_are_what_was_written_one_after_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let split = Split { duration: Some(Duration::from_secs(60)), ..Split::default() };
    let mut writer = writer(&folder.path().join("run.mcap"), split, &[]);
    let sent: Vec<Sent> =
        (0..3600).map(|second| (second % 5 + 1, u64::from(second) * SECOND, vec![1])).collect();
    sent.iter().for_each(|message| send(&mut writer, message));
    let recorded = writer.finish().unwrap();
    let files = all(&recorded);
    assert!(files.iter().all(|file| file.len() == 60) && files.len() == 60);
    assert!(files.concat() == sent);
    assert_eq!(numbers(folder.path()), (1..=60).collect::<Vec<_>>());
    let range = recorded.parts[1].range.unwrap();
    assert_eq!((range.start.0, range.end.0), (60 * SECOND, 119 * SECOND));
}

#[test]
fn each_file_begins_with_what_is_latched_at_the_lowest_time_of_its_first_chunk() {
    let folder = tempfile::tempdir().unwrap();
    let split = Split { duration: Some(Duration::from_secs(10)), ..Split::default() };
    let mut writer = writer(&folder.path().join("run.mcap"), split, &[2, 3]);
    let from = |origin: u32, entry: Entry| Entry { origin, ..entry };
    let at = |channel, second: u64| Entry::at(ChannelId(channel), Timestamp(second * SECOND));
    writer.write(&from(1, at(2, 0)), b"map of 1").unwrap();
    writer.write(&from(2, at(2, 1)), b"map of 2").unwrap();
    writer.write(&from(1, at(2, 2)), b"newer map of 1").unwrap();
    writer.write(&at(1, 3), b"plain").unwrap();
    writer.write(&at(1, 13), b"plain").unwrap();
    // a lap: what was written last counts, not what has the highest time
    writer.write(&from(2, at(2, 0)), b"next map of 2").unwrap();
    writer.write(&at(3, 1), b"params").unwrap();
    writer.write(&at(1, 20), b"plain").unwrap();
    let recorded = writer.finish().unwrap();
    let files = all(&recorded);
    let message = |channel, second: u64, payload: &[u8]| (channel, second * SECOND, payload.to_vec());
    assert_eq!(files[0].len(), 4);
    let expected = [
        // not after the next map
        message(2, 0, b"map of 2"),
        message(2, 0, b"newer map of 1"),
        message(1, 13, b"plain"),
        message(2, 0, b"next map of 2"),
        message(3, 1, b"params"),
    ];
    assert_eq!(files[1], expected);
    let expected = [
        message(2, 20, b"newer map of 1"),
        message(2, 20, b"next map of 2"),
        message(3, 20, b"params"),
        message(1, 20, b"plain"),
    ];
    assert_eq!(files[2], expected);
    // nor does what a clock that was set back has left stretch a file
    let ranges = recorded.parts.iter().map(|part| part.range.unwrap());
    let ranges: Vec<_> = ranges.map(|range| (range.start.0 / SECOND, range.end.0 / SECOND)).collect();
    assert_eq!(ranges, [(0, 3), (0, 13), (20, 20)]);
    let last = fs::read(&recorded.parts[2].path).unwrap();
    let published = mcap::MessageStream::new(&last).unwrap().map(|message| message.unwrap().publish_time);
    assert_eq!(published.collect::<Vec<_>>(), [2, 0, 1, 20].map(|second| second * SECOND));
}

#[test]
fn a_file_that_definitions_begin_has_what_is_latched_at_the_end_of_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let split = Split { size: Some(1 << 20), ..Split::default() };
    let mut writer = writer(&folder.path().join("run.mcap"), split, &[2]);
    let at = |channel, second: u64| Entry::at(ChannelId(channel), Timestamp(second * SECOND));
    writer.write(&at(2, 0), b"map").unwrap();
    writer.write(&at(1, 5), b"plain").unwrap();
    let metadata = Metadata { name: "ends the chunk".into(), values: BTreeMap::new() };
    writer.write_extra(Extra::Metadata(metadata)).unwrap();
    let schema = Schema { name: "Large".into(), encoding: "".into(), data: noise(1, 2 << 20).into() };
    writer.add_channel(&Channel { schema: Some(Arc::new(schema)), ..channel(7, false) }).unwrap();
    writer.write(&at(1, 9), b"plain").unwrap();
    let files = all(&writer.finish().unwrap());
    let message = |channel, second: u64, payload: &[u8]| (channel, second * SECOND, payload.to_vec());
    assert_eq!(files[0], [message(2, 0, b"map"), message(1, 5, b"plain")]);
    assert_eq!(files[1..], [[message(2, 5, b"map"), message(1, 9, b"plain")]]);
}

#[test]
fn channels_and_schemas_are_in_every_file_with_equal_ids() {
    let folder = tempfile::tempdir().unwrap();
    let split = Split { duration: Some(Duration::from_secs(1)), ..Split::default() };
    let mut writer = writer(&folder.path().join("run.mcap"), split, &[]);
    send(&mut writer, &(1, 0, vec![]));
    send(&mut writer, &(1, SECOND, vec![]));
    writer.add_channel(&channel(8, false)).unwrap();
    send(&mut writer, &(8, 2 * SECOND, vec![]));
    let parts = writer.finish().unwrap().parts;
    let ids: Vec<BTreeMap<_, _>> = parts
        .iter()
        .map(|part| {
            let summary = mcap::Summary::read(&fs::read(&part.path).unwrap()).unwrap().unwrap();
            assert_eq!(summary.schemas.len(), 1);
            summary.channels.iter().map(|(id, channel)| (channel.topic.clone(), *id)).collect()
        })
        .collect();
    // the channel is written where it was added
    assert_eq!(ids.iter().map(BTreeMap::len).collect::<Vec<_>>(), [5, 6, 6]);
    assert!(ids[0].iter().all(|(topic, id)| ids[2][topic] == *id) && ids[1] == ids[2]);
}

#[test]
fn no_file_is_larger_than_its_size_and_only_the_newest_stay() {
    let folder = tempfile::tempdir().unwrap();
    let size = 5 << 20;
    let split = Split { size: Some(size), max_files: NonZero::new(3), ..Split::default() };
    let mut writer = writer(&folder.path().join("run.mcap"), split, &[]);
    let sent: Vec<Sent> = (0..100).map(|n| (1, n, noise(n, 400_000))).collect();
    sent.iter().for_each(|message| send(&mut writer, message));
    let written = writer.bytes();
    let recorded = writer.finish().unwrap();
    let sizes: Vec<_> = recorded.parts.iter().map(|part| part.bytes).collect();
    assert!(sizes.len() == 3 && sizes.iter().all(|bytes| *bytes <= size), "{sizes:?}");
    assert!(sizes[..2].iter().all(|bytes| *bytes > size - 1_700_000), "files are small: {sizes:?}");
    let kept = all(&recorded).concat();
    assert!(kept == sent[100 - kept.len()..] && kept.len() >= 24);
    let last = u32::try_from(9).unwrap();
    assert_eq!(numbers(folder.path()), [last - 2, last - 1, last]);
    assert!(written > 3 * size, "files that were removed count as written");
}

#[test]
fn the_files_stay_within_the_disk_budget() {
    let folder = tempfile::tempdir().unwrap();
    let budget = 16 << 20;
    let split = Split { disk_budget: Some(budget), ..Split::default() };
    let mut writer = writer(&folder.path().join("run.mcap"), split, &[]);
    let sent: Vec<Sent> = (0..150).map(|n| (1, n, noise(n, 400_000))).collect();
    let mut most = 0;
    for message in &sent {
        send(&mut writer, message);
        let files = fs::read_dir(folder.path()).unwrap().flatten();
        most = most.max(files.filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum());
    }
    let recorded = writer.finish().unwrap();
    assert!(most <= budget && recorded.bytes <= budget, "{most}, {}", recorded.bytes);
    assert!(recorded.bytes > budget * 2 / 3 && recorded.parts.len() >= 4, "{recorded:?}");
    let kept = all(&recorded).concat();
    assert!(kept == sent[150 - kept.len()..]);
}

#[test]
fn a_file_of_an_earlier_run_is_refused_at_the_start_and_left_out_later() {
    let folder = tempfile::tempdir().unwrap();
    let split = Split { duration: Some(Duration::from_secs(1)), ..Split::default() };
    let path = folder.path().join("run.mcap");
    let mut running = writer(&path, split, &[]);
    let options = WriterOptions { split, ..WriterOptions::default() };
    let error = McapWriter::create(&path, options).err().unwrap().to_string();
    assert!(error.contains("run-0001.mcap: exists already"), "{error}");
    fs::write(folder.path().join("run-0002.mcap"), "somebody's").unwrap();
    send(&mut running, &(1, 0, vec![]));
    send(&mut running, &(1, 5 * SECOND, vec![]));
    let recorded = running.finish().unwrap();
    assert!(
        recorded.files().contains("run-0001.mcap to ")
            && recorded.files().ends_with("run-0003.mcap (2 files)")
    );
    assert_eq!(fs::read(folder.path().join("run-0002.mcap")).unwrap(), b"somebody's");
}

#[test]
fn what_is_kept_of_other_files_is_in_each_but_for_attachments() {
    let folder = tempfile::tempdir().unwrap();
    let played = folder.path().join("played.mcap");
    let file = std::io::BufWriter::new(fs::File::create(&played).unwrap());
    let mut made = mcap::WriteOptions::new().profile("ros2").create(file).unwrap();
    let (name, media_type) = ("rover.urdf".to_owned(), "application/xml".to_owned());
    let data = b"<robot/>".into();
    made.attach(&mcap::Attachment { log_time: 3, create_time: 4, name, media_type, data }).unwrap();
    let metadata = mcap::records::Metadata { name: "drive".to_owned(), metadata: BTreeMap::new() };
    made.write_metadata(&metadata).unwrap();
    made.finish().unwrap();
    let split = Split { duration: Some(Duration::from_secs(1)), ..Split::default() };
    let options = WriterOptions { split, keep: vec![played], ..WriterOptions::default() };
    let mut writer = McapWriter::create(&folder.path().join("run.mcap"), options).unwrap();
    writer.add_channel(&channel(1, false)).unwrap();
    (0..3).for_each(|second| send(&mut writer, &(1, second * SECOND, vec![])));
    let parts = writer.finish().unwrap().parts;
    let kept = parts.iter().map(|part| {
        let file = fs::read(&part.path).unwrap();
        let summary = mcap::Summary::read(&file).unwrap().unwrap();
        let attachments = summary.attachment_indexes.iter();
        assert!(
            attachments.clone().all(|index| mcap::read::attachment(&file, index).unwrap().data.len() == 8)
        );
        let profile = match mcap::read::LinearReader::new(&file).unwrap().next().unwrap().unwrap() {
            mcap::records::Record::Header(header) => header.profile,
            other => panic!("{other:?}"),
        };
        (profile, summary.metadata_indexes.len(), attachments.count())
    });
    let expected = |attachments| ("ros2".to_owned(), 1, attachments);
    assert_eq!(kept.collect::<Vec<_>>(), [expected(1), expected(0), expected(0)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    /// In any order of times, with latched channels: the files have everything once, but for what is repeated.
    #[test]
    fn files_are_what_was_written_and_what_is_latched(
        sent in prop::collection::vec((1u32..6, 0u64..100, 0usize..300_000), 1..40),
        seconds in 1u64..40,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let split = Split {
            duration: Some(Duration::from_secs(seconds)), size: Some(2 << 20), ..Split::default()
        };
        let mut writer = writer(&folder.path().join("run.mcap"), split, &[5]);
        let sent: Vec<Sent> = (0..).zip(&sent).map(|(number, (channel, second, length))| {
            (*channel, second * SECOND, noise(number, *length))
        }).collect();
        sent.iter().for_each(|message| send(&mut writer, message));
        let recorded = writer.finish().unwrap();
        let mut written = sent.iter().peekable();
        let mut latched: Option<Sent> = None;
        for (number, file) in all(&recorded).into_iter().enumerate() {
            let mut file = file.into_iter();
            if number > 0 && let Some((channel, _, payload)) = latched.clone() {
                let begin = written.peek().map(|message| message.1).unwrap();
                let again = file.next().unwrap();
                prop_assert!((again.0, again.2) == (channel, payload), "file {number} begins with something else");
                prop_assert!(again.1 <= begin, "file {number} has it after the first message");
            }
            let mut count = 0;
            for message in file {
                prop_assert!(Some(&message) == written.next());
                count += 1;
                if message.0 == 5 {
                    latched = Some(message);
                }
            }
            prop_assert!(count > 0, "file {number} has nothing of its own");
        }
        prop_assert!(written.next().is_none());
    }
}
