use super::super::tests::sounds;
use super::*;

#[test]
fn audio_of_both_forms() {
    let tag = AudioTag::parse(b"\xaf\x00\x12\x10").unwrap();
    let sound = Sound { format: 10, rate_hz: 44_100, sample_bits: 16, channels: 2 };
    assert_eq!((tag.sound, tag.packet, tag.is_enhanced()), (Some(sound), AudioPacket::SequenceStart, false));
    assert_eq!(sounds(&tag), [(0, AudioCodec::Format(10), &b"\x12\x10"[..])]);
    let tag = AudioTag::parse(b"\xaf\x01!").unwrap();
    assert_eq!((tag.packet, sounds(&tag)), (AudioPacket::CodedFrames, vec![(0, AudioCodec::Format(10), &b"!"[..])]));
    let tag = AudioTag::parse(b"\x24!").unwrap();
    assert_eq!(tag.sound, Some(Sound { format: 2, rate_hz: 11_025, sample_bits: 8, channels: 1 }));
    assert_eq!((tag.packet, sounds(&tag)), (AudioPacket::CodedFrames, vec![(0, AudioCodec::Format(2), &b"!"[..])]));
    assert_eq!(AudioTag::parse(&[0x08]).unwrap().sound.unwrap().rate_hz, 22_050);
    assert_eq!(AudioTag::parse(&[0x02]).unwrap().sound.unwrap().sample_bits, 16);
    assert_eq!(AudioTag::parse(&[0x02]).unwrap().sound.unwrap().rate_hz, 5_512);
    assert!(AudioTag::parse(&[0xaf]).is_err() && AudioTag::parse(&[0xaf, 2]).is_err());
    let silence = AudioTag::parse(&[]).unwrap();
    assert_eq!((silence.packet, silence.is_enhanced(), sounds(&silence)), (AudioPacket::Silence, false, vec![]));

    for (byte, packet) in [
        (0x90, AudioPacket::SequenceStart),
        (0x91, AudioPacket::CodedFrames),
        (0x92, AudioPacket::SequenceEnd),
        (0x94, AudioPacket::MultichannelConfig),
    ] {
        let payload = [&[byte][..], b"fLaCbody"].concat();
        let tag = AudioTag::parse(&payload).unwrap();
        assert_eq!((tag.packet, tag.sound, tag.is_enhanced()), (packet, None, true));
        assert_eq!(sounds(&tag), [(0, AudioCodec::FourCc(FourCc::FLAC), &b"body"[..])]);
    }
    for reserved in [3, 6, 8, 15] {
        assert!(AudioTag::parse(&[&[0x90 | reserved][..], b"mp4a"].concat()).is_err());
    }
    let tag = AudioTag::parse(b"\x95\x21mp4a\0\0\0\x01aac-3\x01\0\0\x02bc").unwrap();
    assert_eq!(tag.multitrack, Some(Multitrack::ManyTracksManyCodecs));
    let aac = (0, AudioCodec::FourCc(FourCc::AAC), &b"a"[..]);
    assert_eq!(sounds(&tag), [aac, (1, AudioCodec::FourCc(FourCc::AC3), b"bc")]);
}

#[test]
fn orders_of_channels() {
    let channels = |body| AudioTrack { id: 0, codec: AudioCodec::FourCc(FourCc::OPUS), body }.channels();
    assert_eq!(channels(&[0, 6]).unwrap(), Channels { count: 6, order: ChannelOrder::Unspecified });
    assert_eq!(channels(&[1, 6, 0, 0, 6, 0x0f]).unwrap(), Channels { count: 6, order: ChannelOrder::Native(0x60f) });
    let custom = ChannelOrder::Custom(&[0, 1, 0xff]);
    assert_eq!(channels(&[2, 3, 0, 1, 0xff]).unwrap(), Channels { count: 3, order: custom });
    assert_eq!(channels(&[9, 2]).unwrap().order, ChannelOrder::Reserved(9));
    for cut in [&[][..], &[0], &[1, 6, 0, 0, 6], &[2, 3, 0, 1]] {
        assert!(channels(cut).is_err(), "{cut:?}");
    }
}
