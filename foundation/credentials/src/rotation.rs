//! One root gives way to the next: announced, then signing, then alone. Each step is written down before it is taken, so that one
//! that is interrupted is finished by whoever comes next.
#[cfg(test)]
mod tests;

use crate::certificate::{Root, date};
use crate::journal::{Journal, Longest, Next, Own, Retiring};
use crate::{Credentials, Error, Files, Lifetimes, Schedule, files};
use foundation_identity::SpiffeId;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long another process is waited for that writes the credentials.
const PATIENCE: Duration = Duration::from_secs(10);

/// The files of an authority and what is to become of them.
#[derive(Clone, Debug)]
pub struct Rotation {
    pub files: Files,
    /// Whom issuers that are made here name.
    pub sentry: SpiffeId,
    pub lifetimes: Lifetimes,
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// There were no credentials; there are now.
    Made,
    /// A new root is trusted, and does not sign yet.
    Announced,
    /// The new root signs.
    Switched,
    /// Roots that signed before are trusted no more.
    Dropped,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
enum Due {
    /// Others have to know how long certificates of this one are good.
    Register,
    Prepare,
    Publish,
    Switch,
    Drop,
}

struct State {
    credentials: Credentials,
    journal: Journal,
    signing: Root,
}

impl Rotation {
    /// The credentials, made when there are none, after all that is due now. Nothing is written when nothing is due.
    ///
    /// # Errors
    /// Files that cannot be read or written, and [`Error::Expired`] for a root that is not to be replaced unasked.
    pub fn load(&self, now: SystemTime) -> Result<(Credentials, Vec<Step>), Error> {
        let unlocked = self.loaded(now);
        if let Ok(Some(credentials)) = unlocked {
            return Ok((credentials, Vec::new()));
        }
        // Another process may be about to write them.
        let lock = self.files.lock(PATIENCE);
        let _lock = match (lock, unlocked) {
            (Ok(lock), _) => lock,
            (Err(_), Err(error)) => return Err(error),
            // What is due has time; that it cannot be done is told while the credentials are used.
            (Err(error), Ok(_)) if self.files.read()?.is_none() => return Err(error),
            (Err(_), Ok(_)) => return Ok((self.state()?.credentials, Vec::new())),
        };
        let mut steps = Vec::new();
        self.make_missing(now, &mut steps)?;
        if let Err(error) = self.settle(now, &mut steps) {
            return Ok((self.usable(now).map_err(|_| error)?, steps));
        }
        let gone = || Error::Incomplete(self.files.ca.display().to_string());
        Ok((self.loaded(now)?.ok_or_else(gone)?, steps))
    }

    /// The credentials as they are. Nobody is waited for: while another process replaces them they do not fit together for a moment.
    ///
    /// # Errors
    /// Files that cannot be read, are not there, or do not fit together.
    pub fn present(&self) -> Result<Credentials, Error> {
        let credentials = self.state()?.credentials;
        credentials.fit_together().map_err(|error| self.files.named(error))?;
        Ok(credentials)
    }

    /// The credentials as long as they are good, whatever is due and cannot be done: that is told, and tried again, while they are used.
    fn usable(&self, now: SystemTime) -> Result<Credentials, Error> {
        let state = self.state()?;
        if state.signing.expires <= now {
            return Err(Error::Expired(date(state.signing.expires)));
        }
        state.credentials.fit_together().map_err(|error| self.files.named(error))?;
        Ok(state.credentials)
    }

    /// The credentials, if they are there, fit together, and nothing is due.
    fn loaded(&self, now: SystemTime) -> Result<Option<Credentials>, Error> {
        if self.files.read()?.is_none() {
            return Ok(None);
        }
        if self.due(&self.state()?, now)?.is_some() {
            return Ok(None);
        }
        self.usable(now).map(Some)
    }

    /// Does what is due now. Nothing is written when nothing is due, and nobody is waited for.
    ///
    /// # Errors
    /// Files that cannot be read or written, and [`Error::Locked`].
    pub fn advance(&self, now: SystemTime) -> Result<Vec<Step>, Error> {
        let mut steps = Vec::new();
        if self.due(&self.state()?, now)?.is_none() {
            return Ok(steps);
        }
        let _lock = self.files.lock(Duration::ZERO)?;
        self.settle(now, &mut steps)?;
        Ok(steps)
    }

    /// Does what is due, which may be nothing any more: another process may have been quicker.
    fn settle(&self, now: SystemTime, steps: &mut Vec<Step>) -> Result<(), Error> {
        while let Some(due) = self.due(&self.state()?, now)? {
            steps.extend(self.take(due, self.state()?, now)?);
        }
        Ok(())
    }

