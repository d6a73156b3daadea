//! What is in a table, what is wrong with it, and what Kaizen does about it.
//!
//! [`inspect`] profiles every column, looks for the faults that ruin models in practice (leaks, keys, duplicates,
//! conflicting labels, rows in time order, groups, shift against a second table), decides which task the target
//! asks for ([`decide_task`]) and advises how to cut rows into folds ([`SplitAdvice`]). It changes nothing: a
//! finding says what the caller should drop, and the caller drops it.
//!
//! All of it is a pure function of the table, the options and their seed. Counts are exact. What would be quadratic,
//! or needs folds, looks at a seeded sample of at most [`options::SAMPLE_ROWS`] rows, and the finding then says so.
//! A threshold stands beside the check that uses it, with its reason.

mod advice;
mod binned;
mod copies;
mod duplicates;
mod finding;
mod groups;
mod html;
mod identifiers;
mod inspection;
mod leakage;
pub mod options;
mod order;
mod power;
mod profile;
mod quality;
mod shift;
mod statistics;
mod target;
mod task;
mod terminal;
mod wire;
pub mod words;

pub use advice::SplitAdvice;
pub use finding::{Evidence, Finding, FindingKind, Severity};
pub use html::{HtmlParts, render_html, render_html_parts, sentence};
pub use inspection::{Inspection, inspect};
pub use options::Options;
pub use profile::{ColumnProfile, Histogram, Level, NumberSummary, Role, TextSummary};
pub use target::{TargetProfile, TargetSummary};
pub use task::{TaskDecision, TaskHint, TaskKind, decide_task};
pub use terminal::{TerminalStyle, render_terminal};
pub use wire::{WIRE_VERSION, to_json};
pub use words::shorten;
