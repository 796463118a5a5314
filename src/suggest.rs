//! The likeliest name that was meant, for errors.

/// The nearest of the names, if one is near enough to have been meant.
pub fn nearest<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // names come from input: what is far longer than any real name is not compared
    const LONGEST: usize = 200;
    if name.len() > LONGEST {
        return None;
    }
    let folded = fold(name);
    let near = |candidate: &'a str| {
        let other = fold(candidate);
        let distance = distance(&folded, &other);
        // a part of the name was left out, or a few letters are wrong
        let close = distance <= 1 + folded.len().min(other.len()) / 4 && distance * 2 < folded.len();
        let part = folded.len() >= 3 && (other.ends_with(&folded) || other.starts_with(&folded));
        (close || part).then_some((if close { distance } else { LONGEST + distance }, candidate))
    };
    let candidates = names.into_iter().filter(|candidate| candidate.len() <= LONGEST);
    candidates.filter_map(near).min().map(|(_, candidate)| candidate)
}

/// Lower case, without what notations differ in.
fn fold(name: &str) -> Vec<u8> {
    name.bytes().filter(|byte| !matches!(byte, b'_' | b'-' | b'/')).map(|b| b.to_ascii_lowercase()).collect()
}

/// Letters to change, add or leave out.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let change = diagonal + usize::from(from != to);
            diagonal = row[j + 1];
            row[j + 1] = change.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_likeliest_name_is_found() {
        let types = ["foxglove.Log", "foxglove.LocationFix", "foxglove.PointCloud"];
        assert_eq!(nearest("foxglove.log", types), Some("foxglove.Log"));
        assert_eq!(nearest("foxglove.Pointcluod", types), Some("foxglove.PointCloud"));
        assert_eq!(nearest("PointCloud", types), Some("foxglove.PointCloud"));
        assert_eq!(nearest("sensor_msgs/msg/Imu", types), None);
        assert_eq!(nearest("", types), None);
        assert_eq!(nearest("q", ["x", "y"]), None);
        assert_eq!(nearest("msg", ["level", "message"]), None);
        assert_eq!(nearest("frameID", ["frame_id"]), Some("frame_id"));
    }

    #[test]
    fn a_name_of_any_length_is_no_trouble() {
        assert_eq!(nearest(&"x".repeat(1 << 20), ["foxglove.Log"]), None);
    }
}
