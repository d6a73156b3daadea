//! An inspection for a terminal.

use kaizen_table::column::time_text;

use crate::finding::{Finding, Severity};
use crate::inspection::Inspection;
use crate::profile::{ColumnProfile, Role};
use crate::target::TargetSummary;
use crate::words::{count, counted, number, percent, shorten, shown_name};

/// How to draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalStyle {
    /// Columns of the terminal; less than 60 counts as 60.
    pub width: usize,
    /// Whether to use ANSI colours; meaning never rests on colour alone.
    pub colour: bool,
}

impl Default for TerminalStyle {
    fn default() -> Self {
        Self { width: 80, colour: false }
    }
}

/// Columns shown before the rest is only counted.
const COLUMNS_SHOWN: usize = 100;

/// Bars beside a name.
const SHAPE_WIDTH: usize = 12;

/// Least width that the table of columns needs.
const WIDTH_MIN: usize = 60;

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The inspection as text with line ends; every line fits the width, control characters are made visible.
pub fn render_terminal(inspection: &Inspection, style: TerminalStyle) -> String {
    let page = Page { width: style.width.max(WIDTH_MIN), colour: style.colour };
    let mut out = String::new();
    page.heading(
        &mut out,
        &format!(
            "{}, {}, {}",
            counted(inspection.row_count, "row"),
            counted(inspection.columns.len(), "column"),
            bytes(inspection.size_bytes)
        ),
    );
    page.target(&mut out, inspection);
    page.columns(&mut out, inspection);
    page.findings(&mut out, inspection);
    out
}

struct Page {
    width: usize,
    colour: bool,
}

impl Page {
    fn heading(&self, out: &mut String, text: &str) {
        out.push_str(&self.paint("1", text));
        out.push('\n');
    }

    /// `text` in an ANSI style, where colours are wanted.
    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn target(&self, out: &mut String, inspection: &Inspection) {
        let Some(target) = &inspection.target else { return };
        let task = target.decision.task.word();
        let line = format!("Target {}: {task}, since {}.", shorten(&target.name, 40), target.decision.why);
        self.paragraph(out, &line, "");
        if let TargetSummary::Classes(classes) = &target.summary {
            const SHOWN: usize = 6;
            let total: usize = classes.iter().map(|(_, size)| size).sum();
            let mut parts: Vec<String> = classes
                .iter()
                .take(SHOWN)
                .map(|(name, size)| {
                    let share = *size as f64 / total.max(1) as f64;
                    format!("{} {} ({})", shorten(name, 24), count(*size), percent(share))
                })
                .collect();
            if classes.len() > SHOWN {
                parts.push(format!("{} more", classes.len() - SHOWN));
            }
            self.paragraph(out, &format!("Classes: {}.", parts.join(", ")), "");
        }
        if let Some(split) = &inspection.split {
            self.paragraph(out, &format!("Folds: {}", split.reason), "");
        }
    }

    fn columns(&self, out: &mut String, inspection: &Inspection) {
        if inspection.columns.is_empty() {
            return;
        }
        out.push('\n');
        let shown = &inspection.columns[..inspection.columns.len().min(COLUMNS_SHOWN)];
        let widest = shown.iter().map(|column| width_of(&shorten(&column.name, 200))).max().unwrap_or(0);
        // Fixed columns take 42 places; the name gets at most three tenths of the width, values what is left.
        let name_width = widest.clamp(6, (self.width * 3 / 10).max(12));
        let rest = self.width.saturating_sub(name_width + 42);
        let head = format!(
            "{} {} {} {} {} {}",
            pad("column", name_width),
            pad("type", 8),
            pad_left("missing", 8),
            pad_left("distinct", 9),
            pad("shape", SHAPE_WIDTH),
            fit("values", rest)
        );
        out.push_str(&self.paint("1", head.trim_end()));
        out.push('\n');
        for column in shown {
            let missing = column.missing_share(inspection.row_count);
            let line = format!(
                "{} {} {} {} {} {}",
                pad(&shorten(shown_name(&column.name), name_width), name_width),
                pad(column.kind, 8),
                pad_left(&if missing == 0.0 { "-".to_owned() } else { percent(missing) }, 8),
                pad_left(&count(column.distinct_count), 9),
                pad(&sparkline(column), SHAPE_WIDTH),
                fit(&values(column), rest),
            );
            let dropped = column.role.is_dropped();
            out.push_str(&if dropped {
                self.paint("2", line.trim_end())
            } else {
                line.trim_end().to_owned()
            });
            out.push('\n');
        }
        let left = inspection.columns.len() - shown.len();
        if left > 0 {
            out.push_str("… and ");
            out.push_str(&counted(left, "more column"));
            out.push('\n');
        }
    }

    fn findings(&self, out: &mut String, inspection: &Inspection) {
        out.push('\n');
        if inspection.findings.is_empty() {
            out.push_str("Nothing found that needs attention.\n");
            return;
        }
        self.heading(out, &counted(inspection.findings.len(), "finding"));
        for finding in &inspection.findings {
            self.finding(out, finding);
        }
    }

    fn finding(&self, out: &mut String, finding: &Finding) {
        let (mark, code) = match finding.severity {
            Severity::Blocking => ("✗", "1;31"),
            Severity::Critical => ("!", "31"),
            Severity::Warning => ("▲", "33"),
            Severity::Info => ("·", "36"),
        };
        let label = format!("{mark} {:<8}", finding.severity.word());
        let mut text = finding.what.clone();
        if !finding.action.is_empty() {
            text.push_str(" → ");
            text.push_str(&finding.action);
        }
        if !finding.advice.is_empty() {
            text.push(' ');
            text.push_str(&finding.advice);
        }
        let indent = " ".repeat(width_of(&label) + 1);
        for (index, line) in wrap(&text, self.width - indent.len()).iter().enumerate() {
            if index == 0 {
                out.push_str(&self.paint(code, &label));
                out.push(' ');
            } else {
                out.push_str(&indent);
            }
            out.push_str(line);
            out.push('\n');
        }
    }

