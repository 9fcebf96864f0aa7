use super::Track::{Audio, Video};
use super::*;
use proptest::prelude::*;

fn timeline(live: Option<bool>) -> Timeline {
    Timeline::new(TimelineOptions { live, ..Default::default() })
}

#[test]
fn both_tracks_share_the_smaller_base() {
    let mut timeline = timeline(Some(true));
    timeline.observe(Video, 1_000_040);
    timeline.observe(Audio, 1_000_017);
    timeline.observe(Audio, 5);
    assert_eq!(timeline.map_non_media(0, 100), 0);
    assert_eq!(timeline.map_non_media(1_000_000, 100), 0);
    assert_eq!(timeline.map_coded(Video, 1_000_040, 100), 23);
    assert_eq!(timeline.map_coded(Audio, 1_000_017, 100), 0);
    assert_eq!(timeline.map_coded(Video, 1_000_080, 140), 63);
    assert_eq!(timeline.largest_output_ms(), Some(63));
    assert_eq!(timeline.last_source_ms(Video), Some(1_000_080));
}

#[test]
fn headers_just_before_the_first_frame_are_the_base() {
    for (live, header, frame, first) in [
        (Some(false), 0, 7, 7),
        (None, 0, 900, 900),
        (Some(true), 0, 900, 0),
        (Some(true), 60, 70, 10),
        (None, 0, 5000, 0),
    ] {
        let mut timeline = timeline(live);
        timeline.observe(Video, frame);
        timeline.observe(Audio, frame + 5);
        timeline.observe_non_media(header);
        assert_eq!(timeline.map_non_media(header, 1), 0);
        assert_eq!(timeline.map_coded(Video, frame, 1), first);
        assert_eq!(timeline.map_coded(Audio, frame + 5, 1), first + 5);
    }
}

#[test]
fn metadata_at_zero_before_frames_that_are_about_to_wrap_is_at_zero() {
    let mut timeline = timeline(Some(true));
    timeline.observe(Video, u32::MAX - 999);
    assert_eq!(timeline.map_non_media(0, 1), 0);
    assert_eq!(timeline.map_coded(Video, u32::MAX - 999, 1), 0);
    assert_eq!(timeline.map_coded(Video, 0, 1), 1000);
}

#[test]
fn what_comes_before_any_frame_is_at_zero() {
    let mut timeline = timeline(None);
    assert_eq!(timeline.map_non_media(77_000, 0), 0);
    assert_eq!(timeline.map_coded(Audio, 500, 0), 0);
    assert_eq!(timeline.map_coded(Video, 480, 0), 0, "a late track before the base cannot be negative");
    assert_eq!(timeline.map_coded(Video, 520, 0), 20);
}

#[test]
fn small_steps_back_and_gaps_stay() {
    for live in [Some(true), Some(false), None] {
        let mut timeline = timeline(live);
        let source = [10, 50, 30, 90, 70, 9_000, 7_000];
        let output: Vec<u64> = source.iter().map(|&t| timeline.map_coded(Video, t, 0)).collect();
        assert_eq!(output, [0, 40, 20, 80, 60, 8_990, 6_990], "{live:?}");
        assert!(timeline.discontinuities().is_empty());
    }
}

#[test]
fn a_publisher_who_begins_anew_is_stitched_on() {
    let mut timeline = timeline(Some(true));
    let mut now = 0;
    for i in 0..100 {
        timeline.map_coded(Video, 5_000 + i * 40, now);
        timeline.map_coded(Audio, 5_000 + i * 40 + 5, now);
        now += 40;
    }
    assert_eq!(timeline.largest_output_ms(), Some(3965));
    // Headers at 0 announce the new clock; they are no frames.
    assert_eq!(timeline.map_non_media(0, now), 3965);
    assert_eq!(timeline.map_coded(Video, 0, now), 3960 + 20, "it may be a wild frame");
    // The last audio of the old clock is still under way.
    assert_eq!(timeline.map_coded(Audio, 5_000 + 100 * 40 + 5, now), 4005);
    assert_eq!(timeline.map_coded(Video, 40, now), 3965 + 80);
    assert_eq!(timeline.map_coded(Audio, 13, now), 3965 + 53);
    assert_eq!(timeline.map_coded(Audio, 53, now), 3965 + 93);
    let [discontinuity] = timeline.discontinuities() else { panic!("{:?}", timeline.discontinuities()) };
    assert_eq!(
        (discontinuity.at_ms, discontinuity.gap_ms, discontinuity.reason),
        (4005, 40, DiscontinuityReason::ClockJump)
    );
    assert_eq!((discontinuity.source_before_ms, discontinuity.source_after_ms), (8965, 0));
}

