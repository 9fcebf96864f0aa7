//! The picture: planes of YUV 4:2:0 in limited range (BT.709), padded to whole macroblocks, and what is drawn on them.

/// Side of a macroblock in luma samples.
pub(super) const MACROBLOCK: usize = 16;

/// Y, Cb, Cr.
type Colour = [u8; 3];
const WHITE: Colour = [235, 128, 128];
const GREY: Colour = [80, 128, 128];
const BLACK: Colour = [16, 128, 128];
const RED: Colour = [51, 109, 212];
/// The eight bars at 75 %.
const BARS: [Colour; 8] = [
    [180, 128, 128],
    [168, 44, 136],
    [145, 147, 44],
    [133, 63, 52],
    [63, 193, 204],
    [51, 109, 212],
    [28, 212, 120],
    BLACK,
];

/// One plane. Rows from the top.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plane {
    pub(super) stride: usize,
    pub(super) samples: Vec<u8>,
}

impl Plane {
    fn new(stride: usize, rows: usize, value: u8) -> Self {
        Self { stride, samples: vec![value; stride * rows] }
    }

    fn fill(&mut self, [x, y, width, height]: [usize; 4], value: u8) {
        for row in self.samples.chunks_exact_mut(self.stride).skip(y).take(height) {
            row.iter_mut().skip(x).take(width).for_each(|sample| *sample = value);
        }
    }

    /// The rows of the square with this side whose upper left corner is at (`x`, `y`).
    pub(super) fn square(&self, x: usize, y: usize, side: usize) -> impl Iterator<Item = &[u8]> {
        let rows = self.samples.chunks_exact(self.stride).skip(y).take(side);
        rows.filter_map(move |row| row.get(x..x + side))
    }
}

/// The picture.
#[derive(Debug, Clone)]
pub(super) struct Picture {
    /// What is shown of it, in pixels; both are even.
    pub(super) width: usize,
    pub(super) height: usize,
    /// Y, Cb, Cr.
    pub(super) planes: [Plane; 3],
    /// The still part, copied under each frame.
    background: [Plane; 3],
}

impl Picture {
    pub(super) fn new(width: usize, height: usize) -> Self {
        let [stride, rows] = [width, height].map(|side| side.next_multiple_of(MACROBLOCK));
        let [y, cb, cr] = BLACK;
        let planes =
            [Plane::new(stride, rows, y), Plane::new(stride / 2, rows / 2, cb), Plane::new(stride / 2, rows / 2, cr)];
        let mut picture = Self { width, height, background: planes.clone(), planes };
        for (i, colour) in BARS.iter().enumerate() {
            let (left, right) = (i * width / BARS.len(), (i + 1) * width / BARS.len());
            picture.rectangle(left, 0, right.next_multiple_of(2) - left, height * 2 / 3, *colour);
        }
        picture.background = picture.planes.clone();
        picture
    }

    /// Draws the frame of stream time `time_ms`, with `clock_ms` of the day on the clock and its own number below.
    pub(super) fn draw(&mut self, time_ms: u64, clock_ms: u64, frame: u64) {
        for (plane, background) in self.planes.iter_mut().zip(&self.background) {
            plane.samples.copy_from_slice(&background.samples);
        }
        let (width, height) = (self.width, self.height);
        let bars = height * 2 / 3;

        // A square that bounces through the bars, its two periods having no common measure within a minute.
        let side = height / 8;
        let x = bounce(time_ms, 4100, width - side);
        let y = bounce(time_ms, 2700, bars - side);
        self.rectangle(x, y, side, side, WHITE);
        self.rectangle(x + side / 4, y + side / 4, side / 2, side / 2, RED);

        let clock = clock_ms / 1000;
        let text =
            format!("{:02}:{:02}:{:02}.{:02}", clock / 3600 % 24, clock / 60 % 60, clock % 60, clock_ms % 1000 / 10);
        let scale = (width / (text.len() * 4 + 8)).max(1);
        let text_width = (text.len() * 4 - 1) * scale;
        self.text(&text, width.saturating_sub(text_width) / 2, bars + height / 24, scale, WHITE);
        let small = (scale / 3).max(1);
        self.text(&frame.to_string(), width / 40, height - height / 20 - 5 * small, small, WHITE);

        // The hand of the second.
        let hand = (height / 40).max(2);
        self.rectangle(0, height - hand, width * (time_ms % 1000) as usize / 1000, hand, GREY);
    }

    /// Fills a rectangle. Its sides move to even samples where its colour needs it: chroma has one sample for four.
    fn rectangle(&mut self, x: usize, y: usize, width: usize, height: usize, colour: Colour) {
        let [right, bottom] = [(x + width).min(self.width), (y + height).min(self.height)];
        let [luma, cb, cr] = &mut self.planes;
        let [x_half, y_half] = [x / 2, y / 2];
        luma.fill([x, y, right.saturating_sub(x), bottom.saturating_sub(y)], colour[0]);
        let chroma =
            [x_half, y_half, right.div_ceil(2).saturating_sub(x_half), bottom.div_ceil(2).saturating_sub(y_half)];
        cb.fill(chroma, colour[1]);
        cr.fill(chroma, colour[2]);
    }

    fn text(&mut self, text: &str, x: usize, y: usize, scale: usize, colour: Colour) {
        for (i, letter) in text.bytes().enumerate() {
            for (row, bits) in glyph(letter).iter().enumerate() {
                for column in (0..3).filter(|column| bits & (4 >> column) != 0) {
                    self.rectangle(x + (i * 4 + column) * scale, y + row * scale, scale, scale, colour);
                }
            }
        }
    }

    /// The samples of macroblock (`column`, `row`): 256 of Y, 64 of Cb, 64 of Cr, row by row.
    pub(super) fn macroblock(&self, column: usize, row: usize) -> impl Iterator<Item = &[u8]> {
        self.planes
            .iter()
            .zip([MACROBLOCK, MACROBLOCK / 2, MACROBLOCK / 2])
            .flat_map(move |(plane, side)| plane.square(column * side, row * side, side))
    }
}

#[cfg(test)]
impl Picture {
    /// The planes without padding.
    pub(super) fn visible(&self) -> Vec<u8> {
        let sizes = [(self.width, self.height), (self.width / 2, self.height / 2), (self.width / 2, self.height / 2)];
        let rows = self.planes.iter().zip(sizes).flat_map(|(plane, (width, height))| {
            plane.samples.chunks(plane.stride).take(height).flat_map(move |row| row.iter().copied().take(width))
        });
        rows.collect()
    }
}

/// There and back between 0 and `range` in `period_ms`.
fn bounce(time_ms: u64, period_ms: u64, range: usize) -> usize {
    let within = time_ms % period_ms;
    let rising = within.min(period_ms - within);
    (rising * 2 * range as u64 / period_ms) as usize
}

/// Five rows of three pixels, the highest of the three bits on the left.
fn glyph(letter: u8) -> [u8; 5] {
    match letter {
        b'0' => [7, 5, 5, 5, 7],
        b'1' => [2, 6, 2, 2, 7],
        b'2' => [7, 1, 7, 4, 7],
        b'3' => [7, 1, 7, 1, 7],
        b'4' => [5, 5, 7, 1, 1],
        b'5' => [7, 4, 7, 1, 7],
        b'6' => [7, 4, 7, 5, 7],
        b'7' => [7, 1, 2, 2, 2],
        b'8' => [7, 5, 7, 5, 7],
        b'9' => [7, 5, 7, 1, 7],
        b':' => [0, 2, 0, 2, 0],
        b'.' => [0, 0, 0, 0, 2],
        _ => [0; 5],
    }
}
