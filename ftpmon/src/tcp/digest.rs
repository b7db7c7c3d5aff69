//! A short digest of payload bytes, to tell a true copy from a forged one.

/// Odd constant with well-mixed bits (the golden ratio's).
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// A 32-bit digest. Not keyed: who knows it can forge a copy that goes unreported, never one that is taken for the first.
pub(super) fn digest(bytes: &[u8]) -> u32 {
    let (words, tail) = bytes.as_chunks::<8>();
    let mut state = SEED ^ bytes.len() as u64;
    for word in words {
        state = fold(state, u64::from_le_bytes(*word));
    }
    let mut last = [0; 8];
    for (to, from) in last.iter_mut().zip(tail) {
        *to = *from;
    }
    state = fold(state, u64::from_le_bytes(last));
    (state ^ (state >> 32)) as u32
}

/// Mixes a word in by the two halves of a wide product.
const fn fold(state: u64, word: u64) -> u64 {
    let product = (state ^ word) as u128 * SEED as u128;
    (product as u64) ^ ((product >> 64) as u64)
}

#[cfg(test)]
mod tests {
    use super::digest;

    #[test]
    fn any_changed_byte_changes_it() {
        let line = b"RETR /pub/some/file.bin\r\n";
        for at in 0..line.len() {
            let mut other = *line;
            other[at] ^= 1;
            assert_ne!(digest(line), digest(&other), "byte {at}");
        }
    }

    #[test]
    fn length_counts() {
        assert_ne!(digest(b"\0"), digest(b"\0\0"));
        assert_ne!(digest(b""), digest(b"\0"));
    }
}
