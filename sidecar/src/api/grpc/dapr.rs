//! The Dapr service: each method in one line, to the block that does it.
use super::blocks::Blocks;
use super::described::described;
use block_crypto::subtle;
use block_host::absent;
use block_host::grpc as host;
use tonic::{Request, Response, Status, Streaming};
use wire::common::v1 as common;
use wire::runtime::v1;

type Reply<T> = Result<Response<T>, Status>;

/// The service.
pub(crate) struct Dapr {
    pub(crate) blocks: Blocks,
}

#[tonic::async_trait]
impl v1::dapr_server::Dapr for Dapr {
    type SubscribeTopicEventsAlpha1Stream = block_pubsub::Events;
    type SubscribeActorEventsAlpha1Stream = block_actor::ActorEvents;
    type SubscribeConfigurationAlpha1Stream = block_configuration::Responses;
    type SubscribeConfigurationStream = block_configuration::Responses;
    type EncryptAlpha1Stream = block_crypto::Answers<v1::EncryptResponse>;
    type DecryptAlpha1Stream = block_crypto::Answers<v1::DecryptResponse>;

    async fn invoke_service(&self, request: Request<v1::InvokeServiceRequest>) -> Reply<common::InvokeResponse> {
        block_invoke::invoke_service(&self.blocks.invoke, described(request)).await
    }

    async fn get_state(&self, request: Request<v1::GetStateRequest>) -> Reply<v1::GetStateResponse> {
        block_state::get_state(&self.blocks.state, described(request).into_inner()).await.map(Response::new)
    }

    async fn get_bulk_state(&self, request: Request<v1::GetBulkStateRequest>) -> Reply<v1::GetBulkStateResponse> {
        block_state::get_bulk_state(&self.blocks.state, request.into_inner()).await.map(Response::new)
    }

    async fn save_state(&self, request: Request<v1::SaveStateRequest>) -> Reply<()> {
        block_state::save_state(&self.blocks.state, described(request).into_inner()).await.map(Response::new)
    }

    async fn query_state_alpha1(&self, request: Request<v1::QueryStateRequest>) -> Reply<v1::QueryStateResponse> {
        block_state::query_state(&self.blocks.state, request.into_inner()).await.map(Response::new)
    }

    async fn delete_state(&self, request: Request<v1::DeleteStateRequest>) -> Reply<()> {
        block_state::delete_state(&self.blocks.state, described(request).into_inner()).await.map(Response::new)
    }

    async fn delete_bulk_state(&self, request: Request<v1::DeleteBulkStateRequest>) -> Reply<()> {
        block_state::delete_bulk_state(&self.blocks.state, request.into_inner()).await.map(Response::new)
    }

    async fn execute_state_transaction(&self, request: Request<v1::ExecuteStateTransactionRequest>) -> Reply<()> {
        block_state::execute_state_transaction(&self.blocks.state, request).await.map(Response::new)
    }

    async fn publish_event(&self, request: Request<v1::PublishEventRequest>) -> Reply<()> {
        block_pubsub::publish_event(&self.blocks.pubsub, described(request)).await
    }

    async fn bulk_publish_event_alpha1(
        &self,
        request: Request<v1::BulkPublishRequest>,
    ) -> Reply<v1::BulkPublishResponse> {
        block_pubsub::bulk_publish_event(&self.blocks.pubsub, described(request)).await
    }

    async fn bulk_publish_event(&self, request: Request<v1::BulkPublishRequest>) -> Reply<v1::BulkPublishResponse> {
        block_pubsub::bulk_publish_event(&self.blocks.pubsub, described(request)).await
    }

    async fn subscribe_topic_events_alpha1(
        &self,
        request: Request<Streaming<v1::SubscribeTopicEventsRequestAlpha1>>,
    ) -> Reply<Self::SubscribeTopicEventsAlpha1Stream> {
        Ok(block_pubsub::subscribe_topic_events(&self.blocks.subscriber, request.into_inner()))
    }

    async fn invoke_binding(&self, request: Request<v1::InvokeBindingRequest>) -> Reply<v1::InvokeBindingResponse> {
        block_binding::invoke_binding(&self.blocks.binding, described(request)).await
    }

    async fn get_secret(&self, request: Request<v1::GetSecretRequest>) -> Reply<v1::GetSecretResponse> {
        block_secret::get_secret(&self.blocks.secret, described(request).into_inner()).await.map(Response::new)
    }

    async fn get_bulk_secret(&self, request: Request<v1::GetBulkSecretRequest>) -> Reply<v1::GetBulkSecretResponse> {
        block_secret::get_bulk_secret(&self.blocks.secret, request.into_inner()).await.map(Response::new)
    }

