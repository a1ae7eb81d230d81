//! `strata top`: the pages of a running server on this terminal.

use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use strata_tui::Look;
use strata_view::{Block, Page, PageId, PageRequest, PageSource, Status};

use crate::cli::TopArgs;
use crate::client::Client;
use crate::out::{Out, is_terminal};
use crate::remote_pages::RemotePages;

/// Show pages until the reader quits, or one page once.
pub(crate) async fn run(arguments: TopArgs, out: Out) -> Result<()> {
    let request = request(&arguments)?;
    let source = RemotePages(Client::new(&arguments.server)?);
    if out.json || arguments.once {
        let page =
            source.page(request).await.map_err(|error| anyhow!("{error} ({})", error.hint))?;
        if out.json {
            out.document(&page)?;
        } else {
            let columns = arguments.width.map_or_else(strata_tui::columns, usize::from);
            out.line(strata_tui::once(&page, columns, arguments.all).trim_end())?;
        }
        if page.request.page == PageId::Explore && arguments.query.is_some() && has_failed(&page) {
            bail!("the query was refused");
        }
        return Ok(());
    }
    if !is_terminal() {
        bail!("standard output is no terminal: --once prints a page as text, --json as data");
    }
    strata_tui::top(Arc::new(source), request, look(arguments.all))
        .await
        .context("the screen ended")
}

/// Whether the page of a query shows why there is no answer.
fn has_failed(page: &Page) -> bool {
    let mut blocks = page.sections.iter().flat_map(|section| &section.blocks);
    blocks.any(|block| matches!(block, Block::Card(card) if card.status == Status::Broken))
}

fn request(arguments: &TopArgs) -> Result<PageRequest> {
    let page = PageId::from_name(&arguments.page).ok_or_else(|| {
        let names: Vec<&str> = PageId::ALL.iter().map(|page| page.name()).collect();
        anyhow!("there is no page {:?}; pages are {}", arguments.page, names.join(", "))
    })?;
    let mut params = vec![("since", arguments.since.as_str())];
    params.extend(arguments.entity.as_deref().map(|entity| ("entity", entity)));
    params.extend(arguments.query.as_deref().map(|query| ("query", query)));
    params.extend(arguments.lang.as_deref().map(|lang| ("lang", lang)));
    params.extend(arguments.view.as_deref().map(|view| ("view", view)));
    params.extend(arguments.against.as_deref().map(|against| ("against", against)));
    PageRequest::from_params(page, params).map_err(|error| anyhow!("{error} ({})", error.hint))
}

/// What the terminal can show, as the environment says: `NO_COLOR`, `TERM`, and the locale.
#[expect(clippy::disallowed_methods, reason = "the binary is what reads the environment")]
fn look(open: bool) -> Look {
    let variable = |name| std::env::var(name).unwrap_or_default();
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].map(variable);
    let locale = locale.iter().find(|value| !value.is_empty()).map_or("", String::as_str);
    let locale = locale.to_ascii_lowercase();
    Look {
        unicode: locale.contains("utf-8") || locale.contains("utf8"),
        color: variable("NO_COLOR").is_empty() && variable("TERM") != "dumb",
        open,
    }
}
