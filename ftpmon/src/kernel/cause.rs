//! The cause behind an error of a library.

use std::error::Error;
use std::io;

/// The innermost error's message: what the kernel said, without the wrapping of libraries.
pub(super) fn root_cause(error: &(dyn Error + 'static)) -> String {
    innermost(error).to_string()
}

/// The system's error number behind `error`, if it has one.
pub(super) fn errno(error: &(dyn Error + 'static)) -> Option<i32> {
    innermost(error).downcast_ref::<io::Error>()?.raw_os_error()
}

fn innermost<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost
}
