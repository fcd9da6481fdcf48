//! What each codec accepts, and what it may not be talked into.

use super::*;

fn decode_up_to(compression: Compression, compressed: impl Into<Bytes>, max_bytes: usize) -> Result<Vec<u8>, Refusal> {
    let mut decoded = Vec::new();
    let mut decoder = Decoder::new(compression, compressed.into(), max_bytes).map_err(refusal_of)?;
    let outcome = decoder.read_to_end(&mut decoded);
    assert!(decoded.len() <= max_bytes, "more came out than allowed");
    outcome.map_err(refusal_of)?;
    assert_eq!(decoded.len(), decoder.decoded_bytes());
    Ok(decoded)
}

fn decode(compression: Compression, compressed: impl Into<Bytes>) -> Result<Vec<u8>, Refusal> {
    decode_up_to(compression, compressed, 1 << 20)
}

fn is_undecodable(outcome: &Result<Vec<u8>, Refusal>) -> bool {
    matches!(outcome, Err(Refusal::Undecodable(_)))
}

/// Three blocks of snappy, two of lz4.
fn sample() -> Vec<u8> {
    (0..80_000u32).map(|index| (index / 7 % 251) as u8).collect()
}

#[test]
fn every_codec_gives_back_what_it_was_given() {
    for compression in Compression::ALL {
        assert_eq!(Compression::from_id(compression.id()), Some(compression));
        for content in [&b""[..], b"a", &sample()] {
            let compressed = compression.compress(content);
            assert_eq!(decode(compression, compressed).as_deref(), Ok(content), "{compression:?}");
        }
    }
    assert_eq!(Compression::from_id(5), None);
    assert_eq!(Compression::from_id(-1), None);
}

#[test]
fn the_limit_is_exact() {
    for compression in Compression::ALL {
        let compressed = Bytes::from(compression.compress(&sample()));
        assert!(decode_up_to(compression, compressed.clone(), 80_000).is_ok());
        let refusal = decode_up_to(compression, compressed, 79_999);
        assert!(matches!(refusal, Err(Refusal::TooLarge(_))), "{compression:?}: {refusal:?}");
    }
}

#[test]
fn bombs_stop_at_the_limit() {
    let zeros = vec![0; 64 << 20];
    for compression in Compression::ALL.into_iter().skip(1) {
        let bomb = compression.compress(&zeros);
        let mut decoder = Decoder::new(compression, bomb.into(), 100_000).expect("a good start");
        let mut window = [0; 4096];
        let refusal = loop {
            match decoder.read(&mut window) {
                Ok(count) => assert!(count > 0, "the content ended"),
                Err(error) => break refusal_of(error),
            }
        };
        assert!(matches!(refusal, Refusal::TooLarge(_)), "{compression:?}: {refusal:?}");
        assert!(decoder.decoded_bytes() <= 100_000);
    }
    let block = snap::raw::Encoder::new().compress_vec(&zeros).expect("below snappy's limit");
    assert!(matches!(decode(Compression::Snappy, block), Err(Refusal::TooLarge(_))));
}

#[test]
fn anything_cut_short_is_undecodable() {
    for compression in [Compression::Gzip, Compression::Lz4, Compression::Zstd] {
        let whole = Bytes::from(compression.compress(&sample()));
        for size in [1, 5, 7, 12, whole.len() / 2, whole.len() - 5, whole.len() - 1] {
            let outcome = decode(compression, whole.slice(..size));
            assert!(is_undecodable(&outcome), "{compression:?} cut to {size}");
        }
    }
    let snappy = Bytes::from(Compression::Snappy.compress(&sample()));
    assert!(is_undecodable(&decode(Compression::Snappy, snappy.slice(..snappy.len() - 1))));
    assert!(is_undecodable(&decode(Compression::Gzip, Bytes::new())));
    assert!(is_undecodable(&decode(Compression::Snappy, Bytes::new())));
    assert!(is_undecodable(&decode(Compression::Lz4, Bytes::new())));
}

