//! An inspection as a fragment of HTML.

use kaizen_table::column::time_text;
use maud::{Markup, PreEscaped, html};

use crate::finding::{Finding, Severity};
use crate::inspection::Inspection;
use crate::profile::{ColumnProfile, Role};
use crate::target::TargetSummary;
use crate::words::{count, counted, number, percent, shorten, shown_name};

/// Longest name or cell shown, in characters.
const SHOWN_CHARACTERS: usize = 80;

/// Columns listed; a table with more is a matrix that nobody reads through.
const COLUMNS_SHOWN: usize = 1_000;

/// An inspection in three fragments, for pages that place them apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HtmlParts {
    /// Size, target, classes and folds.
    pub summary: String,
    /// The findings as a list, most severe first.
    pub findings: String,
    /// A table with a row for each column.
    pub columns: String,
}

/// The inspection as a fragment of HTML: sections and tables without styles, scripts or references to anything
/// outside. Every string from the data is escaped and shortened. Class names start with `kz-`.
pub fn render_html(inspection: &Inspection) -> String {
    let parts = render_html_parts(inspection);
    html! {
        section class="kz-summary" { h2 { "The table" } (PreEscaped(parts.summary)) }
        section class="kz-findings" { h2 { "What was found" } (PreEscaped(parts.findings)) }
        section class="kz-columns" { h2 { "Columns" } (PreEscaped(parts.columns)) }
    }
    .into_string()
}

/// As [`render_html`], in parts and without headings.
pub fn render_html_parts(inspection: &Inspection) -> HtmlParts {
    HtmlParts {
        summary: summary(inspection).into_string(),
        findings: findings(inspection).into_string(),
        columns: columns(inspection).into_string(),
    }
}

