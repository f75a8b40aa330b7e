//! Absent blocks over gRPC.
use crate::absent::{Owner, codes, jobs};
use tonic::Status;
use wire::runtime::v1;

/// Actors and workflows without a placement service.
pub fn no_placement() -> Status {
    codes::no_placement().into()
}

/// A job to schedule.
pub fn schedule_job(owner: &Owner, request: v1::ScheduleJobRequest) -> Status {
    let Some(job) = request.job else { return jobs::no_job(owner).into() };
    if job.name.is_empty() {
        return jobs::no_name(owner).into();
    }
    if job.schedule.is_none() && job.due_time.is_none() {
        return jobs::no_schedule(owner).into();
    }
    jobs::disabled(owner, &jobs::SCHEDULE).into()
}

/// A job to read.
pub fn get_job(owner: &Owner, name: &str) -> Status {
    of_job(owner, name, &jobs::GET)
}

/// A job to delete.
pub fn delete_job(owner: &Owner, name: &str) -> Status {
    of_job(owner, name, &jobs::DELETE)
}

/// Jobs to list.
pub fn list_jobs(owner: &Owner) -> Status {
    jobs::disabled(owner, &jobs::LIST).into()
}

/// Jobs to delete by the beginning of their names.
pub fn delete_jobs(owner: &Owner) -> Status {
    jobs::disabled(owner, &jobs::DELETE_MANY).into()
}

fn of_job(owner: &Owner, name: &str, wish: &'static jobs::Wish) -> Status {
    if name.is_empty() {
        return jobs::no_name(owner).into();
    }
    jobs::disabled(owner, wish).into()
}
