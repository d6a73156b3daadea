//! Where the model is right and wrong: curves, calibration, confusion; or predictions against the truth.

use kaizen_inspect::{shorten, words};
use maud::{Markup, html};

use crate::data::{Calibration, ClassDiagnostics, Curve, NumberDiagnostics};
use crate::plot::{Plot, SERIES_MAX, legend};
use crate::thin::{thin_cloud, thin_curve};

/// Points of a curve that are drawn: below one for two pixels.
const CURVE_POINTS: usize = 240;

/// Dots that are drawn: more only turn into one blot and make the page heavy.
const CLOUD_POINTS: usize = 1_200;

/// Classes up to which the whole table of confusions is shown.
const CONFUSION_CLASSES: usize = 12;

/// Confusions listed where the table would be too large.
const CONFUSIONS_LISTED: usize = 15;

/// Longest class name in plots and tables, in characters.
const NAME_CHARACTERS: usize = 32;

/// Width and height of a square plot.
const SQUARE: (f64, f64) = (430.0, 380.0);

/// Curves, calibration and confusion for classes.
pub(crate) fn classes(data: &ClassDiagnostics) -> Markup {
    html! {
        div class="plots" {
            @if !data.roc.is_empty() { (roc(&data.roc)) }
            @if !data.precision_recall.is_empty() { (precision_recall(&data.precision_recall)) }
            @if !data.calibration.is_empty() { (calibration(&data.calibration)) }
        }
        @if let Some((drawn, all)) = data.sampled {
            p class="faint" { "The curves are drawn from " (words::count(drawn)) " of " (words::counted(all, "row")) ", weighted so that they stand for all; the confusions count every row." }
        }
        @if !data.confusion.is_empty() && data.confusion.len() == data.names.len() { (confusion(data)) }
    }
}

fn labels(curves: &[Curve]) -> Vec<String> {
    curves
        .iter()
        .take(SERIES_MAX)
        .map(|curve| {
            let name = shorten(&curve.label, NAME_CHARACTERS);
            curve.area.map_or_else(|| name.clone(), |area| format!("{name} · area {area:.3}"))
        })
        .collect()
}

/// Says in words what the curves show, for those who do not see them.
fn spoken(title: &str, curves: &[Curve]) -> String {
    format!("{title}: {}", labels(curves).join("; "))
}

fn left_out(count: usize) -> Markup {
    html! {
        @if count > SERIES_MAX {
            p class="faint" { "The first " (SERIES_MAX) " of " (count) " classes are drawn." }
        }
    }
}

fn roc(curves: &[Curve]) -> Markup {
    let mut plot = Plot::new(SQUARE.0, SQUARE.1, [0.0, 1.0], [0.0, 1.0]);
    plot.axes("false positive rate", "true positive rate");
    plot.reference(&[[0.0, 0.0], [1.0, 1.0]]);
    for (series, curve) in curves.iter().take(SERIES_MAX).enumerate() {
        plot.line(&thin_curve(&curve.points, CURVE_POINTS), series);
    }
    html! {
        figure {
            (plot.finish(&spoken("Receiver operating characteristic", curves)))
            (legend(&labels(curves)))
            (left_out(curves.len()))
            figcaption { b { "ROC. " } "How many of the wanted rows are found (up) for how many false alarms (right), over all thresholds. The dashed line is guessing." }
        }
    }
}

fn precision_recall(curves: &[Curve]) -> Markup {
    let mut plot = Plot::new(SQUARE.0, SQUARE.1, [0.0, 1.0], [0.0, 1.0]);
    plot.axes("recall", "precision");
    for (series, curve) in curves.iter().take(SERIES_MAX).enumerate() {
        if let Some(chance) = curve.chance.filter(|_| curves.len() == 1) {
            plot.reference(&[[0.0, chance], [1.0, chance]]);
        }
        plot.line(&thin_curve(&curve.points, CURVE_POINTS), series);
    }
    html! {
        figure {
            (plot.finish(&spoken("Precision against recall", curves)))
            (legend(&labels(curves)))
            (left_out(curves.len()))
            figcaption {
                b { "Precision and recall. " } "How many of the alarms are right (up) for how many of the wanted rows are found (right)."
                @if curves.len() == 1 { " The dashed line is guessing." }
            }
        }
    }
}

