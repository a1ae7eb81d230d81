//! One record of `/dev/kmsg`, and the known facts its message can state.

/// A record (kernel Documentation/ABI/testing/dev-kmsg).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record<'a> {
    /// Numbers grow by one; a gap means that records were overwritten.
    pub(super) sequence: u64,
    /// Microseconds since boot.
    pub(super) at_us: u64,
    /// Whether the kernel wrote it, not a program that writes to `/dev/kmsg`.
    pub(super) by_kernel: bool,
    pub(super) message: &'a str,
}

/// Read `prefix,sequence,microseconds,flags[,...];message`, the lines after it being properties.
pub(super) fn parse_record(bytes: &[u8]) -> Option<Record<'_>> {
    let line = bytes.split(|byte| *byte == b'\n').next()?;
    let semicolon = line.iter().position(|byte| *byte == b';')?;
    let mut head = line.get(..semicolon)?.split(|byte| *byte == b',');
    let mut next = || super::super::fields::number(head.next()?);
    let (prefix, sequence, at_us) = (next()?, next()?, next()?);
    // Bytes that are not UTF-8 are escaped by the kernel.
    let message = std::str::from_utf8(line.get(semicolon + 1..)?).ok()?;
    // The prefix is facility * 8 + level; programs cannot write as facility 0.
    Some(Record { sequence, at_us, by_kernel: prefix >> 3 == 0, message })
}

/// A fact stated by the kernel log. Only what is typed here is kept, never the text of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KernelFact {
    /// A process was killed because memory ran out, in `cgroup` where the kernel said which.
    OomKill { pid: u32, process: String, cgroup: Option<String> },
    /// The NVIDIA driver reported a GPU fault.
    Xid { code: u32, pci_address: String, pid: Option<u32>, process: Option<String> },
    /// The NVIDIA driver reported a fault of an `NVSwitch`.
    /// `fatal` as the driver's own line says, where it does.
    Sxid { code: u32, pci_address: String, fatal: Option<bool> },
    /// A GPU does not answer on the bus any more.
    GpuLost { pci_address: Option<String> },
    /// A task was in uninterruptible sleep for too long.
    HungTask { pid: u32, process: String, blocked_seconds: u32 },
    /// An NFS server does not answer.
    NfsNotResponding { server: String },
    /// An NFS server answers again.
    NfsOk { server: String },
    /// A PCI Express device reported an error.
    PcieAer { severity: AerSeverity, pci_address: String },
    /// The processor reported a machine check.
    MachineCheck,
    /// A file system found itself damaged or could not write its metadata.
    FilesystemError { filesystem: &'static str, device: String },
    /// A block device failed a read or write.
    IoError { device: String },
}

/// How bad a PCI Express error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AerSeverity {
    Correctable,
    Nonfatal,
    Fatal,
}

impl AerSeverity {
    /// The word used in labels, the same as of the counters in sysfs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Correctable => "correctable",
            Self::Nonfatal => "nonfatal",
            Self::Fatal => "fatal",
        }
    }
}

impl KernelFact {
    /// The word for the label `event`.
    pub fn event(&self) -> &'static str {
        match self {
            Self::OomKill { .. } => "oom_kill",
            Self::Xid { .. } => "xid",
            Self::Sxid { .. } => "sxid",
            Self::GpuLost { .. } => "gpu_lost",
            Self::HungTask { .. } => "hung_task",
            Self::NfsNotResponding { .. } => "nfs_not_responding",
            Self::NfsOk { .. } => "nfs_ok",
            Self::PcieAer { .. } => "pcie_aer",
            Self::MachineCheck => "mce",
            Self::FilesystemError { .. } => "filesystem_error",
            Self::IoError { .. } => "io_error",
        }
    }

    /// The labels `code` and `pci_address`, empty where the fact has none.
    pub(super) fn labels(&self) -> (String, &str) {
        match self {
            Self::Xid { code, pci_address, .. } | Self::Sxid { code, pci_address, .. } => {
                (code.to_string(), pci_address)
            }
            Self::PcieAer { severity, pci_address } => (severity.name().to_owned(), pci_address),
            Self::GpuLost { pci_address } => {
                (String::new(), pci_address.as_deref().unwrap_or_default())
            }
            _ => (String::new(), ""),
        }
    }
}
