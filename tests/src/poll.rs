//! Waiting for something to become true, with a deadline.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// The pause between two polls.
const INTERVAL: Duration = Duration::from_millis(5);

/// Asks `look` until it gives a value. Fails with `what` when `limit` has passed.
///
/// # Errors
/// The deadline passed, or `look` failed.
pub fn until<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(value) = look()? {
            return Ok(value);
        }
        if Instant::now() >= deadline {
            bail!("waited {limit:?} in vain for {what}");
        }
        thread::sleep(INTERVAL);
    }
}

/// Repeats `check` until it holds. Fails with its last error when `limit` has passed.
///
/// # Errors
/// The deadline passed.
pub fn until_ok<T>(limit: Duration, mut check: impl FnMut() -> Result<T>) -> Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        match check() {
            Err(_) if Instant::now() < deadline => thread::sleep(INTERVAL),
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_the_value_once_it_is_there() {
        let mut looks = 0;
        let value = until("three looks", Duration::from_secs(5), || {
            looks += 1;
            Ok((looks == 3).then_some(looks))
        });
        assert_eq!(value.unwrap(), 3);
    }

    #[test]
    fn fails_with_the_last_error() {
        let mut checks = 0;
        let value = until_ok(Duration::from_secs(5), || {
            checks += 1;
            if checks == 3 { Ok(checks) } else { bail!("not yet") }
        });
        assert_eq!(value.unwrap(), 3);
        let error = until_ok::<()>(Duration::ZERO, || bail!("never")).unwrap_err();
        assert_eq!(error.to_string(), "never");
    }

    #[test]
    fn names_what_did_not_come() {
        let error = until::<()>("a miracle", Duration::ZERO, || Ok(None)).unwrap_err();
        assert!(error.to_string().contains("a miracle"), "{error}");
    }
}
