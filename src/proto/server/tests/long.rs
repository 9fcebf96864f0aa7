//! Long streams: times beyond what a chunk's three bytes hold (4 h 39 min), what a number with a sign does (24.8 days) and
//! what four bytes do (49.7 days), over the wire and back.

use super::*;

#[test]
fn times_are_carried_through_every_border() {
    const HOUR: u64 = 3_600_000;
    let borders = [0xff_ffff, 0x100_0000, 1 << 31, 1 << 32, (1 << 32) + 0xff_ffff, 3 << 32, 100 * 24 * HOUR];
    for chunk_size in [None, Some(1), Some(4096)] {
        // From well before each border to well behind it, frame by frame; and from one border to the next in one step.
        let mut times: Vec<u64> = borders.iter().flat_map(|border| (border - 200..border + 200).step_by(39)).collect();
        times.extend(borders.iter().flat_map(|border| [border - 1, *border, border + 1]));
        times.sort_unstable();
        let mut pair = Pair::new(config(), ServerOptions { chunk_size, ..ServerOptions::default() });
        pair.run(|server, event| {
            let ServerEvent::Play(request) = event else { return };
            server.begin_play(request, true);
            for time in &times {
                server.media(request.stream_id, message_type::VIDEO, *time as u32, &[0x27; 300]);
                server.media(request.stream_id, message_type::AUDIO, (*time + 7) as u32, &[0xaf; 100]);
            }
        });
        let expected: Vec<(u8, u32)> =
            times.iter().flat_map(|time| [(9, *time as u32), (8, (*time + 7) as u32)]).collect();
        // The data message that the server begins with is none of these.
        pair.media.retain(|(kind, ..)| *kind != message_type::DATA_AMF0);
        let got: Vec<(u8, u32)> = pair.media.iter().map(|(kind, time, _)| (*kind, *time)).collect();
        assert_eq!(got, expected, "{chunk_size:?}");
        assert!(pair.media.iter().all(|(_, _, payload)| payload.iter().all(|byte| *byte == payload[0])));
    }
}
