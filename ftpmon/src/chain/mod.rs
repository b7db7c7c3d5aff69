//! What happens to an event between the engine and the outputs.

mod held;

pub(crate) use held::Held;
