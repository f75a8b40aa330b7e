//! The table of figures.
use crate::cases::{Case, Figures};
use crate::subject::{Subject, median};
use std::io::Write;

const MEBIBYTE: f64 = 1024.0 * 1024.0;

type Figure = (&'static str, fn(&Figures) -> f64);

const FIGURES: [Figure; 6] = [
    ("p50, one at a time (ms)", |figures| figures.p50),
    ("p99, one at a time (ms)", |figures| figures.p99),
    ("p99, 32 at once (ms)", |figures| figures.p99_of_many),
    ("requests/s, 32 at once", |figures| figures.per_second),
    ("CPU/request (us)", |figures| figures.cpu),
    ("memory under load (MiB)", |figures| figures.memory / MEBIBYTE),
];

/// Prints the medians of all rounds, as a Markdown table; with two binaries also the ratio of the first to the second.
pub(crate) fn print(subjects: &[Subject]) {
    let mut out = std::io::stdout().lock();
    let names: Vec<String> = subjects.iter().map(|subject| subject.path.display().to_string()).collect();
    let ratio = if subjects.len() == 2 { " ratio |" } else { "" };
    writeln!(out, "| | {} |{ratio}", names.join(" | ")).ok();
    writeln!(out, "|---|{}{}", "---:|".repeat(subjects.len()), if ratio.is_empty() { "" } else { "---:|" }).ok();
    for (name, values) in rows(subjects) {
        writeln!(out, "| {name} | {}", cells(&values)).ok();
    }
}

fn rows(subjects: &[Subject]) -> Vec<(String, Vec<Option<f64>>)> {
    let each = |of: &dyn Fn(&Subject) -> Option<f64>| subjects.iter().map(of).collect::<Vec<_>>();
    let mut rows = vec![
        ("binary (MiB)".to_owned(), each(&size)),
        ("start to first 204 (ms)".to_owned(), each(&|subject| median(subject.starts.iter().copied()))),
        ("idle memory (MiB)".to_owned(), each(&|subject| Some(median(subject.idle.iter().copied())? / MEBIBYTE))),
    ];
    for case in Case::ALL {
        for (name, figure) in FIGURES {
            rows.push((format!("{}: {name}", case.name()), each(&|subject| subject.median(case, figure))));
        }
    }
    for row in subjects.first().map(Subject::extreme_rows).unwrap_or_default() {
        rows.push((row.to_owned(), each(&|subject| subject.extreme(row))));
    }
    rows.retain(|(_, values)| values.iter().any(Option::is_some));
    rows
}

fn size(subject: &Subject) -> Option<f64> {
    Some(std::fs::metadata(&subject.path).ok()?.len() as f64 / MEBIBYTE)
}

fn cells(values: &[Option<f64>]) -> String {
    let mut cells: Vec<String> = values.iter().map(|value| value.map_or("-".to_owned(), shown)).collect();
    if let [Some(first), Some(second)] = values {
        cells.push(format!("{:.2}", first / second));
    }
    cells.iter().map(|cell| format!("{cell} |")).collect::<Vec<_>>().join(" ")
}

fn shown(value: f64) -> String {
    if value >= 1000.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}
