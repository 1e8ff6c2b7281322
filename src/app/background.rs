//! Work that must not hold up a frame: file dialogs and reading run folders, on named helper threads.

use std::sync::mpsc::{Receiver, Sender, channel};

type Waker = Box<dyn Fn() + Send + Sync>;

/// Runs closures that end in a `T` and hands the results to the window's thread.
pub struct Background<T> {
    sender: Sender<T>,
    receiver: Receiver<T>,
    waker: std::sync::Arc<Waker>,
    /// Runs the work at once on the caller's thread, so that tests need not wait.
    inline: bool,
}

impl<T: Send + 'static> Background<T> {
    /// `waker` is called when a result has arrived.
    pub fn new(waker: Waker) -> Self {
        let (sender, receiver) = channel();
        Self { sender, receiver, waker: std::sync::Arc::new(waker), inline: false }
    }

    pub fn inline() -> Self {
        Self { inline: true, ..Self::new(Box::new(|| {})) }
    }

    /// `name` shows up in debuggers and crash reports.
    pub fn start(&self, name: &str, work: impl FnOnce() -> T + Send + 'static) {
        let (sender, waker) = (self.sender.clone(), self.waker.clone());
        let task = move || {
            // The window may be gone by now; then nobody wants the result.
            if sender.send(work()).is_ok() {
                waker();
            }
        };
        if self.inline {
            task();
        } else if let Err(error) = std::thread::Builder::new().name(name.to_owned()).spawn(task) {
            tracing::warn!("cannot start the helper thread {name}: {error}");
        }
    }

    /// Results that have arrived; never blocks.
    pub fn take(&self) -> Vec<T> {
        self.receiver.try_iter().collect()
    }
}
