//! The report of a fit: one HTML page that needs nothing outside itself.
//!
//! [`render`] takes plain data ([`ReportData`]) and returns the page. It draws its own SVG, brings its own style and a
//! small script (sorting tables, copying commands), and forbids everything else by a content security policy that
//! names both by digest: even if a string from the data got through the escaping, the browser would not run it. The
//! page reads without colour, without the script, on a telephone, in the dark and on paper.
//!
//! It measures nothing: every number shown was computed by the caller. What is absent is left out, not invented.

mod data;
mod diagnostics;
mod page;
mod plot;
mod policy;
mod sections;
mod thin;

pub use data::{
    Calibration, CalibrationBin, ClassDiagnostics, Command, Curve, Diagnostics, Family, Headline, Importance,
    Interval, LeaderboardRow, NumberDiagnostics, ReportData, Reproduction, SearchPoint, Setting, Span,
};
pub use page::render;
