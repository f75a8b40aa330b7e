//! `dapr mtls expiry`: when the roots and the issuer end, and what happens before.
use super::{Authority, DAY};
use crate::console::Status;
use crate::context::Context;
use clap::Args;
use foundation_credentials::Root;
use jiff::Timestamp;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

/// Check the expiry of the root certificate
#[derive(Args, Debug)]
pub(super) struct Expiry {}

impl Expiry {
    /// Tells; it fails when what signs has ended or not begun, so that scripts see it.
    ///
    /// # Errors
    /// There are no credentials, or they cannot be read.
    pub(super) fn run(&self, context: &Context, authority: &Authority) -> anyhow::Result<ExitCode> {
        let (credentials, rotation) = (authority.credentials()?, authority.rotation(DAY)?);
        let (signing, journal) = (credentials.signing_root()?, rotation.files.journal()?);
        let console = context.console;
        let ends = signing.expires.min(credentials.issuer_expires()?);
        console.status(severity(ends), format!("Root certificate {}", end(signing.expires)));
        if signing.begins > SystemTime::now() {
            console.status(
                Status::Failure,
                format!("It is valid only from {} on; check the clock of this machine", date(signing.begins)),
            );
        }
        console.info(format!("It belongs to trust domain {}; SHA-256 {}", signing.organization, signing.fingerprint));
        console.status(severity(ends), format!("Issuer certificate {}", end(credentials.issuer_expires()?)));
        for root in credentials.roots()?.iter().filter(|root| **root != signing) {
            let retiring = journal.retiring.iter().find(|retiring| retiring.fingerprint == root.fingerprint);
            let until = retiring.map(|retiring| retiring.until);
            console.info(format!(
                "{} {}; SHA-256 {}",
                role(root, &journal, until),
                end(root.expires),
                root.fingerprint
            ));
        }
        match rotation.switches()? {
            Some(time) => console.info(format!("Sentry lets the next root sign from about {} on", date(time))),
            None if rotation.is_automatic()? => {
                console.info("Sentry replaces it long before it ends, while calls go on");
            }
            None => console.warning(
                "It was not made by this sentry, which does not replace it: use `dapr mtls renew-certificate` in time",
            ),
        }
        Ok(if is_over(ends) || signing.begins > SystemTime::now() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

fn role(root: &Root, journal: &foundation_credentials::Journal, retires: Option<SystemTime>) -> String {
    let is_next = journal.next.as_ref().is_some_and(|next| next.root == root.pem);
    match retires {
        _ if is_next => "The next root, trusted already,".to_owned(),
        Some(until) => format!("An earlier root, trusted until {},", date(until)),
        None => "Another trusted root".to_owned(),
    }
}

fn is_over(end: SystemTime) -> bool {
    end <= SystemTime::now()
}

/// The last month is worth a word of warning.
fn severity(end: SystemTime) -> Status {
    match end.duration_since(SystemTime::now()) {
        Ok(left) if left > 30 * DAY => Status::Success,
        Ok(_) => Status::Warning,
        Err(_) => Status::Failure,
    }
}

/// Hours as Dapr tells them, and the date.
fn end(time: SystemTime) -> String {
    let hours = |length: Duration| length.as_secs() / 3600;
    match time.duration_since(SystemTime::now()) {
        Ok(left) => format!("expires in {} hours. Expiry date: {}", hours(left), date(time)),
        Err(error) => format!("expired {} hours ago. Expiry date: {}", hours(error.duration()), date(time)),
    }
}

fn date(time: SystemTime) -> String {
    Timestamp::try_from(time).map(|time| time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()).unwrap_or_default()
}
