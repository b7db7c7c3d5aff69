//! The cause of a library error.

use std::error::Error;
use std::io;

/// The innermost error's message: what the kernel said, without the wrapping of libraries.
pub(super) fn root_cause(error: &(dyn Error + 'static)) -> String {
    innermost(error).to_string()
}

/// The innermost error's message, and the remedy if a limit of the system is the cause.
pub(super) fn explained(error: &(dyn Error + 'static)) -> String {
    let cause = root_cause(error);
    match errno(error).and_then(way_out) {
        Some(way_out) => format!("{cause}; {way_out}"),
        None => cause,
    }
}

fn way_out(errno: i32) -> Option<&'static str> {
    match errno {
        libc::ENOMEM => Some(
            "the kernel's tables take 65 MiB, and the rings what --ring-size and --files-ring-size say: free memory, or \
             give smaller rings",
        ),
        libc::EMFILE => Some("the limit of open files is too low: raise it (ulimit -n, LimitNOFILE=)"),
        _ => None,
    }
}

/// The system's error number in `error`, if it has one.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_the_system_have_a_way_out() {
        let explained = |errno| explained(&io::Error::from_raw_os_error(errno));
        assert!(explained(libc::ENOMEM).contains("--ring-size"));
        assert!(explained(libc::EMFILE).contains("ulimit -n"));
        assert_eq!(explained(libc::EPERM), io::Error::from_raw_os_error(libc::EPERM).to_string());
    }
}
