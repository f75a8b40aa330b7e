//! `dapr scheduler`: the jobs and reminders that a scheduler keeps (surface.md 7).
use crate::commands::refuse_kubernetes;
use crate::context::Context;
use crate::output::{self, detail};
use crate::scheduler::{ExportFile, Filter, Key, Listed, Records, Sparse, etcd, long_row, prefixes, short_row, shown};
use crate::table::table;
use anyhow::{Context as _, bail, ensure};
use clap::{Args, Subcommand, ValueEnum};
use foundation_etcd::Pair;
use jiff::Timestamp;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use wire::etcd::mvccpb::KeyValue;

const SHORT: [&str; 4] = ["NAME", "BEGIN", "COUNT", "LAST TRIGGER"];
const WIDE: [&str; 10] =
    ["NAMESPACE", "NAME", "BEGIN", "EXPIRATION", "SCHEDULE", "DUE TIME", "TTL", "REPEATS", "COUNT", "LAST TRIGGER"];
/// Jobs of one transaction of an import, each with its counter and a look whether it is there: etcd takes 128 operations.
const AT_ONCE: usize = 42;

/// Scheduler management commands. Supported platforms: Self-hosted
#[derive(Args, Debug)]
pub(crate) struct Scheduler {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Command,
}

#[derive(Args, Debug)]
struct Options {
    /// Namespace of the Dapr application
    #[arg(long, short = 'n', global = true, default_value = "default")]
    namespace: String,
    /// Where the scheduler serves etcd's API, as host:port [default: that of the scheduler which `dapr run` uses]
    #[arg(long, global = true, value_delimiter = ',')]
    etcd_client_endpoints: Vec<String>,
    /// Perform the command on a Kubernetes Dapr cluster
    #[arg(long, short = 'k', global = true)]
    kubernetes: bool,
    /// Kubernetes namespace where the scheduler is deployed
    #[arg(long, global = true, default_value = "dapr-system", hide = true)]
    scheduler_namespace: String,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// List scheduled jobs
    List {
        /// Filter jobs by type
        #[arg(long, default_value = "all")]
        filter: Filter,
        /// Output format
        #[arg(long, short = 'o', default_value = "short")]
        output: Format,
    },
    /// Show jobs: app/APP_ID/NAME, actor/TYPE/ID/NAME, workflow/APP_ID/INSTANCE/NAME or activity/APP_ID/ID
    #[command(visible_aliases = ["g", "ge"])]
    Get {
        /// Output format
        #[arg(long, short = 'o', default_value = "short")]
        output: Format,
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
    /// Delete jobs, named as for `get`
    #[command(visible_aliases = ["d", "del"])]
    Delete {
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
    /// Delete all jobs of a kind: all, app[/APP_ID], actor/TYPE[/ID] or workflow[/APP_ID[/INSTANCE]]
    #[command(visible_aliases = ["da", "delall"])]
    DeleteAll {
        #[arg(value_name = "KIND")]
        kind: String,
    },
    /// Write all jobs and reminders to a file, with how far each of them is
    Export {
        /// The file, which must not be there yet
        #[arg(long, short = 'o')]
        output_file: PathBuf,
    },
    /// Read jobs and reminders from a file of `export`
    Import {
        /// The file
        #[arg(long, short = 'f')]
        input_file: PathBuf,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Short,
    Wide,
    Yaml,
    Json,
}

impl Scheduler {
    /// Carries out a command.
    ///
    /// # Errors
    /// The scheduler cannot be reached, a name is none or is not there, a file cannot be used.
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        refuse_kubernetes(self.options.kubernetes)?;
        let records = Records::at(etcd(&self.options.etcd_client_endpoints, context).await)?;
        let run = Run { context, records, namespace: self.options.namespace };
        match self.command {
            Command::List { filter, output } => run.list(filter, output).await?,
            Command::Get { output, names } => run.get(&names, output).await?,
            Command::Delete { names } => run.delete(&names).await?,
            Command::DeleteAll { kind } => run.delete_all(&kind).await?,
            Command::Export { output_file } => run.export(&output_file).await?,
            Command::Import { input_file } => run.import(&input_file).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// One command at work.
struct Run<'a> {
    context: &'a Context,
    records: Records,
    namespace: String,
}

impl Run<'_> {
    async fn list(&self, filter: Filter, format: Format) -> anyhow::Result<()> {
        let mut listed = Vec::new();
        for prefix in prefixes("all", &self.namespace)? {
            self.read(&prefix, &mut listed).await?;
        }
        listed.retain(|job| job.namespace == self.namespace && job.is(filter));
        listed.sort_by(|one, other| (one.begin, &one.name).cmp(&(other.begin, &other.name)));
        if listed.is_empty() {
            self.context.console.failure(format!("No jobs found in namespace {:?}", self.namespace));
            return Ok(());
        }
        self.print(&listed, format)
    }

    /// Reads jobs whose stored names start so. One that is damaged does not hide the others.
    async fn read(&self, prefix: &str, listed: &mut Vec<Listed>) -> anyhow::Result<()> {
        let mut jobs = self.records.jobs(prefix);
        while let Some(Pair { record, other, .. }) = jobs.next().await? {
            let key = String::from_utf8_lossy(&record.key);
            match Listed::read(&key, &record.value, other.as_ref().map(|kv| &kv.value[..])) {
                Ok(job) => listed.push(job),
                Err(error) => self.context.console.warning(format!("{error:#}; it is passed over")),
            }
        }
        Ok(())
    }

    async fn get(&self, names: &[String], format: Format) -> anyhow::Result<()> {
        let mut listed = Vec::new();
        for name in names {
            let stored = Key::parse(name)?.stored(&self.namespace);
            let Some((job, counter)) = self.records.get(&stored).await? else { bail!("job '{name}' not found") };
            listed.push(Listed::read(&format!("dapr/jobs/{stored}"), &job, counter.as_deref())?);
        }
        self.print(&listed, format)
    }

    async fn delete(&self, names: &[String]) -> anyhow::Result<()> {
        let namespace = &self.namespace;
        for name in names {
            let stored = Key::parse(name)?.stored(namespace);
            let was_there = self.records.delete(&stored).await?;
            ensure!(was_there, "no job with key '{name}' found in namespace '{namespace}'");
            self.context.console.info(format!("Deleted {name} in namespace '{namespace}'."));
        }
        Ok(())
    }

    async fn delete_all(&self, kind: &str) -> anyhow::Result<()> {
        let deleted = self.records.delete_all(&prefixes(kind, &self.namespace)?).await?;
        for name in &deleted {
            self.context.console.info(format!("Deleted job '{}'.", shown(name)));
        }
        self.context.console.info(format!("Deleted {} jobs in namespace '{}'.", deleted.len(), self.namespace));
        Ok(())
    }

    async fn export(&self, path: &Path) -> anyhow::Result<()> {
        let shown = path.display();
        ensure!(!path.exists(), "file '{shown}' already exists");
        let (mut jobs, mut file) = (self.records.jobs(""), ExportFile::default());
        while let Some(Pair { record, other, .. }) = jobs.next().await? {
            let entry = |kv: KeyValue| (String::from_utf8_lossy(&kv.key).into_owned(), kv.value.to_vec());
            file.counters.extend(other.map(entry));
            file.jobs.extend([entry(record)]);
        }
        write_new(path, &file.encode()).with_context(|| format!("cannot write {shown}"))?;
        let console = self.context.console;
        console.info(format!("Exported {} jobs and {} counters.", file.jobs.len(), file.counters.len()));
        console.info(format!("Export to '{shown}' complete."));
        Ok(())
    }

    /// A job comes with its counter, so that a scheduler which runs sees them together.
    async fn import(&self, path: &Path) -> anyhow::Result<()> {
        let (shown, console) = (path.display(), self.context.console);
        let (file, damaged) = ExportFile::decode(&std::fs::read(path).with_context(|| format!("open {shown}"))?)?;
        damaged.iter().for_each(|reason| console.warning(format!("{reason}; it is passed over")));
        let of_job = |key: &String| key.replacen("dapr/jobs/", "dapr/counters/", 1);
        let pairs = file.jobs.iter().map(|(key, job)| {
            let counter = file.counters.get_key_value(&of_job(key));
            counter.into_iter().chain([(key, job)]).collect::<Vec<_>>()
        });
        let (pairs, mut count, mut replaced) = (pairs.collect::<Vec<_>>(), 0, 0);
        for some in pairs.chunks(AT_ONCE) {
            let records = some.concat();
            match self.records.put(&records).await {
                Ok(there) => replaced += there,
                Err(error) => {
                    console.failure(format!("Incomplete import with {count} items."));
                    return Err(error.context("commit transaction"));
                }
            }
            count += records.len();
        }
        console.info(format!("Imported {count} items."));
        if replaced > 0 {
            console.info(format!("{replaced} jobs took the place of older ones of their names."));
        }
        console.info(format!("Import from '{shown}' complete."));
        Ok(())
    }

    fn print(&self, listed: &[Listed], format: Format) -> anyhow::Result<()> {
        let now = Timestamp::now();
        let text = match format {
            Format::Short => table(&SHORT, &listed.iter().map(|job| short_row(job, now)).collect::<Vec<_>>()),
            Format::Wide => table(&WIDE, &listed.iter().map(long_row).collect::<Vec<_>>()),
            Format::Yaml => detail(output::Format::Yaml, &listed.iter().map(Sparse).collect::<Vec<_>>())?,
            Format::Json => detail(output::Format::Json, &listed)?,
        };
        self.context.console.print(&text);
        Ok(())
    }
}

/// Payloads may be secret, so that nobody else reads the file.
fn write_new(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = std::fs::File::options().write(true).create_new(true).mode(0o600).open(path)?;
    let written = file.write_all(bytes);
    if written.is_err() {
        std::fs::remove_file(path).ok();
    }
    written
}
