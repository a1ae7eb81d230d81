//! `strata check` of who tells of the owners of GPUs: each way in which it can fail has its words.

use std::io::{Read, Write};
use std::net::TcpListener;

use crate::program::{House, stderr, stdout};

/// An API server to which every token has expired.
fn expired() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut stream = stream;
                let mut request = [0; 8192];
                while stream.read(&mut request).is_ok_and(|count| count > 0) {
                    let body = "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\",\
                        \"message\":\"Unauthorized\",\"reason\":\"Unauthorized\",\"code\":401}";
                    let head = "HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\n";
                    let length = body.len();
                    write!(stream, "{head}Content-Length: {length}\r\n\r\n{body}").unwrap();
                }
            });
        }
    });
    port
}

#[test]
fn check_names_what_is_wrong_with_each_teller_of_owners() {
    let port = expired();
    let config = "[server]\nlisten = \"127.0.0.1:0\"\n[kubernetes]\nkubeconfig = \"kubeconfig\"\n\
        interval = \"5s\"\n[slurm]\nqueue = \"on\"\nbin_dir = \"BIN\"\n";
    let house = House::with_config("");
    let folder = house.path().join("bin");
    let config = config.replace("BIN", folder.to_str().unwrap());
    let config = config.replace("kubeconfig\"", house.path().join("kc\"").to_str().unwrap());
    std::fs::write(house.path().join("strata.toml"), config).unwrap();
    let kubeconfig = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters:\n- name: k\n  cluster:\n    \
         server: http://127.0.0.1:{port}\nusers:\n- name: u\n  user:\n    token: old\ncontexts:\n\
         - name: c\n  context:\n    cluster: k\n    user: u\n"
    );
    std::fs::write(house.path().join("kc"), kubeconfig).unwrap();
    let check = || {
        let output = house.run(&["check"]);
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        stdout(&output)
    };
    let line = |told: &str, part: &str| {
        told.lines().find(|line| line.contains(part)).unwrap_or_default().to_owned()
    };
    let told = check();
    let pods = line(&told, "kubernetes/pods");
    assert!(pods.starts_with("FAILED") && pods.contains("token"), "{told}");
    let commands = line(&told, "slurm commands");
    assert!(commands.starts_with("FAILED") && commands.contains("strata.toml:8"), "{told}");
    // With the commands, and a controller that does not answer them.
    std::fs::create_dir(&folder).unwrap();
    // Another process writes it: a file that this one has open for writing cannot be run.
    let write = "printf '#!/bin/sh\\necho Unable to contact slurm controller >&2\\nexit 1\\n' \
        > \"$0\" && chmod 755 \"$0\"";
    let mut shell = std::process::Command::new("/bin/sh");
    let written = shell.args(["-c", write]).arg(folder.join("squeue")).status().unwrap();
    assert!(written.success());
    let told = check();
    let queue = line(&told, "slurm/queue");
    assert!(queue.starts_with("FAILED") && queue.contains("Unable to contact"), "{told}");
}
