//! The live table on a terminal.

use super::Options;
use super::events::{Story, address, role};
use super::observe::NodeView;

/// Columns of a terminal that does not say how many it has.
const COLUMNS_DEFAULT: usize = 80;

/// Cuts lines to the terminal's width, so that none wraps and the table keeps its height.
fn fit(rows: &mut [String]) {
    let columns = rustix::termios::tcgetwinsize(std::io::stdout())
        .map_or(COLUMNS_DEFAULT, |size| usize::from(size.ws_col).max(1));
    for row in rows {
        row.truncate(row.char_indices().nth(columns).map_or(row.len(), |(at, _)| at));
    }
}

/// Moves the cursor up and clears from there, so that the table is drawn over itself.
fn erase(lines: usize) -> String {
    if lines == 0 { String::new() } else { format!("\x1b[{lines}A\x1b[J") }
}

/// Draws the table over the one before, which had `before` lines; gives the text and its lines.
pub(crate) fn draw(
    options: &Options,
    views: &[NodeView],
    story: &Story,
    before: usize,
) -> (String, usize) {
    let mut rows = vec![format!(
        "{:<8} {:<9} {:<16} {:>14} {:>10}  {:<5} {:<22} {}",
        "node", "role", "address", "offset", "lag", "link", "sentinel view", "others"
    )];
    let head =
        story.primary.and_then(|index| views.get(usize::from(index))).map(|view| view.offset);
    for (index, view) in (0..options.nodes).zip(views) {
        let shown = if view.serves { role(view) } else { "down" };
        let lag = head
            .filter(|_| view.role == "slave")
            .map_or_else(|| "-".to_owned(), |head| head.saturating_sub(view.offset).to_string());
        let link = if view.link.is_empty() { "-" } else { &view.link };
        let seen = view
            .primary
            .as_ref()
            .map_or_else(|| "-".to_owned(), |(_, port)| format!("{port} {}", view.flags));
        rows.push(format!(
            "node-{index:<3} {shown:<9} {:<16} {:>14} {lag:>10}  {link:<5} {seen:<22} {}",
            address(options, index),
            view.offset,
            view.other_sentinels
        ));
    }
    rows.push(match story.last_failover {
        Some((from, to, took)) => format!(
            "last failover: node-{from} -> node-{to}, {}.{:03} s",
            took.0 / 1000,
            took.0 % 1000
        ),
        None => "last failover: none".to_owned(),
    });
    fit(&mut rows);
    let lines = rows.len();
    (format!("{}{}\n", erase(before), rows.join("\n")), lines)
}
