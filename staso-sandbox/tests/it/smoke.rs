use staso_core::sandbox::*;
use staso_core::testing::test_context;
use staso_sandbox::LocalSandbox;
use std::time::Instant;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn smoke() {
    let ctx = test_context();
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a.txt"), "hello\n").unwrap();
    let t = Instant::now();
    let caps = LocalSandbox::new().capabilities(&ctx).await;
    eprintln!("caps {caps:?} {:?}", t.elapsed());
    let t = Instant::now();
    let s = LocalSandbox::new().open(&SandboxSpec::new(dir.path()), &ctx).await.unwrap();
    eprintln!("open {:?} {:?}", t.elapsed(), s.isolation());
    for cmd in ["id; cat a.txt; ls -la / /workspace /proc /dev /etc; env; cat /proc/self/status; cat /proc/mounts", "echo x > a.txt; cat a.txt; unshare -U true; ps aux; ls -la /tmp; hostname; mkdir b; echo y > b/c; ln -s /etc/shadow l; chmod +x a.txt"] {
        let t = Instant::now();
        let out = s.run(&ExecRequest::new(["sh", "-c", cmd]), &ctx).await.unwrap();
        eprintln!("{:?} {:?}\n{}\n{}", t.elapsed(), out.exit, String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    }
    eprintln!("{:?}", s.changes(&ctx).await);
    let mut times = vec![];
    for _ in 0..200 {
        let t = Instant::now();
        s.run(&ExecRequest::new(["/usr/bin/true"]), &ctx).await.unwrap();
        times.push(t.elapsed());
    }
    times.sort();
    eprintln!("exec p50 {:?} p95 {:?}", times[100], times[190]);
    let t = Instant::now();
    s.close().await.unwrap();
    eprintln!("close {:?}", t.elapsed());
}
