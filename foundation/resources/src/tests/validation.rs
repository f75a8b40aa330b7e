//! Rules of MCPServer and WorkflowAccessPolicy.
use super::read;

fn policy(rule: &str) -> Result<(), String> {
    let head = "apiVersion: dapr.io/v1alpha1\nkind: WorkflowAccessPolicy\nmetadata: {name: p}\nspec: {rules: [";
    read(&format!("{head}{rule}]}}")).resources.workflow_access_policies[0].check()
}

fn server(endpoint: &str) -> (Result<(), String>, Result<(), String>) {
    let head = "apiVersion: dapr.io/v1alpha1\nkind: MCPServer\nmetadata: {name: s}\nspec: {endpoint: ";
    let loaded = read(&format!("{head}{endpoint}}}"));
    let server = &loaded.resources.mcp_servers[0];
    (server.check(), server.check_security(false))
}

#[test]
fn rules_need_callers_and_something_to_call() {
    assert!(
        policy("{callers: [{appID: a}], workflows: [{name: w, operations: [get]}], activities: [{name: x}]}").is_ok()
    );
    for wrong in [
        "{callers: [], activities: [{name: x}]}",
        "{callers: [{appID: ''}], activities: [{name: x}]}",
        "{callers: [{appID: a}]}",
        "{callers: [{appID: a}], workflows: [{name: w, operations: []}]}",
        "{callers: [{appID: a}], workflows: [{name: w, operations: [fly]}]}",
        "{callers: [{appID: a}], activities: [{name: ''}]}",
    ] {
        assert!(policy(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn servers_need_exactly_one_transport() {
    let (check, security) = server("{streamableHTTP: {url: 'https://host/mcp', timeout: 5s}}");
    assert!(check.is_ok() && security.is_ok());
    for wrong in [
        "{}",
        "{sse: {url: 'http://a'}, stdio: {command: a}}",
        "{sse: {url: ''}}",
        "{stdio: {command: ''}}",
        "{sse: {url: 'http://a', auth: {oauth2: {}}}}",
        "{sse: {url: 'http://a', auth: {spiffe: {jwt: {header: h}}}}}",
    ] {
        assert!(server(wrong).0.is_err(), "{wrong}");
    }
}

#[test]
fn servers_stay_where_they_belong() {
    for wrong in [
        "{sse: {url: 'ftp://a'}}",
        "{sse: {url: 'http://'}}",
        "{sse: {url: 'file'}}",
        "{stdio: {command: ../tool}}",
        "{stdio: {command: missing/../../tool}}",
        "{stdio: {command: tool, env: [{name: 'a=b'}]}}",
    ] {
        assert!(server(wrong).1.is_err(), "{wrong}");
    }
    for right in ["tool", "/usr/bin/tool", "./missing/tool"] {
        assert!(server(&format!("{{stdio: {{command: {right}}}}}")).1.is_ok(), "{right}");
    }
}