/// Frame times of a track in milliseconds: `number` frames of `rate` in a second.
fn rounded_times(number: u32, rate: f64) -> impl Iterator<Item = u32> {
    (0..number).map(move |i| (f64::from(i) * 1000.0 / rate).round() as u32)
}

#[test]
fn the_same_clock_before_and_after_wild_frames_maps_the_same_way() {
    for (video_rate, audio_rate) in [(25.0, 46.875), (30.0, 50.0), (50.0, 46.875), (29.97, 43.066)] {
        for wild in [4_000_000_000u32, 0, 77_000_000] {
            for (every, burst, both, replaced) in [
                (50, 1, false, true),
                (50, 1, false, false),
                (7, 1, true, true),
                (90, 20, true, true),
                (3, 1, false, false),
            ] {
                let start = 1_000_000;
                let video = rounded_times(3000, video_rate).map(|time| (time, Video));
                let audio = rounded_times(5000, audio_rate).map(|time| (time, Audio));
                let mut frames: Vec<_> = video.chain(audio).collect();
                frames.sort_by_key(|(time, _)| *time);
                let mut timeline = timeline(Some(true));
                let mut last = [0; 2];
                for (i, (time, track)) in frames.iter().copied().enumerate() {
                    let (now, at) = (u64::from(time), start + time);
                    let is_wild = i > 20 && i % every < burst && (both || track == Video);
                    if is_wild {
                        let output = timeline.map_coded(track, wild.wrapping_add(time), now);
                        assert!(output >= last[track as usize], "{output} after {}", last[track as usize]);
                        last[track as usize] = output;
                    }
                    if !is_wild || !replaced {
                        let output = timeline.map_coded(track, at, now);
                        assert!(output >= last[track as usize], "{output} after {}", last[track as usize]);
                        assert!(output == now || output - now <= 40 && i % every < burst + 60, "{output} at {now}");
                        last[track as usize] = output;
                    }
                }
                assert!(timeline.discontinuity_count() > 0);
                assert_eq!(
                    timeline.largest_output_ms().unwrap().abs_diff(u64::from(frames.last().unwrap().0)) / 100,
                    0
                );
            }
        }
    }
}

#[test]
fn a_joint_is_as_long_as_frames_are_apart() {
    for (rate, most) in [(30.0, 34), (50.0, 20), (60.0, 17), (25.0, 40)] {
        let mut timeline = timeline(Some(true));
        let mut now = 0;
        for restart in 0..10 {
            timeline.expect_restart();
            for time in rounded_times(200, rate) {
                timeline.map_coded(Video, restart * 100_000_000 + time, now);
                now += 1;
            }
        }
        let gaps: Vec<_> = timeline.discontinuities().iter().map(|joint| joint.gap_ms).collect();
        assert_eq!(gaps.len(), 9);
        assert!(gaps.iter().all(|gap| (most - 1..=most).contains(gap)), "{rate}: {gaps:?}");
    }
}

#[test]
fn times_just_below_zero_are_not_weeks() {
    for live in [Some(true), Some(false), None] {
        let mut timeline = timeline(live);
        timeline.observe(Video, (-33i32).cast_unsigned());
        timeline.observe(Audio, (-21i32).cast_unsigned());
        assert_eq!(timeline.map_coded(Video, (-33i32).cast_unsigned(), 1), 0);
        assert_eq!(timeline.map_coded(Audio, (-21i32).cast_unsigned(), 1), 12);
        assert_eq!(timeline.map_coded(Video, 0, 2), 33);
        assert_eq!((timeline.source_ms(), timeline.largest_output_ms()), (Some(0), Some(33)));
    }
    let mut absolute = Timeline::new(TimelineOptions { live: Some(false), absolute: true, start_ms: None });
    let source = [-33, 0, 33];
    let output: Vec<_> = source.iter().map(|time: &i32| absolute.map_coded(Video, time.cast_unsigned(), 1)).collect();
    assert_eq!(output, [0, 0, 33]);
    assert_eq!(first_time(3_000_000_000), 3_000_000_000, "a server that has run for a month");
}

