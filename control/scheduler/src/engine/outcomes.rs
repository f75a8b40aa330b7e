//! What follows when a job has been read, when its trigger has an outcome, and when that is written.
use super::flights::Flight;
use super::work::{Found, Step};
use super::{Done, Engine, PAUSE, SCOPE, Writing, work};
use crate::agenda::Due;
use crate::pool::{Outcome, Recipient, Ticket, Trigger, target};
use foundation_etcd::Error;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use tokio::time::Instant;
use wire::scheduler::v1::WatchJobsResponse;

/// Before a job is read again that could not be.
const LATER: SignedDuration = SignedDuration::from_secs(1);

impl Engine {
    pub(super) fn take(&mut self, done: Done) {
        match done {
            Done::Read(due, found) => self.take_read(due, found),
            Done::Written(writing, written) => self.take_written(writing, written),
        }
    }

    fn take_read(&mut self, due: Vec<Due>, found: Result<Vec<Option<Found>>, Error>) {
        self.reading -= due.len();
        self.reading_bytes -= due.iter().map(|due| due.bytes as usize).sum::<usize>();
        match found {
            // Those that are not found were changed or deleted meanwhile: the watch tells.
            Ok(found) => {
                let found = due.into_iter().zip(found).filter_map(|(due, found)| Some((due, found?)));
                found.for_each(|(due, found)| self.take_found(due, found));
            }
            Err(error) => {
                tracing::warn!(target: SCOPE, "cannot read {} jobs that are due: {error}", due.len());
                let later = self.parts.clock.now().saturating_add(LATER).unwrap_or(Timestamp::MAX);
                due.iter().for_each(|due| self.agenda.requeue(&due.name, due.revision, due.progress, later));
            }
        }
    }

    fn take_found(&mut self, due: Due, found: Found) {
        if !self.agenda.is_current(&due.name, due.revision) {
            return;
        }
        let Found { plan, partition, step } = found;
        match step {
            Step::Advance(progress) => match plan.next(&progress) {
                Some(next) => self.agenda.requeue(&due.name, due.revision, progress, next),
                None => self.write(Writing { due, partition, progress, next: None }),
            },
            Step::Offer(message) => {
                let recipient = message.metadata.as_ref().and_then(Recipient::of).map(Arc::new);
                let Some(recipient) = recipient else { return };
                let target = target(message.metadata.as_ref());
                let concurrency_key =
                    message.metadata.as_ref().and_then(|it| it.concurrency_key.as_deref()).map(Arc::from);
                let begun = Instant::now();
                let flight = Flight { due, plan, partition, recipient, concurrency_key, target, begun };
                self.offer(flight, message);
            }
        }
    }

    fn offer(&mut self, flight: Flight, message: WatchJobsResponse) {
        let recipient = Arc::clone(&flight.recipient);
        let (reply, recall) = self.flights.begin(flight);
        self.parts.pool.deliver(Trigger { message, recipient, reply, recall, weight: None });
    }

    pub(super) fn take_outcome(&mut self, (ticket, outcome): (Ticket, Outcome)) {
        let Some(flight) = self.flights.end(ticket) else { return };
        self.count(&flight, outcome);
        let Flight { due, plan, partition, recipient, concurrency_key, .. } = flight;
        let (mut progress, now) = (due.progress, self.parts.clock.now());
        let next = match outcome {
            Outcome::Success => plan.succeed_for(&mut progress, now),
            Outcome::Failed => plan.fail(&mut progress, due.at, now),
            // Somebody has come since.
            Outcome::Undeliverable if self.parts.pool.has(&recipient) => {
                return self.agenda.requeue(&due.name, due.revision, progress, due.at);
            }
            Outcome::Undeliverable => return self.agenda.stage(&due.name, due.revision),
            Outcome::Busy => {
                self.agenda.stage(&due.name, due.revision);
                return self.congestion.add(&due.name, recipient, now);
            }
            Outcome::Held => return self.held.add((recipient, concurrency_key), due, now),
            Outcome::Recalled => return,
        };
        if self.agenda.is_current(&due.name, due.revision) {
            self.write(Writing { due, partition, progress, next });
        }
    }

    fn count(&self, flight: &Flight, outcome: Outcome) {
        let metrics = &self.parts.metrics;
        match outcome {
            Outcome::Success => metrics.succeeded(flight.target, flight.begun.elapsed()),
            Outcome::Failed => metrics.failed(flight.target, flight.begun.elapsed()),
            Outcome::Undeliverable => metrics.undelivered(flight.target),
            Outcome::Busy | Outcome::Held | Outcome::Recalled => {}
        }
    }

    fn take_written(&mut self, writing: Vec<Writing>, written: Result<Vec<Result<bool, Error>>, Error>) {
        self.writing -= writing.len();
        let written = written.unwrap_or_else(|error| writing.iter().map(|_| Err(error.clone())).collect());
        let mut again = Vec::new();
        for (writing, written) in writing.into_iter().zip(written) {
            let Writing { due, progress, next, .. } = &writing;
            let overdue = (due.at, Arc::clone(&due.name));
            self.unwritable.remove(&overdue);
            match (written, next) {
                (Ok(true), Some(next)) => self.agenda.requeue(&due.name, due.revision, *progress, *next),
                // Done, or another one of the name: that one has a revision of its own.
                (Ok(_), _) => self.agenda.remove_old(&due.name, due.revision),
                (Err(error), _) => {
                    tracing::warn!(target: SCOPE, "cannot write how far the job {} is: {error}", due.name);
                    if self.agenda.is_current(&due.name, due.revision) {
                        self.unwritable.insert(overdue);
                        again.push(writing);
                    }
                }
            }
        }
        self.write_again(again);
    }

    fn write_again(&mut self, writing: Vec<Writing>) {
        if !writing.is_empty() {
            self.writing += writing.len();
            self.work.push(work::write(self.parts.keyspace.clone(), writing, PAUSE));
        }
    }

    /// Notes what is to be written with what else comes now.
    pub(super) fn write(&mut self, writing: Writing) {
        self.writing += 1;
        self.unwritten.push(writing);
    }

    pub(super) fn write_all(&mut self) {
        if !self.unwritten.is_empty() {
            let writing = std::mem::take(&mut self.unwritten);
            self.work.push(work::write(self.parts.keyspace.clone(), writing, std::time::Duration::ZERO));
        }
    }
}