fn calibration(all: &[Calibration]) -> Markup {
    let mut plot = Plot::new(SQUARE.0, SQUARE.1, [0.0, 1.0], [0.0, 1.0]);
    plot.axes("predicted probability", "observed share");
    plot.reference(&[[0.0, 0.0], [1.0, 1.0]]);
    // Large dots of many classes would hide one another.
    let widest = if all.len() > 2 { 1.0 } else { 4.0 };
    for (series, each) in all.iter().take(SERIES_MAX).enumerate() {
        let points: Vec<[f64; 2]> = each.bins.iter().map(|bin| [bin.predicted, bin.observed]).collect();
        plot.line(&points, series);
        let most = each.bins.iter().map(|bin| bin.count).max().unwrap_or(1).max(1) as f64;
        let hovers: Vec<String> = each
            .bins
            .iter()
            .map(|bin| {
                format!(
                    "{}: predicted {}, observed {}, {}",
                    shorten(&each.label, NAME_CHARACTERS),
                    words::percent(bin.predicted),
                    words::percent(bin.observed),
                    words::counted(bin.count, "row")
                )
            })
            .collect();
        let dots = each.bins.iter().zip(&hovers).map(|(bin, hover)| {
            ([bin.predicted, bin.observed], 2.0 + widest * (bin.count as f64 / most).sqrt(), hover.as_str())
        });
        plot.dots(dots, &format!("dot s{}", series % SERIES_MAX));
    }
    let names: Vec<String> =
        all.iter().take(SERIES_MAX).map(|each| shorten(&each.label, NAME_CHARACTERS)).collect();
    html! {
        figure {
            (plot.finish("Calibration: observed share against predicted probability"))
            (legend(&names))
            (left_out(all.len()))
            figcaption { b { "Calibration. " } "Of rows given a probability (right), how many came true (up). On the dashed line, 30 % means 30 %; larger dots stand for more rows." }
        }
    }
}

fn confusion(data: &ClassDiagnostics) -> Markup {
    let total: f64 = data.confusion.iter().flatten().sum();
    let right: f64 = (0..data.names.len()).filter_map(|class| data.confusion[class].get(class)).sum();
    let caption = html! {
        "Confusion: rows by class (down) and by what was predicted (across)"
        @if let Some(threshold) = data.threshold { ", at a threshold of " (words::number(threshold)) }
        "; " (words::percent(right / total.max(1.0))) " are on the diagonal."
    };
    html! {
        @if data.names.len() <= CONFUSION_CLASSES {
            (confusion_table(data, &caption))
        } @else {
            (confusion_list(data, &caption))
        }
    }
}

fn confusion_table(data: &ClassDiagnostics, caption: &Markup) -> Markup {
    html! {
        div class="scroll" tabindex="0" role="region" aria-label="Confusion" {
            table class="confusion" {
                caption { (caption) }
                thead {
                    tr {
                        th scope="col" { "class \\ predicted" }
                        @for name in &data.names { th scope="col" class="number" { (shorten(name, NAME_CHARACTERS)) } }
                        th scope="col" class="number" { "found" }
                    }
                }
                tbody {
                    @for (class, (name, row)) in data.names.iter().zip(&data.confusion).enumerate() {
                        @let sum = row.iter().sum::<f64>().max(1.0);
                        tr {
                            th scope="row" { (shorten(name, NAME_CHARACTERS)) }
                            @for (predicted, &count) in row.iter().enumerate() {
                                @let heat = (count / sum * 9.0).round().clamp(0.0, 9.0) as usize;
                                td class={ "number heat" (heat) @if class == predicted { " diagonal" } } { (words::count(count.round() as usize)) }
                            }
                            td class="number" { (words::percent(row.get(class).copied().unwrap_or(0.0) / sum)) }
                        }
                    }
                }
            }
        }
    }
}

/// The most frequent confusions, where a table of all would not fit a screen.
fn confusion_list(data: &ClassDiagnostics, caption: &Markup) -> Markup {
    let mut wrong: Vec<(f64, usize, usize)> = data
        .confusion
        .iter()
        .enumerate()
        .flat_map(|(class, row)| {
            row.iter().enumerate().map(move |(predicted, &count)| (count, class, predicted))
        })
        .filter(|&(count, class, predicted)| {
            class != predicted && predicted < data.names.len() && count > 0.0
        })
        .collect();
    wrong.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    html! {
        div class="scroll" tabindex="0" role="region" aria-label="Confusion" {
            table {
                caption { (caption) " The most frequent mistakes:" }
                thead {
                    tr { th scope="col" { "class" } th scope="col" { "predicted as" } th scope="col" class="number" { "rows" } th scope="col" class="number" { "of the class" } }
                }
                tbody {
                    @for &(count, class, predicted) in wrong.iter().take(CONFUSIONS_LISTED) {
                        tr {
                            th scope="row" { (shorten(&data.names[class], NAME_CHARACTERS)) }
                            td { (shorten(&data.names[predicted], NAME_CHARACTERS)) }
                            td class="number" { (words::count(count.round() as usize)) }
                            td class="number" { (words::percent(count / data.confusion[class].iter().sum::<f64>().max(1.0))) }
                        }
                    }
                }
            }
        }
    }
}

