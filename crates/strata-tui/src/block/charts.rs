//! Lines over time, what a duration is made of, and how a quantity is spread.

use ratatui::style::Style;
use ratatui::text::Span;
use strata_view::page::chart::{Anatomy, Chart, Distribution, Line as ChartLine, Scale};

use super::{numbers, title};
use crate::braille::Drawing;
use crate::flow::{Action, Flow, Row, fit, width};
use crate::look::Look;

/// Lines of a chart alone on its row, and of a small multiple.
pub(super) const TALL: usize = 8;
const SMALL: usize = 4;
/// Columns of the labels left of a drawing.
const LABELS: usize = 10;
/// Letters of lines where there is only ASCII, in the order of the legend.
const LETTERS: [char; 8] = ['*', '+', 'x', 'o', '#', '@', '%', '&'];

/// A value as the axis writes it.
pub(super) fn written(value: f64, scale: &Scale) -> String {
    let digits = usize::from(scale.digits);
    format!("{:.digits$} {}", value / scale.divisor, scale.symbol).trim_end().to_owned()
}

fn letter(index: usize) -> char {
    LETTERS[index % LETTERS.len()]
}

/// A chart with labels and a legend.
pub(super) fn chart(chart: &Chart, columns: usize, height: usize, look: Look) -> Flow {
    let mut flow = Flow::default();
    let mut heading = Row::default();
    let explain = Action::Explain {
        title: chart.title.clone(),
        explain: Box::new(chart.explain.clone()),
        link: chart.link.clone(),
    };
    heading.target(fit(&chart.title, columns), Look::strong(), explain);
    flow.push(heading);
    let Some((low, high)) = bounds(chart) else {
        let why = chart.missing.as_deref().unwrap_or("no sample in this range");
        flow.text(hatched(why, columns, look), look.dim());
        return flow;
    };
    let inner = columns.saturating_sub(LABELS + 1).max(8);
    let mut drawing = Drawing::new(inner, height, look);
    let share = |value: f64| (value - low) / (high - low);
    for mark in &chart.marks {
        drawing.mark(share(mark.value), look.gold());
    }
    for (index, values) in drawn(chart).iter().enumerate() {
        let shares: Vec<Option<f64>> = values.iter().map(|value| value.map(share)).collect();
        let style = if chart.lines[index].faint { look.dim() } else { look.series(index) };
        drawing.series(&shares, letter(index), style);
    }
    let labels = [(0, high), (height - 1, low)];
    for (row, mut line) in drawing.lines().into_iter().enumerate() {
        let label = labels.iter().find(|(at, _)| *at == row);
        let label = label.map_or(String::new(), |(_, value)| written(*value, &chart.scale));
        line.spans
            .insert(0, Span::styled(format!("{:>LABELS$} ", fit(&label, LABELS)), look.dim()));
        flow.lines.push(line);
    }
    legend(&mut flow, chart, columns, look);
    flow
}

/// The values drawn: as they are, or each on top of those before it.
fn drawn(chart: &Chart) -> Vec<Vec<Option<f64>>> {
    let mut sums = vec![0.0; chart.axis.count];
    let stack = |line: &ChartLine| -> Vec<Option<f64>> {
        let values = line.values.iter().zip(&mut sums);
        values
            .map(|(value, sum)| {
                *sum += value.unwrap_or(0.0);
                value.map(|_| *sum)
            })
            .collect()
    };
    if chart.stacked {
        chart.lines.iter().map(stack).collect()
    } else {
        chart.lines.iter().map(|line| line.values.clone()).collect()
    }
}

/// Lowest and highest value of the axis; none when there is nothing to draw.
fn bounds(chart: &Chart) -> Option<(f64, f64)> {
    let lines = drawn(chart);
    let known = || lines.iter().flatten().copied().flatten().filter(|value| value.is_finite());
    known().next()?;
    let marks = || chart.marks.iter().map(|mark| mark.value);
    let low = chart.min.unwrap_or_else(|| known().chain(marks()).fold(f64::INFINITY, f64::min));
    let high =
        chart.max.unwrap_or_else(|| known().chain(marks()).fold(f64::NEG_INFINITY, f64::max));
    if high > low {
        return Some((low, high));
    }
    if low == 0.0 {
        return Some((0.0, 1.0));
    }
    Some((low - low.abs() / 2.0, high + low.abs() / 2.0))
}

