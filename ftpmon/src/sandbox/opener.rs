//! A thread that opens files and connections for a thread that may not.

use std::io;
use std::sync::mpsc::{Sender, channel, sync_channel};
use std::thread::Builder;

use super::{Role, enter_or_exit};

type Job = Box<dyn FnOnce() + Send>;

/// The thread, from the side of those who ask it. It ends with the last of them.
#[derive(Clone, Debug)]
pub(crate) struct Opener {
    jobs: Sender<Job>,
}

impl Opener {
    /// Starts the thread in its [role](Role::Opener).
    ///
    /// # Errors
    /// The system gives no thread.
    pub(crate) fn start() -> io::Result<Self> {
        let (jobs, waiting) = channel::<Job>();
        Builder::new().name("opener".to_owned()).spawn(move || {
            enter_or_exit(Role::Opener);
            waiting.into_iter().for_each(|job| job());
        })?;
        Ok(Self { jobs })
    }

    /// Runs `job` on the thread and waits for its result.
    ///
    /// # Errors
    /// The thread is gone, because a job panicked.
    pub(crate) fn call<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
        let gone = || io::Error::other("the thread that opens files is gone");
        let (done, result) = sync_channel(1);
        let job = move || drop(done.send(job()));
        self.jobs.send(Box::new(job)).map_err(|_gone| gone())?;
        result.recv().map_err(|_gone| gone())
    }
}
