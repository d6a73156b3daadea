//! The sections between the headline and the end: leaderboard, search, importance, families, timeline, reproduction.

use std::fmt::Write as _;

use kaizen_inspect::{sentence, shorten, words};
use maud::{Markup, html};

use crate::data::{
    Family, Headline, Importance, Interval, LeaderboardRow, Reproduction, SearchPoint, Setting, Span,
};
use crate::plot::{Plot, Scale, svg};

/// Lines of the leaderboard that are shown.
const LEADERBOARD_ROWS: usize = 60;

/// Lines of the leaderboard, at least, that the bars of intervals are scaled to.
const LEADERS: usize = 5;

/// Columns whose importance is shown.
const IMPORTANCE_ROWS: usize = 30;

/// Trials that are drawn as dots.
const TRIALS_DRAWN: usize = 2_000;

/// Longest name shown, in characters.
const NAME_CHARACTERS: usize = 80;

/// A score with as many digits as tell models apart.
pub(crate) fn score_text(score: f64) -> String {
    match score.abs() {
        size if size >= 1000.0 => words::number(score),
        size if size >= 10.0 => format!("{score:.2}"),
        _ => format!("{score:.4}"),
    }
}

/// A time with a unit that suits it.
pub(crate) fn seconds_text(seconds: f64) -> String {
    match seconds {
        s if s < 0.001 => format!("{:.0} µs", s * 1e6),
        s if s < 1.0 => format!("{:.0} ms", s * 1e3),
        s if s < 120.0 => format!("{s:.1} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

/// A size with a unit that suits it.
pub(crate) fn bytes_text(bytes: usize) -> String {
    const STEP: f64 = 1024.0;
    match bytes as f64 {
        b if b < STEP => format!("{bytes} B"),
        b if b < STEP * STEP => format!("{:.0} KiB", b / STEP),
        b if b < STEP * STEP * STEP => format!("{:.1} MiB", b / STEP / STEP),
        b => format!("{:.2} GiB", b / STEP / STEP / STEP),
    }
}

fn or_dash(text: Option<String>) -> Markup {
    html! { @if let Some(text) = text { (text) } @else { span class="faint" { "–" } } }
}

/// An interval as `0.912 to 0.934`.
pub(crate) fn interval_text(interval: &Interval) -> String {
    format!("{} to {}", score_text(interval.low), score_text(interval.high))
}

/// The models with score, cost and weight.
pub(crate) fn leaderboard(rows: &[LeaderboardRow], headline: &Headline) -> Markup {
    // One useless model would squeeze the bars of all others into dots.
    let ends = rows[..rows.len().min((rows.len() / 2).max(LEADERS))]
        .iter()
        .filter_map(|row| row.interval)
        .flat_map(|interval| [interval.low, interval.high]);
    let scale = Scale::over(ends, 2.0, 138.0);
    let with_times = rows.iter().any(|row| row.fit_seconds.is_some());
    let with_sizes = rows.iter().any(|row| row.size_bytes.is_some());
    let left = rows.len().saturating_sub(LEADERBOARD_ROWS);
    html! {
        p class="lead" {
            "Scores are " b { (headline.metric) } " on the same rows; "
            @if headline.higher_is_better { "higher" } @else { "lower" } " is better. Bars show the interval; those of models far behind lie at the edge."
        }
        div class="scroll" tabindex="0" role="region" aria-label="Leaderboard" {
            table class="sortable" {
                caption { "Models and ensembles, best first" }
                thead {
                    tr {
                        th scope="col" { "model" }
                        th scope="col" class="number" { "score" }
                        th scope="col" { "interval" }
                        th scope="col" class="number" { "weight" }
                        @if with_times { th scope="col" class="number" { "fit" } }
                        th scope="col" class="number" { "one row" }
                        @if with_sizes { th scope="col" class="number" { "size" } }
                    }
                }
                tbody { @for row in rows.iter().take(LEADERBOARD_ROWS) { (leaderboard_row(row, &scale, with_times, with_sizes)) } }
            }
        }
        @if left > 0 { p class="faint" { "And " (words::counted(left, "model")) " more." } }
    }
}

fn leaderboard_row(row: &LeaderboardRow, scale: &Scale, with_times: bool, with_sizes: bool) -> Markup {
    html! {
        tr class=[(row.weight > 0.0).then_some("used")] {
            th scope="row" { (shorten(&row.name, NAME_CHARACTERS)) }
            td class="number" data-value=[row.score] { (or_dash(row.score.map(score_text))) }
            td {
                @if let (Some(score), Some(interval)) = (row.score, &row.interval) { (interval_bar(score, interval, scale)) }
            }
            td class="number" data-value=(row.weight) { @if row.weight > 0.0 { (words::percent(row.weight)) } @else { span class="faint" { "–" } } }
            @if with_times { td class="number" data-value=[row.fit_seconds] { (or_dash(row.fit_seconds.map(seconds_text))) } }
            td class="number" data-value=[row.row_microseconds] { (or_dash(row.row_microseconds.map(|us| seconds_text(us / 1e6)))) }
            @if with_sizes { td class="number" data-value=[row.size_bytes] { (or_dash(row.size_bytes.map(bytes_text))) } }
        }
    }
}

fn interval_bar(score: f64, interval: &Interval, scale: &Scale) -> Markup {
    let (low, high, at) = (scale.at(interval.low), scale.at(interval.high), scale.at(score));
    let body = format!(
        r#"<path class="whisker" d="M{low:.1} 8H{high:.1}M{low:.1} 4V12M{high:.1} 4V12"/><circle class="dot s0" cx="{at:.1}" cy="8" r="3.4"/>"#
    );
    html! { span class="mini" { (svg(140.0, 16.0, &interval_text(interval), &body)) } }
}

/// The score, its interval and the baseline on one line.
pub(crate) fn score_strip(headline: &Headline) -> Markup {
    let (Some(score), Some(interval)) = (headline.score, &headline.interval) else { return html! {} };
    let values = [Some(score), Some(interval.low), Some(interval.high), headline.baseline];
    let scale = Scale::over(values.into_iter().flatten(), 8.0, 512.0);
    let (low, high, at) = (scale.at(interval.low), scale.at(interval.high), scale.at(score));
    let mut body = format!(
        r#"<path class="axis" d="M8 16H512"/><path class="band" d="M{low:.1} 16H{high:.1}"/><circle class="dot s0" cx="{at:.1}" cy="16" r="6"/>"#
    );
    if let Some(baseline) = headline.baseline {
        let at = scale.at(baseline);
        let _ = write!(body, r#"<path class="mark" d="M{at:.1} 8V24"/>"#);
    }
    let spoken = format!("Score {} with interval {}", score_text(score), interval_text(interval));
    html! {
        div class="strip" { (svg(520.0, 32.0, &spoken, &body)) }
        @if let Some(baseline) = headline.baseline {
            p class="faint" { "Without a model, always giving the same answer scores " (score_text(baseline)) " (the mark on the line)." }
        }
    }
}

/// Best score against time and against trials.
pub(crate) fn search(points: &[SearchPoint], headline: &Headline) -> Markup {
    let failed = points.iter().filter(|point| point.score.is_none()).count();
    let early = points.iter().filter(|point| point.score.is_some() && !point.is_complete).count();
    let by_time: Vec<(f64, SearchPoint)> =
        points.iter().filter_map(|point| Some((point.seconds?, *point))).collect();
    let by_trial: Vec<(f64, SearchPoint)> =
        points.iter().enumerate().map(|(index, point)| ((index + 1) as f64, *point)).collect();
    html! {
        p class="lead" {
            (words::counted(points.len(), "trial"))
            @if early > 0 { ", of which " (words::count(early)) " were given up early" }
            @if failed == 0 { "; none failed." } @else { "; " (words::count(failed)) " failed and cost nothing but themselves." }
        }
        div class="plots" {
            (search_plot(&by_time, "seconds since the start", early > 0, headline))
            (search_plot(&by_trial, "trials", early > 0, headline))
        }
    }
}

fn search_plot(
    points: &[(f64, SearchPoint)],
    x_title: &str,
    with_early: bool,
    headline: &Headline,
) -> Markup {
    let mut scores: Vec<f64> = points
        .iter()
        .filter(|(_, point)| point.is_complete)
        .filter_map(|(_, point)| point.score)
        .filter(|score| score.is_finite())
        .collect();
    scores.sort_unstable_by(f64::total_cmp);
    let Some(last) = scores.len().checked_sub(1) else { return html! {} };
    // The worst quarter would squeeze the part that matters; it is drawn at the edge.
    let shown = if headline.higher_is_better { &scores[last / 4..] } else { &scores[..=last - last / 4] };
    let end = points.last().map_or(1.0, |(x, _)| *x);
    let mut plot = Plot::over(460.0, 310.0, [0.0, end].into_iter(), shown.iter().copied());
    plot.axes(x_title, &shorten(&headline.metric, 40));
    let stride = points.len().div_ceil(TRIALS_DRAWN).max(1);
    for (is_complete, class) in [(false, "trial early"), (true, "trial")] {
        let dots: Vec<([f64; 2], String)> = points
            .iter()
            .step_by(stride)
            .filter(|(_, point)| point.is_complete == is_complete)
            .filter_map(|(x, point)| Some(([*x, point.score?], trial_hover(point)?)))
            .collect();
        plot.dots(dots.iter().map(|(at, hover)| (*at, 2.6, hover.as_str())), class);
    }
    let best: Vec<[f64; 2]> = points.iter().filter_map(|(x, point)| Some([*x, point.best?])).collect();
    plot.steps(&best, 0);
    html! {
        figure {
            (plot.finish(&format!("Best {} so far against {x_title}", headline.metric)))
            figcaption {
                b { "Best so far " } "(line) and every trial (dots) against " (x_title) "."
                @if with_early { " Rings are trials given up early: their scores rest on fewer rows and do not count for the line." }
                " The worst quarter lies at the edge."
            }
        }
    }
}

fn trial_hover(point: &SearchPoint) -> Option<String> {
    let mut text = format!("trial {}: {}", point.number, score_text(point.score?));
    if !point.is_complete {
        text.push_str(" on fewer rows");
    }
    if let Some(seconds) = point.seconds {
        let _ = write!(text, " after {}", seconds_text(seconds));
    }
    Some(text)
}

/// How much the score falls when a column is shuffled.
pub(crate) fn importance(rows: &[Importance], headline: &Headline) -> Markup {
    let shown = &rows[..rows.len().min(IMPORTANCE_ROWS)];
    let ends = shown.iter().flat_map(|row| {
        let deviation = row.deviation.unwrap_or(0.0);
        [row.mean - deviation, row.mean + deviation, 0.0]
    });
    let scale = Scale::over(ends, 2.0, 238.0);
    let zero = scale.at(0.0);
    html! {
        p class="lead" {
            "How much " b { (headline.metric) } " gets worse when a column is shuffled, on rows that the model did not learn from. Columns that say the same share their effect."
        }
        div class="scroll" tabindex="0" role="region" aria-label="Permutation importance" {
            table class="sortable bars" {
                caption { "Permutation importance ± standard deviation" }
                thead { tr { th scope="col" { "column" } th scope="col" { "loss of score" } th scope="col" class="number" { "mean" } th scope="col" class="number" { "±" } } }
                tbody {
                    @for row in shown {
                        tr {
                            th scope="row" { (shorten(&row.name, NAME_CHARACTERS)) }
                            td { (importance_bar(row, &scale, zero)) }
                            td class="number" data-value=(row.mean) { (score_text(row.mean)) }
                            td class="number" data-value=[row.deviation] { (or_dash(row.deviation.map(score_text))) }
                        }
                    }
                }
            }
        }
        @if rows.len() > shown.len() { p class="faint" { "And " (words::counted(rows.len() - shown.len(), "column")) " that matter less." } }
    }
}

fn importance_bar(row: &Importance, scale: &Scale, zero: f64) -> Markup {
    let at = scale.at(row.mean);
    let mut body = format!(
        r#"<rect class="bar" x="{:.1}" y="4" width="{:.1}" height="10"/><path class="axis" d="M{zero:.1} 1V17"/>"#,
        at.min(zero),
        (at - zero).abs().max(0.5)
    );
    if let Some(deviation) = row.deviation {
        let (low, high) = (scale.at(row.mean - deviation), scale.at(row.mean + deviation));
        let _ =
            write!(body, r#"<path class="whisker" d="M{low:.1} 9H{high:.1}M{low:.1} 6V12M{high:.1} 6V12"/>"#);
    }
    html! { span class="mini wide" { (svg(240.0, 18.0, &score_text(row.mean), &body)) } }
}

/// What was tried, and what came of it.
pub(crate) fn families(rows: &[Family], why: &str) -> Markup {
    html! {
        @if !why.is_empty() { p class="lead" { (sentence(&shorten(why, 2_000))) } }
        @if !rows.is_empty() {
            div class="scroll" tabindex="0" role="region" aria-label="What was tried" {
                table class="sortable" {
                    caption { "Kinds of models and what came of them" }
                    thead {
                        tr {
                            th scope="col" { "kind" }
                            th scope="col" class="number" { "tried" }
                            th scope="col" class="number" { "failed" }
                            th scope="col" class="number" { "best" }
                            th scope="col" class="number" { "time" }
                            th scope="col" { "outcome" }
                        }
                    }
                    tbody {
                        @for row in rows {
                            tr {
                                th scope="row" { (shorten(&row.name, NAME_CHARACTERS)) }
                                td class="number" data-value=(row.tried) { (words::count(row.tried)) }
                                td class="number" data-value=(row.failed) { (words::count(row.failed)) }
                                td class="number" data-value=[row.best] { (or_dash(row.best.map(score_text))) }
                                td class="number" data-value=[row.seconds] { (or_dash(row.seconds.map(seconds_text))) }
                                td class="outcome" { (sentence(&shorten(&row.outcome, 400))) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Where the time went.
pub(crate) fn timeline(spans: &[Span]) -> Markup {
    let end = spans.iter().map(|span| span.end_seconds).fold(0.0, f64::max);
    let scale = Scale::new(0.0, end, 0.0, 360.0);
    html! {
        div class="scroll" tabindex="0" role="region" aria-label="Timeline" {
            table class="bars" {
                caption { "From start to artifact: " (seconds_text(end)) }
                thead { tr { th scope="col" { "step" } th scope="col" { "when" } th scope="col" class="number" { "took" } } }
                tbody {
                    @for span in spans {
                        @let took = (span.end_seconds - span.start_seconds).max(0.0);
                        @let (from, to) = (scale.at(span.start_seconds), scale.at(span.end_seconds));
                        @let body = format!(r#"<path class="grid" d="M0 15.5H360"/><rect class="bar" x="{from:.1}" y="3" width="{:.1}" height="10"/>"#, (to - from).max(1.0));
                        @let spoken = format!("from {} to {}", seconds_text(span.start_seconds), seconds_text(span.end_seconds));
                        tr {
                            th scope="row" { (shorten(&span.name, NAME_CHARACTERS)) }
                            td { span class="mini widest" { (svg(360.0, 16.0, &spoken, &body)) } }
                            td class="number" { (seconds_text(took)) }
                        }
                    }
                }
            }
        }
    }
}

/// How to get the same model again.
pub(crate) fn reproduction(data: &Reproduction) -> Markup {
    html! {
        (code(&data.command, "Command that made this model"))
        p {
            @if data.exact {
                "The same data, version and command give the same bytes, on any number of threads."
            } @else {
                "The search was limited by time, so a faster or slower machine tries more or fewer models; with --max-trials instead, the same bytes come out."
            }
        }
        div class="plots" {
            @if !data.settings.is_empty() { (settings(&data.settings, "Settings")) }
            @if !data.digests.is_empty() { (settings(&data.digests, "Digests (SHA-256)")) }
        }
    }
}

fn settings(rows: &[Setting], caption: &str) -> Markup {
    html! {
        table class="settings" {
            caption { (caption) }
            tbody { @for row in rows { tr { th scope="row" { (shorten(&row.name, NAME_CHARACTERS)) } td { code { (shorten(&row.value, 400)) } } } } }
        }
    }
}

/// Text to be copied, line ends kept.
pub(crate) fn code(text: &str, label: &str) -> Markup {
    const CHARACTERS: usize = 4_000;
    let clean: String =
        text.chars().take(CHARACTERS).map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect();
    // Lines break between words only: half an option is no option.
    html! {
        pre tabindex="0" aria-label=(label) {
            code {
                @for (place, word) in clean.split(' ').enumerate() {
                    @if place > 0 { " " }
                    @if word.contains('\n') { (word) } @else { span class="word" { (word) } }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_read_well() {
        assert_eq!(seconds_text(0.0000431), "43 µs");
        assert_eq!(seconds_text(61.26), "61.3 s");
        assert_eq!(seconds_text(600.0), "10 min");
        assert_eq!(bytes_text(3 << 20), "3.0 MiB");
        assert_eq!(score_text(0.91234567), "0.9123");
        assert_eq!(score_text(48_231.4), "48,231");
    }
}
