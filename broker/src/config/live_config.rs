//! The broker's settings while it runs: clients may alter some of them, and whoever asks next sees it.

use std::sync::{Arc, PoisonError, RwLock};

use super::{AlterationError, Alterations, BrokerConfig, Scope};

/// The settings as they are now. Whoever works with several of them asks once, and has them from one moment.
#[derive(Debug)]
pub struct LiveConfig {
    start: Arc<BrokerConfig>,
    now: RwLock<Arc<BrokerConfig>>,
}

impl LiveConfig {
    /// What the broker was started with, and that with what clients altered before.
    pub fn new(start: Arc<BrokerConfig>, now: Arc<BrokerConfig>) -> LiveConfig {
        LiveConfig { start, now: RwLock::new(now) }
    }

    /// The settings now.
    pub fn now(&self) -> Arc<BrokerConfig> {
        Arc::clone(&self.now.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What the settings would be after an alteration.
    pub fn altered(&self, scope: Scope, alterations: &Alterations) -> Result<BrokerConfig, AlterationError> {
        self.now().altered(&self.start, scope, alterations)
    }

    /// Puts others in their place.
    pub fn replace(&self, config: Arc<BrokerConfig>) {
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = config;
    }
}
