//! `dapr mcpservers`: the MCP servers that resources of this machine name.
use crate::context::Context;
use crate::resources::{Query, Resource};
use clap::Args;
use std::process::ExitCode;

const COLUMNS: [&str; 7] = ["Namespace", "Name", "TRANSPORT", "URL", "SCOPES", "CREATED", "AGE"];
/// Member of the endpoint, what it is called, and where its address is.
const TRANSPORTS: [(&str, &str, &str); 3] =
    [("streamableHTTP", "streamable_http", "url"), ("sse", "sse", "url"), ("stdio", "stdio", "command")];

/// List all Dapr MCPServer resources. Supported platforms: Self-hosted
#[derive(Args, Debug)]
pub(crate) struct McpServers {
    #[command(flatten)]
    query: Query,
}

impl McpServers {
    /// Prints them.
    ///
    /// # Errors
    /// A file cannot be read, or Kubernetes is asked for.
    pub(crate) fn run(&self, context: &Context) -> anyhow::Result<ExitCode> {
        self.query.print("MCPServer", context, &COLUMNS, |found| {
            let (transport, address) = endpoint(found);
            let (scopes, created, age) = (found.scopes.clone(), found.created.clone(), found.age.clone());
            vec![found.namespace.clone(), found.name.clone(), transport, address, scopes, created, age]
        })
    }
}

fn endpoint(found: &Resource) -> (String, String) {
    let present = TRANSPORTS.iter().find(|(member, _, _)| !found.text(&format!("/endpoint/{member}")).is_empty());
    let described = present.map(|(member, transport, address)| {
        ((*transport).to_owned(), found.text(&format!("/endpoint/{member}/{address}")))
    });
    described.unwrap_or_default()
}
