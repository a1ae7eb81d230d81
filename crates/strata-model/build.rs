//! Embeds every TOML file under `catalog/`, so that adding a source touches nothing else.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=catalog");
    let mut list = String::from("&[\n");
    for folder in ["metrics", "sources"] {
        let mut names = Vec::new();
        for entry in fs::read_dir(Path::new("catalog").join(folder))? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.retain(|name| Path::new(name).extension().is_some_and(|end| end == "toml"));
        names.sort();
        for name in names {
            let path = format!("catalog/{folder}/{name}");
            writeln!(
                list,
                "({:?}, include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), {:?}))),",
                format!("{folder}/{name}"),
                format!("/{path}"),
            )
            .map_err(io::Error::other)?;
        }
    }
    list.push_str("]\n");
    let out = env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo sets OUT_DIR"))?;
    fs::write(Path::new(&out).join("catalog_files.rs"), list)
}
