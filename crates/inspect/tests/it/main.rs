//! Inspections of made-up tables with a known fault, and of files as people really send them.

#[cfg(test)]
mod dirty;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod reader;
#[cfg(test)]
mod rendering;
