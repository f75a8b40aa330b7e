//! What can be sent to a server.
use super::Link;
use redis::{Cmd, Pipeline, RedisResult, ScriptInvocation, Value};

/// What can be sent to a server, as often as needed.
pub(crate) enum Request<'a> {
    Command(&'a Cmd),
    /// A command for the master of that slot of a cluster.
    OnSlot(&'a Cmd, u16),
    Pipeline(&'a Pipeline),
    Script(&'a ScriptInvocation<'a>),
}

impl Request<'_> {
    pub(super) async fn send(&self, link: &mut Link) -> RedisResult<Value> {
        match self {
            Self::Command(command) => command.query_async(link).await,
            Self::OnSlot(command, slot) => link.on_slot(command, *slot).await,
            Self::Pipeline(pipeline) => pipeline.query_async(link).await,
            Self::Script(script) => script.invoke_async(link).await,
        }
    }
}

impl<'a> From<&'a Cmd> for Request<'a> {
    fn from(command: &'a Cmd) -> Self {
        Self::Command(command)
    }
}

impl<'a> From<&'a mut Cmd> for Request<'a> {
    fn from(command: &'a mut Cmd) -> Self {
        Self::Command(command)
    }
}

impl<'a> From<&'a Pipeline> for Request<'a> {
    fn from(pipeline: &'a Pipeline) -> Self {
        Self::Pipeline(pipeline)
    }
}

impl<'a> From<&'a ScriptInvocation<'a>> for Request<'a> {
    fn from(script: &'a ScriptInvocation<'a>) -> Self {
        Self::Script(script)
    }
}
