//! Jobs as `dapr scheduler list` and `get` show them (names are Dapr's).
use super::key::{JOBS, workflow_app};
use anyhow::Context as _;
use clap::ValueEnum;
use jiff::Timestamp;
use prost::Message;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use std::time::Duration;
use wire::etcd::cron::stored_job::Begin;
use wire::etcd::cron::{Counter, StoredJob};
use wire::scheduler::v1::JobMetadata;
use wire::scheduler::v1::job_target_metadata::Type;

/// `--filter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Filter {
    All,
    App,
    Actor,
    Workflow,
    Activity,
}

/// A job in full.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Listed {
    pub(crate) namespace: String,
    pub(crate) name: String,
    #[serde(serialize_with = "as_text")]
    pub(crate) begin: Timestamp,
    #[serde(serialize_with = "as_text_or_null")]
    pub(crate) expiration: Option<Timestamp>,
    pub(crate) schedule: Option<String>,
    pub(crate) due_time: Option<String>,
    pub(crate) ttl: Option<String>,
    pub(crate) repeats: Option<u32>,
    pub(crate) count: u32,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text_or_null")]
    pub(crate) last_trigger: Option<Timestamp>,
    #[serde(skip)]
    kind: Filter,
}

impl Listed {
    /// Reads a job and its counter as they are stored.
    ///
    /// # Errors
    /// They cannot be read.
    pub(crate) fn read(key: &str, job: &[u8], counter: Option<&[u8]>) -> anyhow::Result<Self> {
        let damaged = || format!("failed to unmarshal job {key}");
        let stored = StoredJob::decode(job).with_context(damaged)?;
        let counter = counter.map(Counter::decode).transpose().with_context(damaged)?.unwrap_or_default();
        let job = stored.job.with_context(damaged)?;
        let metadata = job.metadata.with_context(damaged)?;
        let metadata = JobMetadata::decode(&metadata.value[..]).with_context(damaged)?;
        let (kind, name) = named(key.strip_prefix(JOBS).unwrap_or(key), &metadata);
        let begin = match stored.begin {
            Some(Begin::Start(time) | Begin::DueTime(time)) => whole_second(time),
            None => Timestamp::UNIX_EPOCH,
        };
        Ok(Self {
            namespace: metadata.namespace,
            name,
            begin,
            expiration: stored.expiration.map(whole_second),
            schedule: job.schedule,
            due_time: job.due_time,
            ttl: job.ttl,
            repeats: job.repeats,
            count: counter.count,
            last_trigger: counter.last_trigger.map(whole_second),
            kind,
        })
    }

    pub(crate) fn is(&self, filter: Filter) -> bool {
        filter == Filter::All || self.kind == filter
    }
}

/// A job without what it does not have, as Dapr's CLI writes YAML.
pub(crate) struct Sparse<'a>(pub(crate) &'a Listed);

impl Serialize for Sparse<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let job = self.0;
        let time = |time: Option<Timestamp>| time.map(|time| time.to_string());
        let texts = [
            ("namespace", Some(job.namespace.clone())),
            ("name", Some(job.name.clone())),
            ("begin", Some(job.begin.to_string())),
            ("expiration", time(job.expiration)),
            ("schedule", job.schedule.clone()),
            ("dueTime", job.due_time.clone()),
            ("ttl", job.ttl.clone()),
        ];
        let numbers = [("repeats", job.repeats), ("count", Some(job.count).filter(|count| *count > 0))];
        let mut map = serializer.serialize_map(None)?;
        texts.iter().filter(|(_, text)| text.is_some()).try_for_each(|(name, text)| map.serialize_entry(name, text))?;
        numbers
            .iter()
            .filter(|(_, number)| number.is_some())
            .try_for_each(|(name, number)| map.serialize_entry(name, number))?;
        if let Some(last) = time(job.last_trigger) {
            map.serialize_entry("lastTrigger", &last)?;
        }
        map.end()
    }
}

