//! What a browser painted: a PNG read into pixels, so that tests see colours and not only a status.

use std::collections::BTreeSet;

/// A picture; three octets a pixel, row by row.
pub struct Picture {
    pub width: usize,
    pub height: usize,
    pixels: Vec<[u8; 3]>,
}

impl Picture {
    /// Reads a PNG as browsers write them: eight bits a channel, with or without alpha, not interlaced.
    #[track_caller]
    pub fn read(png: &[u8]) -> Self {
        assert!(png.starts_with(b"\x89PNG\r\n\x1a\n"), "not a PNG");
        let (mut at, mut packed, mut head) = (8, Vec::new(), [0; 13]);
        while let Some(length) = png.get(at..at + 4) {
            let length = u32::from_be_bytes(length.try_into().unwrap()) as usize;
            let (name, data) = (&png[at + 4..at + 8], &png[at + 8..at + 8 + length]);
            match name {
                b"IHDR" => head.copy_from_slice(data),
                b"IDAT" => packed.extend_from_slice(data),
                _ => {}
            }
            at += 12 + length;
        }
        let number = |from: usize| u32::from_be_bytes(head[from..from + 4].try_into().unwrap()) as usize;
        let (width, height) = (number(0), number(4));
        let channels = match (head[8], head[9], head[12]) {
            (8, 2, 0) => 3,
            (8, 6, 0) => 4,
            other => panic!("a PNG of another kind: {other:?}"),
        };
        let raw = miniz_oxide::inflate::decompress_to_vec_zlib(&packed).expect("packed pixels");
        let mut before = vec![0_u8; width * channels];
        let mut pixels = Vec::with_capacity(width * height);
        for line in raw.chunks_exact(width * channels + 1) {
            let mut row = line[1..].to_vec();
            for i in 0..row.len() {
                let (left, corner) = if i < channels { (0, 0) } else { (row[i - channels], before[i - channels]) };
                let guess = match line[0] {
                    0 => 0,
                    1 => left,
                    2 => before[i],
                    3 => u8::midpoint(left, before[i]),
                    _ => paeth(left, before[i], corner),
                };
                row[i] = row[i].wrapping_add(guess);
            }
            pixels.extend(row.chunks_exact(channels).map(|pixel| [pixel[0], pixel[1], pixel[2]]));
            before = row;
        }
        assert_eq!(pixels.len(), width * height);
        Self { width, height, pixels }
    }

    /// How many different colours there are.
    pub fn colours(&self) -> usize {
        self.pixels.iter().collect::<BTreeSet<_>>().len()
    }

    /// How many pixels are near a colour: at most `within` apart in each channel.
    pub fn near(&self, colour: [u8; 3], within: u8) -> usize {
        self.pixels.iter().filter(|pixel| pixel.iter().zip(colour).all(|(is, want)| is.abs_diff(want) <= within)).count()
    }

    /// The mean lightness, 0 to 255: whether a page is light or dark.
    pub fn lightness(&self) -> f64 {
        let sum: u64 = self.pixels.iter().flatten().map(|channel| u64::from(*channel)).sum();
        #[allow(clippy::cast_precision_loss, reason = "a mean of octets")]
        let mean = sum as f64 / (self.pixels.len() * 3) as f64;
        mean
    }
}

fn paeth(left: u8, up: u8, corner: u8) -> u8 {
    let (a, b, c) = (i16::from(left), i16::from(up), i16::from(corner));
    let (pa, pb, pc) = ((b - c).abs(), (a - c).abs(), (a + b - 2 * c).abs());
    if pa <= pb && pa <= pc {
        left
    } else if pb <= pc {
        up
    } else {
        corner
    }
}
