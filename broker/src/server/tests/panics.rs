//! A bug in a handler: what it ends, and what is said of it.

use std::io;
use std::sync::PoisonError;

use super::*;
use crate::handlers::tests::MEETS_A_BUG;
use crate::journal::{Event, News};

/// A log in memory.
#[derive(Clone, Debug, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Kept {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// ApiVersions 0 from a client of this name.
fn frame_of(client_id: &str) -> Vec<u8> {
    let length = u16::try_from(client_id.len()).expect("short");
    let request = [&[0, 18, 0, 0, 0, 0, 0, 9][..], &length.to_be_bytes(), client_id.as_bytes()].concat();
    [&u32::try_from(request.len()).expect("short").to_be_bytes()[..], &request].concat()
}

#[tokio::test]
async fn a_handler_that_panics_ends_one_connection_and_the_log_names_its_client() {
    let log = Kept::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .with_max_level(tracing::Level::ERROR);
    let _guard = tracing::subscriber::set_default(subscriber.finish());
    let running = serve(|config| config.max_connections = 2);
    let (_, mut live) = running.core.journal().subscribe();
    let mut other = running.connect().await;
    let mut unlucky = running.connect().await;
    let address = unlucky.local_addr().expect("connected");
    other.write_all(&frame_of("lucky")).await.expect("sent");
    answer(&mut other).await;
    unlucky.write_all(&frame_of(MEETS_A_BUG)).await.expect("sent");
    expect_closed(&mut unlucky).await;
    other.write_all(&frame_of("lucky")).await.expect("sent");
    answer(&mut other).await;
    // Its slot is free again.
    expect_alive(&running).await;
    let line = log.text().lines().find(|line| line.contains("panicked")).unwrap_or_default().to_owned();
    assert!(line.contains(&format!("peer={address} client_id={MEETS_A_BUG}")), "{line}");
    loop {
        let News::Happened(entry) = live.next().await else { panic!("events were missed") };
        if let Event::ClientGone { client_id, why, .. } = &entry.event {
            assert_eq!((client_id.as_str(), why.as_str()), (MEETS_A_BUG, "a handler panicked"));
            break;
        }
    }
}
