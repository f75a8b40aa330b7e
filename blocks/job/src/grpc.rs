//! Jobs over gRPC. The older names of the methods are served by the same functions.
use crate::service::Service;
use tonic::Status;
use wire::runtime::v1;

/// Keeps a job.
///
/// # Errors
/// Those of [`Service::schedule`].
pub async fn schedule_job(
    service: &Service,
    request: v1::ScheduleJobRequest,
) -> Result<v1::ScheduleJobResponse, Status> {
    service.schedule(request.job, request.overwrite).await?;
    Ok(v1::ScheduleJobResponse {})
}

/// Reads a job.
///
/// # Errors
/// Those of [`Service::get`].
pub async fn get_job(service: &Service, request: v1::GetJobRequest) -> Result<v1::GetJobResponse, Status> {
    Ok(v1::GetJobResponse { job: Some(service.get(&request.name).await?) })
}

/// Deletes a job.
///
/// # Errors
/// Those of [`Service::delete`].
pub async fn delete_job(service: &Service, request: v1::DeleteJobRequest) -> Result<v1::DeleteJobResponse, Status> {
    service.delete(&request.name).await?;
    Ok(v1::DeleteJobResponse {})
}

/// Deletes all jobs whose names begin alike.
///
/// # Errors
/// Those of [`Service::delete_by_prefix`].
pub async fn delete_jobs_by_prefix(service: &Service, name_prefix: Option<String>) -> Result<(), Status> {
    Ok(service.delete_by_prefix(name_prefix).await?)
}

/// Lists all jobs.
///
/// # Errors
/// Those of [`Service::list`].
pub async fn list_jobs(service: &Service) -> Result<Vec<v1::Job>, Status> {
    Ok(service.list().await?)
}
