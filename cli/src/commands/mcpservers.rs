//! `dapr mcpservers`: the MCP servers that resources of this machine name.
use crate::commands::refuse_kubernetes;
use crate::context::Context;
use crate::output::Format;
use crate::resources::{Query, Resource};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

const COLUMNS: [&str; 7] = ["Namespace", "Name", "TRANSPORT", "URL", "SCOPES", "CREATED", "AGE"];
/// Member of the endpoint, what it is called, and where its address is.
const TRANSPORTS: [(&str, &str, &str); 3] =
    [("streamableHTTP", "streamable_http", "url"), ("sse", "sse", "url"), ("stdio", "stdio", "command")];

/// List all Dapr MCPServer resources. Supported platforms: Self-hosted
#[derive(Args, Debug)]
pub(crate) struct McpServers {
    /// The MCPServer name to be printed (optional)
    #[arg(long, short = 'n')]
    name: Option<String>,
    /// Output format: json, yaml, or list
    #[arg(long, short = 'o', default_value = "list")]
    output: Format,
    /// Folder with resources [default: components in the installation folder]
    #[arg(long)]
    resources_path: Option<PathBuf>,
    /// List the MCPServer resources of a Kubernetes cluster
    #[arg(long, short = 'k')]
    kubernetes: bool,
    /// List the MCPServer resources of all namespaces of a cluster
    #[arg(long, short = 'A')]
    all_namespaces: bool,
    /// List the MCPServer resources of this namespace of a cluster
    #[arg(long)]
    namespace: Option<String>,
}

impl McpServers {
    /// Prints them.
    ///
    /// # Errors
    /// A file cannot be read, or Kubernetes is asked for.
    pub(crate) fn run(&self, context: &Context) -> anyhow::Result<ExitCode> {
        refuse_kubernetes(self.kubernetes)?;
        let query = Query {
            kind: "MCPServer",
            name: self.name.as_deref(),
            folder: self.resources_path.as_deref(),
            format: self.output,
        };
        query.print(context, &COLUMNS, |found| {
            let (transport, address) = endpoint(found);
            let (scopes, created, age) = (found.scopes.clone(), found.created.clone(), found.age.clone());
            vec![found.namespace.clone(), found.name.clone(), transport, address, scopes, created, age]
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

fn endpoint(found: &Resource) -> (String, String) {
    let present = TRANSPORTS.iter().find(|(member, _, _)| !found.text(&format!("/endpoint/{member}")).is_empty());
    let described = present.map(|(member, transport, address)| {
        ((*transport).to_owned(), found.text(&format!("/endpoint/{member}/{address}")))
    });
    described.unwrap_or_default()
}