    fn paragraph(&self, out: &mut String, text: &str, indent: &str) {
        for line in wrap(text, self.width - indent.len()) {
            out.push_str(indent);
            out.push_str(&line);
            out.push('\n');
        }
    }
}

/// What a column holds, in a few words.
fn values(column: &ColumnProfile) -> String {
    let role = match &column.role {
        Role::Feature => String::new(),
        Role::Target => "[target] ".to_owned(),
        Role::DuplicateOf(original) => format!("[dropped: duplicate of {}] ", shorten(original, 20)),
        role => format!("[dropped: {}] ", role.word().replace('_', " ")),
    };
    let what = if let Some(summary) = column.number {
        let show = |value: f64| {
            if column.kind == "time" { time_text(value) } else { number(value) }
        };
        if column.kind == "time" {
            format!("{} … {}", show(summary.min), show(summary.max))
        } else {
            format!("{} … {} … {}", show(summary.min), show(summary.median), show(summary.max))
        }
    } else if column.levels.is_empty() {
        column.text.map_or(String::new(), |text| {
            format!(
                "{} … {} bytes, {} words",
                count(text.bytes_min),
                count(text.bytes_max),
                number(text.words_mean)
            )
        })
    } else {
        let shown: Vec<String> = column
            .levels
            .iter()
            .take(4)
            .map(|level| format!("{} {}", shorten(&level.value, 20), count(level.count)))
            .collect();
        shown.join(", ")
    };
    format!("{role}{what}")
}

/// A histogram, or the counts of the most frequent levels, as at most twelve bars.
fn sparkline(column: &ColumnProfile) -> String {
    let heights: Vec<f64> = match &column.histogram {
        Some(histogram) => {
            let counts: Vec<f64> = histogram.counts.iter().map(|&count| count as f64).collect();
            regroup(&counts, counts.len().min(SHAPE_WIDTH))
        }
        None => column.levels.iter().take(SHAPE_WIDTH).map(|level| level.count as f64).collect(),
    };
    let largest = heights.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let steps = BARS.len() as f64;
    let bar = |height: &f64| {
        if *height <= 0.0 {
            ' '
        } else {
            BARS[(height / largest * steps).ceil().clamp(1.0, steps) as usize - 1]
        }
    };
    heights.iter().map(bar).collect()
}

/// Shares the counts of bins among `count` wider bins of equal width; a bin on an edge is divided.
fn regroup(bins: &[f64], count: usize) -> Vec<f64> {
    let width = bins.len() as f64 / count.max(1) as f64;
    (0..count)
        .map(|wide| {
            let (from, to) = (wide as f64 * width, (wide + 1) as f64 * width);
            let overlap = |bin: usize| (to.min((bin + 1) as f64) - from.max(bin as f64)).max(0.0);
            (from as usize..(to.ceil() as usize).min(bins.len())).map(|bin| bins[bin] * overlap(bin)).sum()
        })
        .collect()
}

/// Memory as a person says it.
fn bytes(size: usize) -> String {
    const UNITS: [&str; 5] = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let (mut value, mut unit) = (size as f64, 0);
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{size} bytes") } else { format!("{value:.1} {}", UNITS[unit]) }
}

/// Places that a string takes: two for East Asian wide characters and emoji, none for combining marks.
fn width_of(text: &str) -> usize {
    text.chars().map(places).sum()
}

fn places(character: char) -> usize {
    match u32::from(character) {
        0x0300..=0x036f | 0x200b..=0x200d | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f
        | 0x2e80..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1faff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

/// `text` cut to `width` places.
fn fit(text: &str, width: usize) -> String {
    if width_of(text) <= width {
        return text.to_owned();
    }
    if width == 0 {
        return String::new();
    }
    let (mut short, mut used) = (String::new(), 1);
    for character in text.chars() {
        used += places(character);
        if used > width {
            break;
        }
        short.push(character);
    }
    short.push('…');
    short
}

fn pad(text: &str, width: usize) -> String {
    let text = fit(text, width);
    let space = width - width_of(&text).min(width);
    text + &" ".repeat(space)
}

fn pad_left(text: &str, width: usize) -> String {
    " ".repeat(width - width_of(text).min(width)) + text
}

/// Breaks at spaces; a word longer than a line is cut into lines.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split_whitespace() {
        let mut pieces = vec![String::new()];
        let mut piece_width = 0;
        for character in word.chars() {
            if piece_width + places(character) > width {
                pieces.push(String::new());
                piece_width = 0;
            }
            piece_width += places(character);
            if let Some(piece) = pieces.last_mut() {
                piece.push(character);
            }
        }
        for piece in pieces {
            let needed = width_of(&piece);
            let gap = usize::from(used > 0);
            if used + gap + needed > width {
                lines.push(String::new());
                used = 0;
            }
            if let Some(line) = lines.last_mut() {
                if used > 0 {
                    line.push(' ');
                    used += 1;
                }
                line.push_str(&piece);
                used += needed;
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_whatever_the_words() {
        let text = format!("{} short 漢字漢字漢字 {}", "x".repeat(200), "y ".repeat(50));
        assert!(wrap(&text, 30).iter().all(|line| width_of(line) <= 30));
        assert_eq!(fit("漢字漢字", 5), "漢字…");
        assert_eq!(pad("ab", 4), "ab  ");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(regroup(&[2.0, 2.0, 4.0], 2), [3.0, 5.0]);
    }
}