#[test]
fn one_wild_frame_is_not_how_far_it_has_come() {
    for wild in [0, 2, 5] {
        let mut timeline = timeline(Some(false));
        for i in 0..10u32 {
            let time = if i == wild { 4_294_000 } else { 30_000 + i * 40 };
            timeline.map_coded(Video, time, 1);
        }
        assert_eq!(
            timeline.reached_output_ms().unwrap() as i64 - timeline.first_output_ms(),
            if wild == 0 { 320 } else { 360 },
            "{wild}"
        );
    }
}

#[test]
fn a_second_track_that_begins_before_the_first_in_the_new_epoch_does_not_step_back() {
    let mut timeline = timeline(Some(true));
    timeline.map_coded(Video, 100_000, 1);
    timeline.map_coded(Audio, 100_020, 1);
    assert_eq!(timeline.map_coded(Video, 500, 2), 20);
    // 80 ms before the video: at the old offset it would be at −20.
    assert_eq!(timeline.map_coded(Audio, 420, 2), 21);
    assert_eq!(timeline.map_coded(Video, 540, 3), 141);
    assert_eq!(timeline.map_coded(Audio, 443, 3), 44);
}

#[test]
fn a_jump_ahead_is_stitched_unless_time_has_passed() {
    let mut jump = timeline(Some(true));
    jump.map_coded(Video, 0, 1_000);
    jump.map_coded(Video, 40, 1_040);
    assert_eq!(jump.map_coded(Video, 3_600_000, 1_080), 60);
    assert_eq!(jump.map_coded(Video, 3_600_040, 1_120), 120);
    let mut pause = timeline(Some(true));
    pause.map_coded(Video, 0, 1_000);
    pause.map_coded(Video, 40, 1_040);
    assert_eq!(pause.map_coded(Video, 60_000, 61_000), 60_000);
    assert_eq!(pause.discontinuity_count(), 0);
}

#[test]
fn on_demand_is_never_stitched() {
    let mut timeline = timeline(Some(false));
    for (source, output) in [(20, 0), (60, 40), (3_600_000, 3_599_980), (100, 80), (140, 120)] {
        assert_eq!(timeline.map_coded(Video, source, 5), output);
    }
    timeline.new_connection(Join::Append);
    assert_eq!(timeline.map_coded(Video, 180, 6), 160);
    assert_eq!(timeline.discontinuity_count(), 0);
}

#[test]
fn an_unknown_source_that_outruns_the_clock_is_taken_as_on_demand() {
    let mut fast = timeline(None);
    for i in 0..1000 {
        fast.map_coded(Video, i * 40, 100);
    }
    assert_eq!(fast.map_coded(Video, 10_000_000, 100), 10_000_000);
    let mut paced = timeline(None);
    for i in 0..1000 {
        paced.map_coded(Video, i * 40, 100 + u64::from(i) * 40);
    }
    assert_eq!(paced.map_coded(Video, 10_000_000, 40_100), 39_980);
    assert_eq!(paced.live(), Some(true));
    let mut short = timeline(None);
    short.map_coded(Video, 60_000, 100);
    assert_eq!(short.map_coded(Video, 0, 100), 0, "too early to tell: as it came, not before the beginning");
    assert_eq!(short.map_coded(Video, 70_000, 100), 70_000);
}

#[test]
fn the_32_bit_wrap_goes_unnoticed() {
    for live in [Some(true), Some(false), None] {
        let mut timeline = timeline(live);
        let start = u32::MAX - 59;
        for i in 0..10 {
            let now = u64::from(i) * 40;
            assert_eq!(timeline.map_coded(Video, start.wrapping_add(i * 40), now), u64::from(i) * 40);
            assert_eq!(timeline.map_coded(Audio, start.wrapping_add(i * 40 + 7), now), u64::from(i) * 40 + 7);
        }
    }
}

