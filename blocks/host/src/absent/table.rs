//! The endpoints of absent blocks, one row each.
use crate::absent::checks::MESSAGE;
use crate::absent::checks::Refusal::{self, AfterBody, At};
use crate::absent::{codes, jobs};
use axum::routing::MethodFilter;

/// Some endpoints that are refused in the same way.
pub(crate) struct Row {
    pub(crate) versions: &'static [&'static str],
    pub(crate) group: &'static str,
    pub(crate) methods: MethodFilter,
    pub(crate) path: &'static str,
    pub(crate) refusal: Refusal,
}

const GET: MethodFilter = MethodFilter::GET;
const POST: MethodFilter = MethodFilter::POST;
const DELETE: MethodFilter = MethodFilter::DELETE;

const ALPHA1_AND_V1: &[&str] = &["v1.0-alpha1", "v1.0"];
const ALL: &[&str] = &["v1.0-alpha1", "v1.0-beta1", "v1.0"];

const NO_PLACEMENT: Refusal = At(|_, _| codes::no_placement());

const fn row(
    versions: &'static [&'static str],
    group: &'static str,
    methods: MethodFilter,
    path: &'static str,
    refusal: Refusal,
) -> Row {
    Row { versions, group, methods, path, refusal }
}

pub(crate) static ROWS: &[Row] = &[
    row(ALL, "workflows", GET, "workflows/{component}/{id}", NO_PLACEMENT),
    row(ALL, "workflows", POST, "workflows/{component}/{id}/start", NO_PLACEMENT),
    row(ALL, "workflows", POST, "workflows/{component}/{id}/pause", NO_PLACEMENT),
    row(ALL, "workflows", POST, "workflows/{component}/{id}/resume", NO_PLACEMENT),
    row(ALL, "workflows", POST, "workflows/{component}/{id}/terminate", NO_PLACEMENT),
    row(ALL, "workflows", POST, "workflows/{component}/{id}/purge", NO_PLACEMENT),
    row(ALL, "workflows", POST, "workflows/{component}/{id}/raiseEvent/{event}", NO_PLACEMENT),
    row(ALPHA1_AND_V1, "jobs", POST, "jobs/{name}", AfterBody { read: &MESSAGE, refuse: jobs::schedule_by_url }),
    row(ALPHA1_AND_V1, "jobs", GET, "jobs/{name}", At(|owner, _| jobs::disabled(owner, &jobs::GET))),
    row(ALPHA1_AND_V1, "jobs", DELETE, "jobs/{name}", At(|owner, _| jobs::disabled(owner, &jobs::DELETE))),
];
