//! The share of a line that each text keeps.

/// The largest length that no text may exceed so that all of `lengths` have room in `room` together: short texts stay whole,
/// and long ones share what is left.
pub(super) fn cap(lengths: &mut [usize], room: usize) -> usize {
    lengths.sort_unstable();
    let (mut left, mut texts) = (room, lengths.len());
    for &length in lengths.iter() {
        let share = left / texts.max(1);
        if length > share {
            return share;
        }
        left -= length;
        texts -= 1;
    }
    usize::MAX
}

#[cfg(test)]
mod tests {
    use super::cap;

    #[test]
    fn long_texts_share_what_short_ones_leave() {
        assert_eq!(cap(&mut [5, 100, 100], 45), 20);
        assert_eq!(cap(&mut [5, 10], 45), usize::MAX);
        assert_eq!(cap(&mut [100], 0), 0);
        assert_eq!(cap(&mut [], 0), usize::MAX);
    }
}