/// Predictions against the truth, residuals, and the spread of residuals.
pub(crate) fn numbers(data: &NumberDiagnostics) -> Markup {
    let points = thin_cloud(&data.points, CLOUD_POINTS);
    if points.is_empty() {
        return html! {};
    }
    let thinned = data.points.len() > points.len();
    let sampled = data.sampled_from > data.points.len();
    html! {
        div class="plots" {
            (predicted_against_actual(&points))
            (residuals_against_predicted(&points))
            (residual_histogram(&data.points))
        }
        @if thinned {
            p class="faint" {
                (words::count(points.len())) " of " (words::counted(data.sampled_from.max(data.points.len()), "row")) " are drawn as dots; the histogram counts "
                @if sampled { (words::count(data.points.len())) " of them." } @else { "all." }
            }
        }
        @if let Some((found, promised)) = data.coverage {
            p { "Intervals promised to hold " (share(promised)) " of the actual values hold " b { (share(found)) } "." }
        }
    }
}

/// A share with the one decimal that a promise of 90 % is judged by.
fn share(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn predicted_against_actual(points: &[[f64; 2]]) -> Markup {
    let all = || points.iter().flatten().copied();
    let (low, high) =
        all().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
    let mut plot = Plot::over(SQUARE.0, SQUARE.1, all(), all());
    plot.axes("actual", "predicted");
    plot.dots(points.iter().map(|&point| (point, 2.2, "")), "cloud");
    plot.reference(&[[low, low], [high, high]]);
    html! {
        figure {
            (plot.finish("Predicted against actual values"))
            figcaption { b { "Predicted against actual. " } "A perfect model puts every row on the dashed line." }
        }
    }
}

fn residuals_against_predicted(points: &[[f64; 2]]) -> Markup {
    let residuals: Vec<[f64; 2]> =
        points.iter().map(|[actual, predicted]| [*predicted, actual - predicted]).collect();
    let mut plot = Plot::over(
        SQUARE.0,
        SQUARE.1,
        residuals.iter().map(|point| point[0]),
        residuals.iter().map(|point| point[1]).chain([0.0]),
    );
    plot.axes("predicted", "actual − predicted");
    plot.dots(residuals.iter().map(|&point| (point, 2.2, "")), "cloud");
    let (low, high) = residuals.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), point| {
        (low.min(point[0]), high.max(point[0]))
    });
    plot.reference(&[[low, 0.0], [high, 0.0]]);
    html! {
        figure {
            (plot.finish("Residuals against predicted values"))
            figcaption { b { "Residuals. " } "What the model missed. A slope or a curve is something left to learn; a funnel means errors grow with the prediction." }
        }
    }
}

fn residual_histogram(points: &[[f64; 2]]) -> Markup {
    const BINS: usize = 40;
    let mut residuals: Vec<f64> =
        points.iter().map(|[actual, predicted]| actual - predicted).filter(|x| x.is_finite()).collect();
    residuals.sort_unstable_by(f64::total_cmp);
    let Some(last) = residuals.len().checked_sub(1) else { return html! {} };
    // The central 99 %: a single outlier would squeeze all others into one bar.
    let (low, high) = (residuals[last / 200], residuals[last - last / 200]);
    let (low, high) = if low < high { (low, high) } else { (low - 0.5, high + 0.5) };
    let width = (high - low) / BINS as f64;
    let mut counts = [0usize; BINS];
    for residual in residuals.iter().filter(|residual| (low..=high).contains(*residual)) {
        counts[(((residual - low) / width) as usize).min(BINS - 1)] += 1;
    }
    let most = counts.iter().copied().max().unwrap_or(1) as f64;
    let mut plot = Plot::new(SQUARE.0, SQUARE.1, [low, high], [0.0, most * 1.05]);
    plot.axes("actual − predicted", "rows");
    let bars = counts.iter().enumerate().map(|(bin, &count)| {
        let (left, right) = (low + bin as f64 * width, low + (bin + 1) as f64 * width);
        let hover =
            format!("{} to {}: {}", words::number(left), words::number(right), words::counted(count, "row"));
        (left, right, count as f64, hover)
    });
    plot.bars(bars, "bar");
    plot.reference(&[[0.0, 0.0], [0.0, most]]);
    html! {
        figure {
            (plot.finish("Histogram of residuals"))
            figcaption { b { "Spread of residuals. " } "The central 99 % of what the model missed; best narrow and even about zero." }
        }
    }
}
