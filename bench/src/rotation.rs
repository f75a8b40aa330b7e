//! Calls between two sidecars at a fixed pace, while their certificates live for a second and the root for six: none may fail.
use crate::app::{self, SIZE};
use crate::client::{Call, Client};
use crate::process::{App, Binary, Daprd, Setup};
use crate::sentry::Sentry;
use anyhow::{Context, bail, ensure};
use foundation_drain::Drain;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use http::{Method, StatusCode};
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

const CALLS_A_SECOND: u32 = 500;
const LENGTH: Duration = Duration::from_secs(15);
/// A caller that is started anew opens its connections with certificates and roots of that time.
const CALLERS: u32 = 5;
const DISCOVERY: Duration = Duration::from_secs(20);
const CALL_DEADLINE: Duration = Duration::from_secs(5);
const ROTATIONS: u64 = 2;
const DROPPED: &str = r#"dapr_sentry_rootcert_rotation_total{step="dropped"}"#;

/// Connections to a caller that rest, and those in use.
struct Caller {
    sidecar: Daprd,
    resting: Vec<Client>,
}

/// Runs the check, and prints what it came to.
///
/// # Errors
/// A call that failed, and a root that was not replaced meanwhile.
pub(crate) async fn check(binary: &Binary<'_>, drain: &Drain) -> anyhow::Result<()> {
    let path = binary.sentry.context("--sentry is missing")?;
    let sentry = Sentry::start(path, "1s", &["--root-ttl=6s"], drain).await?;
    let app = App::http(app::start(None, drain).await?);
    let _callee =
        Daprd::start(binary, "callee", Some(app), Setup { sentry: Some(&sentry), ..Setup::default() }, drain).await?;
    let before = sentry.metric(DROPPED, drain).await?;
    let (mut calls, mut failures, mut late) = (0, Vec::new(), Duration::ZERO);
    let mut next = caller(binary, 0, &sentry, drain).await?;
    for number in 1..=CALLERS {
        let following = caller(binary, number, &sentry, drain);
        let (part, following) = tokio::join!(part(next, LENGTH / CALLERS, drain), following);
        next = following?;
        calls += part.calls;
        late = late.max(part.late);
        failures.extend(part.failures);
    }
    let rotations = sentry.metric(DROPPED, drain).await? - before;
    eprintln!(
        "{calls} calls, {CALLS_A_SECOND} a second, {} failed, begun {late:?} late at most; {rotations} roots replaced",
        failures.len()
    );
    if let Some(first) = failures.first() {
        bail!("{} of {calls} calls failed, first: {first}", failures.len());
    }
    ensure!(rotations >= ROTATIONS, "only {rotations} roots were replaced");
    Ok(())
}

/// What a part of the calls came to.
struct Part {
    calls: u32,
    failures: Vec<String>,
    /// By how much a call began later than it was due.
    late: Duration,
}

async fn caller(binary: &Binary<'_>, number: u32, sentry: &Sentry, drain: &Drain) -> anyhow::Result<Caller> {
    let app = App::http(app::start(None, drain).await?);
    let id = format!("caller-{number}");
    let sidecar =
        Daprd::start(binary, &id, Some(app), Setup { sentry: Some(sentry), ..Setup::default() }, drain).await?;
    let mut client = Client::connect(sidecar.port, drain).await?;
    let start = Instant::now();
    while let Err(error) = client.send(&call()).await {
        if start.elapsed() > DISCOVERY {
            return Err(error).context("the callee is not found");
        }
        sleep(Duration::from_millis(50)).await;
        client = Client::connect(sidecar.port, drain).await?;
    }
    Ok(Caller { sidecar, resting: vec![client] })
}

/// Each call begins when it is due, whatever has become of those before.
async fn part(mut caller: Caller, length: Duration, drain: &Drain) -> Part {
    let calls = u32::try_from(length.as_millis()).unwrap_or(u32::MAX) * CALLS_A_SECOND / 1000;
    let start = Instant::now();
    let mut part = Part { calls, failures: Vec::new(), late: Duration::ZERO };
    let (mut running, mut begun) = (FuturesUnordered::new(), 0);
    while begun < calls || !running.is_empty() {
        let due = start + Duration::from_secs(1) / CALLS_A_SECOND * begun;
        tokio::select! {
            biased;
            () = sleep_until(due), if begun < calls => {
                part.late = part.late.max(due.elapsed());
                running.push(once(caller.resting.pop(), caller.sidecar.port, drain));
                begun += 1;
            }
            Some(done) = running.next() => match done {
                Ok(client) => caller.resting.push(client),
                Err(error) => part.failures.push(format!("{error:#}")),
            },
        }
    }
    part
}

async fn once(resting: Option<Client>, port: u16, drain: &Drain) -> anyhow::Result<Client> {
    let exchange = async {
        let mut client = match resting {
            Some(client) => client,
            None => Client::connect(port, drain).await?,
        };
        client.send(&call()).await?;
        Ok(client)
    };
    tokio::time::timeout(CALL_DEADLINE, exchange).await.context("there was no answer")?
}

fn call() -> Call {
    let path = "/v1.0/invoke/callee/method/echo".to_owned();
    Call { method: Method::POST, path, body: vec![b'x'; SIZE].into(), expect: StatusCode::OK }
}
