//! Panics of the agent's threads: each is told with the thread's name, and ends the run. The events that a thread would have taken would
//! otherwise wait for it in silence.

use std::panic::{self, PanicHookInfo};
use std::thread;

use tokio::sync::Notify;
use tracing::error;

/// Notified by each panic.
static HAPPENED: Notify = Notify::const_new();

/// Has each panic of this process told from now on, and [`happened`] come back.
pub(crate) fn watch() {
    panic::set_hook(Box::new(|info| {
        error!("{}", told(thread::current().name(), info));
        HAPPENED.notify_one();
    }));
}

/// Comes back when a thread panicked, or one has already.
pub(crate) async fn happened() {
    HAPPENED.notified().await;
}

/// The place alone. The message may quote what a peer sent, secrets too, and a backtrace would open files, which ends a confined
/// process.
fn told(thread: Option<&str>, info: &PanicHookInfo<'_>) -> String {
    let place = info.location().map_or_else(String::new, |place| format!(" at {place}"));
    let thread = thread.unwrap_or("without a name");
    format!("the thread {thread} failed{place}: this is an error of ftpmon's, and the run ends")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_panic_of_another_thread_is_seen_whenever_it_is_asked_for() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let soon =
            |future| runtime.block_on(async { tokio::time::timeout(Duration::from_secs(20), future).await });
        let before = panic::take_hook();
        watch();
        let failing = thread::Builder::new().name("output".to_owned());
        let ended = failing.spawn(|| panic::panic_any("PASS secret")).unwrap().join();
        panic::set_hook(before);
        assert!(ended.is_err());
        soon(happened()).unwrap();
    }

    #[test]
    fn thread_and_place_are_told_and_not_the_message() {
        let before = panic::take_hook();
        let (send, sent) = std::sync::mpsc::sync_channel(1);
        panic::set_hook(Box::new(move |info| {
            let _ = send.try_send(told(Some("output"), info));
        }));
        let _ = panic::catch_unwind(|| panic::panic_any("PASS secret"));
        panic::set_hook(before);
        let told = sent.recv().unwrap();
        let place = told.strip_prefix("the thread output failed at ").unwrap();
        assert!(place.starts_with("ftpmon/src/panics.rs:") || place.starts_with("src/panics.rs:"), "{told}");
        assert!(!told.contains("secret"), "{told}");
    }
}
