//! The options of a TCP header that reveal a forged segment (RFC 9293 section 3.2).

use crate::checksum;
use crate::segment::Signs;

const END: u8 = 0;
const NO_OPERATION: u8 = 1;
const TIMESTAMPS: u8 = 8;
const TIMESTAMPS_LEN: u8 = 10;
const MD5_SIGNATURE: u8 = 19;

/// The signs of a segment with these options, as far as they were captured.
#[inline]
pub(super) fn signs(hop_limit: u8, options: &[u8]) -> Signs {
    match *options {
        [] => Signs { hop_limit, ..Signs::default() },
        // The layout of every segment behind the SYN (RFC 7323 appendix A).
        [NO_OPERATION, NO_OPERATION, TIMESTAMPS, TIMESTAMPS_LEN, a, b, c, d, _, _, _, _] => {
            Signs { hop_limit, timestamp: Some(u32::from_be_bytes([a, b, c, d])), ..Signs::default() }
        }
        _ => scan(hop_limit, options),
    }
}

/// The ones' complement sum of the options' words.
#[inline]
pub(super) fn sum(options: &[u8]) -> u16 {
    match *options {
        [] => 0,
        // Timestamps, as nearly all segments have them.
        [a, b, c, d, e, f, g, h, i, j, k, l] => {
            let word = |word| u64::from(u32::from_be_bytes(word));
            checksum::fold(word([a, b, c, d]) + word([e, f, g, h]) + word([i, j, k, l]))
        }
        _ => checksum::fold(checksum::sum(options)),
    }
}

fn scan(hop_limit: u8, mut options: &[u8]) -> Signs {
    let mut signs = Signs { hop_limit, ..Signs::default() };
    loop {
        options = match *options {
            [NO_OPERATION, ref rest @ ..] => rest,
            [] | [END, ..] | [_] => return signs,
            [kind, len, ref rest @ ..] => {
                match (kind, rest) {
                    (TIMESTAMPS, &[a, b, c, d, ..]) if len == TIMESTAMPS_LEN => {
                        signs.timestamp = Some(u32::from_be_bytes([a, b, c, d]));
                    }
                    (MD5_SIGNATURE, _) => signs.md5 = true,
                    _ => {}
                }
                let Some(rest) = usize::from(len).checked_sub(2).and_then(|len| rest.get(len..)) else {
                    return signs;
                };
                rest
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn timestamps_and_signatures_are_found_wherever_they_stand() {
        let plain = [1, 1, 8, 10, 0, 0, 1, 2, 0, 0, 0, 0];
        assert_eq!(signs(64, &plain), Signs { hop_limit: 64, timestamp: Some(258), ..Signs::default() });
        let syn = [2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0, 1, 3, 3, 7];
        assert_eq!(signs(64, &syn).timestamp, Some(9));
        let mut signed = vec![1, 1, 19, 18];
        signed.extend([7; 16]);
        assert_eq!(signs(1, &signed), Signs { hop_limit: 1, md5: true, ..Signs::default() });
        assert!(!signs(1, &[0, 0, 19, 18]).md5);
        assert_eq!(signs(1, &[8, 0, 8, 10]), Signs { hop_limit: 1, ..Signs::default() });
    }

    proptest! {
        #[test]
        fn any_options_end(options in proptest::collection::vec(any::<u8>(), 0..41)) {
            prop_assert_eq!(signs(9, &options), scan(9, &options));
        }
    }
}
