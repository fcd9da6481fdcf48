//! What a log has to be told before it can be opened: its topic's settings and its folder's history.

/// What a log needs to know of its topic's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogOptions {
    /// `segment.bytes`.
    pub segment_bytes: u64,
    /// `segment.ms`, less the jitter.
    pub segment_ms: i64,
    /// `index.interval.bytes`.
    pub index_interval_bytes: u32,
    /// `segment.index.bytes`.
    pub segment_index_bytes: u32,
    /// A compacted log's offsets may have gaps; in any other a gap is damage.
    pub gaps_allowed: bool,
    /// `producer.id.expiration.ms`.
    pub producer_id_expiration_ms: i64,
}

/// What the data folder says about a log before it is opened.
#[derive(Clone, Copy, Debug)]
pub struct Opening {
    /// The last stop was clean, so only the end of the log is checked.
    pub clean: bool,
    /// From `recovery-point-offset-checkpoint`: everything below was on disk.
    pub recovery_point: i64,
    /// From `log-start-offset-checkpoint`.
    pub log_start_offset: i64,
    /// The epoch stamped into batches from now on.
    pub leader_epoch: i32,
}
