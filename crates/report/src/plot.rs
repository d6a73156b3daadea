//! The parts of a plot: axes with round ticks, lines, dots, bars; as SVG that scales with the page.
//!
//! Colours are classes that the style sheet fills in (`s0` to `s9`), so that the dark page and the printed one have
//! their own. Lines also differ in their dashes and carry their names, so that nothing rests on colour alone.

use std::fmt::Write as _;

use kaizen_inspect::words;
use maud::{Markup, PreEscaped, html};

/// How many series have a look of their own.
pub(crate) const SERIES_MAX: usize = 10;

/// A range of numbers laid out along a length of pixels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Scale {
    /// A scale from `low` to `high`, drawn from pixel `from` to pixel `to`; an empty range is widened.
    pub(crate) fn new(low: f64, high: f64, from: f64, to: f64) -> Self {
        let (low, high) = if low.is_finite() && high.is_finite() && low < high {
            (low, high)
        } else if low.is_finite() {
            (low - low.abs().max(1.0) * 0.5, low + low.abs().max(1.0) * 0.5)
        } else {
            (0.0, 1.0)
        };
        Self { low, high, from, to }
    }

    /// A scale over values with a twentieth of their range left free at both ends.
    pub(crate) fn over(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let (low, high) = values
            .filter(|value| value.is_finite())
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        let room = (high - low) * 0.05;
        Self::new(low - room, high + room, from, to)
    }

    /// The pixel of a value, kept within the plot.
    pub(crate) fn at(&self, value: f64) -> f64 {
        let share = (value / 2.0 - self.low / 2.0) / (self.high / 2.0 - self.low / 2.0);
        self.from + share.clamp(0.0, 1.0) * (self.to - self.from)
    }

    /// About `count` round values within the range: steps of 1, 2, 2.5 or 5 times a power of ten.
    pub(crate) fn ticks(&self, count: usize) -> Vec<f64> {
        let rough = (self.high - self.low) / count.max(1) as f64;
        if !rough.is_finite() || rough <= 0.0 {
            return vec![self.low, self.high];
        }
        let power = kaizen_base::math::pow(10.0, kaizen_base::math::log10(rough).floor());
        let step = [1.0, 2.0, 2.5, 5.0, 10.0]
            .into_iter()
            .map(|m| m * power)
            .find(|step| *step >= rough)
            .unwrap_or(rough);
        let first = (self.low / step).ceil();
        // Multiples rather than sums: no rounding piles up, and 0.3 stays 0.3 in print.
        (0..=2 * count)
            .map(|index| (first + index as f64) * step)
            .take_while(|value| *value <= self.high + step * 1e-9)
            .collect()
    }
}

/// A tick as text: the digits that its step calls for, thousands and more as `250k`, `1.5M`, so that labels fit beside
/// an axis.
pub(crate) fn tick_text(value: f64, ticks: &[f64]) -> String {
    const UNITS: [(f64, &str); 4] = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    let step = ticks.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(f64::INFINITY, f64::min);
    let largest = ticks.iter().map(|tick| tick.abs()).fold(0.0, f64::max);
    if largest >= 1e15 || !step.is_finite() || step < 1e-5 {
        return words::number(value);
    }
    let (unit, mark) = match UNITS.into_iter().find(|(unit, _)| largest >= *unit) {
        // 5,000 is as short as 5.0k and reads better.
        Some((unit, mark)) if largest >= 10_000.0 => (unit, mark),
        _ => (1.0, ""),
    };
    let whole_at = |decimals: i32| {
        let scaled = step / unit * kaizen_base::math::pow(10.0, f64::from(decimals));
        (scaled - scaled.round()).abs() < 1e-6
    };
    let decimals = (0..6).find(|&decimals| whole_at(decimals)).unwrap_or(6);
    let text = if unit == 1.0 && decimals == 0 {
        words::count(value.abs().round() as usize)
    } else {
        format!("{:.*}", decimals as usize, value.abs() / unit)
    };
    // Rounding may leave a negative nothing.
    if !text.bytes().any(|digit| (b'1'..=b'9').contains(&digit)) {
        return text;
    }
    format!("{}{text}{mark}", if value < 0.0 { "−" } else { "" })
}

