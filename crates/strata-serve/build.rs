//! Packs the files of `web/` into the program: one table of path, type, gzip and hash.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

#[expect(clippy::disallowed_methods, reason = "a build script is told its folders this way")]
fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=web");
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?).join("web");
    let out = PathBuf::from(env::var("OUT_DIR").map_err(io::Error::other)?);
    let mut files = BTreeMap::new();
    collect(&root, &root, &mut files)?;
    let mut table = String::from("&[\n");
    for (index, (path, text)) in files.iter().enumerate() {
        let Some(kind) = kind(path) else { continue };
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packer.write_all(text)?;
        let packed = out.join(format!("asset-{index}.gz"));
        fs::write(&packed, packer.finish()?)?;
        writeln!(
            table,
            "Asset {{ path: {path:?}, kind: {kind:?}, packed: include_bytes!({:?}), \
             tag: \"\\\"{:016x}\\\"\" }},",
            packed.to_string_lossy(),
            hasher.finish()
        )
        .map_err(io::Error::other)?;
    }
    table.push_str("]\n");
    fs::write(out.join("assets.rs"), table)
}

fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(root, &path, files)?;
        } else {
            let name = path.strip_prefix(root).map_err(io::Error::other)?;
            files.insert(name.to_string_lossy().replace('\\', "/"), fs::read(&path)?);
        }
    }
    Ok(())
}

/// The type of what a browser loads; other files (licences, notes) stay in the source.
fn kind(path: &str) -> Option<&'static str> {
    let (_, ending) = path.rsplit_once('.')?;
    Some(match ending {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        _ => return None,
    })
}
