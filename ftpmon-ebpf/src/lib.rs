//! ftpmon's kernel programs.
#![no_std]