/// A plot with its frame.
pub(crate) struct Plot {
    /// Pixels.
    pub(crate) width: f64,
    /// Pixels.
    pub(crate) height: f64,
    /// Left to right.
    pub(crate) x: Scale,
    /// Bottom to top.
    pub(crate) y: Scale,
    body: String,
}

/// Room for axes: left, right, top, bottom.
const MARGINS: [f64; 4] = [68.0, 14.0, 12.0, 44.0];

impl Plot {
    /// An empty plot over the given ranges.
    pub(crate) fn new(width: f64, height: f64, x: [f64; 2], y: [f64; 2]) -> Self {
        let [left, right, top, bottom] = MARGINS;
        Self {
            width,
            height,
            x: Scale::new(x[0], x[1], left, width - right),
            y: Scale::new(y[0], y[1], height - bottom, top),
            body: String::new(),
        }
    }

    /// An empty plot over the values, with room at the ends.
    pub(crate) fn over(
        width: f64,
        height: f64,
        x: impl Iterator<Item = f64>,
        y: impl Iterator<Item = f64>,
    ) -> Self {
        let [left, right, top, bottom] = MARGINS;
        Self {
            width,
            height,
            x: Scale::over(x, left, width - right),
            y: Scale::over(y, height - bottom, top),
            body: String::new(),
        }
    }

