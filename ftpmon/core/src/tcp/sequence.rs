//! Sequence numbers carried to 64 bits.
//!
//! A position is a running sequence number: its low 32 bits are the number on the wire, the high ones count the wraps. The first
//! position of a stream has one wrap to its credit, so that what lies before the start has a position too.

/// The position of a stream's first known sequence number.
pub(super) const fn first(seq: u32) -> u64 {
    (1 << 32) | seq as u64
}

/// The position of `seq`, which lies within 2³¹ of `near` (RFC 9293 section 3.4).
pub(super) const fn position(seq: u32, near: u64) -> u64 {
    let distance = seq.wrapping_sub(near as u32) as i32;
    near.saturating_add_signed(distance as i64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{first, position};

    #[test]
    fn a_number_past_the_wrap_is_ahead() {
        let near = first(0xffff_fff0);
        assert_eq!(position(0x10, near), near + 0x20);
        assert_eq!(position(0xffff_fff0, near + 0x20), near);
    }

    proptest! {
        #[test]
        fn the_nearest_position_is_found(start: u32, run in 0..1_u64 << 40, distance in -(1_i64 << 31) + 1..1_i64 << 31) {
            let near = first(start) + run;
            let Some(sought) = near.checked_add_signed(distance) else { return Ok(()) };
            prop_assert_eq!(position(sought as u32, near), sought);
        }
    }
}
