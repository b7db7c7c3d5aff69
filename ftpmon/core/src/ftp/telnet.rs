//! Telnet inside the control connection (RFC 854, RFC 959 section 4.1.2, RFC 1123 section 4.1.2.12).
//!
//! Telnet commands in a byte stream are removed from the lines: `IAC IAC` is the data byte 0xFF, negotiations and
//! other commands vanish, also those of the Synch that goes before ABOR (`IAC IP IAC DM`). They may be split over
//! segments anywhere. The commands that erase a character or a line (EC, EL) vanish without erasing, as the servers
//! in use have it.
//!
//! File names in Latin-1 contain 0xFF (ÿ) that few clients double. So 0xFF is text where what follows cannot be
//! Telnet:
//! * no command: a byte below 0xEC, an LF or a CR among them;
//! * WILL, WONT, DO, DONT before an LF: a negotiation never swallows a line's end;
//! * a subnegotiation that does not end with `IAC SE` within its line and within [`SUBNEGOTIATION_MAX`] bytes.

/// "Interpret as command".
pub(super) const IAC: u8 = 0xff;
/// Last byte of a subnegotiation.
pub(super) const SE: u8 = 240;
/// First byte of a subnegotiation.
pub(super) const SB: u8 = 250;

/// A subnegotiation longer than this is text: no FTP party has use for one, and an endless one would hide a line from
/// the monitor that the server reads.
pub(super) const SUBNEGOTIATION_MAX: usize = 256;

/// The meaning of the byte after an IAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AfterIac {
    /// `IAC IAC`: one data byte 0xFF.
    Data,
    /// WILL, WONT, DO or DONT: an option follows.
    Negotiation,
    /// SB: bytes up to `IAC SE` follow.
    Subnegotiation,
    /// Complete.
    Command,
    /// The IAC was text, and this byte stands for itself.
    Text,
}

/// Reads the byte after an IAC.
pub(super) const fn after_iac(byte: u8) -> AfterIac {
    match byte {
        IAC => AfterIac::Data,
        251..=254 => AfterIac::Negotiation,
        SB => AfterIac::Subnegotiation,
        // EOF, SUSP, ABORT (RFC 1184), EOR (RFC 885), SE, NOP, DM, BRK, IP, AO, AYT, EC, EL, GA.
        236..=249 => AfterIac::Command,
        _ => AfterIac::Text,
    }
}

/// An option: any byte, assigned or not (RFC 854), since servers skip it unread. LF ends the line before.
pub(super) const fn is_option(byte: u8) -> bool {
    byte != b'\n'
}

/// A command after which programs differ in what the line is: those that erase, and the end of a subnegotiation that did not begin.
pub(super) const fn is_ambiguous(command: u8) -> bool {
    matches!(command, SE | 247 | 248)
}