    /// Has other credentials take over as soon as everybody knows their root; at once when there are none. `is_own` tells whether
    /// the root was made here, and may be replaced again when its time has come.
    ///
    /// # Errors
    /// Credentials that do not fit together, [`Error::Underway`], and files that cannot be read or written.
    pub fn renew(&self, with: &Credentials, is_own: bool, now: SystemTime) -> Result<Step, Error> {
        with.check(&self.sentry, self.lifetimes)?;
        let _lock = self.files.lock(PATIENCE)?;
        let mut journal = self.files.journal()?;
        if journal.next.is_some() {
            return Err(Error::Underway);
        }
        if is_own {
            journal.own.push(own(&with.signing_root()?, now));
        }
        if self.files.read()?.is_none() {
            self.files.write_journal(&journal)?;
            self.files.write(with)?;
            return Ok(Step::Made);
        }
        journal.next = Some(next(with, now, true)?);
        self.files.write_journal(&journal)?;
        self.publish(&self.state()?)?;
        Ok(Step::Announced)
    }

    /// When the announced root begins to sign, if there is one.
    ///
    /// # Errors
    /// Files that cannot be read.
    pub fn switches(&self) -> Result<Option<SystemTime>, Error> {
        let state = self.state()?;
        let Some(next) = &state.journal.next else { return Ok(None) };
        Ok(Some(self.schedule(&state)?.switches(next.announced, next.is_wanted_soon)))
    }

    /// Whether the root that signs is replaced without anybody asking for it.
    ///
    /// # Errors
    /// Files that cannot be read.
    pub fn is_automatic(&self) -> Result<bool, Error> {
        let state = self.state()?;
        Ok(state.made().is_some())
    }

    fn make_missing(&self, now: SystemTime, steps: &mut Vec<Step>) -> Result<(), Error> {
        match self.files.read() {
            Ok(Some(_)) => return Ok(()),
            Ok(None) => self.make_first(now)?,
            Err(Error::Incomplete(_)) if self.is_begun()? => self.write_first(self.files.journal()?)?,
            Err(error) => return Err(error),
        }
        steps.push(Step::Made);
        Ok(())
    }

    fn make_first(&self, now: SystemTime) -> Result<(), Error> {
        let made = Credentials::generate(&self.sentry, self.lifetimes, now)?;
        let own = vec![own(&made.signing_root()?, now)];
        let longest = Some(Longest::of(self.lifetimes));
        let journal = Journal { own, longest, next: Some(next(&made, now, true)?), ..Journal::default() };
        self.files.write_journal(&journal)?;
        self.write_first(journal)
    }

    fn write_first(&self, mut journal: Journal) -> Result<(), Error> {
        let Some(Next { root, issuer_certificate, issuer_key, .. }) = journal.next.take() else { return Ok(()) };
        self.files.write(&Credentials { ca: root, issuer_certificate, issuer_key })?;
        self.files.write_journal(&journal)
    }

    /// Whether the writing of the first credentials was interrupted. The roots come last: without them nobody has heard of the others.
    fn is_begun(&self) -> Result<bool, Error> {
        let Some(next) = self.files.journal()?.next else { return Ok(false) };
        let fits = |path, text: &str| Ok::<_, Error>(files::read(path)?.is_none_or(|found| found == text));
        let has_roots = files::read(&self.files.ca)?.is_some();
        Ok(!has_roots
            && fits(&self.files.issuer_key, &next.issuer_key)?
            && fits(&self.files.issuer_certificate, &next.issuer_certificate)?)
    }

    fn state(&self) -> Result<State, Error> {
        let gone = || Error::Incomplete(self.files.ca.display().to_string());
        let credentials = self.files.read()?.ok_or_else(gone)?;
        let signing = credentials.signing_root().map_err(|error| self.files.named(error))?;
        Ok(State { credentials, journal: self.files.journal()?, signing })
    }

    fn schedule(&self, state: &State) -> Result<Schedule, Error> {
        let expires = state.signing.expires.min(state.credentials.issuer_expires()?);
        let longest = self.longest(state).lifetimes(self.lifetimes.root);
        Ok(Schedule::new(state.made().unwrap_or(UNIX_EPOCH), expires, longest))
    }

    fn due(&self, state: &State, now: SystemTime) -> Result<Option<Due>, Error> {
        if self.is_longer(state) {
            return Ok(Some(Due::Register));
        }
        let schedule = self.schedule(state)?;
        if let Some(next) = &state.journal.next {
            if state.credentials.issuer_key == next.issuer_key {
                return Ok(Some(Due::Switch));
            }
            if !state.is_published(next)? {
                return Ok(Some(Due::Publish));
            }
            if now >= schedule.switches(next.announced, next.is_wanted_soon) {
                return Ok(Some(Due::Switch));
            }
        }
        if state.overdue(now).next().is_some() {
            return Ok(Some(Due::Drop));
        }
        let needs_next = state.journal.next.is_none() && state.made().is_some() && now >= schedule.announces();
        Ok(needs_next.then_some(Due::Prepare))
    }

