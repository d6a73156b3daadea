//! The page: headline, contents, sections, style and script.

use kaizen_inspect::{HtmlParts, render_html_parts, sentence, shorten, words};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::data::{Diagnostics, Headline, ReportData};
use crate::policy::content_security_policy;
use crate::sections::{
    bytes_text, code, families, importance, interval_text, leaderboard, reproduction, score_strip,
    score_text, search, seconds_text, timeline,
};
use crate::{data::Command, diagnostics};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// A section with its anchor and heading.
struct Section {
    id: &'static str,
    title: &'static str,
    body: Markup,
}

/// The report as one HTML page.
///
/// Sections without data are left out. Every string is escaped; names and cells are shortened, so that the page stays
/// small whatever the data. The same data gives the same bytes.
///
/// ```
/// use kaizen_report::{Headline, ReportData, render};
///
/// let headline = Headline { target: "<b>y</b>".to_owned(), score: Some(0.91), ..Headline::default() };
/// let page = render(&ReportData { headline, ..ReportData::default() });
/// assert!(page.starts_with("<!DOCTYPE html>") && page.contains("&lt;b&gt;y") && !page.contains("<b>y"));
/// ```
pub fn render(data: &ReportData) -> String {
    let title = format!("Kaizen · {}", shorten(&data.headline.target, 80));
    let sections = sections(data);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(content_security_policy(STYLE, SCRIPT));
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a class="skip" href="#content" { "Skip to the content" }
                (headline(&data.headline))
                nav aria-label="Contents" {
                    ul { @for section in &sections { li { a href={ "#" (section.id) } { (section.title) } } } }
                }
                main id="content" {
                    @for section in &sections {
                        section id=(section.id) aria-labelledby={ (section.id) "-title" } {
                            h2 id={ (section.id) "-title" } { (section.title) }
                            (section.body)
                        }
                    }
                }
                footer { p { "Made by Kaizen. This page needs nothing outside itself: it can be archived, mailed and printed." } }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
    .into_string()
}

fn sections(data: &ReportData) -> Vec<Section> {
    let mut sections = Vec::new();
    let mut add = |id, title, body: Markup| {
        if !body.0.is_empty() {
            sections.push(Section { id, title, body });
        }
    };
    let parts: Option<HtmlParts> = data.inspection.as_ref().map(render_html_parts);
    add("use", "Use it", usage(&data.usage));
    if let Some(parts) = &parts {
        add(
            "data",
            "Data and warnings",
            html! { (PreEscaped(&parts.summary)) (PreEscaped(&parts.findings)) },
        );
    }
    if !data.leaderboard.is_empty() {
        add("leaderboard", "Leaderboard", leaderboard(&data.leaderboard, &data.headline));
    }
    add(
        "quality",
        "Where it is right and wrong",
        match &data.diagnostics {
            Some(Diagnostics::Classes(found)) => diagnostics::classes(found),
            Some(Diagnostics::Numbers(found)) => diagnostics::numbers(found),
            None => html! {},
        },
    );
    if !data.importance.is_empty() {
        add("importance", "What it looks at", importance(&data.importance, &data.headline));
    }
    add("why", "What was tried and why this won", families(&data.families, &data.why));
    if !data.search.is_empty() {
        add("search", "The search", search(&data.search, &data.headline));
    }
    if !data.timeline.is_empty() {
        add("timeline", "Where the time went", timeline(&data.timeline));
    }
    if let Some(found) = &data.reproduction {
        add("reproduce", "Reproduce it", reproduction(found));
    }
    if let Some(parts) = &parts {
        add("dictionary", "Data dictionary", html! { (PreEscaped(&parts.columns)) });
    }
    sections
}

fn usage(commands: &[Command]) -> Markup {
    html! {
        @if !commands.is_empty() {
            div class="plots" {
                @for command in commands {
                    div class="usage" {
                        h3 { (shorten(&command.title, 80)) }
                        (code(&command.text, &shorten(&command.title, 80)))
                    }
                }
            }
        }
    }
}

fn headline(data: &Headline) -> Markup {
    html! {
        header {
            p class="brand" { "Kaizen" span { " report" } }
            h1 { "Predicting " em { (shorten(&data.target, 120)) } }
            div class="hero" {
                div class="score" {
                    @if let Some(score) = data.score {
                        p class="big" { (score_text(score)) }
                        p class="metric" {
                            (shorten(&data.metric, 60))
                            @if data.higher_is_better { " · higher is better" } @else { " · lower is better" }
                        }
                        @if let Some(interval) = &data.interval {
                            p { (words::percent(interval.level)) " interval " b { (interval_text(interval)) } }
                        }
                        (score_strip(data))
                        @if !data.scored_on.is_empty() { p class="faint" { "Measured by " (shorten(&data.scored_on, 300)) "; no row was judged by a model that had learned from it." } }
                    } @else {
                        p { "No honest score could be taken." }
                    }
                    @if let Some((score, interval)) = &data.test {
                        p {
                            "On rows that took no part in fitting: " b { (score_text(*score)) }
                            @if let Some(interval) = interval { " (" (interval_text(interval)) ")" }
                        }
                    }
                }
                (facts(data))
            }
            @for caution in &data.cautions { p class="caution" role="note" { b { "Mind: " } (sentence(&shorten(caution, 600))) } }
        }
    }
}

fn facts(data: &Headline) -> Markup {
    let facts: Vec<(&str, String)> = [
        ("task", (!data.task.is_empty()).then(|| shorten(&data.task, 40))),
        ("model", (!data.model.is_empty()).then(|| shorten(&data.model, 120))),
        ("rows", (data.row_count > 0).then(|| words::count(data.row_count))),
        ("features", (data.feature_count > 0).then(|| words::count(data.feature_count))),
        ("fitted in", data.fit_seconds.map(seconds_text)),
        ("one row takes about", data.row_microseconds.map(|us| seconds_text(us / 1e6))),
        ("artifact", data.size_bytes.map(bytes_text)),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect();
    html! { dl class="facts" { @for (name, value) in facts { div { dt { (name) } dd { (value) } } } } }
}
