//! Promises that every page keeps.

use kaizen_report::{Diagnostics, Headline, NumberDiagnostics, ReportData, render};

use crate::sample::{binary, multiclass, regression};

fn ids(page: &str) -> Vec<&str> {
    page.split("<section id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[test]
fn every_section_is_there_in_order_and_in_the_contents() {
    let page = render(&binary());
    let wanted = [
        "use",
        "data",
        "leaderboard",
        "quality",
        "importance",
        "why",
        "search",
        "timeline",
        "reproduce",
        "dictionary",
    ];
    assert_eq!(ids(&page), wanted);
    for id in wanted {
        assert!(page.contains(&format!("href=\"#{id}\"")), "{id}");
    }
    for caption in ["ROC. ", "Precision and recall. ", "Calibration. ", "Confusion: rows", "Best so far "] {
        assert!(page.contains(caption), "{caption}");
    }
}

#[test]
fn what_is_absent_is_left_out() {
    let page = render(&ReportData::default());
    assert_eq!(ids(&page), Vec::<&str>::new());
    assert!(page.contains("No honest score could be taken."));
    let page = render(&regression());
    assert_eq!(ids(&page), ["use", "quality", "importance", "why", "search", "timeline", "reproduce"]);
    assert!(page.contains("Predicted against actual. ") && page.contains("lower is better"));
}

#[test]
fn the_page_asks_nothing_of_the_outside() {
    for data in [binary(), multiclass(6), multiclass(19), regression()] {
        let page = render(&data);
        for banned in [
            "http://",
            "https://",
            "src=",
            "@import",
            "url(",
            "<link",
            "<iframe",
            " style=",
            " onclick",
            "javascript:",
        ] {
            // The word may occur in text that was escaped, never as markup; the sample holds none of these.
            assert!(!page.contains(banned), "{banned}");
        }
        assert!(page.contains("default-src 'none'; style-src 'sha256-"));
        assert_eq!(page.matches("<script").count(), 1);
        assert!(page.len() < 900_000, "{} bytes", page.len());
    }
}

#[test]
fn strings_from_the_data_are_escaped_everywhere() {
    let attack = "</script></style></title><script>alert(1)</script>\"'><img src=x onerror=alert(1)>";
    let mut data = binary();
    data.headline.target = attack.to_owned();
    data.headline.metric = attack.to_owned();
    data.headline.model = attack.to_owned();
    data.headline.scored_on = attack.to_owned();
    data.headline.cautions = vec![attack.to_owned()];
    data.why = attack.to_owned();
    data.usage[0].title = attack.to_owned();
    data.usage[0].text = attack.to_owned();
    data.leaderboard[0].name = attack.to_owned();
    data.importance[0].name = attack.to_owned();
    data.families[0].name = attack.to_owned();
    data.families[0].outcome = attack.to_owned();
    data.timeline[0].name = attack.to_owned();
    if let Some(Diagnostics::Classes(found)) = &mut data.diagnostics {
        found.names = vec![attack.to_owned(), attack.to_owned()];
        found.roc[0].label = attack.to_owned();
        found.precision_recall[0].label = attack.to_owned();
        found.calibration[0].label = attack.to_owned();
    }
    if let Some(found) = &mut data.reproduction {
        found.command = attack.to_owned();
        found.settings[0].value = attack.to_owned();
    }
    let page = render(&data);
    assert_eq!((page.matches("<script").count(), page.matches("</script").count()), (1, 1));
    assert_eq!((page.matches("<style").count(), page.matches("</style").count()), (1, 1));
    assert!(!page.contains("<img") && !page.contains("<b>nobody"));
    assert!(page.contains("&lt;script&gt;"));
}

#[test]
fn tags_are_balanced() {
    for data in [binary(), multiclass(7), regression()] {
        let page = render(&data);
        for tag in [
            "section", "table", "tr", "td", "th", "figure", "svg", "div", "p", "ul", "li", "dl", "header",
            "main", "nav", "pre", "span",
        ] {
            let opened =
                page.matches(&format!("<{tag} ")).count() + page.matches(&format!("<{tag}>")).count();
            assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{tag}");
        }
        // Every picture says in words what it shows; those that repeat a text are hidden.
        assert_eq!(
            page.matches("<svg").count(),
            page.matches("role=\"img\" aria-label=").count()
                + page.matches("<svg viewBox=\"0 0 28 8\" aria-hidden").count()
        );
        assert_eq!(page.matches("<table").count(), page.matches("<caption").count());
        assert!(!page.contains("NaN") && !page.contains(">inf<"));
    }
}

#[test]
fn odd_numbers_and_giant_names_do_not_break_the_page() {
    let mut data = regression();
    let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e308, -1e308, 0.0, 5e-324];
    data.diagnostics = Some(Diagnostics::Numbers(NumberDiagnostics {
        points: odd.iter().flat_map(|&a| odd.iter().map(move |&b| [a, b])).collect(),
        coverage: None,
        sampled_from: 0,
    }));
    for (point, &value) in data.search.iter_mut().zip(&odd) {
        point.score = Some(value);
        point.best = Some(value);
    }
    for (row, &value) in data.importance.iter_mut().zip(&odd) {
        row.mean = value;
    }
    data.headline.target = "x".repeat(1 << 20);
    let page = render(&data);
    assert!(page.len() < 900_000, "{} bytes", page.len());
    let constant = NumberDiagnostics { points: vec![[1.0, 1.0]; 10], ..NumberDiagnostics::default() };
    let data = ReportData {
        headline: Headline::default(),
        diagnostics: Some(Diagnostics::Numbers(constant)),
        ..ReportData::default()
    };
    assert_eq!(ids(&render(&data)), ["quality"]);
}

#[test]
fn the_same_data_gives_the_same_bytes() {
    assert_eq!(render(&binary()), render(&binary()));
}

/// Writes the samples for looking at: `KAIZEN_REPORT_SAMPLES=folder cargo test -p kaizen-report samples`.
#[test]
fn samples() {
    let Some(folder) = option_env!("KAIZEN_REPORT_SAMPLES") else {
        println!("skipped: KAIZEN_REPORT_SAMPLES is not set when building");
        return;
    };
    for (name, data) in [
        ("binary", binary()),
        ("multiclass", multiclass(7)),
        ("many", multiclass(19)),
        ("regression", regression()),
    ] {
        std::fs::write(format!("{folder}/{name}.html"), render(&data)).unwrap();
    }
}
