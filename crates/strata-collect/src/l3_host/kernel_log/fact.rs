//! Recognising facts in the kernel's messages, by the formats the drivers print.

use super::record::{AerSeverity, KernelFact};

/// Names of processes, servers and devices longer than this are cut: a process has 15 bytes, a host
/// name 253.
const NAME_BYTES_MAX: usize = 256;

/// The fact that a message of the kernel states, if it is a known one.
pub(super) fn parse_fact(message: &str) -> Option<KernelFact> {
    oom_kill(message)
        .or_else(|| xid(message))
        .or_else(|| gpu_lost(message))
        .or_else(|| hung_task(message))
        .or_else(|| nfs(message))
        .or_else(|| pcie_aer(message))
        .or_else(|| machine_check(message))
        .or_else(|| filesystem_error(message))
        .or_else(|| io_error(message))
}

/// `oom-kill:constraint=...,task_memcg=/kubepods/...,task=python3,pid=1234,uid=0` (`mm/oom_kill.c`),
/// printed before the kill itself: the PID and the control group of the victim.
pub(super) fn oom_cgroup(message: &str) -> Option<(u32, String)> {
    let rest = message.strip_prefix("oom-kill:")?;
    let cgroup = between(rest, "task_memcg=", ",task=")?;
    // The name may hold commas, the PID stands after the last ",pid=".
    let (_, after) = rest.rsplit_once(",pid=")?;
    Some((leading_number(after)?, bounded(cgroup)))
}

/// `Out of memory: Killed process 1234 (python3) total-vm:...`, with `Memory cgroup` before it when
/// a limit was reached (`mm/oom_kill.c`).
fn oom_kill(message: &str) -> Option<KernelFact> {
    let lower = message.contains("ut of memory") || message.contains("oom_kill_allocating_task");
    let (_, rest) = message.split_once("Killed process ").filter(|_| lower)?;
    let pid = leading_number(rest)?;
    let (_, after) = rest.split_once('(')?;
    // A name may hold parentheses; what follows it is fixed.
    let name = after.split_once(") total-vm:").or_else(|| after.rsplit_once(')'))?.0;
    Some(KernelFact::OomKill { pid, process: bounded(name), cgroup: None })
}

/// `NVRM: Xid (PCI:0000:3b:00): 79, pid=1234, name=python3, GPU has fallen off the bus.` and
/// `nvidia-nvswitch3: SXid (PCI:0000:c1:00.0): 28006, Non-fatal, ...` (NVIDIA XID documentation).
fn xid(message: &str) -> Option<KernelFact> {
    let (address, rest) = message
        .split_once("Xid (PCI:")
        .and_then(|(_, rest)| rest.split_once("): "))
        .filter(|(address, _)| address.len() <= 16)?;
    let pci_address = pci_address(address)?;
    let code = leading_number(rest)?;
    if message.contains("SXid (PCI:") {
        // "28006, Non-fatal, Link 46": the word after the number.
        let word = rest.split(',').nth(1).unwrap_or_default().trim();
        let fatal = match word {
            "Fatal" => Some(true),
            "Non-fatal" => Some(false),
            _ => None,
        };
        return Some(KernelFact::Sxid { code, pci_address, fatal });
    }
    if !message.starts_with("NVRM:") {
        return None;
    }
    let pid = rest.split_once("pid=").and_then(|(_, after)| {
        // Written with quotes around "<unknown>" where no process is to blame.
        leading_number(after.trim_start_matches('\''))
    });
    let name = between(rest, "name=", ",").filter(|name| !name.contains("<unknown>"));
    Some(KernelFact::Xid { code, pci_address, pid, process: name.map(bounded) })
}

/// `NVRM: GPU 0000:3b:00.0: GPU has fallen off the bus.` or `NVRM: GPU at PCI:0000:3b:00 ...`
fn gpu_lost(message: &str) -> Option<KernelFact> {
    if !message.starts_with("NVRM:") || !message.contains("fallen off the bus") {
        return None;
    }
    let addresses = message.split([' ', ',', '(', ')']).filter_map(|word| {
        pci_address(word.trim_start_matches("PCI:").trim_end_matches([':', '.']))
    });
    Some(KernelFact::GpuLost { pci_address: addresses.into_iter().next() })
}

/// `INFO: task python3:1234 blocked for more than 122 seconds.` (`kernel/hung_task.c`).
fn hung_task(message: &str) -> Option<KernelFact> {
    let rest = message.strip_prefix("INFO: task ")?;
    let (task, after) = rest.split_once(" blocked for more than ")?;
    let (name, pid) = task.rsplit_once(':')?;
    Some(KernelFact::HungTask {
        pid: pid.parse().ok()?,
        process: bounded(name),
        blocked_seconds: leading_number(after)?,
    })
}