#[test]
fn a_lead_in_across_the_wrap_finds_the_earlier_track() {
    let mut timeline = timeline(Some(true));
    timeline.observe(Audio, 10);
    timeline.observe(Video, u32::MAX - 9);
    assert_eq!(timeline.map_coded(Audio, 10, 1), 20);
    assert_eq!(timeline.map_coded(Video, u32::MAX - 9, 1), 0);
}

#[test]
fn output_runs_beyond_32_bits() {
    let mut timeline = timeline(Some(true));
    let mut last = 0;
    for day in 0..120u64 {
        let ms = day * 86_400_000;
        last = timeline.map_coded(Video, ms as u32, ms);
        assert_eq!(last, ms);
    }
    assert!(last > 2 * u64::from(u32::MAX));
}

#[test]
fn a_late_header_at_zero_near_the_beginning_keeps_its_time() {
    let mut timeline = timeline(Some(true));
    timeline.observe(Video, 0);
    for time in [0, 40] {
        assert_eq!(timeline.map_coded(Video, time, u64::from(time)), u64::from(time));
    }
    assert_eq!(timeline.map_non_media(0, 41), 0, "the second track's header");
    assert_eq!(timeline.map_coded(Audio, 57, 57), 57);
}

#[test]
fn headers_at_zero_in_mid_stream_do_no_harm() {
    for live in [Some(true), None] {
        let mut timeline = timeline(live);
        timeline.map_coded(Video, 2_000, 1);
        timeline.map_coded(Video, 8_000, 6_001);
        assert_eq!(timeline.map_non_media(0, 6_001), 6_000);
        assert_eq!(timeline.map_coded(Video, 8_040, 6_041), 6_040);
        assert_eq!(timeline.map_non_media(8_050, 6_041), 6_050);
        assert_eq!(timeline.map_non_media(500_000, 6_041), 6_050);
        assert_eq!(timeline.discontinuity_count(), 0);
    }
}

#[test]
fn on_demand_data_keeps_its_own_times() {
    let mut timeline = timeline(Some(false));
    timeline.map_coded(Video, 0, 1);
    assert_eq!(timeline.map_non_media(7_200_000, 1), 7_200_000, "cue points may all stand in front");
    timeline.map_coded(Video, 3_000_000, 1);
    assert_eq!(timeline.map_non_media(40, 1), 40);
    let mut late = Timeline::new(TimelineOptions { live: Some(false), ..Default::default() });
    late.map_coded(Video, 3_000_000_000, 1);
    assert_eq!(late.map_non_media(0, 1), 0, "0 is long ago, not 15 days ahead");
}

#[test]
fn absolute_times_are_the_servers() {
    let mut timeline = Timeline::new(TimelineOptions { live: Some(true), absolute: true, start_ms: None });
    for source in [1_000_000, 1_000_040, 20, 60] {
        assert_eq!(timeline.map_coded(Video, source, 1) as u32, source);
    }
    assert_eq!(timeline.map_non_media(30, 1), 30);
}

#[test]
fn an_absolute_start_is_added_only_where_the_server_restarts() {
    let options = TimelineOptions { live: Some(false), absolute: true, start_ms: Some(20_000) };
    let mut restarting = Timeline::new(options);
    assert_eq!(restarting.map_coded(Video, 0, 1), 20_000);
    assert_eq!(restarting.map_coded(Audio, 23, 1), 20_023);
    let mut absolute = Timeline::new(options);
    assert_eq!(absolute.map_coded(Video, 18_000, 1), 18_000);
    let rebased = TimelineOptions { absolute: false, ..options };
    for first in [0, 18_000, 22_000] {
        assert_eq!(Timeline::new(rebased).map_coded(Video, first, 1), 0);
    }
}

#[test]
fn a_reconnection_appends_or_leaves_the_gap() {
    for (join, gap) in [(Join::Append, 40), (Join::WallClock, 30_000)] {
        let mut timeline = timeline(Some(true));
        timeline.map_coded(Video, 1_000, 1_000);
        timeline.map_coded(Audio, 1_010, 1_000);
        timeline.map_coded(Video, 1_040, 1_040);
        timeline.new_connection(join);
        assert_eq!(timeline.map_non_media(1_060, 31_040), 40, "headers before the first frame keep to what was");
        // Even a clock that goes on is not trusted: the server may start again for each connection.
        assert_eq!(timeline.map_coded(Video, 1_080, 31_040), 40 + gap);
        assert_eq!(timeline.map_coded(Audio, 1_090, 31_041), 50 + gap);
        assert_eq!(timeline.discontinuities()[0].reason, DiscontinuityReason::Reconnect);
        assert_eq!(timeline.discontinuity_count(), 1);
    }
}

