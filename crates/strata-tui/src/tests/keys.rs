//! What keys and mouse do.

use ratatui::crossterm::event::{
    KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};
use strata_view::page::block::{Explore, Fold};
use strata_view::page::heatmap::Choice;
use strata_view::page::table::Cell;
use strata_view::request::Span;
use strata_view::{Block, Language, PageError, PageErrorCode, PageId, Status, Suggestion};

use super::pages::{number, page, section, table};
use super::{drawn, screen};
use crate::app::{App, Effect};
use crate::look::Look;

fn app() -> App {
    let blocks = vec![
        Block::Numbers { numbers: vec![number("KV pinned", "91 %", Some(0.91))] },
        Block::Table(table()),
    ];
    let mut app = screen(page(vec![section("one", blocks)]), Look::PLAIN);
    drawn(&mut app, 80, 24);
    app
}

fn press(app: &mut App, code: KeyCode) -> Option<Effect> {
    let effect = app.key(KeyEvent::new(code, KeyModifiers::NONE));
    drawn(app, 80, 24);
    effect
}

fn click(app: &mut App, text: &str) -> Option<Effect> {
    let lines = drawn(app, 80, 24);
    let (row, line) = lines.lines().enumerate().find(|(_, line)| line.contains(text)).unwrap();
    let event = MouseEvent {
        kind: MouseEventKind::Down(MouseButton::Left),
        column: u16::try_from(line.find(text).unwrap()).unwrap(),
        row: u16::try_from(row).unwrap(),
        modifiers: KeyModifiers::NONE,
    };
    app.mouse(event)
}

#[test]
fn keys_open_pages_and_backspace_goes_back() {
    let mut app = app();
    for id in PageId::ALL.into_iter().skip(1) {
        assert_eq!(press(&mut app, KeyCode::Char(id.key())), Some(Effect::Load), "{id:?}");
        assert_eq!(app.request.page, id);
    }
    assert_eq!(press(&mut app, KeyCode::Backspace), Some(Effect::Load));
    assert_eq!(app.request.page, PageId::Explore);
}

#[test]
fn a_number_opens_how_it_was_made() {
    let mut app = app();
    press(&mut app, KeyCode::Tab);
    press(&mut app, KeyCode::Char(' '));
    let text = drawn(&mut app, 80, 24);
    for part in ["pinned / capacity", "vllm:kv_cache_usage_perc", "exact", "3 s"] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    press(&mut app, KeyCode::Esc);
    assert!(!drawn(&mut app, 80, 24).contains("pinned / capacity"));
}

#[test]
fn a_row_opens_its_thing_by_key_and_by_mouse() {
    let mut by_key = app();
    press(&mut by_key, KeyCode::Tab);
    press(&mut by_key, KeyCode::Tab);
    assert_eq!(press(&mut by_key, KeyCode::Enter), Some(Effect::Load));
    assert_eq!(by_key.request.entity.as_deref(), Some("replica:chat-0"));
    let mut by_mouse = app();
    assert_eq!(click(&mut by_mouse, "chat-1"), Some(Effect::Load));
    assert_eq!(by_mouse.request.page, PageId::Engines);
    assert_eq!(by_mouse.request.entity.as_deref(), Some("replica:chat-1"));
}

#[test]
fn a_tab_can_be_clicked() {
    let mut app = app();
    assert_eq!(click(&mut app, "d Doc"), Some(Effect::Load));
    assert_eq!(app.request.page, PageId::Doctor);
}

#[test]
fn the_palette_finds_a_thing() {
    let mut app = app();
    press(&mut app, KeyCode::Char('/'));
    assert_eq!(press(&mut app, KeyCode::Char('x')), Some(Effect::Suggest("x".to_owned())));
    let found = |id: &str| Suggestion {
        id: id.to_owned(),
        kind: "gpu".to_owned(),
        name: id.to_owned(),
        detail: "node-1".to_owned(),
        status: Status::Ok,
        page: "gpus".to_owned(),
    };
    app.suggested("stale", vec![found("gpu:old")]);
    assert!(drawn(&mut app, 80, 24).contains("looking"));
    assert_eq!(press(&mut app, KeyCode::Enter), None, "it stays open");
    app.suggested("x", vec![found("gpu:x1"), found("gpu:x2")]);
    press(&mut app, KeyCode::Down);
    assert_eq!(press(&mut app, KeyCode::Enter), Some(Effect::Load));
    assert_eq!(app.request.entity.as_deref(), Some("gpu:x2"));
}

