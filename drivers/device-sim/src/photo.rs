//! The stand-in for the agency's photo decoder: the same pipe, the picture format of the
//! simulated people. It refuses every real block.

use std::io::{self, Read, Write};

use people::photo;

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Standard input or output failed.
    #[error("cannot read the block or write the picture")]
    Io(#[from] io::Error),
    /// The block is not 1024 bytes long.
    #[error("a photo block has 1024 bytes")]
    Size,
    /// The block is no stand-in block.
    #[error("not a block of the stand-in codec")]
    Refused,
}

/// Reads 1024 bytes and writes a BMP of 38 862 bytes, 102 x 126 x 24.
pub fn decode(mut input: impl Read, mut output: impl Write) -> Result<(), DecodeError> {
    let mut block = Vec::new();
    input.by_ref().take(1025).read_to_end(&mut block)?;
    let block: [u8; 1024] = block.try_into().map_err(|_| DecodeError::Size)?;
    let picture = photo::decode(&block).map_err(|_| DecodeError::Refused)?;
    let (width, height) = picture.dimensions();
    let row_size = (width as usize * 3).next_multiple_of(4);
    let mut bmp = b"BM".to_vec();
    let size = 54 + row_size * height as usize;
    let words = [size as u32, 0, 54, 40, width, height, 1 | (24 << 16), 0];
    bmp.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    bmp.resize(54, 0);
    for y in (0..height).rev() {
        let row_end = bmp.len() + row_size;
        for x in 0..width {
            let [r, g, b] = picture.get_pixel(x, y).0;
            bmp.extend([b, g, r]);
        }
        bmp.resize(row_end, 0);
    }
    output.write_all(&bmp)?;
    Ok(output.flush()?)
}
