//! One cell a thing, two columns wide.

use ratatui::style::{Modifier, Style};
use strata_view::Link;
use strata_view::page::heatmap::{CellGroup, Choice, Heatmap};

use super::charts::written;
use super::title;
use crate::flow::{Action, Flow, Row, fit};
use crate::look::Look;

/// Columns of a group's name.
const NAME: usize = 20;
/// Columns of a cell.
const CELL: usize = 2;

/// The map with its legend and its choices.
pub(super) fn draw(map: &Heatmap, columns: usize, look: Look) -> Flow {
    let mut flow = Flow::default();
    title(&mut flow, &map.title);
    choices(&mut flow, "group", &map.group_choices, map, look);
    choices(&mut flow, "color", &map.color_choices, map, look);
    legend(&mut flow, map, look);
    if let (Some(first), Some(last)) = (map.columns.first(), map.columns.last()) {
        // A name does not fit over two columns.
        flow.text(format!("from left to right: {first} to {last}"), look.dim());
    }
    for group in &map.groups {
        cells(&mut flow, map, group, columns, look);
    }
    flow
}

fn choices(flow: &mut Flow, parameter: &str, choices: &[Choice], map: &Heatmap, look: Look) {
    if choices.is_empty() {
        return;
    }
    let current = |choices: &[Choice]| {
        choices.iter().find(|choice| choice.current).map(|choice| choice.id.clone())
    };
    let mut row = Row::default();
    row.put(format!("{parameter} by: "), look.dim());
    for choice in choices {
        let mut params = Vec::new();
        for (name, all) in [("group", &map.group_choices), ("color", &map.color_choices)] {
            let value = if name == parameter { Some(choice.id.clone()) } else { current(all) };
            params.extend(value.map(|value| (name.to_owned(), value)));
        }
        let action = Action::Open(Link { page: map.cell_page.clone(), params });
        let style = if choice.current {
            Look::strong().add_modifier(Modifier::UNDERLINED)
        } else {
            look.link()
        };
        row.target(choice.title.clone(), style, action);
        row.space(2);
    }
    flow.push(row);
}

fn legend(flow: &mut Flow, map: &Heatmap, look: Look) {
    let mut row = Row::default();
    row.put(format!("{} ", written(map.min, &map.scale)), look.dim());
    for step in 0..9 {
        let share = f64::from(step) / 8.0;
        row.put(mark(Some(share), look).to_string(), look.heat(share));
    }
    row.put(format!(" {}   ", written(map.max, &map.scale)), look.dim());
    row.put(format!("{} unknown   ! apart from its peers", look.hatch()), look.dim());
    flow.push(row);
}

fn mark(share: Option<f64>, look: Look) -> char {
    match share {
        None => look.hatch(),
        // Without colors the height tells the value.
        Some(share) if !look.color => look.level(share),
        Some(_) => look.full(),
    }
}

fn cells(flow: &mut Flow, map: &Heatmap, group: &CellGroup, columns: usize, look: Look) {
    let per_row = (columns.saturating_sub(NAME) / CELL).max(1);
    for (chunk, start) in (0..group.ids.len()).step_by(per_row).enumerate() {
        let mut row = Row::default();
        if chunk == 0 {
            let name = fit(&group.title, NAME - 1);
            match &group.link {
                Some(link) => row.target(name, look.link(), Action::Open(link.clone())),
                None => row.put(name, Style::new()),
            }
        }
        row.to(NAME);
        for index in start..(start + per_row).min(group.ids.len()) {
            let value = group.values.get(index).copied().flatten();
            let range = map.max - map.min;
            let share =
                value.map(|value| if range > 0.0 { (value - map.min) / range } else { 0.5 });
            let style = share.map_or(look.dim(), |share| look.heat(share));
            let outlier = group.outliers.get(index).copied().unwrap_or(false);
            let text = format!("{}{}", mark(share, look), if outlier { '!' } else { ' ' });
            let id = group.ids[index].clone();
            if id.is_empty() {
                row.put(text, style);
                continue;
            }
            let link =
                Link { page: map.cell_page.clone(), params: vec![("entity".to_owned(), id)] };
            row.target(text, style, Action::Open(link));
        }
        flow.push(row);
    }
}