#[test]
fn a_reconnection_before_the_first_frame_starts_afresh() {
    let mut timeline = timeline(Some(true));
    timeline.observe(Video, 5_000);
    timeline.new_connection(Join::WallClock);
    assert_eq!(timeline.map_coded(Audio, 900, 10), 0);
    assert_eq!(timeline.discontinuity_count(), 0);
}

#[test]
fn a_mad_clock_is_counted_not_collected() {
    let mut timeline = timeline(Some(true));
    for i in 0..10_000u32 {
        timeline.map_coded(Video, i.wrapping_mul(0x1234_5678), 0);
    }
    assert!(timeline.discontinuity_count() > 5_000);
    assert_eq!(timeline.discontinuities().len(), MAX_DISCONTINUITIES_KEPT);
    assert!(timeline.largest_output_ms().unwrap() < 10_000 * 10_040);
}

fn any_track() -> impl Strategy<Value = Track> {
    prop_oneof![Just(Audio), Just(Video)]
}

proptest! {
    /// Whatever starts it has, a sane clock is only shifted, over any number of wraps.
    #[test]
    fn a_running_clock_is_only_shifted(
        live in any::<Option<bool>>(), start: u32,
        steps in proptest::collection::vec((any_track(), -2_000i64..9_000), 1..200),
    ) {
        let mut timeline = timeline(live);
        let (mut source, mut now) = (i64::from(start) + 3_000, 0u64);
        let mut last: [Option<(i64, i64)>; 2] = [None; 2];
        timeline.observe(Audio, start);
        for (track, step) in steps {
            // Steps of one track are bounded when those of both together are.
            source += step / 4;
            now += 9_000;
            let output = timeline.map_coded(track, source as u32, now) as i64;
            if let Some((from, to)) = last[track as usize] {
                prop_assert_eq!(output - to, source - from);
            }
            if source - 1_000 > i64::from(start) { last[track as usize] = Some((source, output)); }
        }
        prop_assert_eq!(timeline.discontinuity_count(), 0);
    }

    /// Publishers that come and go: each track rises as long as its source rises within each segment.
    #[test]
    fn restarts_keep_each_track_rising(
        segments in proptest::collection::vec((any::<u32>(), 1u32..30, 0u32..200, any::<bool>()), 1..10),
    ) {
        let mut timeline = timeline(Some(true));
        let mut last: [Option<u64>; 2] = [None; 2];
        let mut now = 1;
        for (start, frames, skew, reconnect) in segments {
            if reconnect { timeline.new_connection(Join::Append); }
            for i in 0..frames {
                for (track, skew) in [(Video, skew), (Audio, 100)] {
                    let source = start.wrapping_add(i * 40).wrapping_add(skew);
                    let output = timeline.map_coded(track, source, now);
                    if let Some(before) = last[track as usize] {
                        // Clocks that begin within the tolerance of the old one are not told apart from jitter.
                        prop_assert!(output + 3_000 >= before && output <= before + 20_000, "{before} then {output}");
                    }
                    last[track as usize] = Some(output);
                }
                now += 40;
            }
        }
    }

    #[test]
    fn anything_goes_without_panic(
        live in any::<Option<bool>>(), absolute: bool, start_ms in any::<Option<u64>>(),
        messages in proptest::collection::vec((0u8..4, any::<u32>(), any::<u64>()), 0..200),
    ) {
        let mut timeline = Timeline::new(TimelineOptions { live, absolute, start_ms });
        for (kind, timestamp, now) in messages {
            match kind {
                0 => drop(timeline.map_coded(Audio, timestamp, now)),
                1 => drop(timeline.map_coded(Video, timestamp, now)),
                2 => drop(timeline.map_non_media(timestamp, now)),
                _ => timeline.new_connection(if timestamp % 2 == 0 { Join::Append } else { Join::WallClock }),
            }
        }
    }
}
