//! Apps with their sidecars, from what they are started with to their end.
mod authority;
mod control_plane;
mod labels;
mod output;
mod plan;
mod process;
mod session;
mod settings;
mod shutdown;
mod template;

pub(crate) use authority::Authority;
pub(crate) use control_plane::{ControlPlane, Kind, running, scheduler_is_there};
pub(crate) use output::{Sink, Target};
pub(crate) use plan::{Plan, Planner, asks_for_mtls};
pub(crate) use process::{end_group, is_alive, terminate};
pub(crate) use session::{Ended, Session, Sinks};
pub(crate) use settings::Settings;
pub(crate) use shutdown::Shutdown;
pub(crate) use template::{Template, template_path};
