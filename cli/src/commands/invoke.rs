//! `dapr invoke`: calls a method of an app through its sidecar.
use crate::client::{Call, advice};
use crate::commands::payload;
use crate::context::Context;
use crate::instances;
use anyhow::{Context as _, ensure};
use clap::Args;
use http::Method;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// An app may work for long before it answers.
const DEADLINE: Duration = Duration::from_secs(600);

/// Invoke a method on a given Dapr application. Supported platforms: Self-hosted
#[derive(Args, Debug)]
pub(crate) struct Invoke {
    /// The application id to invoke
    #[arg(long, short = 'a')]
    app_id: String,
    /// The method to invoke
    #[arg(long, short = 'm')]
    method: String,
    /// The JSON serialized data string (optional)
    #[arg(long, short = 'd')]
    data: Option<String>,
    /// A file containing the JSON serialized data (optional)
    #[arg(long, short = 'f', conflicts_with = "data")]
    data_file: Option<PathBuf>,
    /// The HTTP verb to use
    #[arg(long, short = 'v', default_value = "POST")]
    verb: String,
    /// The folder of the Unix domain sockets that the app was run with
    #[arg(long, short = 'u')]
    unix_domain_socket: Option<PathBuf>,
}

impl Invoke {
    /// Prints what the app answers.
    ///
    /// # Errors
    /// No such app runs, it cannot be reached, or its status is neither 2xx nor 3xx.
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<ExitCode> {
        let answer = self.call(context).await.with_context(|| format!("error invoking app {}", self.app_id))?;
        if !answer.is_empty() {
            context.console.print(&format!("{answer}\n"));
        }
        context.console.success("App invoked successfully");
        Ok(ExitCode::SUCCESS)
    }

    async fn call(&self, context: &Context) -> anyhow::Result<String> {
        let body = payload(self.data.as_deref(), self.data_file.as_deref())?;
        let token = context.environment.api_token();
        let instance = instances::find(&self.app_id, token.clone()).await?;
        let path = format!("/v1.0/invoke/{}/method/{}", self.app_id, self.method);
        let method = self.verb.parse::<Method>().with_context(|| format!("{} is no HTTP verb", self.verb))?;
        let client = instance.client(self.unix_domain_socket.as_deref(), token, DEADLINE);
        let answer = client.send(Call { method, path: &path, content_type: "application/json", body }).await?;
        let (status, body) = (answer.status, String::from_utf8_lossy(&answer.body).into_owned());
        ensure!(
            status.is_success() || status.is_redirection(),
            "{status}{}{body}{}",
            if body.is_empty() { "" } else { ": " },
            advice(status)
        );
        Ok(body)
    }
}
