//! Where this library was loaded from: its script lies beside it.
#![expect(
    clippy::disallowed_methods,
    reason = "a stand-in is told by its environment what to play"
)]

use std::path::PathBuf;

/// The variable that names a script for all copies of the library.
const VARIABLE: &str = "STRATA_NVML_STANDIN";

/// The script: what the variable names, else the file beside the library with `.script` after its
/// name. Each copy of the library can so play another machine in one process.
pub(crate) fn script() -> Option<PathBuf> {
    std::env::var(VARIABLE).ok().map(PathBuf::from).or_else(|| {
        let mut path = own_path()?.into_os_string();
        path.push(".script");
        Some(PathBuf::from(path))
    })
}

/// The file whose code this function is part of, as the kernel maps it.
fn own_path() -> Option<PathBuf> {
    let here = script as fn() -> Option<PathBuf> as usize;
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    maps.lines().find_map(|line| {
        let (range, rest) = line.split_once(' ')?;
        let (start, end) = range.split_once('-')?;
        let start = usize::from_str_radix(start, 16).ok()?;
        let end = usize::from_str_radix(end, 16).ok()?;
        let path = rest.get(rest.find('/')?..)?;
        (start..end).contains(&here).then(|| PathBuf::from(path))
    })
}
