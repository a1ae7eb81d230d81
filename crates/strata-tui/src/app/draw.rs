//! The screen: tabs, header, body, status line, and what lies over them.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span as TextSpan};
use ratatui::widgets::{Clear, Paragraph};
use strata_view::request::Span;
use strata_view::{PageErrorCode, PageId};

use super::{App, Popup};
use crate::flow::{Action, Flow, Row, fit, width};
use crate::look::Look;
use crate::{page, popup};

impl App {
    /// Draw everything.
    pub(crate) fn draw(&mut self, frame: &mut Frame<'_>) {
        let area = frame.area();
        if area.width < 20 || area.height < 5 {
            frame.render_widget(Paragraph::new("too small"), area);
            return;
        }
        let columns = usize::from(area.width);
        self.draw_tabs(frame, Rect { height: 1, ..area });
        let header = match &self.page {
            Some(shown) => page::header(shown, columns, self.look),
            None => Flow::default(),
        };
        let header_lines = u16::try_from(header.lines.len()).unwrap_or(0).min(area.height - 3);
        let header_area = Rect { y: 1, height: header_lines, ..area };
        frame.render_widget(Paragraph::new(header.lines.clone()), header_area);
        let body = self.body(columns);
        self.drawn.body_top = 1 + header_lines;
        self.drawn.body_lines = area.height - self.drawn.body_top - 1;
        self.drawn.header = header;
        self.drawn.body = body;
        self.scroll_by(0);
        let body_area = Rect { y: self.drawn.body_top, height: self.drawn.body_lines, ..area };
        frame.render_widget(Paragraph::new(self.seen()), body_area);
        self.draw_status(frame, Rect { y: area.height - 1, height: 1, ..area });
        self.draw_popup(frame, area);
    }

    fn body(&self, columns: usize) -> Flow {
        let mut flow = Flow::default();
        if let Some((error, _)) = &self.failure
            && error.code != PageErrorCode::Unreachable
        {
            let broken = self.look.status(strata_view::Status::Broken);
            flow.text(fit(&error.message, columns), broken);
            flow.text(fit(&error.hint, columns), Style::new());
            flow.text("Backspace goes back, 0 to the overview.", self.look.dim());
            return flow;
        }
        match &self.page {
            Some(shown) => page::body(shown, columns, self.look),
            None => flow,
        }
    }

