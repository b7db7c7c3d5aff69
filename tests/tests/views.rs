//! Views judged by programs of others.

mod views {
    mod fields;
    mod pdml;
    mod shown;
    mod tshark;
}
