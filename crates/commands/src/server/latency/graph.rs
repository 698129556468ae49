//! The graph of LATENCY GRAPH: a column for each sample, four rows of three heights each, and below it
//! how long ago the sample was.

use engine::latency::Series;
use std::fmt::Write;

const ROWS: u64 = 4;
const COLUMNS: usize = 80;
/// How high a column stands within its row.
const HEIGHTS: [char; 3] = ['_', 'o', '#'];

/// How long ago, in the largest unit that is not zero.
fn age(seconds: u64) -> String {
    match seconds {
        ..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// Draws the samples of `event` at the Unix time `now_s`.
pub(super) fn draw(event: &str, series: &Series, now_s: u64) -> String {
    let values = || series.samples.iter().map(|sample| sample.latency_ms);
    let (high, low) = (values().max().unwrap_or(0), values().min().unwrap_or(0));
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "{event} - high {high} ms, low {low} ms (all time high {} ms)\n{:-<COLUMNS$}",
        series.max_ms, ""
    );
    let columns: Vec<(u64, String)> = series
        .samples
        .iter()
        .map(|sample| (sample.latency_ms - low, age(now_s.saturating_sub(sample.time_s))))
        .collect();
    for part in columns.chunks(COLUMNS) {
        draw_part(part, (high - low).max(1), &mut text);
    }
    text
}

fn draw_part(columns: &[(u64, String)], span: u64, text: &mut String) {
    let steps = ROWS * HEIGHTS.len() as u64;
    for row in 0..ROWS {
        let below = (ROWS - row - 1) * HEIGHTS.len() as u64;
        text.extend(columns.iter().map(|(value, _)| {
            let step = (value * steps / span).min(steps - 1);
            let height = step.checked_sub(below).and_then(|at| usize::try_from(at).ok());
            height.map_or(' ', |at| HEIGHTS.get(at).copied().unwrap_or('|'))
        }));
        text.push('\n');
    }
    // A row of blanks, then the ages from top to bottom.
    let longest = columns.iter().map(|(_, age)| age.len()).max().unwrap_or(0);
    text.extend(columns.iter().map(|_| ' '));
    text.push('\n');
    for at in 0..longest {
        text.extend(columns.iter().map(|(_, age)| age.chars().nth(at).unwrap_or(' ')));
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::latency::Sample;

    #[test]
    fn columns_stand_on_their_ages() {
        let samples = [(100, 10), (130, 500), (158, 250)];
        let samples = samples.map(|(time_s, latency_ms)| Sample { time_s, latency_ms });
        let series = Series { samples: samples.into(), max_ms: 600 };
        let lines: Vec<String> = draw("command", &series, 161).lines().map(str::to_owned).collect();
        assert_eq!(lines[0], "command - high 500 ms, low 10 ms (all time high 600 ms)");
        assert_eq!(lines[1], "-".repeat(80));
        assert_eq!(lines[2..6], [" # ", " | ", " |#", "_||"]);
    }
}
