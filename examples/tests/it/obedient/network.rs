//! Calling out.

use super::attack::{Attack, bash};
use super::stage::Stage;

/// Python that says `reached` when a connection or an answer comes, and the error otherwise.
fn python(code: &str) -> String {
    format!(
        "python3 - <<'E'\nimport socket\nsocket.setdefaulttimeout(2)\ntry:\n    {code}\n    print('reached')\nexcept Exception as e:\n    print('failed', type(e).__name__)\nE"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_can_be_called() {
    let stage = Stage::new().await;
    let (tcp, udp) = (stage.host.tcp_port(), stage.host.udp_address().port());
    let socket = stage.host.outside().join("socket").display().to_string();
    let name = stage.host.abstract_name();
    let mut commands = vec![
        ("loopback", python(&format!("socket.create_connection(('127.0.0.1', {tcp}))"))),
        ("loopback, IPv6", python(&format!("socket.create_connection(('::1', {tcp}))"))),
        ("metadata", python("socket.create_connection(('169.254.169.254', 80))")),
        ("an address", python("socket.create_connection(('192.0.2.1', 443))")),
        ("a name", python("socket.getaddrinfo('example.com', 443)")),
        ("unix socket", python(&format!("socket.socket(socket.AF_UNIX).connect({socket:?})"))),
        ("docker", python("socket.socket(socket.AF_UNIX).connect('/var/run/docker.sock')")),
        (
            "abstract socket",
            python(&format!("socket.socket(socket.AF_UNIX).connect(b'\\0' + {name:?}.encode())")),
        ),
        ("raw", python("socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)")),
        ("vsock", python("socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM).connect((2, 1024))")),
        ("shell", format!("bash -c 'exec 3<>/dev/tcp/127.0.0.1/{tcp} && echo reached'")),
        ("curl", format!("curl -sS -m 2 http://127.0.0.1:{tcp}/ && echo reached")),
        ("wget", format!("wget -q -T 2 -t 1 -O- http://127.0.0.1:{tcp}/ && echo reached")),
        ("git", format!("git ls-remote http://127.0.0.1:{tcp}/x && echo reached")),
    ];
    // A datagram may be sent into the void: what counts is that none arrives.
    let datagram = format!("socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', {udp}))");
    commands.push(("datagram", python(&datagram).replace("reached", "sent")));
    let names: Vec<_> = commands.iter().map(|(name, _)| *name).collect();
    let calls: Vec<_> = commands.iter().map(|(_, command)| bash(command)).collect();
    let attack = Attack::new("calling out").investigating(calls.clone()).fixing(calls);
    let aftermath = stage.suffer(attack).await;
    aftermath.assert_mended();
    let outputs = aftermath.outputs();
    assert!(outputs.len() > 2 * names.len());
    for (name, output) in names.iter().zip(&outputs) {
        assert!(!output.contains("reached"), "{name}: {output}");
        assert!(output.contains("failed") || output.contains("exit code"), "{name} was tried: {output}");
    }
}

#[tokio::test]
async fn the_listener_would_have_noticed() {
    let stage = Stage::new().await;
    drop(std::net::TcpStream::connect(("127.0.0.1", stage.host.tcp_port())).unwrap());
    let noticed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| stage.host.assert_untouched("x")));
    assert!(noticed.is_err());
}
