//! MCPServer v1alpha1: a server of tools for language models (surface.md 3.7).
use crate::common::{NameValue, ObjectMeta, Resource, SecretKeyRef};
use foundation_metadata::GoDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A server of tools that workflows call.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct McpServer {
    /// Name and namespace.
    pub metadata: ObjectMeta,
    /// How it is reached.
    pub spec: McpServerSpec,
    /// Ids of the apps that may use it; empty is all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
}

/// How a server of tools is reached.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct McpServerSpec {
    /// What people want to know of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub catalog: Option<Catalog>,
    /// Exactly one transport.
    pub endpoint: McpEndpoint,
    /// Workflows around each call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub middleware: Option<McpMiddleware>,
    /// Whether the sidecar goes on without the server when it cannot be used.
    pub ignore_errors: bool,
}

/// What people want to know of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Catalog {
    /// Name for people.
    pub display_name: String,
    /// What it is for.
    pub description: String,
    /// Who is responsible.
    pub owner: Option<Owner>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// URLs by name.
    pub links: BTreeMap<String, String>,
}

/// Who is responsible for a server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Owner {
    /// Name of the team.
    pub team: String,
    /// How to reach it.
    pub contact: String,
}

/// The transport of a server: exactly one of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct McpEndpoint {
    /// Streamable HTTP.
    #[serde(rename = "streamableHTTP", skip_serializing_if = "Option::is_none")]
    pub streamable_http: Option<McpHttp>,
    /// HTTP with server-sent events, the older transport.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sse: Option<McpHttp>,
    /// A child process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stdio: Option<McpStdio>,
}

/// A server behind a URL.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct McpHttp {
    /// URL with the scheme http or https. Required.
    pub url: String,
    /// Version of the protocol, such as `2025-06-18`; negotiated when empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub protocol_version: String,
    /// Longest time that a call takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<GoDuration>,
    /// Headers of every request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<NameValue>,
    /// How to log in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<McpAuth>,
}

/// A server that is a child process.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct McpStdio {
    /// Program. Required; a relative path may not leave the working directory.
    pub command: String,
    /// Arguments of the program.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Environment variables of the program.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<NameValue>,
}

/// How to log in to a server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct McpAuth {
    /// Name of the secret store component for headers.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub secret_store: String,
    /// OAuth 2.0 client credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oauth2: Option<McpOauth2>,
    /// The identity of the app.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spiffe: Option<Spiffe>,
}

/// OAuth 2.0 client credentials (RFC 6749 section 4.4).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct McpOauth2 {
    /// URL of the token endpoint. Required.
    pub issuer: String,
    /// Who the token is for.
    pub audience: String,
    /// What the token allows.
    pub scopes: Vec<String>,
    /// Id of the client.
    #[serde(rename = "clientID")]
    pub client_id: String,
    /// The client's secret.
    pub secret_key_ref: Option<SecretKeyRef>,
}

/// The identity of the app.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Spiffe {
    /// As a JWT in a header.
    pub jwt: Option<SpiffeJwt>,
}

/// A JWT in a header.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct SpiffeJwt {
    /// Name of the header. Required.
    pub header: String,
    /// What stands before the JWT, such as `Bearer `.
    pub header_value_prefix: String,
    /// Who the JWT is for. Required.
    pub audience: String,
}

/// Workflows around each call of a server, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct McpMiddleware {
    /// Before a tool is called; an error stops the call.
    pub before_call_tool: Vec<McpHook>,
    /// After a tool was called; an error fails the call.
    pub after_call_tool: Vec<McpHook>,
    /// Before tools are listed; an error stops the call. These cannot mutate.
    pub before_list_tools: Vec<McpHook>,
    /// After tools were listed.
    pub after_list_tools: Vec<McpHook>,
}

/// A workflow around a call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct McpHook {
    /// The workflow.
    pub workflow: HookWorkflow,
    /// Whether its result takes the place of what is passed along.
    pub mutate: bool,
}

/// A workflow by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct HookWorkflow {
    /// Name of the workflow. Required.
    pub workflow_name: String,
    /// App that runs it; this one when empty.
    #[serde(rename = "appID", skip_serializing_if = "String::is_empty")]
    pub app_id: String,
}

impl McpServer {
    /// The transport over HTTP.
    pub fn http(&self) -> Option<&McpHttp> {
        let endpoint = &self.spec.endpoint;
        endpoint.streamable_http.as_ref().or(endpoint.sse.as_ref())
    }
}

impl Resource for McpServer {
    const KIND: &'static str = "MCPServer";
    const API_VERSIONS: &'static [&'static str] = &["dapr.io/v1alpha1"];

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn scopes(&self) -> &[String] {
        &self.scopes
    }

    fn log_name(&self) -> String {
        let name = &self.metadata.name;
        self.http().map_or_else(|| name.clone(), |http| format!("{name} ({})", http.url))
    }
}
