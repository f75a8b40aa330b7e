//! The names that jobs have inside, and the prefixes that they share (protocols.md 3.2).
use wire::scheduler::v1::job_target_metadata::Type;
use wire::scheduler::v1::{JobMetadata, JobTargetMetadata};

const BETWEEN: &str = "||";
const JOBS: &str = "app";
const REMINDERS: &str = "actorreminder";
/// Of a whole name, in bytes.
const LONGEST: usize = 512;

/// Why something has no name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadName {
    #[error("unknown job type: say in metadata.target whether it is a job or an actor reminder")]
    NoTarget,
    #[error("job name cannot be empty")]
    Empty,
    #[error("job name is invalid {0:?}: must be at most 512 characters")]
    Long(String),
    #[error("job name is invalid {0:?}: must not contain '/', '\\', '#' or '?'")]
    Forbidden(String),
    #[error("job name is invalid {0:?}: must not contain control characters")]
    Control(String),
    #[error("job name is invalid {0:?}: must not be a path traversal sequence")]
    Traversal(String),
}

/// The name of a job that belongs to somebody.
pub(crate) fn of_job(metadata: &JobMetadata, name: &str) -> Result<String, BadName> {
    let full = format!("{}{name}", owner(metadata)?);
    check(&full)?;
    Ok(full)
}

/// What the names of all jobs of an app start with, or those of all reminders of an actor.
pub(crate) fn owner(metadata: &JobMetadata) -> Result<String, BadName> {
    match target(metadata)? {
        Type::Job(_) => Ok(of_app(&metadata.namespace, &metadata.app_id)),
        Type::Actor(actor) => Ok(format!("{}{}{BETWEEN}", of_actor_type(&metadata.namespace, &actor.r#type), actor.id)),
    }
}

/// What names start with that metadata means: an actor without an id is all of its type. `is_start` tells that the id is only
/// the start of one.
pub(crate) fn group(metadata: &JobMetadata, is_start: bool) -> Result<String, BadName> {
    let group = match target(metadata)? {
        Type::Actor(actor) if actor.id.is_empty() => of_actor_type(&metadata.namespace, &actor.r#type),
        _ => owner(metadata)?,
    };
    let start = group.strip_suffix(BETWEEN).filter(|_| is_start).map(str::to_owned);
    Ok(start.unwrap_or(group))
}

/// What the names of all jobs and reminders of a namespace start with.
pub(crate) fn of_namespace(namespace: &str) -> [String; 2] {
    [JOBS, REMINDERS].map(|kind| [kind, namespace, ""].join(BETWEEN))
}

pub(crate) fn of_app(namespace: &str, app_id: &str) -> String {
    [JOBS, namespace, app_id, ""].join(BETWEEN)
}

pub(crate) fn of_actor_type(namespace: &str, actor_type: &str) -> String {
    [REMINDERS, namespace, actor_type, ""].join(BETWEEN)
}

/// What the names of all jobs of the same recipient start with: an app, or an actor type.
pub(crate) fn recipient(name: &str) -> &str {
    let end = name.match_indices(BETWEEN).nth(2).map(|(start, between)| start + between.len());
    &name[..end.unwrap_or(name.len())]
}

/// Checks a whole name, or what one may start with.
pub(crate) fn check(name: &str) -> Result<(), BadName> {
    let bad = |problem: fn(String) -> BadName| Err(problem(name.to_owned()));
    match name {
        "" => Err(BadName::Empty),
        "." | ".." => bad(BadName::Traversal),
        _ if name.len() > LONGEST => bad(BadName::Long),
        _ if name.contains(['#', '?', '/', '\\']) => bad(BadName::Forbidden),
        _ if name.contains(char::is_control) => bad(BadName::Control),
        _ => Ok(()),
    }
}

fn target(metadata: &JobMetadata) -> Result<&Type, BadName> {
    let target = metadata.target.as_ref().and_then(|JobTargetMetadata { r#type }| r#type.as_ref());
    target.ok_or(BadName::NoTarget)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::scheduler::v1::{TargetActorReminder, TargetJob};

    fn metadata(r#type: Type) -> JobMetadata {
        let target = Some(JobTargetMetadata { r#type: Some(r#type) });
        JobMetadata { app_id: "app".into(), namespace: "ns".into(), target, ..JobMetadata::default() }
    }

    fn actor(id: &str) -> JobMetadata {
        metadata(Type::Actor(TargetActorReminder { id: id.into(), r#type: "type".into() }))
    }

    #[test]
    fn names_tell_whose_they_are() {
        assert_eq!(of_job(&metadata(Type::Job(TargetJob {})), "a||b").unwrap(), "app||ns||app||a||b");
        assert_eq!(of_job(&actor("x||y"), "name").unwrap(), "actorreminder||ns||type||x||y||name");
        assert_eq!(of_job(&JobMetadata::default(), "name"), Err(BadName::NoTarget));
    }

    #[test]
    fn a_namespace_has_jobs_and_reminders() {
        let [jobs, reminders] = of_namespace("ns");
        assert!(of_job(&metadata(Type::Job(TargetJob {})), "a").unwrap().starts_with(&jobs));
        assert!(of_job(&actor("x"), "a").unwrap().starts_with(&reminders));
        assert!(!of_app("ns2", "app").starts_with(&jobs));
    }

    #[test]
    fn names_tell_who_takes_them() {
        assert_eq!(recipient("app||ns||app||a||b"), of_app("ns", "app"));
        assert_eq!(recipient("actorreminder||ns||type||x||y||name"), of_actor_type("ns", "type"));
        assert_eq!(recipient("strange"), "strange");
    }

    #[test]
    fn groups_are_an_app_a_type_an_actor_or_the_start_of_one() {
        assert_eq!(group(&metadata(Type::Job(TargetJob {})), false).unwrap(), "app||ns||app||");
        assert_eq!(group(&actor(""), false).unwrap(), "actorreminder||ns||type||");
        assert_eq!(group(&actor("x"), false).unwrap(), "actorreminder||ns||type||x||");
        assert_eq!(group(&actor("x"), true).unwrap(), "actorreminder||ns||type||x");
    }

    #[test]
    fn what_a_key_or_a_path_cannot_hold_is_refused() {
        for (name, reason) in [
            ("", "job name cannot be empty"),
            ("..", "job name is invalid \"..\": must not be a path traversal sequence"),
            ("a/b", "job name is invalid \"a/b\": must not contain '/', '\\', '#' or '?'"),
            ("a\u{85}b", "job name is invalid \"a\\u{85}b\": must not contain control characters"),
        ] {
            assert_eq!(check(name).unwrap_err().to_string(), reason);
        }
        assert!(check(&"x".repeat(513)).is_err() && check(&"x".repeat(512)).is_ok());
    }
}
