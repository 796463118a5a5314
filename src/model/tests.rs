use super::*;

/// A batch with a message for each number; its sequence is the number.
fn batch(numbers: Range<u32>) -> Batch {
    let mut batch = Batch::default();
    for sequence in numbers {
        batch.push_copy(&Entry { sequence, ..Entry::at(ChannelId(1), Timestamp(5)) }, &[0]);
    }
    batch
}

fn unsent(batch: &Batch, range: Range<usize>) -> Vec<u32> {
    batch.unsent_in(&range).iter().map(|(_, entry)| entry.sequence).collect()
}

#[test]
fn what_is_sifted_keeps_its_place() {
    let mut batch = batch(0..8);
    batch.sift(|entry, payload| match entry.sequence {
        _ if payload != [0] => Fate::Dropped,
        2 => Fate::Dropped,
        number if number % 3 == 0 => Fate::Sent,
        _ => Fate::Unsent,
    });
    // 0 1 3 4 5 6 7
    let sent = |batch: &Batch| batch.entries.iter().map(|entry| entry.sequence).collect::<Vec<_>>();
    assert_eq!(sent(&batch), [0, 3, 6]);
    assert_eq!(unsent(&batch, 0..1), [1]);
    assert_eq!((unsent(&batch, 0..2), unsent(&batch, 1..2)), (vec![1, 4, 5], vec![4, 5]));
    assert_eq!(unsent(&batch, 2..3), [7]);
    assert_eq!(unsent(&batch, 0..3), [1, 4, 5, 7]);
    batch.sift(|entry, _| if entry.sequence == 3 { Fate::Unsent } else { Fate::Sent });
    assert_eq!(sent(&batch), [0, 6]);
    assert_eq!((unsent(&batch, 0..1), unsent(&batch, 1..2)), (vec![1, 3, 4, 5], vec![7]));
    batch.sift(|_, _| Fate::Dropped);
    assert_eq!(unsent(&batch, 0..0), [1, 3, 4, 5, 7]);
    assert!(!batch.is_empty() && batch.entries.is_empty());
}
