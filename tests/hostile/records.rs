//! Record batches that lie, and batches that grow when they are unpacked.

use anyhow::ensure;
use cutaway::storage::batch::BatchBuilder;
use cutaway::storage::compression::Compression;
use cutaway_tests::batches::Batch;
use cutaway_tests::client::Client;

use super::{SLACK_KIB, Siege, TOPIC};

const MESSAGE_TOO_LARGE: i16 = 10;
const MIB: usize = 1024 * 1024;

#[test]
fn batches_that_lie_are_refused_and_take_no_offset() -> anyhow::Result<()> {
    let mut siege = Siege::begin()?;
    let with = |change: fn(&mut Batch)| {
        let mut batch = Batch::default();
        change(&mut batch);
        batch.bytes()
    };
    let ordinary = Batch::default().bytes();
    let mut wrong_crc = ordinary.clone();
    wrong_crc[17] ^= 1;
    let length = |length: i32| [&ordinary[..8], &length.to_be_bytes(), &ordinary[12..]].concat();
    let lies = [
        ("a wrong CRC", wrong_crc),
        ("fewer records than it says", with(|batch| batch.record_count = Some(2))),
        ("a count of 2^31-1", with(|batch| batch.record_count = Some(i32::MAX))),
        ("a negative count", with(|batch| batch.record_count = Some(-1))),
        ("a last offset beyond its records", with(|batch| batch.last_offset_delta = Some(i32::MAX))),
        ("a negative last offset", with(|batch| batch.last_offset_delta = Some(-1))),
        ("a control batch", with(|batch| batch.attributes = 0x20)),
        ("a codec that does not exist", with(|batch| batch.attributes = 7)),
        ("gzip that is none", with(|batch| batch.attributes = 1)),
        ("snappy that is none", with(|batch| batch.attributes = 2)),
        ("lz4 that is none", with(|batch| batch.attributes = 3)),
        ("zstd that is none", with(|batch| batch.attributes = 4)),
        ("a length of 2^31-1", length(i32::MAX)),
        ("a length of -1", length(-1)),
        ("a length of 0", length(0)),
        ("no batch at all", vec![]),
        ("only a header", ordinary[..61].to_vec()),
        ("two batches", ordinary.repeat(2)),
    ];
    for (name, bytes) in lies {
        let before = siege.good.end_offset(TOPIC, 0)?;
        let mut attacker = Client::connect(siege.broker.bootstrap())?;
        let answer = attacker.produce(TOPIC, 0, bytes)?;
        ensure!(answer.error_code != 0, "{name}: was appended");
        ensure!(siege.good.end_offset(TOPIC, 0)? == before, "{name}: took an offset");
        siege.serve_once()?;
    }
    siege.endures(SLACK_KIB)
}

/// The cap on what a batch may decompress to is 1 GiB. Of the four codecs only zstd packs so much into a megabyte; the others are
/// taken, if they are valid, or refused for their size. None of them may be held unpacked in memory.
#[test]
fn bombs_of_all_codecs_are_never_unpacked_into_memory() -> anyhow::Result<()> {
    let mut siege = Siege::begin()?;
    // A codec's window, and the batch itself with its growing buffer.
    const WINDOWS_KIB: u64 = 24 * 1024;
    for (compression, unpacked_bytes, code) in [
        (Compression::Gzip, 512 * MIB, 0),
        (Compression::Gzip, 1200 * MIB, MESSAGE_TOO_LARGE),
        (Compression::Snappy, 15 * MIB, 0),
        (Compression::Snappy, 100 * MIB, MESSAGE_TOO_LARGE),
        (Compression::Lz4, 200 * MIB, 0),
        (Compression::Lz4, 500 * MIB, MESSAGE_TOO_LARGE),
        (Compression::Zstd, 1024 * MIB - 100, 0),
        (Compression::Zstd, 1024 * MIB, MESSAGE_TOO_LARGE),
    ] {
        let bomb = bomb(compression, unpacked_bytes);
        let mut attacker = Client::connect(siege.broker.bootstrap())?;
        let answer = attacker.produce(TOPIC, 0, bomb)?;
        let found = answer.error_code;
        ensure!(found == code, "{unpacked_bytes} bytes in {}: error {found}, not {code}", compression.name());
        siege
            .endures(SLACK_KIB + WINDOWS_KIB)
            .map_err(|error| error.context(format!("{unpacked_bytes} bytes in {}", compression.name())))?;
    }
    Ok(())
}

/// More bombs at once than the broker has threads: they must not take all of them.
#[test]
fn while_bombs_are_defused_the_others_are_served() -> anyhow::Result<()> {
    const BOMBS: usize = 16;
    let mut siege = Siege::begin()?;
    let bomb = bomb(Compression::Zstd, 1024 * MIB);
    let address = siege.broker.bootstrap();
    std::thread::scope(|scope| {
        let attackers: Vec<_> =
            (0..BOMBS).map(|_| scope.spawn(|| Client::connect(address)?.produce(TOPIC, 0, bomb.clone()))).collect();
        let mut served = 0;
        while attackers.iter().any(|attacker| !attacker.is_finished()) {
            siege.serve_once()?;
            served += 1;
        }
        ensure!(served > 0, "the bombs were gone before anybody could look");
        Ok(())
    })
}

/// One record whose value is a run of zeros.
fn bomb(compression: Compression, unpacked_bytes: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new(compression);
    builder.push(1_700_000_000_000, None, Some(&vec![0; unpacked_bytes]), &[]);
    builder.build().bytes().to_vec()
}
