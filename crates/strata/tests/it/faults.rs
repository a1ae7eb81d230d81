//! What goes wrong around the program: somebody else holds the folder or the port, the disk fills.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::fake::Page;
use crate::http::eventually;
use crate::program::{House, Server, now_ms, stderr, stdout};
use crate::wire::{Row, body};

#[test]
fn a_data_folder_in_use_is_told() {
    let house = House::new("");
    let mut server = house.start();
    let output = house.command().output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = stderr(&output);
    let folder = house.data.to_str().unwrap();
    assert!(told.contains(folder) && told.contains("another"), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(server.is_running(), "the first is not disturbed");
    assert_eq!(server.get("/-/ready", &[]).status, 200);
}

#[test]
fn a_port_in_use_is_told() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let house = House::new("");
    let arguments = ["run", "--config", "strata.toml", "--data-dir", "data", "--listen", &address];
    let output = house.run(&arguments);
    assert_eq!(output.status.code(), Some(1));
    let told = stderr(&output);
    assert!(told.contains(&address) && told.contains("in use"), "{told}");
    assert!(!house.data.exists(), "the store was not opened");
    // An OTLP port that the file asks for is as binding.
    let config = format!("[server]\notlp_http_listen = \"{address}\"\notlp_grpc_listen = \"\"\n");
    let output = House::with_config(&config).command().output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("OTLP over HTTP"), "{}", stderr(&output));
}

/// A file system of its own in memory, unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` where the test may not mount.
    fn mount(at: &Path) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let mut mount = Command::new("mount");
        let mount = mount.args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"]).arg(at).output();
        let mounted = mount.is_ok_and(|output| output.status.success());
        mounted.then(|| Self(at.to_owned()))
    }

    /// Take all the room that is left.
    fn fill(&self) -> PathBuf {
        let file = self.0.join("filler");
        let piece = vec![0_u8; 4096];
        let mut filler = fs::File::create(&file).unwrap();
        while std::io::Write::write_all(&mut filler, &piece).is_ok() {}
        file
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a server that is being killed may hold a file for a moment.
        drop(Command::new("umount").arg("-l").arg(&self.0).output());
    }
}

#[test]
fn a_full_disk_stops_writes_not_reads_and_heals_when_there_is_room() {
    let house = House::new("");
    let Some(disk) = SmallDisk::mount(&house.data) else {
        eprintln!("SKIPPED: mounting a small tmpfs is not permitted here");
        return;
    };
    let server = house.start();
    let write = |number: usize| {
        // Labels that do not compress, so that bodies fill a page of the disk soon.
        let label = format!("{number}-{}", "x".repeat(64 + number % 64));
        let rows = (0..50).map(|n| {
            let name = format!("{n}-{label}");
            Row::new("filling", ("label", &name), [(now_ms(), number as f64)])
        });
        server.write(&body(&rows.collect::<Vec<_>>()))
    };
    assert_eq!(write(0).status, 204);
    let filler = disk.fill();
    let mut number = 0;
    let refused = eventually("a write is refused", || {
        number += 1;
        let answer = write(number);
        if answer.status == 204 { Err(format!("{number} taken")) } else { Ok(answer) }
    });
    assert!((500..600).contains(&refused.status), "{}: {}", refused.status, refused.text());
    assert!(refused.text().to_lowercase().contains("space"), "{}", refused.text());
    assert_eq!(server.value("count(filling == 0)", None), Some(50.0), "reads still work");
    assert_eq!(server.get("/-/healthy", &[]).status, 200);
    let ready = server.get("/-/ready", &[]);
    assert_eq!(ready.status, 503, "{}", ready.text());
    assert!(ready.text().to_lowercase().contains("space"), "{}", ready.text());
    let row = server.source("store").unwrap();
    assert_eq!(row["state"], "failing", "{row}");
    assert!(row["hint"].as_str().unwrap().contains("make room"), "{row}");
    fs::remove_file(filler).unwrap();
    eventually("writes work again", || {
        number += 1;
        let answer = write(number);
        if answer.status == 204 { Ok(()) } else { Err(answer.text()) }
    });
    assert_eq!(server.get("/-/ready", &[]).status, 200);
    let kept = server.value(&format!("count(filling == {number})"), None);
    assert_eq!(kept, Some(50.0));
    assert_eq!(server.source("store").unwrap()["state"], "ok");
    assert!(server.stop().0.success());
}

