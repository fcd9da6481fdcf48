//! Limits that are not settings: numbers that no client and no file may push higher.

/// The largest frame of any request but Produce; only record batches are ever that large.
pub const MAX_FRAME_BYTES_EXCEPT_PRODUCE: usize = 16 * 1024 * 1024;

/// The most elements that all arrays of one request may have together; each becomes a struct in memory.
pub const MAX_REQUEST_ELEMENTS: usize = 100_000;

/// The most bytes of a name that a sentence repeats. A client may make up one of 32 KB, and ask for 100 000 partitions of
/// it, each of which gets a sentence of its own.
pub const MAX_REPEATED_BYTES: usize = 512;

/// A frame that has begun must be whole within this time, or its connection is closed.
pub const FRAME_TIMEOUT_MS: u64 = 30_000;

/// While other clients wait for room in `queued.max.request.bytes`, a large frame must grow by 64 KiB in this time, or
/// its connection is closed.
pub const FRAME_GROWTH_TIMEOUT_MS: u64 = 3_000;

/// A client that takes no byte of its answers for this long is given up.
pub const ANSWER_TIMEOUT_MS: u64 = 30_000;

/// The most bytes that one record batch may decompress to.
pub const MAX_DECOMPRESSED_BATCH_BYTES: usize = 1024 * 1024 * 1024;

/// What the journal keeps of the past, in bytes of memory.
pub const JOURNAL_RING_BYTES: usize = 256 * 1024;

/// How many events a live subscriber of the journal may lag behind before it misses some.
pub const JOURNAL_SUBSCRIBER_EVENTS: usize = 256;

/// The most lines of its story that the broker tells in a second.
pub const STORY_LINES_PER_SECOND: u32 = 5;

/// The most lines that one place in the code writes to the log in [`LOG_WINDOW_MS`], where clients can provoke them.
pub const LOG_LINES_ALIKE: u32 = 5;

/// After this, one line tells how many more there would have been.
pub const LOG_WINDOW_MS: u64 = 10_000;

/// How long a clean stop may take on a healthy disk: answers in flight, flushes, checkpoints.
pub const SHUTDOWN_DEADLINE_MS: u64 = 2_000;

/// The most that is read of an answer on the control socket.
pub const CONTROL_ANSWER_MAX_BYTES: usize = 16 * 1024 * 1024;

/// How long a command waits for the broker's answer on the control socket.
pub const CONTROL_TIMEOUT_MS: u64 = 5_000;

/// How long `cutaway stop` waits for the broker to let go of its folder.
pub const STOP_TIMEOUT_MS: u64 = 10_000;

/// How long `--detach` waits for the broker in the background to serve; recovery of much data takes its time.
pub const DETACH_TIMEOUT_MS: u64 = 60_000;

/// How many partitions one broker may have. Each is a folder and some open files; without a limit one request could
/// make a million.
pub const MAX_PARTITIONS: usize = 10_000;

/// How many nodes one process may show itself as. Tutorials have three; and without other settings the n-th node listens on
/// port n9092, of which there are five.
pub const MAX_NODES: i32 = 5;

/// How many flushes that nobody waits for run at once. They all fall due together when many partitions are written,
/// and each holds a thread while the disk works.
pub const BACKGROUND_FLUSHES: usize = 16;

/// How many threads open and close logs; more would only queue before the disk.
pub const LOG_THREADS: usize = 8;

/// No file of settings is larger; what is may be a device or a log that was named by mistake.
pub const SETTINGS_FILE_BYTES: u64 = 1024 * 1024;

/// `recovery-findings.txt` is begun anew above this size; the one before is kept as `.old`.
pub const FINDINGS_FILE_BYTES: usize = 1024 * 1024;

/// How long a command waits until a broker accepts its connection and says which versions it speaks.
pub const CLIENT_CONNECT_TIMEOUT_MS: u64 = 10_000;

/// How long a command waits for an answer, besides what the request itself lets the broker wait.
pub const CLIENT_REQUEST_TIMEOUT_MS: u64 = 30_000;

/// The largest answer that a command reads. A fetch is answered with one whole batch, however large that is.
pub const CLIENT_ANSWER_MAX_BYTES: usize = 1024 * 1024 * 1024;

/// The largest record that `cutaway produce` reads; a broker with Kafka's settings closes the connection on larger ones.
pub const CLIENT_RECORD_MAX_BYTES: usize = 96 * 1024 * 1024;

/// How long `cutaway produce` waits for a topic that the broker may be creating.
pub const CLIENT_TOPIC_TIMEOUT_MS: u64 = 5_000;

/// How many member ids a group has given out that nobody has come back with yet. Kafka gives out any number.
pub const MAX_PENDING_MEMBERS: usize = 10_000;

/// The most that the members of a group may say of their wishes, all together, and a leader of its assignment. Kafka is
/// bounded by the size of a request alone, which each member may use up.
pub const MAX_GROUP_BYTES: usize = 16 * 1024 * 1024;

/// How many settings clients may alter for a topic or for brokers. Kafka takes any number of keys that nobody knows.
pub const MAX_ALTERED_KEYS: usize = 500;

/// The longest key of a setting that is altered.
pub const MAX_KEY_BYTES: usize = 1024;

/// The most settings that one DescribeConfigs answer tells; each takes about a kilobyte of memory until it is sent.
pub const MAX_TOLD_SETTINGS: usize = 100_000;
