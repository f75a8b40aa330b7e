//! Exchanges with a server of three answers: a short one, a long one and none.
use super::*;
use component_api::Kind;
use rustls::RootCertStore;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const LIMITS: Limits = Limits { patience: Duration::from_millis(200), largest: 10 };

async fn serve(mut connection: TcpStream) {
    let mut head = vec![0; 4096];
    let length = connection.read(&mut head).await.unwrap();
    let head = String::from_utf8_lossy(&head[..length]).into_owned();
    let body = if head.starts_with("GET /long ") { "longer than ten" } else { "short" };
    if head.starts_with("GET /none ") {
        return std::future::pending().await;
    }
    let answer = format!("HTTP/1.1 404 Not Found\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    connection.write_all(answer.as_bytes()).await.unwrap();
}

async fn server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            tokio::spawn(serve(connection));
        }
    });
    format!("http://{address}")
}

async fn get(url: String) -> Result<Response<Bytes>, Error> {
    let client = Client::new(trust::only(RootCertStore::empty()).unwrap(), LIMITS);
    client.send(Request::get(url).body(Bytes::new()).unwrap()).await
}

#[tokio::test]
async fn any_status_is_an_answer() {
    let response = get(server().await + "/short").await.unwrap();
    assert_eq!((response.status().as_u16(), &response.body()[..]), (404, &b"short"[..]));
}

#[tokio::test]
async fn answers_are_bounded_in_size_and_time() {
    let server = server().await;
    let long = get(server.clone() + "/long?secret").await.unwrap_err();
    assert!(matches!(long, Error::Broken { .. }) && !long.to_string().contains("secret"), "{long}");
    let none = component_api::Error::from(get(server + "/none").await.unwrap_err());
    assert_eq!((none.kind(), none.to_string().as_str()), (Kind::Timeout, "127.0.0.1 did not answer within 200ms"));
}

#[tokio::test]
async fn who_is_away_is_named_with_the_cause() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = component_api::Error::from(get(format!("http://{free}/?secret")).await.unwrap_err());
    let text = error.to_string();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(text.starts_with("cannot reach 127.0.0.1: ") && text.contains("refused") && !text.contains("secret"));
}

#[test]
fn certificates_in_a_text_are_counted() {
    let mut roots = RootCertStore::empty();
    assert_eq!(trust::add(&mut roots, b"none"), 0);
    assert!(trust::anybody().is_ok());
}