    /// Whether certificates of this sentry are good for longer than is known, where that matters.
    fn is_longer(&self, state: &State) -> bool {
        let is_replaced = state.made().is_some() || state.journal.next.is_some();
        is_replaced && state.journal.longest != Some(self.longest(state))
    }

    /// Of this sentry and all that are known.
    fn longest(&self, state: &State) -> Longest {
        state.journal.longest.unwrap_or_default().or(Longest::of(self.lifetimes))
    }

    fn take(&self, due: Due, state: State, now: SystemTime) -> Result<Option<Step>, Error> {
        match due {
            Due::Register => self.register(state).map(|()| None),
            Due::Prepare => self.prepare(state, now).map(|()| Some(Step::Announced)),
            Due::Publish => self.publish(&state).map(|()| Some(Step::Announced)),
            Due::Switch => self.switch(state, now).map(|()| Some(Step::Switched)),
            Due::Drop => self.drop_overdue(state, now).map(|()| Some(Step::Dropped)),
        }
    }

    fn register(&self, mut state: State) -> Result<(), Error> {
        state.journal.longest = Some(self.longest(&state));
        self.files.write_journal(&state.journal)
    }

    fn prepare(&self, mut state: State, now: SystemTime) -> Result<(), Error> {
        let made = Credentials::successor(state.signing.begins, &self.sentry, self.lifetimes, now)?;
        state.journal.own.push(own(&made.signing_root()?, now));
        state.journal.next = Some(next(&made, now, false)?);
        self.files.write_journal(&state.journal)?;
        self.publish(&state)
    }

    /// Has the next root trusted.
    fn publish(&self, state: &State) -> Result<(), Error> {
        let next = state.journal.next.as_ref().map(|next| next.root.as_str()).unwrap_or_default();
        let roots = Root::all(&format!("{}\n{next}", state.credentials.ca))?;
        self.write_roots(&roots)
    }

    fn switch(&self, mut state: State, now: SystemTime) -> Result<(), Error> {
        let until = self.schedule(&state)?.drops(now);
        let Some(next) = state.journal.next.take() else { return Ok(()) };
        let new = Root::all(&next.root)?;
        // After an interruption the issuer may be the new one already, and the old root is written down.
        if !new.contains(&state.signing) {
            let fingerprint = state.signing.fingerprint;
            state.journal.retiring.retain(|root| root.fingerprint != fingerprint);
            state.journal.retiring.push(Retiring { fingerprint, until });
            self.files.write_journal(&Journal { next: Some(next.clone()), ..state.journal.clone() })?;
        }
        files::write(&self.files.issuer_key, &next.issuer_key)?;
        files::write(&self.files.issuer_certificate, &next.issuer_certificate)?;
        // Below the new root there is nothing yet; other sentries say again how long theirs are good.
        state.journal.longest = Some(Longest::of(self.lifetimes));
        self.files.write_journal(&state.journal)
    }

    fn drop_overdue(&self, mut state: State, now: SystemTime) -> Result<(), Error> {
        let overdue: Vec<String> = state.overdue(now).map(|root| root.fingerprint.clone()).collect();
        let mut roots = state.credentials.roots()?;
        roots.retain(|root| !overdue.contains(&root.fingerprint));
        self.write_roots(&roots)?;
        state.journal.retiring.retain(|root| !overdue.contains(&root.fingerprint));
        state.journal.own.retain(|root| !overdue.contains(&root.fingerprint));
        self.files.write_journal(&state.journal)
    }

    fn write_roots(&self, roots: &[Root]) -> Result<(), Error> {
        files::write(&self.files.ca, &roots.iter().map(|root| root.pem.as_str()).collect::<String>())
    }
}

impl State {
    /// When the root that signs was made, if it was made here.
    fn made(&self) -> Option<SystemTime> {
        let mut own = self.journal.own.iter();
        own.find(|root| root.fingerprint == self.signing.fingerprint).map(|root| root.made)
    }

    fn is_published(&self, next: &Next) -> Result<bool, Error> {
        let trusted = self.credentials.roots()?;
        Ok(Root::all(&next.root)?.iter().all(|root| trusted.contains(root)))
    }

    /// Roots whose time is over. What signs is never among them.
    fn overdue(&self, now: SystemTime) -> impl Iterator<Item = &Retiring> {
        let retiring = self.journal.retiring.iter();
        retiring.filter(move |root| root.until <= now && root.fingerprint != self.signing.fingerprint)
    }
}

fn own(root: &Root, made: SystemTime) -> Own {
    Own { fingerprint: root.fingerprint.clone(), made }
}

fn next(credentials: &Credentials, announced: SystemTime, is_wanted_soon: bool) -> Result<Next, Error> {
    Ok(Next {
        root: credentials.signing_root()?.pem,
        issuer_certificate: credentials.issuer_certificate.clone(),
        issuer_key: credentials.issuer_key.clone(),
        announced,
        is_wanted_soon,
    })
}
