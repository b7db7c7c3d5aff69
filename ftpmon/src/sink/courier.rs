//! The interface of protocols in which a reader confirms lines.

use core::pin::Pin;
use std::io;

use super::protocol::LineAnswer;

/// The answer to lines that were sent.
pub(super) type LineAnswers = Pin<Box<dyn Future<Output = io::Result<Vec<LineAnswer>>> + Send>>;

/// The end of an attempt to connect.
pub(super) type Connected<'a> = Pin<Box<dyn Future<Output = io::Result<()>> + Send + 'a>>;

/// A protocol in which a reader confirms lines.
pub(super) trait Courier: Send {
    /// Connects. What was connected before is dropped.
    fn connect(&mut self) -> Connected<'_>;

    /// Gives up the connection.
    fn disconnect(&mut self);

    /// The reason why the connection is of no use any more.
    fn lost(&self) -> Option<io::Error>;

    /// Sends lines, none of which is empty or ends in a line feed, and waits until the reader has decided about each.
    fn send(&self, lines: Vec<Vec<u8>>) -> LineAnswers;
}
