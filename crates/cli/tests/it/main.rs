//! The real binary, from the outside: on files as people send them, on mistakes as people make them, interrupted at
//! any moment, and twice with the same seed.

mod dirty;
mod mistakes;
mod predictions;
mod program;
mod reproducible;
