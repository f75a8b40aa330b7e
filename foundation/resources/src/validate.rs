//! What resources must look like beyond their types (the schemas of Dapr's resource definitions).
use crate::{
    AccessControl, ConfigurationSpec, McpEndpoint, McpHook, McpHttp, McpServer, McpStdio, Secrets, WorkflowAccessPolicy,
};
use std::collections::BTreeSet;
use std::path::{Component, Path};

const OPERATIONS: [&str; 8] = ["schedule", "terminate", "raise", "pause", "resume", "purge", "get", "rerun"];

impl ConfigurationSpec {
    /// # Errors
    /// What contradicts itself.
    pub(crate) fn check(&self) -> Result<(), String> {
        self.secrets.as_ref().map_or(Ok(()), check_secrets)?;
        self.access_control.as_ref().map_or(Ok(()), check_access_control)
    }
}

impl WorkflowAccessPolicy {
    /// Checks what the types leave open.
    ///
    /// # Errors
    /// The first field that is wrong.
    pub fn check(&self) -> Result<(), String> {
        for (index, rule) in self.spec.rules.iter().enumerate() {
            let at = |field: &str| format!("spec.rules[{index}].{field}");
            at_least_one(&rule.callers, &at("callers"))?;
            all_filled(rule.callers.iter().map(|caller| &caller.app_id), &at("callers"), "appID")?;
            if rule.workflows.is_empty() && rule.activities.is_empty() {
                return Err(format!(
                    "spec.rules[{index}]: at least one of workflows or activities must contain a rule"
                ));
            }
            all_filled(rule.activities.iter().map(|activity| &activity.name), &at("activities"), "name")?;
            all_filled(rule.workflows.iter().map(|workflow| &workflow.name), &at("workflows"), "name")?;
            for (number, workflow) in rule.workflows.iter().enumerate() {
                check_operations(&workflow.operations, &at(&format!("workflows[{number}].operations")))?;
            }
        }
        Ok(())
    }
}

impl McpServer {
    /// Checks what the types leave open.
    ///
    /// # Errors
    /// The first field that is wrong.
    pub fn check(&self) -> Result<(), String> {
        let McpEndpoint { streamable_http, sse, stdio } = &self.spec.endpoint;
        if usize::from(streamable_http.is_some()) + usize::from(sse.is_some()) + usize::from(stdio.is_some()) != 1 {
            return Err("spec.endpoint: exactly one of streamableHTTP, sse, or stdio must be set".to_owned());
        }
        for (name, http) in [("streamableHTTP", streamable_http), ("sse", sse)] {
            http.as_ref().map_or(Ok(()), |http| check_http(http, &format!("spec.endpoint.{name}")))?;
        }
        stdio.as_ref().map_or(Ok(()), |stdio| filled(&stdio.command, "spec.endpoint.stdio.command"))?;
        self.hooks().try_for_each(|hook| filled(&hook.workflow.workflow_name, "spec.middleware: workflowName"))
    }

    /// Checks that the server may be used: child processes only outside of Kubernetes and, by a relative path, only from
    /// within the working directory; URLs only with http and https.
    ///
    /// # Errors
    /// Why it may not be used.
    pub fn check_security(&self, kubernetes: bool) -> Result<(), String> {
        let McpEndpoint { streamable_http, sse, stdio } = &self.spec.endpoint;
        if let Some(stdio) = stdio {
            return check_stdio(stdio, kubernetes);
        }
        for (name, http) in [("streamableHTTP", streamable_http), ("sse", sse)] {
            http.as_ref().map_or(Ok(()), |http| check_url(&http.url, name))?;
        }
        Ok(())
    }

    fn hooks(&self) -> impl Iterator<Item = &McpHook> {
        self.spec.middleware.iter().flat_map(|middleware| {
            let before = middleware.before_call_tool.iter().chain(&middleware.before_list_tools);
            before.chain(&middleware.after_call_tool).chain(&middleware.after_list_tools)
        })
    }
}

fn check_secrets(secrets: &Secrets) -> Result<(), String> {
    let mut known = BTreeSet::new();
    for scope in &secrets.scopes {
        let (store, access) = (&scope.store_name, &scope.default_access);
        if !known.insert(store) {
            return Err(format!("{store} storeName is repeated in secrets configuration"));
        }
        if !["", "allow", "deny"].iter().any(|known| known.eq_ignore_ascii_case(access)) {
            return Err(format!("defaultAccess {access} can be either allow or deny"));
        }
    }
    Ok(())
}

