//! How a stream goes over time: bit rate and distances of frames of each track, and how far video and audio are apart.
//!
//! ```text
//! TimeSeries: │cell│cell│cell│ … at most MAX_CELLS; each as many milliseconds wide as the others
//!         a time beyond the last place: cells are merged in pairs and twice as wide from then on
//! ```
//!
//! So memory is bounded however long the stream is, and a picture has about as many points after a day as after a minute. The
//! axis is media time since the first frame, of whatever track; where a track's time leaps, the axis goes on without the leap
//! (that it leapt is a finding). Not told is what came between: a cell knows number, sum, lowest and highest, no more.

use super::track::Kind;

/// Values over time, in cells of equal width.
#[derive(Debug, Clone, PartialEq)]
pub struct TimeSeries {
    width_ms: i64,
    cells: Vec<Cell>,
}

/// What fell into one cell.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Cell {
    count: u64,
    sum: i64,
    min: i64,
    max: i64,
}

/// What is told of one cell that is not empty.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Middle of the cell, in milliseconds since the beginning.
    pub time_ms: f64,
    /// Mean of the values.
    pub mean: f64,
    /// Lowest value.
    pub min: f64,
    /// Highest value.
    pub max: f64,
}

impl TimeSeries {
    /// An empty series, whose cells are `width_ms` wide (at least 1) at first.
    pub fn new(width_ms: i64) -> Self {
        Self { width_ms: width_ms.max(1), cells: Vec::new() }
    }

    /// Takes a value at a time into account; a time before the beginning counts as the beginning.
    pub fn note(&mut self, time_ms: i64, value: i64) {
        let time = time_ms.max(0);
        while time / self.width_ms >= MAX_CELLS {
            self.halve();
        }
        let index = (time / self.width_ms) as usize;
        if self.cells.len() <= index {
            self.cells.resize(index + 1, Cell::default());
        }
        if let Some(cell) = self.cells.get_mut(index) {
            cell.add(Cell { count: 1, sum: value, min: value, max: value });
        }
    }

    /// How wide a cell is by now, in milliseconds.
    pub fn width_ms(&self) -> i64 {
        self.width_ms
    }

    /// The cells that have values, in order.
    pub fn points(&self) -> impl Iterator<Item = Point> + '_ {
        self.cells.iter().enumerate().filter(|(_, cell)| cell.count > 0).map(|(index, cell)| Point {
            time_ms: self.middle_ms(index),
            mean: cell.sum as f64 / cell.count as f64,
            min: cell.min as f64,
            max: cell.max as f64,
        })
    }

    /// What the values of a second amount to, in each cell that ended before `until_ms`; of an empty cell 0.
    fn per_second(&self, until_ms: i64) -> impl Iterator<Item = Point> + '_ {
        let whole = (until_ms / self.width_ms).clamp(0, MAX_CELLS) as usize;
        (0..whole).map(|index| {
            let sum = self.cells.get(index).map_or(0, |cell| cell.sum);
            let rate = sum as f64 * 1000.0 / self.width_ms as f64;
            Point { time_ms: self.middle_ms(index), mean: rate, min: rate, max: rate }
        })
    }

    fn middle_ms(&self, index: usize) -> f64 {
        (index as f64 + 0.5) * self.width_ms as f64
    }

    fn halve(&mut self) {
        let merged = self.cells.chunks(2).map(|pair| {
            let mut cell = Cell::default();
            pair.iter().for_each(|half| cell.add(*half));
            cell
        });
        self.cells = merged.collect();
        self.width_ms = self.width_ms.saturating_mul(2);
    }
}

impl Cell {
    fn add(&mut self, other: Cell) {
        if other.count == 0 {
            return;
        }
        let was_empty = self.count == 0;
        self.min = if was_empty { other.min } else { self.min.min(other.min) };
        self.max = if was_empty { other.max } else { self.max.max(other.max) };
        self.count += other.count;
        self.sum = self.sum.saturating_add(other.sum);
    }
}

/// How a stream went, from its first frame on.
#[derive(Debug, Clone, PartialEq)]
pub struct Timeline {
    lanes: Vec<Lane>,
    offset: TimeSeries,
    latest_offset_ms: Option<i64>,
    /// The first frame's time, and how far the axis has come from there.
    axis: Option<(i64, i64)>,
}

/// How one track went.
#[derive(Debug, Clone, PartialEq)]
pub struct Lane {
    /// Video or audio.
    pub kind: Kind,
    /// Track number.
    pub id: u8,
    bytes: TimeSeries,
    intervals: TimeSeries,
    last_ms: Option<i64>,
    /// What is added to its times for the place on the axis.
    shift_ms: i64,
}

