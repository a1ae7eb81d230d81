//! Reading `/proc/<pid>/stat`, `status`, `io` and `task/*`.

use super::super::fields::{number, values_of, words};

/// What is read of `/proc/<pid>/stat` (`proc_pid_stat(5)`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Stat<'a> {
    /// Name as the kernel keeps it, at most 15 bytes, any bytes.
    pub(super) name: &'a [u8],
    /// Scheduler state, `D` is uninterruptible sleep.
    pub(super) state: u8,
    pub(super) minor_faults: u64,
    pub(super) major_faults: u64,
    pub(super) user_ticks: u64,
    pub(super) system_ticks: u64,
    pub(super) threads: u64,
    /// Ticks after boot; with the PID it names a process for good.
    pub(super) start_ticks: u64,
    pub(super) virtual_bytes: u64,
    pub(super) resident_pages: u64,
}

/// Read the line. The name stands in parentheses and may itself hold parentheses, spaces and
/// newlines, so the numbers start after the last closing one.
pub(super) fn parse_stat(file: &[u8]) -> Option<Stat<'_>> {
    let open = file.iter().position(|byte| *byte == b'(')?;
    let close = file.iter().rposition(|byte| *byte == b')')?;
    let name = file.get(open + 1..close)?;
    let mut columns = words(file.get(close + 1..)?);
    // Column numbers of proc_pid_stat(5): the state is the third.
    let state = *columns.next()?.first()?;
    let mut next = 4;
    let mut column = |wanted: usize| {
        let word = columns.nth(wanted - next)?;
        next = wanted + 1;
        number(word)
    };
    Some(Stat {
        name,
        state,
        minor_faults: column(10)?,
        major_faults: column(12)?,
        user_ticks: column(14)?,
        system_ticks: column(15)?,
        threads: column(20)?,
        start_ticks: column(22)?,
        virtual_bytes: column(23)?,
        resident_pages: column(24)?,
    })
}

/// Voluntary and involuntary context switches of one thread from its `status`.
pub(super) fn parse_switches(file: &[u8]) -> Option<(u64, u64)> {
    let keys = ["voluntary_ctxt_switches", "nonvoluntary_ctxt_switches"];
    let [voluntary, involuntary] = values_of(file, 0, &keys);
    Some((voluntary?, involuntary?))
}

/// Nanoseconds one thread waited for a processor: the second number of its `schedstat`.
pub(super) fn parse_run_delay(file: &[u8]) -> Option<u64> {
    words(file).nth(1).and_then(number)
}

/// Resident bytes from `status`.
pub(super) fn parse_resident_bytes(file: &[u8]) -> Option<u64> {
    let [kib] = values_of(file, 0, &["VmRSS"]);
    kib?.checked_mul(1024)
}

/// Bytes read from and written to storage, from `io`. Written bytes that were truncated before they
/// reached the disk are taken off.
pub(super) fn parse_io(file: &[u8]) -> Option<(u64, u64)> {
    let keys = ["read_bytes", "write_bytes", "cancelled_write_bytes"];
    let [read, written, cancelled] = values_of(file, 0, &keys);
    Some((read?, written?.saturating_sub(cancelled.unwrap_or(0))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_may_hold_anything() {
        let rest = "S 1 1 1 0 -1 4194560 11 0 12 0 13 14 0 0 20 0 15 0 16 17 18 99";
        let check = |name: &str| {
            let line = format!("42 ({name}) {rest}\n");
            let stat = parse_stat(line.as_bytes()).unwrap();
            let expected = Stat {
                name: name.as_bytes(),
                state: b'S',
                minor_faults: 11,
                major_faults: 12,
                user_ticks: 13,
                system_ticks: 14,
                threads: 15,
                start_ticks: 16,
                virtual_bytes: 17,
                resident_pages: 18,
            };
            assert_eq!(stat, expected, "{name}");
        };
        check("vllm");
        check("a) R 9 (b");
        check("tmux: server\n");
        check("");
    }

    #[test]
    fn a_line_cut_short_is_nothing() {
        for line in ["", "42", "42 (a", "42 (a) S 1 2", ") 1 (", "42 (a) S 1 1 1 0 -1 1 x"] {
            assert_eq!(parse_stat(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn the_other_files_are_read() {
        assert_eq!(parse_run_delay(b"100 250 3\n"), Some(250));
        assert_eq!(parse_run_delay(b"100"), None);
        let status = b"Name:\tx\nvoluntary_ctxt_switches:\t5\nnonvoluntary_ctxt_switches:\t6\n";
        assert_eq!(parse_switches(status), Some((5, 6)));
        assert_eq!(parse_resident_bytes(b"VmHWM:\t 9 kB\nVmRSS:\t 3 kB\n"), Some(3072));
        let io = b"rchar: 1\nread_bytes: 8\nwrite_bytes: 9\ncancelled_write_bytes: 4\n";
        assert_eq!(parse_io(io), Some((8, 5)));
        assert_eq!(parse_io(b"rchar: 1\n"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(file: Vec<u8>) {
            let _ = (parse_stat(&file), parse_switches(&file), parse_io(&file));
        }
    }
}