#[test]
fn gzip_goes_on_to_further_members_and_ignores_what_is_none() {
    let member = Compression::Gzip.compress(b"abc");
    let twice = [&member[..], &member].concat();
    assert_eq!(decode(Compression::Gzip, twice).as_deref(), Ok(&b"abcabc"[..]));
    let garbage = [&member[..], &[7; 40]].concat();
    assert_eq!(decode(Compression::Gzip, garbage).as_deref(), Ok(&b"abc"[..]));
    let mut bad_checksum = member;
    let trailer = bad_checksum.len() - 8;
    bad_checksum[trailer] ^= 1;
    assert!(is_undecodable(&decode(Compression::Gzip, bad_checksum)));
}

#[test]
fn zstd_goes_on_to_further_frames() {
    let frame = Compression::Zstd.compress(b"abc");
    let twice = [&frame[..], &frame].concat();
    assert_eq!(decode(Compression::Zstd, twice).as_deref(), Ok(&b"abcabc"[..]));
    let garbage = [&frame[..], &[7; 40]].concat();
    assert!(is_undecodable(&decode(Compression::Zstd, garbage)));
    // Magic, a descriptor without a content size, and a window of 2^28: one more than zstd allows by default.
    let mut wide = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 18 << 3, 0x01, 0x00, 0x00];
    assert!(is_undecodable(&decode(Compression::Zstd, wide.clone())));
    wide[5] = 17 << 3;
    assert_eq!(decode(Compression::Zstd, wide).as_deref(), Ok(&b""[..]));
}

#[test]
fn lz4_takes_one_frame_of_independent_blocks() {
    let frame = Compression::Lz4.compress(b"abc");
    let twice = [&frame[..], &frame].concat();
    assert_eq!(decode(Compression::Lz4, twice).as_deref(), Ok(&b"abc"[..]));
    let layout = lz4_flex::frame::FrameInfo::new().block_mode(lz4_flex::frame::BlockMode::Linked);
    let mut linked = lz4_flex::frame::FrameEncoder::with_frame_info(layout, Vec::new());
    std::io::Write::write_all(&mut linked, &sample()).expect("memory");
    assert!(is_undecodable(&decode(Compression::Lz4, linked.finish().expect("memory"))));
    let checked = lz4_flex::frame::FrameInfo::new().block_checksums(true).content_checksum(true);
    let layout = checked.content_size(Some(80_000)).block_mode(lz4_flex::frame::BlockMode::Independent);
    let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(layout, Vec::new());
    std::io::Write::write_all(&mut encoder, &sample()).expect("memory");
    assert_eq!(decode(Compression::Lz4, encoder.finish().expect("memory")), Ok(sample()));
}

#[test]
fn snappy_comes_framed_or_as_one_raw_block() {
    let raw = snap::raw::Encoder::new().compress_vec(&sample()).expect("small");
    assert_eq!(decode(Compression::Snappy, raw), Ok(sample()));
    let framed = Compression::Snappy.compress(b"abc");
    let twice = [&framed[..], &framed].concat();
    assert_eq!(decode(Compression::Snappy, twice).as_deref(), Ok(&b"abcabc"[..]));
    // As in Java, fewer than four further bytes are no length and no error.
    let garbage = [&framed[..], &[0; 3]].concat();
    assert_eq!(decode(Compression::Snappy, garbage).as_deref(), Ok(&b"abc"[..]));
    for bad_block in [&[0xff; 4][..], &[0; 4], &[0, 0, 0, 9, 1], b"\x82SNAPPY\0\0\0\0\0\0\0\0\0", b"\x82SNA"] {
        let outcome = decode(Compression::Snappy, [&framed[..], bad_block].concat());
        assert!(is_undecodable(&outcome), "{bad_block:?}: {outcome:?}");
    }
}

#[test]
fn a_snappy_block_that_declares_4_gib_reserves_nothing() {
    // The declared size, 2^32 - 1, then one literal byte.
    let block = [0xff, 0xff, 0xff, 0xff, 0x0f, 0x00, b'a'];
    let outcome = decode_up_to(Compression::Snappy, block.to_vec(), usize::MAX);
    assert!(is_undecodable(&outcome), "{outcome:?}");
}