impl Default for Timeline {
    fn default() -> Self {
        Self { lanes: Vec::new(), offset: TimeSeries::new(FRAME_CELL_MS), latest_offset_ms: None, axis: None }
    }
}

impl Timeline {
    /// Takes a frame into account: of which track, its time (unwrapped) in milliseconds, and its length.
    pub fn frame(&mut self, kind: Kind, id: u8, time_ms: i64, bytes: u64) {
        let (origin, head) = *self.axis.get_or_insert((time_ms, 0));
        let at = match self.lanes.binary_search_by_key(&(kind, id), |lane| (lane.kind, lane.id)) {
            Ok(at) => at,
            Err(_) if self.lanes.len() >= MAX_LANES => return,
            Err(at) => {
                let near = (time_ms - origin - head).abs() <= LEAP_MS;
                let shift_ms = if near { -origin } else { head - time_ms };
                let (bytes, intervals) = (TimeSeries::new(RATE_CELL_MS), TimeSeries::new(FRAME_CELL_MS));
                self.lanes.insert(at, Lane { kind, id, bytes, intervals, last_ms: None, shift_ms });
                at
            }
        };
        let Some(lane) = self.lanes.get_mut(at) else { return };
        if let Some(step) = lane.last_ms.replace(time_ms).map(|last| time_ms - last) {
            if step.abs() > LEAP_MS {
                lane.shift_ms = head - time_ms;
            } else {
                lane.intervals.note(time_ms + lane.shift_ms, step);
            }
        }
        let place = time_ms + lane.shift_ms;
        lane.bytes.note(place, i64::try_from(bytes).unwrap_or(i64::MAX));
        self.axis = Some((origin, head.max(place)));
    }

    /// Takes into account how far video is ahead of audio by now, in milliseconds.
    pub fn offset(&mut self, offset_ms: i64) {
        self.latest_offset_ms = Some(offset_ms);
        self.offset.note(self.length_ms(), offset_ms);
    }

    /// How long it is, in milliseconds: to the beginning of the last frame.
    pub fn length_ms(&self) -> i64 {
        self.axis.map_or(0, |(_, head)| head)
    }

    /// The tracks, video first; of a stream with more than [`MAX_LANES`], those that came first.
    pub fn lanes(&self) -> &[Lane] {
        &self.lanes
    }

    /// Bits in a second, of one of the tracks; the cell that is not over yet is left out.
    pub fn bit_rate<'a>(&'a self, lane: &'a Lane) -> impl Iterator<Item = Point> + 'a {
        let bits = |point: Point| Point { mean: point.mean * 8.0, min: point.min * 8.0, max: point.max * 8.0, ..point };
        lane.bytes.per_second(self.length_ms()).map(bits)
    }

    /// How far video is ahead of audio, in milliseconds.
    pub fn offsets(&self) -> &TimeSeries {
        &self.offset
    }

    /// The last of it.
    pub fn latest_offset_ms(&self) -> Option<i64> {
        self.latest_offset_ms
    }
}

impl Lane {
    /// Times from one frame to the next, in milliseconds.
    pub fn intervals(&self) -> &TimeSeries {
        &self.intervals
    }
}

/// Cells of a series: about as many as a picture has columns that the eye tells apart.
const MAX_CELLS: i64 = 512;

/// Tracks that are drawn; more make a thicket, and a hostile stream has 512.
pub const MAX_LANES: usize = 8;

/// A bit rate is told by the second at first.
const RATE_CELL_MS: i64 = 1000;

/// Frames of 25 in a second have a cell of their own at first.
const FRAME_CELL_MS: i64 = 40;