/// Cells of a short table: times as they are from now.
pub(crate) fn short_row(job: &Listed, now: Timestamp) -> Vec<String> {
    let from_now = |time: Timestamp| {
        format!("{}{}", if time > now { '+' } else { '-' }, humanized(time.duration_since(now).unsigned_abs()))
    };
    let past = |time: Timestamp| format!("-{}", humanized(time.duration_since(now).unsigned_abs()));
    vec![job.name.clone(), from_now(job.begin), job.count.to_string(), job.last_trigger.map(past).unwrap_or_default()]
}

/// Cells of a wide table.
pub(crate) fn long_row(job: &Listed) -> Vec<String> {
    let time = |time: Option<Timestamp>| time.map(|time| time.to_string()).unwrap_or_default();
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    vec![
        job.namespace.clone(),
        job.name.clone(),
        job.begin.to_string(),
        time(job.expiration),
        text(&job.schedule),
        text(&job.due_time),
        text(&job.ttl),
        job.repeats.map(|repeats| repeats.to_string()).unwrap_or_default(),
        job.count.to_string(),
        time(job.last_trigger),
    ]
}

/// What a job is and how users name it. Its own name is what is behind that of its owner, which may have `||` in it.
fn named(stored: &str, metadata: &JobMetadata) -> (Filter, String) {
    let owned = |owner: &str| stored.strip_prefix(owner).map(str::to_owned);
    let last = || stored.rsplit("||").next().unwrap_or_default().to_owned();
    let (namespace, app_id) = (&metadata.namespace, &metadata.app_id);
    let target = metadata.target.as_ref().and_then(|target| target.r#type.as_ref());
    let Some(Type::Actor(actor)) = target else {
        let name = owned(&format!("app||{namespace}||{app_id}||")).unwrap_or_else(last);
        return (Filter::App, format!("app/{app_id}/{name}"));
    };
    let (kind, id) = (&actor.r#type, &actor.id);
    let name = owned(&format!("actorreminder||{namespace}||{kind}||{id}||")).unwrap_or_else(last);
    match workflow_app(kind) {
        Some((app_id, true)) => (Filter::Activity, format!("activity/{app_id}/{id}")),
        Some((app_id, false)) => (Filter::Workflow, format!("workflow/{app_id}/{id}/{name}")),
        None => (Filter::Actor, format!("actor/{kind}/{id}/{name}")),
    }
}

fn as_text<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}

fn as_text_or_null<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(|time| time.to_string()).serialize(serializer)
}

