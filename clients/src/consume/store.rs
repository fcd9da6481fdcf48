//! Where the counters are: in Redis, one key per type; in memory, if there was no Redis to begin with.
//!
//! The counts of a batch are written in one pipeline, one `INCR` per record. When the connection breaks before the answer,
//! nobody knows whether they were written: they are written again, so a lost connection can count one batch twice and none
//! too little.

use std::time::Duration;

use anyhow::Context;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ErrorKind, RedisError};

use crate::run::Mistake;
use crate::talk::{excerpt, grouped, print, say};
use crate::tally::Tally;

const CONNECT_PATIENCE: Duration = Duration::from_secs(3);
const ANSWER_PATIENCE: Duration = Duration::from_secs(5);

/// The counters.
pub(super) enum Store {
    /// In Redis.
    Redis(Box<Redis>),
    /// Nowhere but here.
    Memory,
}

/// One connection, made anew when it breaks.
pub(super) struct Redis {
    client: Client,
    url: String,
    connection: Option<MultiplexedConnection>,
}

/// Why counts were not written.
pub(super) enum Unwritten {
    /// Redis is not there; it may come back.
    Gone(String),
    /// Redis does not take them.
    Refused(anyhow::Error),
}

impl Store {
    /// Connects to Redis; where none answers, counts in memory and says so.
    pub(super) async fn open(url: &str) -> anyhow::Result<Store> {
        let client = Client::open(url)
            .map_err(|error| Mistake(format!("--redis {url}: {error}; write redis://127.0.0.1:6379/0")))?;
        let mut redis = Redis { client, url: url.to_owned(), connection: None };
        match redis.connection().await {
            Ok(_) => Ok(Store::Redis(Box::new(redis))),
            Err(error) if is_passing(&error) => {
                say(format_args!(
                    "% no Redis answers at {url} ({}); counting in memory: the counts end with this program",
                    excerpt(&error.to_string())
                ));
                Ok(Store::Memory)
            }
            Err(error) => Err(error).with_context(|| format!("Redis at {url} does not let us in; see --redis")),
        }
    }

    /// Its name in reports.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Store::Redis(_) => "redis",
            Store::Memory => "memory",
        }
    }

    /// Adds these counts.
    pub(super) async fn add(&mut self, counts: &Tally) -> Result<(), Unwritten> {
        let Store::Redis(redis) = self else { return Ok(()) };
        if counts.total() == 0 {
            return Ok(());
        }
        let written = redis.increment(counts).await;
        written.map_err(|error| {
            if is_passing(&error) {
                redis.connection = None;
                return Unwritten::Gone(format!(
                    "Redis at {} does not count now ({})",
                    redis.url,
                    excerpt(&error.to_string())
                ));
            }
            let why = format!("Redis at {} does not count any more: {error}", redis.url);
            Unwritten::Refused(anyhow::anyhow!(
                "{why}; remove the key of another type, or give --redis another database"
            ))
        })
    }

    /// Prints every key and its count.
    pub(super) async fn list(&mut self, ours: &Tally) -> anyhow::Result<()> {
        let counts = match self {
            Store::Memory => ours.sorted().into_iter().map(|(name, count)| (name.to_owned(), grouped(count))).collect(),
            Store::Redis(redis) => match redis.counters().await {
                Ok(counts) => counts,
                Err(error) => {
                    let (url, why) = (&redis.url, excerpt(&error.to_string()));
                    say(format_args!("% the counters in Redis at {url} cannot be listed ({why})"));
                    return Ok(());
                }
            },
        };
        for (name, count) in counts {
            print(format_args!("{name:<12} {count}"))?;
        }
        Ok(())
    }
}

impl Redis {
    async fn connection(&mut self) -> Result<&mut MultiplexedConnection, RedisError> {
        if self.connection.is_none() {
            let config = AsyncConnectionConfig::new()
                .set_connection_timeout(Some(CONNECT_PATIENCE))
                .set_response_timeout(Some(ANSWER_PATIENCE));
            self.connection = Some(self.client.get_multiplexed_async_connection_with_config(&config).await?);
        }
        self.connection.as_mut().ok_or_else(|| RedisError::from((ErrorKind::Client, "there is no connection")))
    }

    async fn increment(&mut self, counts: &Tally) -> Result<(), RedisError> {
        let mut pipeline = redis::pipe();
        // Nothing of it is done when the connection breaks before all of it has arrived.
        pipeline.atomic();
        for (name, count) in counts.sorted() {
            for _ in 0..count {
                pipeline.cmd("INCR").arg(name).ignore();
            }
        }
        pipeline.exec_async(self.connection().await?).await
    }

    /// The keys that hold a number, by name.
    async fn counters(&mut self) -> Result<Vec<(String, String)>, RedisError> {
        let connection = self.connection().await?;
        let mut names: Vec<String> = redis::cmd("KEYS").arg("*").query_async(connection).await?;
        names.sort();
        let mut counters = Vec::new();
        for name in names {
            // Other people's keys may be lists, or gone by now.
            if let Ok(count) = redis::cmd("GET").arg(&name).query_async::<u64>(connection).await {
                counters.push((excerpt(&name), grouped(count)));
            }
        }
        Ok(counters)
    }
}

/// Whether the same may work a little later: Redis is gone, starts, has no room, or is a replica for the moment.
///
/// Of a pipeline each command has an answer of its own, and those that went well have counted: what fails with a lasting
/// error must not be sent again.
fn is_passing(error: &RedisError) -> bool {
    const LASTING: [&str; 6] = ["WRONGTYPE", "ERR", "NOAUTH", "NOPERM", "WRONGPASS", "NOSCRIPT"];
    let is_lasting = |code: &str| LASTING.contains(&code);
    let of_commands = error.clone().into_server_errors();
    let is_lasting_command = of_commands.is_some_and(|errors| errors.iter().any(|(_, error)| is_lasting(error.code())));
    !is_lasting_command
        && !error.code().is_some_and(is_lasting)
        && !matches!(
            error.kind(),
            ErrorKind::AuthenticationFailed | ErrorKind::InvalidClientConfig | ErrorKind::UnexpectedReturnType
        )
}
