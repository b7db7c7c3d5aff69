//! Numbers that languages write alike.

use core::fmt::Display;

/// `1 segment`, `2 segments`.
pub(super) fn counted(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// `104·256+134 = 26758`.
pub(super) fn port_sum(port: u16) -> impl Display {
    let [high, low] = port.to_be_bytes();
    format!("{high}·256+{low} = {port}")
}

/// `is` beside `1000+1 = 1001`, and whether they are equal.
pub(super) fn successor(is: u32, of: u32) -> (String, bool) {
    let wanted = of.wrapping_add(1);
    (format!("{of}+1 = {wanted}"), is == wanted)
}
