//! Names of jobs as users write them, and where the jobs lie (protocols.md 3.2, surface.md 7).
use anyhow::bail;

pub(super) const JOBS: &str = "dapr/jobs/";
pub(super) const COUNTERS: &str = "dapr/counters/";
/// The one reminder of a workflow's activity.
const ACTIVITY_REMINDER: &str = "run-activity";

/// A job, or a reminder of an actor, of a workflow or of a workflow's activity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key<'a> {
    Job { app_id: &'a str, name: &'a str },
    Reminder { actor_type: &'a str, actor_id: &'a str, name: &'a str },
    Workflow { app_id: &'a str, instance: &'a str, name: &'a str },
    Activity { app_id: &'a str, id: &'a str },
}

impl<'a> Key<'a> {
    /// Reads a name such as `app/shop/report`.
    ///
    /// # Errors
    /// It is none; the error says what was expected.
    pub(crate) fn parse(text: &'a str) -> anyhow::Result<Self> {
        let parts: Vec<_> = text.split('/').collect();
        Ok(match parts[..] {
            ["app", app_id, name] => Self::Job { app_id, name },
            ["actor", actor_type, actor_id, name] => Self::Reminder { actor_type, actor_id, name },
            ["workflow", app_id, instance, name] => Self::Workflow { app_id, instance, name },
            ["activity", app_id, id] => Self::Activity { app_id, id },
            [] | [_] => bail!("failed to parse job key, expecting '{{target type}}/{{identifier}}', got '{text}'"),
            [kind, ..] => match form(kind) {
                Some(form) => bail!("expecting {form}, got '{text}'"),
                None => bail!("unsupported job type '{kind}', accepts 'app', 'actor', 'workflow', or 'activity'"),
            },
        })
    }

    /// The name that the scheduler has for it.
    pub(crate) fn stored(&self, namespace: &str) -> String {
        match self {
            Self::Job { app_id, name } => format!("app||{namespace}||{app_id}||{name}"),
            Self::Reminder { actor_type, actor_id, name } => reminder(namespace, actor_type, actor_id, name),
            Self::Workflow { app_id, instance, name } => {
                reminder(namespace, &internal(namespace, app_id, "workflow"), instance, name)
            }
            Self::Activity { app_id, id } => {
                reminder(namespace, &internal(namespace, app_id, "activity"), id, ACTIVITY_REMINDER)
            }
        }
    }
}

/// What the stored names of all jobs start with that are meant by `all`, `app`, `app/shop`, `actor/cart/7` and the like.
///
/// # Errors
/// The text means nothing.
pub(crate) fn prefixes(text: &str, namespace: &str) -> anyhow::Result<Vec<String>> {
    let parts: Vec<_> = text.split('/').collect();
    let reminders = |rest: String| format!("actorreminder||{namespace}||{rest}");
    let of_app =
        |app_id: &str, kind: &str, rest: &str| reminders(format!("{}||{rest}", internal(namespace, app_id, kind)));
    Ok(match parts[..] {
        ["all"] => vec![format!("app||{namespace}||"), reminders(String::new())],
        ["app"] => vec![format!("app||{namespace}||")],
        ["app", app_id] => vec![format!("app||{namespace}||{app_id}||")],
        ["actor", actor_type] => vec![reminders(format!("{actor_type}||"))],
        ["actor", actor_type, actor_id] => vec![reminders(format!("{actor_type}||{actor_id}||"))],
        ["workflow"] => vec![reminders(format!("dapr.internal.{namespace}."))],
        ["workflow", app_id] => vec![of_app(app_id, "workflow", ""), of_app(app_id, "activity", "")],
        ["workflow", app_id, instance] => vec![
            of_app(app_id, "workflow", &format!("{instance}||")),
            of_app(app_id, "activity", &format!("{instance}::")),
        ],
        ["all" | "app" | "actor" | "workflow", ..] => bail!("invalid key format: {text}"),
        _ => bail!("unknown key prefix: {}; use all, app, actor or workflow", parts.first().unwrap_or(&"")),
    })
}

/// The name that users have for a stored one, as far as that alone tells: a reminder's actor id may have `||` in it, and its name not.
pub(crate) fn shown(stored: &str) -> String {
    let parts: Vec<_> = stored.splitn(4, "||").collect();
    match parts[..] {
        ["app", _, app_id, name] => format!("app/{app_id}/{name}"),
        ["actorreminder", _, actor_type, rest] => {
            let (actor_id, name) = rest.rsplit_once("||").unwrap_or((rest, ""));
            match workflow_app(actor_type) {
                Some((app_id, true)) => format!("activity/{app_id}/{actor_id}"),
                Some((app_id, false)) => format!("workflow/{app_id}/{actor_id}/{name}"),
                None => format!("actor/{actor_type}/{actor_id}/{name}"),
            }
        }
        _ => stored.to_owned(),
    }
}

/// The app of a workflow's own actor type, and whether it is the type of its activities.
pub(super) fn workflow_app(actor_type: &str) -> Option<(&str, bool)> {
    let rest = actor_type.strip_prefix("dapr.internal.")?;
    let (owner, is_activity) = match (rest.strip_suffix(".workflow"), rest.strip_suffix(".activity")) {
        (Some(owner), _) => (owner, false),
        (None, owner) => (owner?, true),
    };
    owner.split_once('.').map(|(_, app_id)| (app_id, is_activity))
}

fn reminder(namespace: &str, actor_type: &str, actor_id: &str, name: &str) -> String {
    format!("actorreminder||{namespace}||{actor_type}||{actor_id}||{name}")
}

fn internal(namespace: &str, app_id: &str, kind: &str) -> String {
    format!("dapr.internal.{namespace}.{app_id}.{kind}")
}

fn form(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "app" => "job key to be in format 'app/{app ID}/{job name}'",
        "actor" => "actor reminder key to be in format 'actor/{actor type}/{actor id}/{name}'",
        "workflow" => "workflow key to be in format 'workflow/{app ID}/{instance ID}/{name}'",
        "activity" => "activity key to be in format 'activity/{app ID}/{activity ID}'",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_where_a_job_lies() {
        for (name, stored) in [
            ("app/shop/report", "app||ns||shop||report"),
            ("actor/cart/7/pay", "actorreminder||ns||cart||7||pay"),
            ("workflow/shop/a1/start", "actorreminder||ns||dapr.internal.ns.shop.workflow||a1||start"),
            ("activity/shop/a1::0::1", "actorreminder||ns||dapr.internal.ns.shop.activity||a1::0::1||run-activity"),
        ] {
            assert_eq!(Key::parse(name).unwrap().stored("ns"), stored);
            assert_eq!(shown(stored), name);
        }
    }

    #[test]
    fn names_that_are_none_say_what_was_expected() {
        let fault = |name| Key::parse(name).unwrap_err().to_string();
        assert_eq!(fault("x"), "failed to parse job key, expecting '{target type}/{identifier}', got 'x'");
        assert_eq!(fault("app/x"), "expecting job key to be in format 'app/{app ID}/{job name}', got 'app/x'");
        assert_eq!(fault("job/x/y"), "unsupported job type 'job', accepts 'app', 'actor', 'workflow', or 'activity'");
    }

    #[test]
    fn groups_are_starts_of_stored_names() {
        let of = |text| prefixes(text, "ns").unwrap();
        assert_eq!(of("all"), ["app||ns||", "actorreminder||ns||"]);
        assert_eq!(of("app/shop"), ["app||ns||shop||"]);
        assert_eq!(of("actor/cart/7"), ["actorreminder||ns||cart||7||"]);
        assert_eq!(of("workflow"), ["actorreminder||ns||dapr.internal.ns."]);
        assert_eq!(
            of("workflow/shop/a1"),
            [
                "actorreminder||ns||dapr.internal.ns.shop.workflow||a1||",
                "actorreminder||ns||dapr.internal.ns.shop.activity||a1::"
            ]
        );
        let fault = |text| prefixes(text, "ns").unwrap_err().to_string();
        assert_eq!(fault("actor"), "invalid key format: actor");
        assert_eq!(fault("app/a/b"), "invalid key format: app/a/b");
        assert!(fault("apps").starts_with("unknown key prefix: apps"));
    }

    #[test]
    fn types_of_workflows_name_their_app() {
        assert_eq!(workflow_app("dapr.internal.ns.my.shop.workflow"), Some(("my.shop", false)));
        assert_eq!(workflow_app("dapr.internal.ns.shop.activity"), Some(("shop", true)));
        assert_eq!(workflow_app("cart"), None);
    }
}
