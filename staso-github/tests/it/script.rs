//! The scripted server does what its turns say.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use crate::peer::script::{Reply, ScriptServer, Turn};

fn ask(server: &ScriptServer, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.url().trim_start_matches("http://")).unwrap();
    let head = "POST /path?q=1 HTTP/1.1\r\nHost: here\r\nConnection: close\r\n";
    stream.write_all(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    stream
}

fn told(mut stream: TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn answers_come_in_order_whole_slow_cut_raw_or_not_at_all() {
    let reply = Reply::json(403, "{\"a\": 1}");
    let whole = "HTTP/1.1 403 Scripted\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: 8\r\n\r\n{\"a\": 1}";
    let cut = whole.strip_suffix("\": 1}").unwrap();
    let server = ScriptServer::start([
        Turn::Answer(reply.clone()),
        Turn::SlowBody(reply.clone(), 3, Duration::from_millis(1)),
        Turn::CloseMidBody(reply, 3),
        Turn::Raw(b"nonsense".to_vec()),
        Turn::CloseBeforeAnswer,
    ]);
    for expected in [whole, whole, cut, "nonsense", ""] {
        assert_eq!(told(ask(&server, "hello")), expected);
    }
    assert!(told(ask(&server, "")).starts_with("HTTP/1.1 418 "));
    let requests = server.requests();
    let first = requests.first().unwrap();
    assert_eq!((first.method.as_str(), first.path.as_str()), ("POST", "/path?q=1"));
    assert_eq!((first.header("host"), first.body.as_slice()), (Some("here"), &b"hello"[..]));
    assert_eq!((requests.len(), server.turns_left()), (6, 0));
}

#[tokio::test]
async fn held_answers_wait_and_silence_ends_with_the_server() {
    let server = ScriptServer::start([Turn::Held(Reply::new(204)), Turn::Held(Reply::new(204))]);
    let (first, second) = (ask(&server, ""), ask(&server, ""));
    server.seen(2).await;
    assert_eq!(server.most_in_flight(), 2);
    server.release();
    assert!(told(first).starts_with("HTTP/1.1 204 ") && told(second).starts_with("HTTP/1.1 204 "));
    server.push(Turn::NeverAnswer);
    let third = ask(&server, "");
    server.seen(3).await;
    drop(server);
    assert_eq!(told(third), "");
}