/// A sentence with what stands between backticks set as code; everything is escaped.
pub fn sentence(text: &str) -> Markup {
    html! {
        @for (index, part) in text.split('`').enumerate() {
            @if index % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

fn summary(inspection: &Inspection) -> Markup {
    html! {
        p {
            (counted(inspection.row_count, "row")) ", " (counted(inspection.columns.len(), "column"))
            "; " (counted(inspection.features().count(), "feature")) " used, "
            (counted(inspection.dropped().count(), "column")) " left out."
        }
        @if let Some(target) = &inspection.target {
            p { "Target " b { (shorten(&target.name, SHOWN_CHARACTERS)) } ": " (target.decision.task.word()) ", since " (target.decision.why) "." }
            @if let TargetSummary::Classes(classes) = &target.summary {
                (class_table(classes))
            }
        }
        @if let Some(split) = &inspection.split {
            p { "Folds: " (sentence(&split.reason)) }
        }
    }
}

fn class_table(classes: &[(String, usize)]) -> Markup {
    const SHOWN: usize = 20;
    let total: usize = classes.iter().map(|(_, size)| size).sum();
    html! {
        table class="kz-classes" {
            caption { "Classes of the target" }
            thead { tr { th scope="col" { "class" } th scope="col" class="kz-number" { "rows" } th scope="col" class="kz-number" { "share" } } }
            tbody {
                @for (name, size) in classes.iter().take(SHOWN) {
                    tr {
                        th scope="row" { (shorten(name, SHOWN_CHARACTERS)) }
                        td class="kz-number" { (count(*size)) }
                        td class="kz-number" { (percent(*size as f64 / total.max(1) as f64)) }
                    }
                }
            }
        }
        @if classes.len() > SHOWN {
            p { "And " (counted(classes.len() - SHOWN, "class")) " more." }
        }
    }
}

fn findings(inspection: &Inspection) -> Markup {
    html! {
        @if inspection.findings.is_empty() {
            p { "Nothing that needs attention." }
        }
        ul { @for each in &inspection.findings { (finding(each)) } }
    }
}

fn finding(each: &Finding) -> Markup {
    let mark = match each.severity {
        Severity::Blocking => "✗",
        Severity::Critical => "!",
        Severity::Warning => "▲",
        Severity::Info => "i",
    };
    html! {
        li class={ "kz-finding kz-" (each.severity.word()) } {
            span class="kz-mark" aria-hidden="true" { (mark) }
            div {
                p class="kz-what" { span class="kz-severity" { (each.severity.word()) } " " (sentence(&each.what)) }
                @if !each.action.is_empty() { p class="kz-action" { b { "Kaizen: " } (sentence(&each.action)) } }
                @if !each.advice.is_empty() { p class="kz-advice" { b { "You: " } (sentence(&each.advice)) } }
                @if !each.rows.is_empty() {
                    p class="kz-rows" {
                        "For instance rows "
                        (each.rows.iter().map(|row| count(*row as usize + 1)).collect::<Vec<_>>().join(", "))
                        " (counted from 1, without the header)."
                    }
                }
            }
        }
    }
}

fn columns(inspection: &Inspection) -> Markup {
    let left = inspection.columns.len().saturating_sub(COLUMNS_SHOWN);
    html! {
        div class="kz-scroll" tabindex="0" role="region" aria-label="Columns" {
            table {
                caption { "Every column with its type, role, gaps and values" }
                thead {
                    tr {
                        th scope="col" { "column" }
                        th scope="col" { "type" }
                        th scope="col" { "role" }
                        th scope="col" class="kz-number" { "missing" }
                        th scope="col" class="kz-number" { "distinct" }
                        th scope="col" { "shape" }
                        th scope="col" { "values" }
                    }
                }
                tbody { @for each in inspection.columns.iter().take(COLUMNS_SHOWN) { (column(each, inspection.row_count)) } }
            }
        }
        @if left > 0 { p { "And " (counted(left, "column")) " more." } }
    }
}

fn column(each: &ColumnProfile, row_count: usize) -> Markup {
    let missing = each.missing_share(row_count);
    html! {
        tr class=[each.role.is_dropped().then_some("kz-dropped")] {
            th scope="row" title=[(each.name.chars().count() > SHOWN_CHARACTERS).then(|| shorten(&each.name, 400))] {
                (shorten(shown_name(&each.name), SHOWN_CHARACTERS))
            }
            td { (each.kind) }
            td {
                (each.role.word().replace('_', " "))
                @if let Role::DuplicateOf(original) = &each.role { " of " (shorten(original, SHOWN_CHARACTERS)) }
            }
            td class="kz-number" { @if missing == 0.0 { "–" } @else { (percent(missing)) } }
            td class="kz-number" { (count(each.distinct_count)) }
            td { (bars(each)) }
            td { (values(each)) }
        }
    }
}

fn values(each: &ColumnProfile) -> Markup {
    html! {
        @if let Some(summary) = each.number {
            @if each.kind == "time" {
                (time_text(summary.min)) " … " (time_text(summary.max))
            } @else {
                (number(summary.min)) " … " (number(summary.median)) " … " (number(summary.max))
                span class="kz-faint" { " mean " (number(summary.mean)) }
            }
        } @else if each.levels.is_empty() {
            @if let Some(text) = each.text {
                (count(text.bytes_min)) " to " (count(text.bytes_max)) " bytes, " (number(text.words_mean)) " words on average"
            }
        } @else {
            @for (index, level) in each.levels.iter().take(4).enumerate() {
                @if index > 0 { ", " }
                (shorten(&level.value, 40)) " " span class="kz-faint" { (count(level.count)) }
            }
        }
    }
}

/// A histogram, or the counts of the most frequent levels, as a small picture.
fn bars(each: &ColumnProfile) -> Markup {
    const WIDTH: usize = 96;
    const HEIGHT: f64 = 22.0;
    let counts: Vec<usize> = match &each.histogram {
        Some(histogram) => histogram.counts.clone(),
        None => each.levels.iter().map(|level| level.count).collect(),
    };
    if counts.is_empty() {
        return html! {};
    }
    let largest = counts.iter().copied().max().unwrap_or(0).max(1) as f64;
    let step = WIDTH as f64 / counts.len().max(4) as f64;
    html! {
        svg class="kz-bars" width=(WIDTH) height=(HEIGHT) viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label={ "Distribution of " (shorten(&each.name, 40)) } {
            @for (index, &count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
                @let height = (count as f64 / largest * (HEIGHT - 2.0)).max(1.0);
                rect x=(format!("{:.1}", index as f64 * step)) y=(format!("{:.1}", HEIGHT - height)) width=(format!("{:.1}", (step - 0.6).max(0.6))) height=(format!("{height:.1}")) fill="currentColor" {}
            }
        }
    }
}