/// A real disk in a file: ext4 turns itself read-only when it finds a fault, whoever writes.
struct FaultyDisk {
    image: PathBuf,
    at: PathBuf,
}

impl FaultyDisk {
    /// `None` where there is no ext4 or the test may not mount.
    fn mount(image: PathBuf, at: &Path) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        fs::File::create(&image).unwrap().set_len(64 << 20).unwrap();
        let made = Command::new("/sbin/mkfs.ext4").arg("-q").arg(&image).output();
        if !made.is_ok_and(|output| output.status.success()) {
            return None;
        }
        let disk = Self { image, at: at.to_owned() };
        disk.again().then_some(disk)
    }

    fn again(&self) -> bool {
        let mut mount = Command::new("mount");
        let output = mount.args(["-o", "loop"]).arg(&self.image).arg(&self.at).output();
        output.is_ok_and(|output| output.status.success())
    }

    /// What the kernel does when the journal fails: read-only at once, under open files too.
    fn fail(&self) -> bool {
        let output = Command::new("mount").args(["-o", "remount,abort"]).arg(&self.at).output();
        output.is_ok_and(|output| output.status.success())
    }

    fn unmount(&self) {
        drop(Command::new("umount").arg(&self.at).output());
    }
}

impl Drop for FaultyDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.at).output());
    }
}

#[test]
fn a_disk_turned_read_only_stops_writes_not_reads_and_keeps_what_was_acknowledged() {
    let house = House::new("");
    let image = house.data.with_extension("img");
    let Some(disk) = FaultyDisk::mount(image, &house.data) else {
        eprintln!("SKIPPED: mounting an ext4 image is not permitted here");
        return;
    };
    let server = house.start();
    let write = |server: &Server, value: f64| {
        server.write(&body(&[Row::new("kept", ("mount", "own"), [(now_ms(), value)])]))
    };
    assert_eq!(write(&server, 1.0).status, 204);
    if !disk.fail() {
        eprintln!("SKIPPED: the disk cannot be made to fail here");
        return;
    }
    let refused = eventually("a write is refused", || {
        let answer = write(&server, 2.0);
        if answer.status == 204 { Err("taken".to_owned()) } else { Ok(answer) }
    });
    assert!((500..600).contains(&refused.status), "{}: {}", refused.status, refused.text());
    assert_eq!(server.value("count(kept)", None), Some(1.0), "reads still work");
    assert_eq!(server.get("/-/healthy", &[]).status, 200);
    assert_eq!(server.get("/-/ready", &[]).status, 503);
    let row = server.source("store").unwrap();
    assert_eq!(row["state"], "failing", "{row}");
    // A failed disk is not mended under a running server; after that everything goes on.
    drop(server.stop());
    disk.unmount();
    assert!(disk.again());
    let server = house.start();
    assert_eq!(server.value("max_over_time(kept[5m])", None), Some(1.0), "it was acknowledged");
    assert_eq!(write(&server, 3.0).status, 204);
    assert!(server.stop().0.success());
    disk.unmount();
}

#[test]
fn what_the_store_refuses_is_told_beside_its_source() {
    // A page that dates its sample in the year 2286, and one from long ago.
    let page = Page::serve(b"ahead 1 9999999999999\nbehind 1 1000\nnow 1\n".to_vec());
    let house = House::new(&format!(
        "[[scrape]]\njob = \"x\"\ninterval = \"1s\"\ntimeout = \"500ms\"\ntargets = [\"{}\"]\n",
        page.address
    ));
    let server = house.start();
    let id = format!("scrape/x/{}", page.address);
    let row = eventually("the refusal is told", || {
        let row = server.source(&id).unwrap();
        if row["state"] == "partial" { Ok(row) } else { Err(row.to_string()) }
    });
    let told = row.to_string();
    assert!(told.contains("too far in the future") && told.contains("too old"), "{told}");
    assert!(row["hint"].as_str().unwrap().contains("clock"), "{row}");
    assert!(row["faults_total"].as_u64().unwrap() >= 2, "{row}");
    let table = stdout(&house.run(&["sources", "--url", &server.url]));
    let line = table.lines().find(|line| line.starts_with(&id)).unwrap_or_default();
    assert!(line.contains("partial") && line.contains("out_of_order_window"), "{table}");
    assert!(table.lines().any(|line| line.starts_with("store ") && line.contains(" ok ")));
}
