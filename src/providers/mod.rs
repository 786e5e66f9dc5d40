//! How vendors want to be spoken to. No I/O: every quirk can be tested from a file.

pub mod openai;
pub mod simulator;
