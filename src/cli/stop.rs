//! Ctrl-C for commands that run for a while: the first asks for an orderly end, the second for an end at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// How often Ctrl-C was pressed.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicU32>);

impl Stop {
    /// Begins to listen. Made inside a runtime; ends with it.
    #[must_use]
    pub fn listen() -> Self {
        let stop = Self::default();
        let raised = Arc::clone(&stop.0);
        let _task = tokio::spawn(async move {
            while tokio::signal::ctrl_c().await.is_ok() {
                raised.fetch_add(1, Ordering::Relaxed);
            }
        });
        stop
    }

    /// No more is to be begun.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }

    /// Nothing more is to be awaited.
    #[must_use]
    pub fn at_once(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 1
    }
}
