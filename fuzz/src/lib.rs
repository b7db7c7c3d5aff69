//! The code that the fuzz targets share. Each target checks more than that nothing panics: what must hold of every input stands
//! as an assertion in it.

pub mod dialogue;
pub mod outputs;
pub mod stream;
