//! Running one of Slurm's commands: a deadline, bounded output, nothing inherited but the environment.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use strata_model::{FaultCode, SourceState};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

use crate::collector::CollectError;
use crate::l4_sched::gather::failed;

/// `squeue --json` writes about 5 kB a job.
const OUTPUT_BYTES_MAX: usize = 64 << 20;
/// Enough to see what a command complains of.
const COMPLAINT_BYTES_MAX: usize = 4096;
/// Bytes of a complaint that are told.
const EXCERPT_CHARS: usize = 200;

/// Where a program is: in the folder, else in one of the folders of the PATH.
pub fn find(program: &str, folder: Option<&Path>, path: Option<&str>) -> Option<PathBuf> {
    let folders = match folder {
        Some(folder) => vec![folder.to_owned()],
        None => path.unwrap_or_default().split(':').map(PathBuf::from).collect(),
    };
    let mut found = folders.into_iter().filter(|folder| folder.is_absolute());
    found.find_map(|folder| Some(folder.join(program)).filter(|path| path.is_file()))
}

/// What the program wrote, when it ended well and in time.
pub(super) async fn run(
    program: &Path,
    arguments: &[&str],
    deadline: Duration,
) -> Result<Vec<u8>, CollectError> {
    let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let io = |error: std::io::Error| {
        let message = format!("cannot run {name}: {error}");
        let denied = error.kind() == std::io::ErrorKind::PermissionDenied;
        let state = if denied { SourceState::Denied } else { SourceState::Failing };
        failed(state, FaultCode::Io, message, "")
    };
    let mut child = Command::new(program)
        .args(arguments)
        // Times as seconds, words as programs read them.
        .env("SLURM_TIME_FORMAT", "%s")
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(io)?;
    let (output, complaint) = (child.stdout.take(), child.stderr.take());
    let work = async {
        let output = bounded(output, OUTPUT_BYTES_MAX);
        let complaint = bounded(complaint, COMPLAINT_BYTES_MAX);
        let (output, complaint) = tokio::join!(output, complaint);
        (child.wait().await, output, complaint)
    };
    let Ok((status, output, complaint)) = tokio::time::timeout(deadline, work).await else {
        let message = format!("{name} did not end within {} s", deadline.as_secs());
        let hint = "is slurmctld up and reachable from here?";
        return Err(failed(SourceState::Failing, FaultCode::Timeout, message, hint));
    };
    let (status, output) = (status.map_err(io)?, output.map_err(io)?);
    if output.len() > OUTPUT_BYTES_MAX {
        let message = format!("{name} wrote more than {} MiB", OUTPUT_BYTES_MAX >> 20);
        return Err(failed(SourceState::Failing, FaultCode::TooLarge, message, ""));
    }
    if !status.success() {
        let complaint = String::from_utf8_lossy(&complaint.unwrap_or_default()).into_owned();
        let complaint: String = complaint.trim().chars().take(EXCERPT_CHARS).collect();
        let message = format!("{name} ended with {status}: {complaint}");
        return Err(failed(SourceState::Failing, FaultCode::Io, message, ""));
    }
    Ok(output)
}

/// At most `most` bytes and one more, which tells that there were too many.
async fn bounded(from: Option<impl AsyncRead + Unpin>, most: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(mut from) = from {
        (&mut from).take(most as u64 + 1).read_to_end(&mut bytes).await?;
        // What comes beyond is read and dropped, so that the program can end.
        let mut rest = vec![0; 8192];
        while from.read(&mut rest).await? > 0 {}
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn deadlines_bounds_and_complaints_are_kept() {
        let shell = Path::new("/bin/sh");
        let soon = Duration::from_millis(200);
        let late = Duration::from_secs(30);
        assert_eq!(run(shell, &["-c", "echo $SLURM_TIME_FORMAT"], late).await.unwrap(), b"%s\n");
        let error = run(shell, &["-c", "exec sleep 60"], soon).await.unwrap_err();
        assert_eq!(error.fault.code, FaultCode::Timeout);
        let error = run(shell, &["-c", "echo no controller >&2; exit 1"], late).await.unwrap_err();
        assert!(error.fault.message.ends_with("no controller"), "{}", error.fault.message);
        let flood = format!("head -c {} /dev/zero", OUTPUT_BYTES_MAX + 10);
        let error = run(shell, &["-c", &flood], late).await.unwrap_err();
        assert_eq!(error.fault.code, FaultCode::TooLarge);
        let error = run(Path::new("/nonexistent"), &[], late).await.unwrap_err();
        assert_eq!(error.fault.code, FaultCode::Io);
    }

    #[test]
    fn programs_are_looked_for_where_they_may_be() {
        assert_eq!(find("sh", None, Some("/nonexistent:/bin")), Some(PathBuf::from("/bin/sh")));
        assert_eq!(find("sh", Some(Path::new("/nonexistent")), Some("/bin")), None);
        assert_eq!(find("sh", None, None), None);
        assert_eq!(find("Cargo.toml", None, Some(".")), None, "never of the working directory");
    }
}
