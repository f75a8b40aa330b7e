//! A binary under measurement, with the figures of all rounds.
use crate::app;
use crate::backend::Components;
use crate::cases::{Case, Figures};
use crate::extremes::Figure;
use crate::process::{App, Binary, Daprd, Setup};
use foundation_drain::Drain;
use std::path::PathBuf;
use std::time::Duration;

/// Long enough for what a sidecar does once after its start.
const SETTLING: Duration = Duration::from_secs(2);

/// A binary with its figures.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(crate) path: PathBuf,
    /// The sentry that belongs to it.
    pub(crate) sentry: Option<PathBuf>,
    /// Milliseconds to the first 204 of `/v1.0/healthz`.
    pub(crate) starts: Vec<f64>,
    /// Bytes of resident memory without any load.
    pub(crate) idle: Vec<f64>,
    figures: Vec<(Case, Figures)>,
    /// Of extremes, by row.
    extremes: Vec<Figure>,
}

impl Subject {
    pub(crate) fn new(path: PathBuf, sentry: Option<PathBuf>) -> Self {
        Self { path, sentry, starts: Vec::new(), idle: Vec::new(), figures: Vec::new(), extremes: Vec::new() }
    }

    /// Starts a sidecar and lets it settle.
    pub(crate) async fn measure_start(&mut self, components: &Components, drain: &Drain) -> anyhow::Result<()> {
        let binary = self.binary(components);
        let daprd =
            Daprd::start(&binary, "idle", Some(App::http(app::start(None, drain).await?)), Setup::default(), drain)
                .await?;
        self.starts.push(daprd.start.as_secs_f64() * 1000.0);
        tokio::time::sleep(SETTLING).await;
        self.idle.push(daprd.process.memory()?);
        Ok(())
    }

    /// The binary with what it runs with.
    pub(crate) fn binary<'a>(&'a self, components: &'a Components) -> Binary<'a> {
        Binary { path: &self.path, sentry: self.sentry.as_deref(), components }
    }

    pub(crate) fn add(&mut self, case: Case, figures: Figures) {
        self.figures.push((case, figures));
    }

    pub(crate) fn add_extremes(&mut self, figures: Vec<Figure>) {
        self.extremes.extend(figures);
    }

    /// The rows of extremes that were measured, in order.
    pub(crate) fn extreme_rows(&self) -> Vec<&'static str> {
        let mut rows: Vec<&str> = Vec::new();
        self.extremes.iter().for_each(|(row, _)| {
            if !rows.contains(row) {
                rows.push(row)
            }
        });
        rows
    }

    /// The median of a row of extremes.
    pub(crate) fn extreme(&self, row: &str) -> Option<f64> {
        median(self.extremes.iter().filter(|(of, _)| *of == row).map(|(_, value)| *value))
    }

    /// The median of a figure of a case; none when the case was not measured.
    pub(crate) fn median(&self, case: Case, figure: impl Fn(&Figures) -> f64) -> Option<f64> {
        median(self.figures.iter().filter(|(of, _)| *of == case).map(|(_, figures)| figure(figures)))
    }
}

/// The value in the middle.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