    /// The lines of the body that are seen, the selected place reversed.
    fn seen(&self) -> Vec<Line<'static>> {
        let lines = self.drawn.body.lines.iter().enumerate();
        let seen = lines.skip(self.scroll).take(usize::from(self.drawn.body_lines));
        let chosen = self.selected.and_then(|index| self.drawn.body.targets.get(index));
        seen.map(|(index, line)| match chosen {
            Some(target) if target.line == index => reversed(line, target.start, target.end),
            _ => line.clone(),
        })
        .collect()
    }

    fn draw_tabs(&mut self, frame: &mut Frame<'_>, area: Rect) {
        // The whole titles where there is room for all of them.
        let tabs = self.page.as_ref().map_or(&[][..], |page| &page.tabs);
        let title = |id: PageId| {
            let tab = tabs.iter().find(|tab| tab.link.page == id.name());
            tab.map_or(id.short(), |tab| tab.title.as_str())
        };
        let wanted: usize = PageId::ALL.into_iter().map(|id| width(title(id)) + 3).sum();
        let roomy = wanted <= usize::from(area.width);
        let mut row = Row::default();
        let mut places = Vec::with_capacity(PageId::ALL.len());
        for id in PageId::ALL {
            let title = if roomy { title(id) } else { id.short() };
            let start = row.width();
            let style = if id == self.request.page {
                Look::strong().add_modifier(Modifier::REVERSED)
            } else {
                self.look.dim()
            };
            row.put(format!("{} {title}", id.key()), style);
            let column = |value: usize| u16::try_from(value).unwrap_or(u16::MAX);
            places.push((column(start), column(row.width()), id));
            row.space(1);
        }
        self.drawn.tabs = places;
        let mut flow = Flow::default();
        flow.push(row);
        frame.render_widget(Paragraph::new(flow.lines), area);
    }

    fn draw_status(&self, frame: &mut Frame<'_>, area: Rect) {
        let mut row = Row::default();
        let span = match self.request.span {
            Span::Live { seconds } if self.request.is_asked_once() => {
                format!("last {}, when asked", length(seconds))
            }
            Span::Live { seconds } => format!("live, last {}", length(seconds)),
            Span::Fixed { start_ms, end_ms } => {
                let seconds = u32::try_from((end_ms - start_ms).max(0) / 1000).unwrap_or(u32::MAX);
                format!("held, {} long", length(seconds))
            }
        };
        row.put(span, self.look.dim());
        if let Some((error, seconds)) = &self.failure
            && error.code == PageErrorCode::Unreachable
        {
            let told = format!("  not connected for {seconds} s, trying again: {}", error.message);
            row.put(told, self.look.status(strata_view::Status::Broken));
        } else if self.loading && self.page.is_none() {
            row.put("  loading", self.look.dim());
        }
        let seen = usize::from(self.drawn.body_lines);
        let all = self.drawn.body.lines.len();
        let mut right = "? keys  q quit".to_owned();
        if all > seen {
            right = format!("line {} of {all}  {right}", self.scroll + 1);
        }
        row.to(usize::from(area.width).saturating_sub(right.len()));
        row.put(right, self.look.dim());
        let mut flow = Flow::default();
        flow.push(row);
        frame.render_widget(Paragraph::new(flow.lines), area);
    }

    fn draw_popup(&mut self, frame: &mut Frame<'_>, area: Rect) {
        self.drawn.popup = None;
        let Some(over) = &self.popup else { return };
        let columns = usize::from(area.width.saturating_sub(6)).min(100);
        let inner = columns - 2;
        let look = self.look;
        let flow = match over {
            Popup::Explain(Action::Explain { title, explain, link }) => {
                popup::explain(title, explain, link.as_ref(), inner, look)
            }
            Popup::Explain(Action::Open(_) | Action::Unfold) => return,
            Popup::Keys => popup::keys(look),
            Popup::Ranges => popup::ranges(look),
            Popup::Palette { typed, answered, found, chosen } => {
                let found = (answered.as_ref() == Some(typed)).then_some(found.as_slice());
                popup::palette(typed, found, *chosen, inner, look)
            }
            Popup::Query { lang, typed } => {
                let mut flow = Flow::default();
                flow.text(format!("{}, Enter asks", lang.title()), look.dim());
                for line in crate::flow::wrap(&format!("{typed}_"), inner) {
                    flow.text(line, Look::strong());
                }
                flow
            }
        };
        let height = u16::try_from(flow.lines.len() + 2).unwrap_or(u16::MAX).min(area.height - 2);
        let width = u16::try_from(columns).unwrap_or(area.width);
        let place = Rect { x: (area.width - width) / 2, y: 2, width, height };
        frame.render_widget(Clear, place);
        let block = ratatui::widgets::Block::bordered().border_set(self.border());
        frame.render_widget(Paragraph::new(flow.lines.clone()).block(block), place);
        self.drawn.popup = Some((place.x + 1, place.y + 1, flow));
    }

    fn border(&self) -> ratatui::symbols::border::Set<'static> {
        if self.look.unicode {
            return ratatui::symbols::border::PLAIN;
        }
        ratatui::symbols::border::Set {
            top_left: "+",
            top_right: "+",
            bottom_left: "+",
            bottom_right: "+",
            vertical_left: "|",
            vertical_right: "|",
            horizontal_top: "-",
            horizontal_bottom: "-",
        }
    }
}

/// A length of time in words.
fn length(seconds: u32) -> String {
    match seconds {
        s if s % 86_400 == 0 => format!("{} d", s / 86_400),
        s if s % 3600 == 0 => format!("{} h", s / 3600),
        s if s % 60 == 0 => format!("{} min", s / 60),
        s => format!("{s} s"),
    }
}

/// A line with the columns `start..end` reversed.
fn reversed(line: &Line<'static>, start: usize, end: usize) -> Line<'static> {
    let mut column = 0;
    let spans = line.spans.iter().map(|span| {
        let from = column;
        column += span.width();
        if from >= start && column <= end && column > from {
            TextSpan::styled(span.content.clone(), span.style.add_modifier(Modifier::REVERSED))
        } else {
            span.clone()
        }
    });
    Line::from(spans.collect::<Vec<_>>())
}