#[test]
fn the_range_is_kept_across_pages_and_can_be_held() {
    let mut app = app();
    press(&mut app, KeyCode::Char('r'));
    assert_eq!(press(&mut app, KeyCode::Char('3')), Some(Effect::Load));
    assert_eq!(app.request.span, Span::Live { seconds: 6 * 3600 });
    press(&mut app, KeyCode::Char('1'));
    assert_eq!(app.request.span, Span::Live { seconds: 6 * 3600 });
    press(&mut app, KeyCode::Char('l'));
    let Span::Fixed { start_ms, end_ms } = app.request.span else { panic!("not held") };
    assert_eq!(end_ms - start_ms, 6 * 3600 * 1000);
    press(&mut app, KeyCode::Char('l'));
    assert_eq!(app.request.span, Span::Live { seconds: 6 * 3600 });
}

#[test]
fn promql_can_be_typed() {
    let mut app = app();
    press(&mut app, KeyCode::Char(':'));
    for character in "up".chars() {
        press(&mut app, KeyCode::Char(character));
    }
    assert_eq!(press(&mut app, KeyCode::Enter), Some(Effect::Load));
    assert_eq!(app.request.query.as_deref(), Some("up"));
    assert_eq!(app.request.page, PageId::Explore);
}

#[test]
fn the_switch_to_sql_is_kept_when_a_question_is_typed() {
    let explore = Explore {
        lang: Language::Promql,
        lang_choices: Language::ALL
            .map(|lang| Choice {
                id: lang.name().to_owned(),
                title: lang.title().to_owned(),
                current: lang == Language::Promql,
            })
            .to_vec(),
        query: String::new(),
        bounds: String::new(),
        examples: Vec::new(),
        names: Vec::new(),
        notices: Vec::new(),
    };
    let mut app = screen(page(vec![section("one", vec![Block::Explore(explore)])]), Look::PLAIN);
    drawn(&mut app, 80, 24);
    assert_eq!(click(&mut app, "SQL"), Some(Effect::Load), "the second SQL is the switch");
    assert_eq!(app.request.lang, Language::Sql);
    press(&mut app, KeyCode::Char(':'));
    assert!(drawn(&mut app, 80, 24).contains("SQL, Enter asks"));
    for character in "SELECT 1".chars() {
        press(&mut app, KeyCode::Char(character));
    }
    assert_eq!(press(&mut app, KeyCode::Enter), Some(Effect::Load));
    assert_eq!(app.request.query.as_deref(), Some("SELECT 1"));
    assert_eq!(app.request.lang, Language::Sql);
    assert!(app.request.is_asked_once());
}

#[test]
fn a_server_that_died_leaves_the_page_and_says_so() {
    let mut app = app();
    let request = app.request.clone();
    let error = |code| PageError {
        code,
        message: "nothing listens at http://127.0.0.1:4808".to_owned(),
        hint: "is strata run up?".to_owned(),
    };
    app.arrived(&request, Err(error(PageErrorCode::Unreachable)), 7);
    let text = drawn(&mut app, 80, 24);
    assert!(text.contains("not connected for 7 s"), "{text}");
    assert!(text.contains("chat-0"), "{text}");
    app.arrived(&request, Err(error(PageErrorCode::NotFound)), 0);
    assert!(drawn(&mut app, 80, 24).contains("Backspace goes back"));
    app.arrived(&request, Ok(page(Vec::new())), 0);
    assert!(!drawn(&mut app, 80, 24).contains("Backspace goes back"));
}

#[test]
fn quitting() {
    assert_eq!(press(&mut app(), KeyCode::Char('q')), Some(Effect::Quit));
    let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(app().key(control_c), Some(Effect::Quit));
}

#[test]
fn what_is_folded_is_one_line_until_it_is_asked_for() {
    let lines = vec!["hw_power_watts: NVIDIA dcgm-exporter".to_owned()];
    let mut behind = table();
    behind.rows[0].cells[0] = Cell::Fold { text: "1 metric".to_owned(), lines };
    let fold = Fold { summary: "43 signals ok".to_owned(), blocks: vec![Block::Table(behind)] };
    let shown = page(vec![section("one", vec![Block::Fold(fold)])]);
    let once = [false, true].map(|open| crate::once(&shown, 80, open));
    assert!(once[0].contains("+ 43 signals ok") && !once[0].contains("1 metric"), "{}", once[0]);
    assert!(once[1].contains("- 43 signals ok") && once[1].contains("1 metric"), "{}", once[1]);
    let wide = crate::once(&shown, 200, true);
    assert!(wide.contains("1 metric: hw_power_watts: NVIDIA dcgm-exporter"), "{wide}");
    let mut app = screen(shown, Look::PLAIN);
    let mut is_open = |act: &dyn Fn(&mut App) -> Option<Effect>| {
        assert_eq!(act(&mut app), None);
        drawn(&mut app, 80, 24).contains("1 metric")
    };
    let o = |app: &mut App| press(app, KeyCode::Char('o'));
    assert!(is_open(&o));
    assert!(!is_open(&o));
    assert!(is_open(&|app| click(app, "43 signals ok")));
    assert!(!is_open(&|app| press(app, KeyCode::Enter)));
}
