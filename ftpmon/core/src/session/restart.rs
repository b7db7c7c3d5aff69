//! The offset at which the next transfer begins: REST (RFC 959 section 4.1.3, RFC 3659 section 5), and what servers do with it that the
//! RFCs leave open. Pure functions: from what was asked and answered to what a transfer has.

use crate::ftp::size;

/// The offset of the next transfer, or of one that was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Restart {
    /// The REST command that set it; 0 where none did.
    pub(super) by: u64,
    pub(super) offset: u64,
    /// The server may begin there instead: a listing or a refused command came between, or a REST that was refused. The bytes show which.
    pub(super) other: Option<u64>,
    /// In force before that REST command, whose reply is still to come, and the REST command that set it.
    before: Option<(u64, u64)>,
    /// The marker was no number that anybody can read.
    pub(super) unknown: bool,
}

impl Restart {
    /// REST, the command `by`, was sent, with a number or another marker. `before`: what was in force.
    pub(super) fn asked(by: u64, offset: Option<u64>, before: Option<&Self>) -> Self {
        let before = before.map(|it| (it.by, it.other.unwrap_or(it.offset).max(it.offset)));
        let before = before.filter(|(_, offset)| *offset > 0);
        Self { by, offset: offset.unwrap_or(0), other: None, before, unknown: offset.is_none() }
    }

    /// A command that has the offset itself.
    pub(super) fn part(offset: u64) -> Self {
        Self { offset, ..Self::default() }
    }

    /// The REST command `tx` has its reply.
    pub(super) fn settle(&mut self, tx: u64, code: u16, text: &[u8]) {
        if self.by == tx {
            *self = self.answered(code, text);
        } else if code != 350 {
            // It was sent with the one behind it.
            self.before.take_if(|(by, _)| *by == tx);
        }
    }

    /// Its REST has its reply. Where that is 350 its marker replaces what was in force, also one that is no number. Where it was refused, the
    /// one before still holds with most servers; others drop it, and say so or not.
    fn answered(self, code: u16, text: &[u8]) -> Self {
        let Self { by, before, .. } = self;
        match (code, before.filter(|_| !says_reset(text))) {
            (350, _) if self.unknown => {
                let said = size::in_350(text);
                Self { by, offset: said.unwrap_or(0), unknown: said.is_none(), ..Self::default() }
            }
            (350, _) => Self { before: None, ..self },
            (_, Some((_, offset))) => Self { by, offset, other: Some(0), ..Self::default() },
            (_, None) => Self { by, ..Self::default() },
        }
    }

    /// For the transfer behind a listing, or behind a command that was refused: servers are known that keep the offset, and others that
    /// drop it.
    pub(super) fn kept(self) -> Self {
        let other = Some(self.offset).filter(|offset| *offset > 0).or(self.other);
        Self { offset: 0, other, ..self }
    }

    /// A listing has the offset, if none had it before.
    pub(super) fn for_listing(self) -> Self {
        if self.offset == 0 { Self::default() } else { self }
    }
}

/// The reply to a REST that was refused says that there is no offset any longer.
fn says_reset(text: &[u8]) -> bool {
    memchr::memmem::find(&text.to_ascii_lowercase(), b"reset to 0").is_some()
}

#[cfg(test)]
mod tests {
    use super::Restart;

    /// Each row: the markers of REST in order with their replies; the offset of the RETR behind them, the other one that the server may
    /// have, and whether it is unknown.
    #[test]
    fn what_a_transfer_has_behind_its_rests() {
        type Step = (Option<u64>, u16, &'static str);
        type Row<'a> = (&'a [Step], (u64, Option<u64>, bool));
        let rows: [Row<'_>; 11] = [
            (&[(Some(100), 350, "ok")], (100, None, false)),
            (&[(Some(100), 501, "no")], (0, None, false)),
            (&[(Some(100), 350, "ok"), (Some(0), 350, "ok")], (0, None, false)),
            // A marker that was accepted replaces the one before, whatever it is.
            (&[(Some(100), 350, ""), (None, 350, "Restart position accepted (0).")], (0, None, false)),
            (&[(Some(100), 350, ""), (None, 350, "Restarting at 2:17")], (0, None, true)),
            (&[(None, 350, "accepted (7)")], (7, None, false)),
            // One that was refused does not, with most servers.
            (&[(Some(100), 350, ""), (None, 501, "Invalid parameter")], (100, Some(0), false)),
            (&[(Some(100), 350, ""), (Some(9), 501, "Not in ASCII mode")], (100, Some(0), false)),
            (
                &[(Some(100), 350, ""), (None, 554, "Not numeric\nRestart offset reset to 0")],
                (0, None, false),
            ),
            (&[(Some(100), 350, ""), (None, 501, ""), (None, 501, "")], (100, Some(0), false)),
            (&[(None, 501, "")], (0, None, false)),
        ];
        for (steps, expected) in rows {
            let mut now: Option<Restart> = None;
            for ((marker, code, text), tx) in steps.iter().zip(1..) {
                now = Some(Restart::asked(tx, *marker, now.as_ref()).answered(*code, text.as_bytes()));
            }
            let Restart { offset, other, unknown, .. } = now.unwrap();
            assert_eq!((offset, other, unknown), expected, "{steps:?}");
        }
    }

    #[test]
    fn rests_of_one_pipeline_are_settled_one_by_one() {
        for (first, second, offset) in [(530, 530, 0), (350, 501, 100), (501, 350, 200), (350, 350, 200)] {
            let one = Restart::asked(1, Some(100), None);
            let mut two = Restart::asked(2, Some(200), Some(&one));
            two.settle(1, first, b"");
            two.settle(2, second, b"");
            assert_eq!(two.offset, offset, "{first} {second}");
        }
    }

    #[test]
    fn an_offset_stays_behind_listings_and_refused_commands() {
        let asked = Restart::asked(1, Some(100), None).answered(350, b"");
        assert_eq!(asked.for_listing().offset, 100);
        let kept = asked.kept();
        assert_eq!((kept.offset, kept.other), (0, Some(100)));
        assert_eq!(kept.for_listing(), Restart::default());
        assert_eq!(kept.kept(), kept);
        // Of two that may be in force the later is refused: the earlier may be.
        let refused = Restart::asked(2, None, Some(&kept)).answered(501, b"");
        assert_eq!((refused.offset, refused.other), (100, Some(0)));
    }
}
