//! The check that a shared type has no padding.

/// Asserts at compile time that a type has the stated size and that its fields fill it without padding.
macro_rules! no_padding {
    ($name:ident: $size:literal { $($field:ident: $type:ty),* $(,)? }) => {
        const _: () = assert!(core::mem::size_of::<$name>() == $size);
        const _: () = assert!(0 $(+ core::mem::size_of::<$type>())* == $size);
        const _: fn($name) = |value| { $(let _: $type = value.$field;)* };
    };
}
pub(crate) use no_padding;