/// `nfs: server 10.0.0.5 not responding, still trying` and `nfs: server 10.0.0.5 OK`
/// (`net/sunrpc/clnt.c`).
fn nfs(message: &str) -> Option<KernelFact> {
    let rest = message.strip_prefix("nfs: server ")?;
    let (server, state) = rest.split_once(' ')?;
    let server = bounded(server);
    if state.starts_with("not responding") {
        Some(KernelFact::NfsNotResponding { server })
    } else {
        state.starts_with("OK").then_some(KernelFact::NfsOk { server })
    }
}

/// `pcieport 0000:00:01.0: AER: Multiple Correctable error message received from 0000:3b:00.0`, and
/// the older `AER: Corrected error received: 0000:3b:00.0` (`drivers/pci/pcie/aer.c`).
fn pcie_aer(message: &str) -> Option<KernelFact> {
    let (_, rest) = message.split_once("AER: ")?;
    if !rest.contains("error message received from") && !rest.contains("error received: ") {
        return None;
    }
    let severity = if rest.contains("Non-Fatal") {
        AerSeverity::Nonfatal
    } else if rest.contains("Fatal") {
        AerSeverity::Fatal
    } else if rest.contains("Correct") {
        AerSeverity::Correctable
    } else {
        return None;
    };
    let device = rest.split(' ').find_map(pci_address)?;
    Some(KernelFact::PcieAer { severity, pci_address: device })
}

/// The first line of a machine check: `mce: [Hardware Error]: CPU 3: Machine Check: 0 Bank 7: ...`,
/// or `mce: [Hardware Error]: Machine check events logged` where a decoder takes it
/// (`arch/x86/kernel/cpu/mce/core.c`).
fn machine_check(message: &str) -> Option<KernelFact> {
    let rest = message.strip_prefix("mce: [Hardware Error]: ")?;
    let first = rest.contains(": Machine Check") || rest.starts_with("Machine check events logged");
    first.then_some(KernelFact::MachineCheck)
}

/// `EXT4-fs error (device sda1): ...`, `XFS (sda1): Internal error ...`,
/// `BTRFS error (device sda1): ...`.
fn filesystem_error(message: &str) -> Option<KernelFact> {
    for (start, filesystem) in [
        ("EXT4-fs error (device ", "ext4"),
        ("BTRFS error (device ", "btrfs"),
        ("BTRFS critical (device ", "btrfs"),
    ] {
        if let Some(rest) = message.strip_prefix(start) {
            let device = bounded(rest.split([')', ' ']).next()?);
            return Some(KernelFact::FilesystemError { filesystem, device });
        }
    }
    let (device, rest) = message.strip_prefix("XFS (")?.split_once("): ")?;
    let says =
        ["Internal error", "metadata I/O error", "Corruption", "shutting down", "Shutting down"];
    let damaged = says.iter().any(|words| rest.contains(words));
    damaged.then(|| KernelFact::FilesystemError { filesystem: "xfs", device: bounded(device) })
}

/// `I/O error, dev sda, sector 123 op ...` (`block/blk-core.c`), with `blk_update_request: ` before
/// it in older kernels, and `critical medium error, dev sda, ...`.
fn io_error(message: &str) -> Option<KernelFact> {
    let message = message.strip_prefix("blk_update_request: ").unwrap_or(message);
    let failed = [
        "I/O",
        "critical medium",
        "critical target",
        "critical nexus",
        "critical space allocation",
    ];
    let device =
        failed.iter().find_map(|kind| message.strip_prefix(kind)?.strip_prefix(" error, dev "))?;
    Some(KernelFact::IoError { device: bounded(device.split([',', ' ']).next()?) })
}

/// A PCI address as sysfs writes it: `0000:3b:00.0`. Drivers leave out the function or write the
/// domain with eight digits.
fn pci_address(text: &str) -> Option<String> {
    let mut parts = text.splitn(3, ':');
    let (domain, bus, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let (device, function) = rest.split_once('.').unwrap_or((rest, "0"));
    let hexadecimal = |word: &str| u32::from_str_radix(word, 16).ok();
    if !(4..=8).contains(&domain.len())
        || bus.len() != 2
        || device.len() != 2
        || function.len() != 1
    {
        return None;
    }
    let (domain, bus) = (hexadecimal(domain)?, hexadecimal(bus)?);
    let (device, function) = (hexadecimal(device)?, hexadecimal(function)?);
    Some(format!("{domain:04x}:{bus:02x}:{device:02x}.{function:x}"))
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    Some(rest.split_once(end)?.0)
}

fn leading_number(text: &str) -> Option<u32> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.get(..digits)?.parse().ok()
}

fn bounded(name: &str) -> String {
    name.chars().take(NAME_BYTES_MAX).collect()
}