fn whole_second(time: prost_types::Timestamp) -> Timestamp {
    Timestamp::from_second(time.seconds).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// In the largest unit that fits, as Dapr's CLI shows it.
fn humanized(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    match duration.as_nanos() {
        0 => String::new(),
        nanos @ 1..1_000 => format!("{nanos}ns"),
        1_000..1_000_000 => format!("{:.1}µs", seconds * 1e6),
        1_000_000..1_000_000_000 => format!("{:.1}ms", seconds * 1e3),
        1_000_000_000..60_000_000_000 => format!("{seconds:.2}s"),
        60_000_000_000..3_600_000_000_000 => format!("{:.1}m", seconds / 60.0),
        _ => format!("{:.1}h", seconds / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::etcd::cron::Job;
    use wire::scheduler::v1::{JobTargetMetadata, TargetActorReminder, TargetJob};

    fn stored(target: Type) -> Vec<u8> {
        let target = Some(JobTargetMetadata { r#type: Some(target) });
        let metadata =
            JobMetadata { app_id: "shop".into(), namespace: "default".into(), target, ..JobMetadata::default() };
        let metadata = prost_types::Any { type_url: String::new(), value: metadata.encode_to_vec() };
        let job =
            Job { schedule: Some("@every 1m".into()), metadata: Some(metadata), repeats: Some(3), ..Job::default() };
        let begin = Some(Begin::DueTime(prost_types::Timestamp { seconds: 1_000_000, nanos: 999 }));
        StoredJob { partition_id: 1, begin, job: Some(job), ..StoredJob::default() }.encode_to_vec()
    }

    fn actor(kind: &str, id: &str) -> Type {
        Type::Actor(TargetActorReminder { r#type: kind.into(), id: id.into() })
    }

    #[test]
    fn jobs_are_named_as_users_name_them() {
        let workflow = "dapr.internal.default.shop.workflow";
        let activity = "dapr.internal.default.shop.activity";
        for (target, key, kind, name) in [
            (Type::Job(TargetJob {}), "app||default||shop||a||b".to_owned(), Filter::App, "app/shop/a||b"),
            (actor("cart", "7"), "actorreminder||default||cart||7||pay".to_owned(), Filter::Actor, "actor/cart/7/pay"),
            (
                actor(workflow, "i"),
                format!("actorreminder||default||{workflow}||i||s"),
                Filter::Workflow,
                "workflow/shop/i/s",
            ),
            (
                actor(activity, "i::0"),
                format!("actorreminder||default||{activity}||i::0||r"),
                Filter::Activity,
                "activity/shop/i::0",
            ),
        ] {
            let listed = Listed::read(&format!("{JOBS}{key}"), &stored(target), None).unwrap();
            assert_eq!(listed.name, name);
            assert!(listed.is(kind) && listed.is(Filter::All));
            assert!(kind == Filter::App || !listed.is(Filter::App));
        }
    }

    #[test]
    fn rows_and_documents_are_those_of_dapr() {
        let last_trigger = Some(prost_types::Timestamp { seconds: 1_000_060, nanos: 5 });
        let counter = Counter { count: 1, last_trigger, ..Counter::default() }.encode_to_vec();
        let key = format!("{JOBS}app||default||shop||a");
        let listed = Listed::read(&key, &stored(Type::Job(TargetJob {})), Some(&counter)).unwrap();
        let now = Timestamp::from_second(1_003_600).unwrap();
        assert_eq!(short_row(&listed, now), ["app/shop/a", "-1.0h", "1", "-59.0m"]);
        assert_eq!(short_row(&listed, Timestamp::from_second(999_990).unwrap())[1], "+10.00s");
        assert_eq!(
            long_row(&listed),
            [
                "default",
                "app/shop/a",
                "1970-01-12T13:46:40Z",
                "",
                "@every 1m",
                "",
                "",
                "3",
                "1",
                "1970-01-12T13:47:40Z"
            ]
        );
        assert_eq!(
            serde_json::to_string(&listed).unwrap(),
            "{\"namespace\":\"default\",\"name\":\"app/shop/a\",\"begin\":\"1970-01-12T13:46:40Z\",\"expiration\":null,\
             \"schedule\":\"@every 1m\",\"dueTime\":null,\"ttl\":null,\"repeats\":3,\"count\":1,\"lastTrigger\":\"1970-01-12T13:47:40Z\"}"
        );
        assert_eq!(
            serde_json::to_string(&Sparse(&listed)).unwrap(),
            "{\"namespace\":\"default\",\"name\":\"app/shop/a\",\"begin\":\"1970-01-12T13:46:40Z\",\"schedule\":\"@every 1m\",\
             \"repeats\":3,\"count\":1,\"lastTrigger\":\"1970-01-12T13:47:40Z\"}"
        );
        assert!(Listed::read(&key, &[0xff], None).is_err());
    }

    #[test]
    fn durations_have_one_unit() {
        let of = |nanos| humanized(Duration::from_nanos(nanos));
        assert_eq!(
            [0, 999, 1_500, 2_500_000, 59_990_000_000, 90_000_000_000, 5_400_000_000_000].map(of),
            ["", "999ns", "1.5µs", "2.5ms", "59.99s", "1.5m", "1.5h"]
        );
    }
}