    async fn register_actor_timer(&self, request: Request<v1::RegisterActorTimerRequest>) -> Reply<()> {
        block_actor::register_actor_timer(&self.blocks.actors, request.into_inner()).map(Response::new)
    }

    async fn unregister_actor_timer(&self, request: Request<v1::UnregisterActorTimerRequest>) -> Reply<()> {
        block_actor::unregister_actor_timer(&self.blocks.actors, request.into_inner()).map(Response::new)
    }

    async fn register_actor_reminder(&self, request: Request<v1::RegisterActorReminderRequest>) -> Reply<()> {
        block_actor::register_actor_reminder(&self.blocks.actors, request.into_inner()).await.map(Response::new)
    }

    async fn unregister_actor_reminder(&self, request: Request<v1::UnregisterActorReminderRequest>) -> Reply<()> {
        block_actor::unregister_actor_reminder(&self.blocks.actors, request.into_inner()).await.map(Response::new)
    }

    async fn unregister_actor_reminders_by_type(
        &self,
        request: Request<v1::UnregisterActorRemindersByTypeRequest>,
    ) -> Reply<v1::UnregisterActorRemindersByTypeResponse> {
        block_actor::unregister_actor_reminders_by_type(&self.blocks.actors, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn list_actor_reminders(
        &self,
        request: Request<v1::ListActorRemindersRequest>,
    ) -> Reply<v1::ListActorRemindersResponse> {
        block_actor::list_actor_reminders(&self.blocks.actors, request.into_inner()).await.map(Response::new)
    }

    async fn get_actor_state(&self, request: Request<v1::GetActorStateRequest>) -> Reply<v1::GetActorStateResponse> {
        block_actor::get_actor_state(&self.blocks.actors, request.into_inner()).await.map(Response::new)
    }

    async fn get_actor_reminder(
        &self,
        request: Request<v1::GetActorReminderRequest>,
    ) -> Reply<v1::GetActorReminderResponse> {
        block_actor::get_actor_reminder(&self.blocks.actors, request.into_inner()).await.map(Response::new)
    }

    async fn execute_actor_state_transaction(
        &self,
        request: Request<v1::ExecuteActorStateTransactionRequest>,
    ) -> Reply<()> {
        block_actor::execute_actor_state_transaction(&self.blocks.actors, request.into_inner()).await.map(Response::new)
    }

    async fn invoke_actor(&self, request: Request<v1::InvokeActorRequest>) -> Reply<v1::InvokeActorResponse> {
        block_actor::invoke_actor(&self.blocks.actors, described(request)).await.map(Response::new)
    }

    async fn subscribe_actor_events_alpha1(
        &self,
        request: Request<Streaming<v1::SubscribeActorEventsRequestAlpha1>>,
    ) -> Reply<Self::SubscribeActorEventsAlpha1Stream> {
        block_actor::subscribe_actor_events(&self.blocks.actors, request.into_inner()).map(Response::new)
    }

    async fn get_configuration_alpha1(
        &self,
        request: Request<v1::GetConfigurationRequest>,
    ) -> Reply<v1::GetConfigurationResponse> {
        block_configuration::get_configuration(&self.blocks.configuration, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn get_configuration(
        &self,
        request: Request<v1::GetConfigurationRequest>,
    ) -> Reply<v1::GetConfigurationResponse> {
        block_configuration::get_configuration(&self.blocks.configuration, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn subscribe_configuration_alpha1(
        &self,
        request: Request<v1::SubscribeConfigurationRequest>,
    ) -> Reply<Self::SubscribeConfigurationAlpha1Stream> {
        let configuration = &self.blocks.configuration;
        block_configuration::subscribe_configuration(configuration, request.into_inner()).await.map(Response::new)
    }

    async fn subscribe_configuration(
        &self,
        request: Request<v1::SubscribeConfigurationRequest>,
    ) -> Reply<Self::SubscribeConfigurationStream> {
        let configuration = &self.blocks.configuration;
        block_configuration::subscribe_configuration(configuration, request.into_inner()).await.map(Response::new)
    }

    async fn unsubscribe_configuration_alpha1(
        &self,
        request: Request<v1::UnsubscribeConfigurationRequest>,
    ) -> Reply<v1::UnsubscribeConfigurationResponse> {
        let configuration = &self.blocks.configuration;
        Ok(Response::new(block_configuration::unsubscribe_configuration(configuration, request.get_ref())))
    }

    async fn unsubscribe_configuration(
        &self,
        request: Request<v1::UnsubscribeConfigurationRequest>,
    ) -> Reply<v1::UnsubscribeConfigurationResponse> {
        let configuration = &self.blocks.configuration;
        Ok(Response::new(block_configuration::unsubscribe_configuration(configuration, request.get_ref())))
    }

    async fn try_lock_alpha1(&self, request: Request<v1::TryLockRequest>) -> Reply<v1::TryLockResponse> {
        block_lock::try_lock(&self.blocks.lock, request.into_inner()).await.map(Response::new)
    }

    async fn unlock_alpha1(&self, request: Request<v1::UnlockRequest>) -> Reply<v1::UnlockResponse> {
        block_lock::unlock(&self.blocks.lock, request.into_inner()).await.map(Response::new)
    }

    async fn encrypt_alpha1(
        &self,
        request: Request<Streaming<v1::EncryptRequest>>,
    ) -> Reply<Self::EncryptAlpha1Stream> {
        block_crypto::encrypt(&self.blocks.crypto, request.into_inner()).await.map(Response::new)
    }

    async fn decrypt_alpha1(
        &self,
        request: Request<Streaming<v1::DecryptRequest>>,
    ) -> Reply<Self::DecryptAlpha1Stream> {
        block_crypto::decrypt(&self.blocks.crypto, request.into_inner()).await.map(Response::new)
    }

    async fn get_metadata(&self, _: Request<v1::GetMetadataRequest>) -> Reply<v1::GetMetadataResponse> {
        Ok(host::get_metadata(&self.blocks.host))
    }

    async fn set_metadata(&self, request: Request<v1::SetMetadataRequest>) -> Reply<()> {
        Ok(host::set_metadata(&self.blocks.host, request))
    }

    async fn subtle_get_key_alpha1(
        &self,
        request: Request<v1::SubtleGetKeyRequest>,
    ) -> Reply<v1::SubtleGetKeyResponse> {
        subtle::get_key(&self.blocks.crypto, request.into_inner()).await.map(Response::new)
    }

    async fn subtle_encrypt_alpha1(
        &self,
        request: Request<v1::SubtleEncryptRequest>,
    ) -> Reply<v1::SubtleEncryptResponse> {
        subtle::encrypt_message(&self.blocks.crypto, request.into_inner()).await.map(Response::new)
    }

    async fn subtle_decrypt_alpha1(
        &self,
        request: Request<v1::SubtleDecryptRequest>,
    ) -> Reply<v1::SubtleDecryptResponse> {
        subtle::decrypt_message(&self.blocks.crypto, request.into_inner()).await.map(Response::new)
    }

    async fn subtle_wrap_key_alpha1(
        &self,
        request: Request<v1::SubtleWrapKeyRequest>,
    ) -> Reply<v1::SubtleWrapKeyResponse> {
        subtle::wrap_key(&self.blocks.crypto, request.into_inner()).await.map(Response::new)
    }

    async fn subtle_unwrap_key_alpha1(
        &self,
        request: Request<v1::SubtleUnwrapKeyRequest>,
    ) -> Reply<v1::SubtleUnwrapKeyResponse> {
        subtle::unwrap_key(&self.blocks.crypto, request.into_inner()).await.map(Response::new)
    }

    async fn subtle_sign_alpha1(&self, request: Request<v1::SubtleSignRequest>) -> Reply<v1::SubtleSignResponse> {
        subtle::sign(&self.blocks.crypto, request.into_inner()).await.map(Response::new)
    }

    async fn subtle_verify_alpha1(&self, request: Request<v1::SubtleVerifyRequest>) -> Reply<v1::SubtleVerifyResponse> {
        subtle::verify(&self.blocks.crypto, request.into_inner()).await.map(Response::new)
    }

    async fn start_workflow_alpha1(&self, _: Request<v1::StartWorkflowRequest>) -> Reply<v1::StartWorkflowResponse> {
        Err(absent::no_placement())
    }

    async fn get_workflow_alpha1(&self, _: Request<v1::GetWorkflowRequest>) -> Reply<v1::GetWorkflowResponse> {
        Err(absent::no_placement())
    }

    async fn purge_workflow_alpha1(&self, _: Request<v1::PurgeWorkflowRequest>) -> Reply<()> {
        Err(absent::no_placement())
    }

    async fn terminate_workflow_alpha1(&self, _: Request<v1::TerminateWorkflowRequest>) -> Reply<()> {
        Err(absent::no_placement())
    }

    async fn pause_workflow_alpha1(&self, _: Request<v1::PauseWorkflowRequest>) -> Reply<()> {
        Err(absent::no_placement())
    }

    async fn resume_workflow_alpha1(&self, _: Request<v1::ResumeWorkflowRequest>) -> Reply<()> {
        Err(absent::no_placement())
    }

    async fn raise_event_workflow_alpha1(&self, _: Request<v1::RaiseEventWorkflowRequest>) -> Reply<()> {
        Err(absent::no_placement())
    }

    async fn start_workflow_beta1(&self, _: Request<v1::StartWorkflowRequest>) -> Reply<v1::StartWorkflowResponse> {
        Err(absent::no_placement())
    }

    async fn get_workflow_beta1(&self, _: Request<v1::GetWorkflowRequest>) -> Reply<v1::GetWorkflowResponse> {
        Err(absent::no_placement())
    }

    async fn purge_workflow_beta1(&self, _: Request<v1::PurgeWorkflowRequest>) -> Reply<()> {
        Err(absent::no_placement())
    }

    async fn terminate_workflow_beta1(&self, _: Request<v1::TerminateWorkflowRequest>) -> Reply<()> {
        Err(absent::no_placement())
    }

    async fn pause_workflow_beta1(&self, _: Request<v1::PauseWorkflowRequest>) -> Reply<()> {
        Err(absent::no_placement())
    }

    async fn resume_workflow_beta1(&self, _: Request<v1::ResumeWorkflowRequest>) -> Reply<()> {
        Err(absent::no_placement())
    }

    async fn raise_event_workflow_beta1(&self, _: Request<v1::RaiseEventWorkflowRequest>) -> Reply<()> {
        Err(absent::no_placement())
    }

    async fn shutdown(&self, request: Request<v1::ShutdownRequest>) -> Reply<()> {
        Ok(host::shutdown(&self.blocks.host, request))
    }

    async fn schedule_job_alpha1(&self, request: Request<v1::ScheduleJobRequest>) -> Reply<v1::ScheduleJobResponse> {
        block_job::schedule_job(&self.blocks.job, request.into_inner()).await.map(Response::new)
    }

    async fn schedule_job(&self, request: Request<v1::ScheduleJobRequest>) -> Reply<v1::ScheduleJobResponse> {
        block_job::schedule_job(&self.blocks.job, request.into_inner()).await.map(Response::new)
    }

    async fn get_job_alpha1(&self, request: Request<v1::GetJobRequest>) -> Reply<v1::GetJobResponse> {
        block_job::get_job(&self.blocks.job, request.into_inner()).await.map(Response::new)
    }

    async fn get_job(&self, request: Request<v1::GetJobRequest>) -> Reply<v1::GetJobResponse> {
        block_job::get_job(&self.blocks.job, request.into_inner()).await.map(Response::new)
    }

    async fn delete_job_alpha1(&self, request: Request<v1::DeleteJobRequest>) -> Reply<v1::DeleteJobResponse> {
        block_job::delete_job(&self.blocks.job, request.into_inner()).await.map(Response::new)
    }

    async fn delete_job(&self, request: Request<v1::DeleteJobRequest>) -> Reply<v1::DeleteJobResponse> {
        block_job::delete_job(&self.blocks.job, request.into_inner()).await.map(Response::new)
    }

    async fn delete_jobs_by_prefix_alpha1(
        &self,
        request: Request<v1::DeleteJobsByPrefixRequestAlpha1>,
    ) -> Reply<v1::DeleteJobsByPrefixResponseAlpha1> {
        block_job::delete_jobs_by_prefix(&self.blocks.job, request.into_inner().name_prefix).await?;
        Ok(Response::new(v1::DeleteJobsByPrefixResponseAlpha1 {}))
    }

    async fn delete_jobs_by_prefix(
        &self,
        request: Request<v1::DeleteJobsByPrefixRequest>,
    ) -> Reply<v1::DeleteJobsByPrefixResponse> {
        block_job::delete_jobs_by_prefix(&self.blocks.job, request.into_inner().name_prefix).await?;
        Ok(Response::new(v1::DeleteJobsByPrefixResponse {}))
    }

    async fn list_jobs_alpha1(&self, _: Request<v1::ListJobsRequestAlpha1>) -> Reply<v1::ListJobsResponseAlpha1> {
        Ok(Response::new(v1::ListJobsResponseAlpha1 { jobs: block_job::list_jobs(&self.blocks.job).await? }))
    }

    async fn list_jobs(&self, _: Request<v1::ListJobsRequest>) -> Reply<v1::ListJobsResponse> {
        Ok(Response::new(v1::ListJobsResponse { jobs: block_job::list_jobs(&self.blocks.job).await? }))
    }

    async fn converse_alpha1(&self, request: Request<v1::ConversationRequest>) -> Reply<v1::ConversationResponse> {
        block_conversation::converse_alpha1(&self.blocks.conversation, request.into_inner()).await.map(Response::new)
    }

    async fn converse_alpha2(
        &self,
        request: Request<v1::ConversationRequestAlpha2>,
    ) -> Reply<v1::ConversationResponseAlpha2> {
        block_conversation::converse_alpha2(&self.blocks.conversation, request.into_inner()).await.map(Response::new)
    }
}