fn legend(flow: &mut Flow, chart: &Chart, columns: usize, look: Look) {
    let mut row = Row::default();
    row.space(LABELS + 1);
    for (index, line) in chart.lines.iter().enumerate() {
        let last = line.values.iter().rev().find_map(|value| *value);
        let last = last.map_or("unknown".to_owned(), |value| written(value, &chart.scale));
        let mark = if look.unicode { look.full() } else { letter(index) };
        let text = format!("{mark} {} {last}  ", line.name);
        if row.width() + width(&text) > columns && row.width() > LABELS + 1 {
            flow.push(std::mem::take(&mut row));
            row.space(LABELS + 1);
        }
        let style = if line.faint { look.dim() } else { look.series(index) };
        row.put(fit(&text, columns.saturating_sub(LABELS + 1)), style);
    }
    for mark in &chart.marks {
        row.put(format!("- {} {}  ", mark.name, written(mark.value, &chart.scale)), look.gold());
    }
    flow.push(row);
}

/// Small charts side by side.
pub(super) fn multiples(charts: &[Chart], columns: usize, look: Look) -> Flow {
    const CELL: usize = 38;
    let per_row = (columns / CELL).clamp(1, charts.len().max(1));
    let cell = columns / per_row;
    let mut flow = Flow::default();
    for chunk in charts.chunks(per_row) {
        let cells = chunk.iter().map(|one| chart(one, cell - 2, SMALL, look)).collect();
        flow.below(Flow::beside(cells, cell - 2, 2));
    }
    flow
}

/// Bars of segments: what a duration is made of.
pub(super) fn anatomy(anatomy: &Anatomy, columns: usize, look: Look) -> Flow {
    const NAME: usize = 18;
    const TOTAL: usize = 11;
    let mut flow = Flow::default();
    title(&mut flow, &anatomy.title);
    let sum = |values: &[Option<f64>]| values.iter().copied().flatten().sum::<f64>();
    let longest = anatomy.bars.iter().map(|bar| sum(&bar.values)).fold(0.0, f64::max);
    let room = columns.saturating_sub(NAME + TOTAL + 2);
    for bar in &anatomy.bars {
        let mut row = Row::default();
        let name = fit(&bar.name, NAME - 1);
        match &bar.link {
            Some(link) => row.target(name, look.link(), Action::Open(link.clone())),
            None => row.put(name, Style::new()),
        }
        row.to(NAME);
        for (index, value) in bar.values.iter().enumerate() {
            match value {
                Some(value) if longest > 0.0 => {
                    let cells = (value / longest * room as f64).round() as usize;
                    let fill = if look.unicode { look.full() } else { letter(index) };
                    row.put(fill.to_string().repeat(cells), look.series(index));
                }
                _ => row.put(look.hatch().to_string().repeat(2), look.dim()),
            }
        }
        row.to(NAME + room + 1);
        row.target(fit(&bar.total.text, TOTAL), Look::strong(), Action::of(&bar.total));
        flow.push(row);
    }
    let mut row = Row::default();
    row.to(NAME);
    for (index, segment) in anatomy.segments.iter().enumerate() {
        let mark = if look.unicode { look.full() } else { letter(index) };
        row.put(format!("{mark} {segment}  "), look.series(index));
    }
    flow.push(row);
    flow
}

/// A histogram as bars, one line a bucket; of several columns the last that was observed.
pub(super) fn distribution(spread: &Distribution, columns: usize, look: Look) -> Flow {
    const EDGE: usize = 12;
    let mut flow = Flow::default();
    title(&mut flow, &spread.title);
    flow.below(numbers::draw(&spread.numbers, columns, look));
    let Some(shares) = spread.columns.iter().rev().find_map(Option::as_ref) else {
        let why = spread.missing.as_deref().unwrap_or("nothing was observed in this range");
        flow.text(hatched(why, columns, look), look.dim());
        return flow;
    };
    let most = shares.iter().copied().fold(0.0, f64::max);
    let room = columns.saturating_sub(EDGE + 8);
    for (edge, share) in spread.edges.iter().zip(shares).filter(|(_, share)| **share > 0.0) {
        let mut row = Row::default();
        let edge =
            edge.map_or("above".to_owned(), |edge| format!("<= {}", written(edge, &spread.scale)));
        row.put(format!("{:>EDGE$} ", fit(&edge, EDGE)), look.dim());
        let cells = (share / most * room as f64).round() as usize;
        row.put(look.full().to_string().repeat(cells.max(1)), look.series(0));
        row.put(format!(" {:.0} %", share * 100.0), Style::new());
        flow.push(row);
    }
    flow
}

/// A line of hatch with a reason in it.
pub(super) fn hatched(why: &str, columns: usize, look: Look) -> String {
    let edge = look.hatch().to_string().repeat(3);
    format!("{edge} {} {edge}", fit(why, columns.saturating_sub(8)))
}
