//! What is attached to recordings, as assets.

use super::too_large;
use crate::folder::names;
use crate::source::{AttachmentCrc, RecordedAttachment};

/// What a URI of an attachment may begin with; viewers take no URI without a scheme.
const SCHEME: &str = "attachment:";

/// The attachment that a URI names: by its name, or by its name and which of that name it is, `NAME#2`.
pub(super) fn find<'a>(
    attachments: &'a [RecordedAttachment],
    uri: &str,
) -> Result<&'a RecordedAttachment, String> {
    let name = uri.strip_prefix(SCHEME).unwrap_or(uri);
    let plain = names::decoded(name).ok();
    // as it is, or with escapes
    [Some(uri), Some(name), plain.as_deref()]
        .into_iter()
        .flatten()
        .find_map(|name| of_name(attachments, name))
        .ok_or_else(|| "there is no such asset".to_owned())
}

fn of_name<'a>(attachments: &'a [RecordedAttachment], name: &str) -> Option<&'a RecordedAttachment> {
    let place = |name: &str, place: usize| {
        attachments.iter().filter(|attachment| attachment.summary().name == name).nth(place)
    };
    place(name, 0).or_else(|| {
        let (name, number) = name.rsplit_once('#')?;
        place(name, number.parse::<usize>().ok()?.checked_sub(1)?)
    })
}

/// Its content. May block.
pub(super) fn read(attachment: &RecordedAttachment, largest: usize) -> Result<Vec<u8>, String> {
    let size = attachment.size();
    if size > largest as u64 {
        return Err(too_large(size, largest));
    }
    let mut content = Vec::new();
    match attachment.copy(&mut content) {
        Ok(AttachmentCrc::Matches | AttachmentCrc::Missing) => Ok(content),
        Ok(AttachmentCrc::Differs) => Err("is damaged in the recording (CRC)".to_owned()),
        Err(error) => Err(format!("can't be read: {}", error.kind())),
    }
}
