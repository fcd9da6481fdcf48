//! The broker's settings while it runs: clients may alter some of them, and whoever asks next sees it.

use std::sync::{Arc, PoisonError, RwLock};

use super::BrokerConfig;

/// The settings as they are now. Whoever works with several of them asks once, and has them from one moment.
#[derive(Debug)]
pub struct LiveConfig {
    current: RwLock<Arc<BrokerConfig>>,
}

impl LiveConfig {
    /// The settings at the start.
    pub fn new(config: Arc<BrokerConfig>) -> LiveConfig {
        LiveConfig { current: RwLock::new(config) }
    }

    /// The settings now.
    pub fn now(&self) -> Arc<BrokerConfig> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts others in their place.
    pub fn replace(&self, config: Arc<BrokerConfig>) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = config;
    }
}