fn check_access_control(access: &AccessControl) -> Result<(), String> {
    let lacking = |field: fn(&crate::AppPolicy) -> &str| {
        let lacking = access.policies.iter().filter(|policy| field(policy).is_empty());
        lacking.map(|policy| policy.app_id.as_str()).collect::<Vec<_>>()
    };
    let (domains, namespaces) = (lacking(|policy| &policy.trust_domain), lacking(|policy| &policy.namespace));
    let nameless = !lacking(|policy| &policy.app_id).is_empty();
    if domains.is_empty() && namespaces.is_empty() && !nameless {
        return Ok(());
    }
    let (domains, namespaces) = (domains.join(" "), namespaces.join(" "));
    Err(format!(
        "invalid access control spec. missing trustdomain for apps: [{domains}], missing namespace for apps: \
         [{namespaces}], missing app name on at least one of the app policies: {nameless}"
    ))
}

fn check_operations(operations: &[String], path: &str) -> Result<(), String> {
    at_least_one(operations, path)?;
    match operations.iter().find(|operation| !OPERATIONS.contains(&operation.as_str())) {
        Some(_) => Err(format!("{path}: must be of {}", OPERATIONS.join(", "))),
        None => Ok(()),
    }
}

fn check_http(http: &McpHttp, path: &str) -> Result<(), String> {
    filled(&http.url, &format!("{path}.url"))?;
    let Some(auth) = &http.auth else { return Ok(()) };
    auth.oauth2.as_ref().map_or(Ok(()), |oauth2| filled(&oauth2.issuer, &format!("{path}.auth.oauth2.issuer")))?;
    let Some(jwt) = auth.spiffe.as_ref().and_then(|spiffe| spiffe.jwt.as_ref()) else { return Ok(()) };
    filled(&jwt.header, &format!("{path}.auth.spiffe.jwt.header"))?;
    filled(&jwt.audience, &format!("{path}.auth.spiffe.jwt.audience"))
}

fn check_url(url: &str, transport: &str) -> Result<(), String> {
    let (scheme, rest) = url.split_once("://").unwrap_or((url, ""));
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return Err(format!("{transport}.url scheme must be http or https"));
    }
    if rest.split(['/', '?', '#']).next().unwrap_or_default().is_empty() {
        return Err(format!("{transport}.url must have a host"));
    }
    Ok(())
}

fn check_stdio(stdio: &McpStdio, kubernetes: bool) -> Result<(), String> {
    if kubernetes {
        return Err("stdio transport is not allowed in Kubernetes mode".to_owned());
    }
    filled(&stdio.command, "stdio.command")?;
    if leaves_working_directory(Path::new(&stdio.command)) {
        return Err("stdio.command must not escape working directory".to_owned());
    }
    match stdio.env.iter().find(|variable| variable.name.contains(['=', '\n', '\0'])) {
        Some(variable) => Err(format!("stdio.env name {:?} contains invalid characters", variable.name)),
        None => Ok(()),
    }
}

/// Whether a relative path of several parts leads out, followed as far as it exists.
fn leaves_working_directory(command: &Path) -> bool {
    if command.is_absolute() || command.components().count() < 2 {
        return false;
    }
    let resolved = || Some((Path::new(".").canonicalize().ok()?, command.canonicalize().ok()?));
    if let Some((directory, command)) = resolved() {
        return !command.starts_with(directory);
    }
    let mut depth = 0_i32;
    command.components().any(|part| {
        depth += match part {
            Component::ParentDir => -1,
            Component::Normal(_) => 1,
            _ => 0,
        };
        depth < 0
    })
}

fn filled(text: &str, path: &str) -> Result<(), String> {
    if text.is_empty() { Err(format!("{path}: must not be empty")) } else { Ok(()) }
}

fn at_least_one<T>(list: &[T], path: &str) -> Result<(), String> {
    if list.is_empty() { Err(format!("{path}: must have at least one item")) } else { Ok(()) }
}

fn all_filled<'a>(mut texts: impl Iterator<Item = &'a String>, path: &str, field: &str) -> Result<(), String> {
    if texts.any(String::is_empty) { Err(format!("{path}: {field} must not be empty")) } else { Ok(()) }
}
