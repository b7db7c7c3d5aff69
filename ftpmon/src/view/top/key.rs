//! Keys.

/// A key, as far as the screen knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// A character.
    Char(char),
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
    /// To the next table, to the one before.
    Next,
    Previous,
    Enter,
    Escape,
    Backspace,
    /// Ends the program from everywhere: Ctrl-C.
    Interrupt,
}
