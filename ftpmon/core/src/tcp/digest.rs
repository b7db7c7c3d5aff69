//! A short digest of payload bytes, to tell a true copy from a forged one.

/// Odd constants with well-mixed bits (of the golden ratio and of the square root of 3), a lane each.
const SEEDS: [u64; 2] = [0x9e37_79b9_7f4a_7c15, 0xbb67_ae85_84ca_a73b];

/// A 32-bit digest. Not keyed: who knows it can forge a copy that goes unreported, never one that is taken for the first.
pub(super) fn digest(bytes: &[u8]) -> u32 {
    let [mut left, mut right] = SEEDS;
    let (blocks, tail) = bytes.as_chunks::<16>();
    let (pairs, rest) = blocks.as_chunks::<2>();
    // Two lanes, so that one product need not wait for the other.
    for [first, second] in pairs {
        left = fold(left, first);
        right = fold(right, second);
    }
    for block in rest {
        left = fold(left, block);
    }
    let last = if tail.is_empty() { [0; 16] } else { last_block(bytes) };
    let state = fold(fold(left, &last) ^ right, &(bytes.len() as u128).to_le_bytes());
    (state ^ (state >> 32)) as u32
}

/// The last 16 bytes; of a shorter text all its bytes, some of them twice.
fn last_block(bytes: &[u8]) -> [u8; 16] {
    if let Some(block) = bytes.last_chunk() {
        return *block;
    }
    let mut block = [0; 16];
    let (low, high) = block.split_at_mut(8);
    if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        low.copy_from_slice(first);
        high.copy_from_slice(last);
    } else {
        for (to, from) in low.iter_mut().zip(bytes) {
            *to = *from;
        }
    }
    block
}

/// Mixes a block in by the two halves of a wide product.
const fn fold(state: u64, block: &[u8; 16]) -> u64 {
    let block = u128::from_le_bytes(*block);
    let product = ((block as u64 ^ state) as u128).wrapping_mul(((block >> 64) as u64 ^ SEEDS[0]) as u128);
    (product as u64) ^ ((product >> 64) as u64) ^ state.rotate_left(23)
}

#[cfg(test)]
mod tests {
    use super::digest;

    #[test]
    fn any_changed_byte_changes_it() {
        let text = b"RETR /pub/a/rather/long/name/of/a/directory/and/then/file.bin\r\n";
        for len in 1..=text.len() {
            for at in 0..len {
                let mut other = *text;
                other[at] ^= 1;
                assert_ne!(digest(&text[..len]), digest(&other[..len]), "byte {at} of {len}");
            }
        }
    }

    #[test]
    fn length_counts() {
        assert_ne!(digest(b"\0"), digest(b"\0\0"));
        assert_ne!(digest(b""), digest(b"\0"));
    }
}
