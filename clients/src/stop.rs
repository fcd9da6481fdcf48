//! Ctrl-C and SIGTERM: the first one ends the program in good order, the second one at once.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// The exit code after the second signal, as shells have it for Ctrl-C.
const INTERRUPTED: i32 = 130;

/// Tells whether somebody wants the program to end.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Begins to listen to the signals.
    ///
    /// # Errors
    /// When the system lets nobody listen.
    pub fn on_signals() -> std::io::Result<Stop> {
        let (sender, receiver) = watch::channel(false);
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        // A thread of its own: the second signal must end the program also when every task is held up.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            let Ok(runtime) = runtime else { return };
            runtime.block_on(async {
                loop {
                    tokio::select! {
                        _ = interrupt.recv() => {}
                        _ = terminate.recv() => {}
                    }
                    if sender.send_replace(true) {
                        std::process::exit(INTERRUPTED);
                    }
                }
            });
        });
        Ok(Stop(receiver))
    }

    /// Whether a signal came.
    pub fn is_asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Comes back when a signal came.
    pub async fn asked(&mut self) {
        // Without a listener nobody can ask any more.
        if self.0.wait_for(|asked| *asked).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
