//! Pictures as JPEG.

use jpeg_encoder::{ColorType, Encoder, EncodingError, SamplingFactor};

/// A picture of three bytes (red, green, blue) for each pixel, row by row, as JPEG; `quality` from 1 to 100.
pub(crate) fn encode(pixels: &[u8], width: u16, height: u16, quality: u8) -> Result<Vec<u8>, EncodingError> {
    let mut jpeg = Vec::with_capacity(pixels.len() / 8);
    let mut encoder = Encoder::new(&mut jpeg, quality);
    encoder.set_sampling_factor(SamplingFactor::R_4_2_0);
    encoder.encode(pixels, width, height, ColorType::Rgb)?;
    Ok(jpeg)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_decoder_reads_what_was_encoded() {
        let (width, height) = (64u16, 48u16);
        let pixels: Vec<u8> = (0..u32::from(width) * u32::from(height))
            .flat_map(|i| [(i % 64 * 4) as u8, (i / 64 * 5) as u8, 100])
            .collect();
        let jpeg = encode(&pixels, width, height, 90).unwrap();
        let mut decoder = zune_jpeg::JpegDecoder::new(std::io::Cursor::new(jpeg));
        let decoded = decoder.decode().unwrap();
        assert_eq!(decoder.dimensions(), Some((64, 48)));
        let errors = pixels.iter().zip(&decoded).map(|(a, b)| u64::from(a.abs_diff(*b)));
        let mean = errors.sum::<u64>() as f64 / pixels.len() as f64;
        assert!(decoded.len() == pixels.len() && mean < 4.0, "{mean}");
    }
}
