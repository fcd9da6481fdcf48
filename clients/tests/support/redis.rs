//! A Redis of one's own, where one is installed.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use cutaway_tests::patience;
use cutaway_tests::skip::skip;
use tempfile::TempDir;

/// A Redis without a file; it is killed on drop.
pub(crate) struct Redis {
    child: Child,
    address: String,
    _folder: TempDir,
}

/// An address that is free at this moment.
pub(crate) fn free_address() -> anyhow::Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

impl Redis {
    /// Starts one; none where there is none, which is said.
    pub(crate) fn start() -> anyhow::Result<Option<Redis>> {
        Redis::start_at(&free_address()?)
    }

    pub(crate) fn start_at(address: &str) -> anyhow::Result<Option<Redis>> {
        let folder = tempfile::tempdir()?;
        let port = address.rsplit(':').next().unwrap_or_default();
        let spawned = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no", "--dir"])
            .arg(folder.path())
            .stdout(Stdio::null())
            .spawn();
        let child = match spawned {
            Ok(child) => child,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                skip("redis-server", "Debian has it in the package redis-server.")?;
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        let redis = Redis { child, address: address.to_owned(), _folder: folder };
        patience::until("Redis answers", || Ok(TcpStream::connect(address).is_ok()))?;
        Ok(Some(redis))
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}/0", self.address)
    }

    /// The number under a key.
    pub(crate) fn count(&self, key: &str) -> anyhow::Result<Option<u64>> {
        let client = redis::Client::open(self.url())?;
        Ok(redis::cmd("GET").arg(key).query(&mut client.get_connection()?)?)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