/// A step longer than this, forth or back, is a leap of the clock and no place on the axis: else one wrong timestamp would
/// press all that there is into a single cell.
const LEAP_MS: i64 = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn means(points: impl Iterator<Item = Point>) -> Vec<(f64, f64)> {
        points.map(|point| (point.time_ms, point.mean)).collect()
    }

    #[test]
    fn a_cell_knows_number_sum_and_range() {
        let mut series = TimeSeries::new(100);
        for (time, value) in [(-5, 10), (99, -30), (250, 7)] {
            series.note(time, value);
        }
        let points: Vec<_> = series.points().collect();
        assert_eq!(points[0], Point { time_ms: 50.0, mean: -10.0, min: -30.0, max: 10.0 });
        assert_eq!(points[1], Point { time_ms: 250.0, mean: 7.0, min: 7.0, max: 7.0 });
        assert_eq!(points.len(), 2, "an empty cell is no point");
    }

    #[test]
    fn a_full_series_halves_its_resolution_and_loses_nothing() {
        let mut series = TimeSeries::new(10);
        for i in 0..MAX_CELLS {
            series.note(i * 10, i);
        }
        assert_eq!((series.width_ms(), series.points().count()), (10, 512));
        series.note(MAX_CELLS * 10, 1);
        assert_eq!((series.width_ms(), series.points().count()), (20, 257));
        let first = series.points().next().unwrap();
        assert_eq!(first, Point { time_ms: 10.0, mean: 0.5, min: 0.0, max: 1.0 });
        let cells: (u64, i64) = series.cells.iter().fold((0, 0), |(n, sum), cell| (n + cell.count, sum + cell.sum));
        assert_eq!(cells, (513, 511 * 512 / 2 + 1));
    }

    #[test]
    fn memory_is_bounded_for_any_length() {
        let mut series = TimeSeries::new(1);
        for time in (0..62).map(|bit| 1_i64 << bit).chain([i64::MAX]) {
            series.note(time, i64::MAX);
            assert!(series.cells.len() as i64 <= MAX_CELLS && series.cells.capacity() as i64 <= 2 * MAX_CELLS);
        }
        let mut timeline = Timeline::default();
        for day in 0..100_000 {
            timeline.frame(Kind::Video, 0, day * 5000, 10);
        }
        let lane = &timeline.lanes()[0];
        assert!(lane.bytes.cells.len() <= 512 && lane.intervals.cells.len() <= 512);
        assert!(timeline.bit_rate(lane).all(|point| (15.5..16.5).contains(&point.mean)), "the rate stays the same");
    }

    #[test]
    fn rates_are_of_whole_seconds_and_intervals_of_frames() {
        let mut timeline = Timeline::default();
        for i in 0..60 {
            timeline.frame(Kind::Video, 0, 5000 + i * 40, if i < 25 { 500 } else { 1000 });
        }
        let lane = &timeline.lanes()[0];
        let rate = means(timeline.bit_rate(lane));
        assert_eq!(rate, [(500.0, 100_000.0), (1500.0, 200_000.0)], "the third second is not over");
        assert_eq!(lane.intervals().points().count(), 59);
        assert!(lane.intervals().points().all(|point| (point.min, point.max) == (40.0, 40.0)));
    }

    #[test]
    fn a_track_that_falls_silent_has_no_bit_rate() {
        let mut timeline = Timeline::default();
        timeline.frame(Kind::Audio, 0, 0, 125);
        for i in 0..=30 {
            timeline.frame(Kind::Video, 0, i * 100, 1);
        }
        let kinds: Vec<Kind> = timeline.lanes().iter().map(|lane| lane.kind).collect();
        assert_eq!(kinds, [Kind::Video, Kind::Audio]);
        let rate = means(timeline.bit_rate(&timeline.lanes()[1]));
        assert_eq!(rate, [(500.0, 1000.0), (1500.0, 0.0), (2500.0, 0.0)]);
    }

    #[test]
    fn the_axis_goes_on_without_leaps() {
        let mut timeline = Timeline::default();
        for time in [0, 1000, 2000, 2_000_000_000, 2_000_001_000, 50, 1050] {
            timeline.frame(Kind::Video, 0, time, 1);
        }
        assert_eq!(timeline.length_ms(), 4000);
        assert!(timeline.lanes()[0].intervals().points().all(|point| point.max == 1000.0));
        // A track whose clock is another one begins where the stream is.
        timeline.frame(Kind::Audio, 0, 900_000, 1);
        assert_eq!((timeline.length_ms(), timeline.lanes()[1].shift_ms), (4000, 4000 - 900_000));
    }

    #[test]
    fn tracks_are_not_without_number() {
        let mut timeline = Timeline::default();
        for id in 0..=u8::MAX {
            timeline.frame(Kind::Video, id, 0, 1);
        }
        timeline.frame(Kind::Video, 0, 40, 1);
        assert_eq!((timeline.lanes().len(), timeline.length_ms()), (MAX_LANES, 40));
    }

    #[test]
    fn offsets_stand_where_the_stream_is() {
        let mut timeline = Timeline::default();
        timeline.frame(Kind::Video, 0, 100, 1);
        timeline.frame(Kind::Video, 0, 200, 1);
        timeline.offset(-20);
        assert_eq!(
            (timeline.latest_offset_ms(), means(timeline.offsets().points())),
            (Some(-20), vec![(100.0, -20.0)])
        );
    }
}
