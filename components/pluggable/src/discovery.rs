//! Which components there are: every socket is asked by gRPC reflection.
use crate::connection::Socket;
use crate::{binding, pubsub, secret, state};
use component_api::Registry;
use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::timeout;
use tokio_stream::StreamExt;
use tonic::{Code, Status};
use tonic_reflection::pb::{v1, v1alpha};

const SCOPE: &str = "pluggable-components-discovery";
/// How long a socket may take to say what it serves.
const PATIENCE: Duration = Duration::from_secs(10);
const PACKAGE: &str = "dapr.proto.components.v1.";

/// What a process offers, by the names of its services without their package.
#[derive(Clone, Debug, Default)]
pub(crate) struct Services(BTreeSet<String>);

impl Services {
    pub(crate) fn has(&self, service: &str) -> bool {
        self.0.contains(service)
    }
}

/// Makes known what the sockets of a folder serve. A folder that does not exist has none; a socket that does not answer is
/// logged and left out.
pub async fn discover(folder: &Path, registry: &mut Registry) {
    match sockets(folder) {
        Ok(sockets) => {
            for socket in sockets {
                add(socket, registry).await;
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => {
            tracing::error!(target: SCOPE, "could not initialize pluggable components: {}: {error}", folder.display());
        }
    }
}

async fn add(path: PathBuf, registry: &mut Registry) {
    let shown = path.display().to_string();
    let Some(name) = path.file_stem().and_then(|name| name.to_str()).map(str::to_owned) else { return };
    let socket = Socket::new(path);
    let asked = timeout(PATIENCE, services(&socket)).await;
    match asked.unwrap_or_else(|_| Err(Status::deadline_exceeded("it takes too long"))) {
        Ok(services) => register(&name, &socket, &services, registry),
        Err(status) => {
            tracing::error!(target: SCOPE, "could not initialize pluggable components of {shown}: {}", status.message());
        }
    }
}

fn register(name: &str, socket: &Socket, services: &Services, registry: &mut Registry) {
    let all = [
        ("StateStore", state::register as fn(&str, &Socket, &Services, &mut Registry)),
        ("PubSub", pubsub::register),
        ("SecretStore", secret::register),
        ("InputBinding", binding::register),
        ("OutputBinding", binding::register),
    ];
    for (service, register) in all.into_iter().filter(|(service, _)| services.has(service)) {
        register(name, socket, services, registry);
        tracing::info!(target: SCOPE, "pluggable component '{name}' was successfully registered for '{PACKAGE}{service}'");
    }
}

/// The sockets of a folder, by name.
fn sockets(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut sockets = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.metadata()?.file_type());
        if kind.is_socket() {
            sockets.push(path);
        } else if !kind.is_dir() {
            tracing::warn!(target: SCOPE, "could not use socket for file {}", path.display());
        }
    }
    sockets.sort();
    Ok(sockets)
}

/// The newer reflection is asked where the older one, which all known SDKs offer, is not there.
async fn services(socket: &Socket) -> Result<Services, Status> {
    let names = match older_names(socket).await {
        Err(status) if status.code() == Code::Unimplemented => newer_names(socket).await?,
        other => other?,
    };
    let known = names.iter().filter_map(|name| name.strip_prefix(PACKAGE));
    Ok(Services(known.map(str::to_owned).collect()))
}

async fn older_names(socket: &Socket) -> Result<Vec<String>, Status> {
    use v1alpha::server_reflection_client::ServerReflectionClient;
    use v1alpha::server_reflection_request::MessageRequest::ListServices;
    use v1alpha::server_reflection_response::MessageResponse::ListServicesResponse;
    let message_request = Some(ListServices(String::new()));
    let request = v1alpha::ServerReflectionRequest { message_request, ..Default::default() };
    let mut client = ServerReflectionClient::new(socket.channel());
    let mut answers = client.server_reflection_info(tokio_stream::once(request)).await?.into_inner();
    match answers.next().await.transpose()?.and_then(|answer| answer.message_response) {
        Some(ListServicesResponse(list)) => Ok(list.service.into_iter().map(|service| service.name).collect()),
        _ => Err(no_list()),
    }
}

async fn newer_names(socket: &Socket) -> Result<Vec<String>, Status> {
    use v1::server_reflection_client::ServerReflectionClient;
    use v1::server_reflection_request::MessageRequest::ListServices;
    use v1::server_reflection_response::MessageResponse::ListServicesResponse;
    let message_request = Some(ListServices(String::new()));
    let request = v1::ServerReflectionRequest { message_request, ..Default::default() };
    let mut client = ServerReflectionClient::new(socket.channel());
    let mut answers = client.server_reflection_info(tokio_stream::once(request)).await?.into_inner();
    match answers.next().await.transpose()?.and_then(|answer| answer.message_response) {
        Some(ListServicesResponse(list)) => Ok(list.service.into_iter().map(|service| service.name).collect()),
        _ => Err(no_list()),
    }
}

fn no_list() -> Status {
    Status::unknown("reflection did not list any services")
}
