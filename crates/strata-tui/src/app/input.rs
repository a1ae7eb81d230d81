//! Keys and mouse.

use ratatui::crossterm::event::{
    KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};
use strata_view::request::Span;
use strata_view::{Language, PageId, PageRequest};

use super::{App, Effect, Popup};
use crate::flow::{Action, Flow};
use crate::popup::RANGES;

/// Lines the wheel moves.
const WHEEL: isize = 3;

impl App {
    /// A key was pressed.
    pub(crate) fn key(&mut self, key: KeyEvent) -> Option<Effect> {
        if key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c') {
            return Some(Effect::Quit);
        }
        match self.popup.take() {
            None => self.page_key(key.code),
            Some(Popup::Ranges) => self.range_key(key.code),
            Some(palette @ Popup::Palette { .. }) => self.palette_key(key.code, palette),
            Some(Popup::Query { lang, typed }) => self.query_key(key.code, lang, typed),
            Some(Popup::Explain(action)) => self.explain_key(key.code, &action),
            Some(Popup::Keys) => None,
        }
    }

    fn page_key(&mut self, code: KeyCode) -> Option<Effect> {
        let page_lines = isize::try_from(self.drawn.body_lines.max(2) - 1).unwrap_or(1);
        match code {
            KeyCode::Char('q') => return Some(Effect::Quit),
            KeyCode::Char('?') => self.popup = Some(Popup::Keys),
            KeyCode::Char('r') => self.popup = Some(Popup::Ranges),
            KeyCode::Char('l') => return self.toggle_live(),
            KeyCode::Char('o') => return self.act(Action::Unfold),
            KeyCode::Char('/') => {
                let palette = Popup::Palette {
                    typed: String::new(),
                    answered: None,
                    found: Vec::new(),
                    chosen: 0,
                };
                self.popup = Some(palette);
                return Some(Effect::Suggest(String::new()));
            }
            KeyCode::Char(':') => {
                let typed = self.request.query.clone().unwrap_or_default();
                self.popup = Some(Popup::Query { lang: self.request.lang, typed });
            }
            KeyCode::Char(' ' | 'i') => {
                if let Some(explain @ Action::Explain { .. }) = self.selected_action() {
                    return self.act(explain);
                }
            }
            KeyCode::Enter => {
                if let Some(action) = self.selected_action() {
                    return self.act(action);
                }
            }
            KeyCode::Backspace | KeyCode::Esc => return self.back(),
            KeyCode::Tab | KeyCode::Right => self.select(true),
            KeyCode::BackTab | KeyCode::Left => self.select(false),
            KeyCode::Down | KeyCode::Char('j') => self.scroll_by(1),
            KeyCode::Up | KeyCode::Char('k') => self.scroll_by(-1),
            KeyCode::PageDown => self.scroll_by(page_lines),
            KeyCode::PageUp => self.scroll_by(-page_lines),
            KeyCode::Home => self.scroll = 0,
            KeyCode::End => self.scroll_by(isize::MAX),
            KeyCode::Char(typed) => {
                let page = PageId::ALL.into_iter().find(|page| page.key() == typed)?;
                return self.open(page);
            }
            _ => {}
        }
        None
    }

    fn open(&mut self, page: PageId) -> Option<Effect> {
        self.go(PageRequest { span: self.request.span, ..PageRequest::new(page) })
    }

    fn selected_action(&self) -> Option<Action> {
        Some(self.drawn.body.targets.get(self.selected?)?.action.clone())
    }

    /// Hold the range still, or let it move on with the same length.
    fn toggle_live(&mut self) -> Option<Effect> {
        let span = match self.request.span {
            Span::Live { seconds } => {
                let end_ms = self.page.as_ref()?.made_at_ms;
                Span::Fixed { start_ms: end_ms - i64::from(seconds) * 1000, end_ms }
            }
            Span::Fixed { start_ms, end_ms } => {
                let seconds = u32::try_from((end_ms - start_ms).max(1000) / 1000).ok()?;
                Span::Live { seconds }
            }
        };
        self.request.span = span;
        self.loading = true;
        Some(Effect::Load)
    }

    fn range_key(&mut self, code: KeyCode) -> Option<Effect> {
        let (_, _, seconds) = RANGES.iter().find(|(key, ..)| KeyCode::Char(*key) == code)?;
        self.request.span = Span::Live { seconds: *seconds };
        self.loading = true;
        Some(Effect::Load)
    }

    fn explain_key(&mut self, code: KeyCode, action: &Action) -> Option<Effect> {
        let Action::Explain { link, explain, .. } = action else { return None };
        match code {
            KeyCode::Enter => self.act(Action::Open(link.clone()?)),
            KeyCode::Char('e') => {
                let mut request = PageRequest::new(PageId::Explore);
                request.span = self.request.span;
                request.query = Some(explain.query.clone()?);
                self.go(request)
            }
            _ => None,
        }
    }

    fn palette_key(&mut self, code: KeyCode, popup: Popup) -> Option<Effect> {
        let Popup::Palette { mut typed, answered, found, mut chosen } = popup else { return None };
        let mut effect = None;
        match code {
            KeyCode::Esc => return None,
            KeyCode::Enter => {
                // What was found for other letters is not what Enter should open.
                let is_answered = answered.as_ref() == Some(&typed);
                let one = found.get(chosen).filter(|_| is_answered);
                if let Some((one, page)) =
                    one.and_then(|one| Some((one, PageId::from_name(&one.page)?)))
                {
                    let mut request = PageRequest::new(page);
                    request.span = self.request.span;
                    request.entity = Some(one.id.clone());
                    return self.go(request);
                }
            }
            KeyCode::Down | KeyCode::Tab => {
                chosen = (chosen + 1).min(found.len().saturating_sub(1));
            }
            KeyCode::Up | KeyCode::BackTab => chosen = chosen.saturating_sub(1),
            KeyCode::Backspace => {
                typed.pop();
                effect = Some(Effect::Suggest(typed.clone()));
            }
            KeyCode::Char(character) if typed.len() < 200 => {
                typed.push(character);
                effect = Some(Effect::Suggest(typed.clone()));
            }
            _ => {}
        }
        self.popup = Some(Popup::Palette { typed, answered, found, chosen });
        effect
    }

    fn query_key(&mut self, code: KeyCode, lang: Language, mut typed: String) -> Option<Effect> {
        match code {
            KeyCode::Esc => return None,
            KeyCode::Enter => {
                let mut request = PageRequest::new(PageId::Explore);
                request.span = self.request.span;
                request.query = Some(typed).filter(|query| !query.trim().is_empty());
                request.lang = lang;
                return self.go(request);
            }
            KeyCode::Backspace => {
                typed.pop();
            }
            // As long as a query the server would still take in a URL.
            KeyCode::Char(character) if typed.len() < 4000 => typed.push(character),
            _ => {}
        }
        self.popup = Some(Popup::Query { lang, typed });
        None
    }

    /// The mouse moved or clicked.
    pub(crate) fn mouse(&mut self, event: MouseEvent) -> Option<Effect> {
        match event.kind {
            MouseEventKind::ScrollDown => self.scroll_by(WHEEL),
            MouseEventKind::ScrollUp => self.scroll_by(-WHEEL),
            MouseEventKind::Down(MouseButton::Left) => return self.click(event.column, event.row),
            _ => {}
        }
        None
    }

    fn click(&mut self, column: u16, row: u16) -> Option<Effect> {
        if let Some((left, top, flow)) = &self.drawn.popup {
            let inside = row.checked_sub(*top).zip(column.checked_sub(*left));
            let action = inside.and_then(|(line, column)| hit(flow, line, column)).map(|(_, a)| a);
            self.popup = None;
            return action.and_then(|action| self.act(action));
        }
        if row == 0 {
            let tabs = &self.drawn.tabs;
            let (_, _, page) = tabs.iter().find(|(from, to, _)| (*from..*to).contains(&column))?;
            return self.open(*page);
        }
        if let Some(line) = row.checked_sub(self.drawn.body_top) {
            let line = line + u16::try_from(self.scroll).ok()?;
            let (index, action) = hit(&self.drawn.body, line, column)?;
            self.selected = Some(index);
            return self.act(action);
        }
        let (_, action) = hit(&self.drawn.header, row - 1, column)?;
        self.act(action)
    }
}

/// The place at a line and column of a flow.
fn hit(flow: &Flow, line: u16, column: u16) -> Option<(usize, Action)> {
    let (line, column) = (usize::from(line), usize::from(column));
    let found = flow
        .targets
        .iter()
        .position(|target| target.line == line && (target.start..target.end).contains(&column))?;
    Some((found, flow.targets[found].action.clone()))
}