    /// Grid, tick labels and titles.
    pub(crate) fn axes(&mut self, x_title: &str, y_title: &str) {
        let (left, right) = (self.x.from, self.x.to);
        let (bottom, top) = (self.y.from, self.y.to);
        let mut out = String::new();
        let y_ticks = self.y.ticks(5);
        for &tick in &y_ticks {
            let at = self.y.at(tick);
            let _ = write!(out, r#"<path class="grid" d="M{left:.1} {at:.1}H{right:.1}"/>"#);
            let _ = write!(
                out,
                r#"<text class="tick" x="{:.1}" y="{:.1}" text-anchor="end">{}</text>"#,
                left - 7.0,
                at + 4.0,
                tick_text(tick, &y_ticks)
            );
        }
        let x_ticks = self.x.ticks(5);
        for &tick in &x_ticks {
            let at = self.x.at(tick);
            let _ = write!(out, r#"<path class="grid" d="M{at:.1} {bottom:.1}V{top:.1}"/>"#);
            let _ = write!(
                out,
                r#"<text class="tick" x="{at:.1}" y="{:.1}" text-anchor="middle">{}</text>"#,
                bottom + 17.0,
                tick_text(tick, &x_ticks)
            );
        }
        let _ = write!(out, r#"<path class="axis" d="M{left:.1} {top:.1}V{bottom:.1}H{right:.1}"/>"#);
        let _ = write!(
            out,
            r#"<text class="title" x="{:.1}" y="{:.1}" text-anchor="middle">{}</text>"#,
            f64::midpoint(left, right),
            self.height - 6.0,
            escape(x_title)
        );
        let middle = f64::midpoint(top, bottom);
        let _ = write!(
            out,
            r#"<text class="title" x="14" y="{middle:.1}" text-anchor="middle" transform="rotate(-90 14 {middle:.1})">{}</text>"#,
            escape(y_title)
        );
        self.body.insert_str(0, &out);
    }

    /// A line through points, in the look of series `series`.
    pub(crate) fn line(&mut self, points: &[[f64; 2]], series: usize) {
        self.path(points, &format!("line s{}", series % SERIES_MAX), false);
    }

    /// A line that stays level until the next point (best score so far).
    pub(crate) fn steps(&mut self, points: &[[f64; 2]], series: usize) {
        self.path(points, &format!("line s{}", series % SERIES_MAX), true);
    }

    /// A thin dashed line for comparison.
    pub(crate) fn reference(&mut self, points: &[[f64; 2]]) {
        self.path(points, "reference", false);
    }

    fn path(&mut self, points: &[[f64; 2]], class: &str, level: bool) {
        if points.is_empty() {
            return;
        }
        let mut d = String::new();
        for (index, [x, y]) in points.iter().enumerate() {
            let (x, y) = (self.x.at(*x), self.y.at(*y));
            let _ = match (index, level) {
                (0, _) => write!(d, "M{x:.1} {y:.1}"),
                (_, true) => write!(d, "H{x:.1}V{y:.1}"),
                (_, false) => write!(d, "L{x:.1} {y:.1}"),
            };
        }
        let _ = write!(self.body, r#"<path class="{class}" d="{d}"/>"#);
    }

    /// Dots with an optional hover text each.
    pub(crate) fn dots<'a>(&mut self, points: impl Iterator<Item = ([f64; 2], f64, &'a str)>, class: &str) {
        for ([x, y], radius, hover) in points {
            let (x, y) = (self.x.at(x), self.y.at(y));
            if hover.is_empty() {
                let _ =
                    write!(self.body, r#"<circle class="{class}" cx="{x:.1}" cy="{y:.1}" r="{radius:.1}"/>"#);
            } else {
                let _ = write!(
                    self.body,
                    r#"<circle class="{class}" cx="{x:.1}" cy="{y:.1}" r="{radius:.1}"><title>{}</title></circle>"#,
                    escape(hover)
                );
            }
        }
    }

    /// Vertical bars from zero: left and right edge and height in data units, with a hover text.
    pub(crate) fn bars(&mut self, bars: impl Iterator<Item = (f64, f64, f64, String)>, class: &str) {
        let base = self.y.at(0.0);
        for (left, right, height, hover) in bars {
            let (left, right, top) = (self.x.at(left), self.x.at(right), self.y.at(height));
            let _ = write!(
                self.body,
                r#"<rect class="{class}" x="{:.1}" y="{top:.1}" width="{:.1}" height="{:.1}"><title>{}</title></rect>"#,
                left + 0.5,
                (right - left - 1.0).max(0.5),
                (base - top).max(0.0),
                escape(&hover)
            );
        }
    }

    /// The finished picture; `label` says in words what it shows.
    pub(crate) fn finish(self, label: &str) -> Markup {
        svg(self.width, self.height, label, &self.body)
    }
}

/// An SVG element around finished parts.
pub(crate) fn svg(width: f64, height: f64, label: &str, body: &str) -> Markup {
    html! {
        svg viewBox={ "0 0 " (width) " " (height) } role="img" aria-label=(label) {
            (PreEscaped(body))
        }
    }
}

/// Text for use inside SVG.
pub(crate) fn escape(text: &str) -> String {
    html! { (text) }.into_string()
}

/// The names of series beside a short piece of their line.
pub(crate) fn legend(labels: &[String]) -> Markup {
    html! {
        ul class="legend" {
            @for (index, label) in labels.iter().enumerate() {
                li {
                    svg viewBox="0 0 28 8" aria-hidden="true" { path class={ "line s" (index % SERIES_MAX) } d="M1 4H27" {} }
                    (label)
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let scale = Scale::new(0.0, 1.0, 0.0, 100.0);
        let ticks = scale.ticks(5);
        let texts: Vec<String> = ticks.iter().map(|&tick| tick_text(tick, &ticks)).collect();
        assert_eq!(texts, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        let scale = Scale::new(-12_345.0, 99_000.0, 0.0, 100.0);
        let ticks = scale.ticks(5);
        let texts: Vec<String> = ticks.iter().map(|&tick| tick_text(tick, &ticks)).collect();
        assert_eq!(texts, ["0", "25k", "50k", "75k"]);
        assert_eq!(tick_text(-1_500_000.0, &[-1_500_000.0, -1_000_000.0]), "−1.5M");
        assert_eq!(tick_text(5_000.0, &[0.0, 5_000.0]), "5,000");
        assert_eq!(scale.at(99_000.0), 100.0);
    }

    #[test]
    fn odd_ranges_do_not_break() {
        for (low, high) in
            [(3.0, 3.0), (f64::NAN, 1.0), (f64::INFINITY, f64::NEG_INFINITY), (-1e308, 1e308), (0.0, 1e-310)]
        {
            let scale = Scale::new(low, high, 0.0, 100.0);
            assert!(scale.ticks(5).len() < 20);
            assert!(scale.at(0.0).is_finite(), "{low} {high}");
        }
    }

    #[test]
    fn hover_texts_are_escaped() {
        let mut plot = Plot::new(100.0, 100.0, [0.0, 1.0], [0.0, 1.0]);
        plot.dots([([0.5, 0.5], 2.0, "</title><script>")].into_iter(), "dot");
        assert!(!plot.finish("x").into_string().contains("<script>"));
    }
}
