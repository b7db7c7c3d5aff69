//! Views judged by programs of others.

#![allow(clippy::indexing_slicing, reason = "a test may panic")]

mod views {
    mod browser;
    mod day;
    mod devtools;
    mod fields;
    mod panels;
    mod pdml;
    mod prometheus;
    mod shown;
    mod statistics;
    mod terminal;
    mod tshark;
}
