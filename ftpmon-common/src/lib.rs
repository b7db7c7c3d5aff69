//! What ftpmon's kernel programs and its agent share: map keys and values, record headers, counters.
#![no_std]
