//! Disks and file systems. Device mapper, RAID and loop devices sit on top of disks that are
//! counted themselves, so they are left out of sums.

use super::node;
use crate::recipe::Recipe;

pub(crate) const ALL: &[Recipe] = &[
    node(
        "l3.disk_read",
        "By/s",
        "sum by (%) (rate<system.disk.io|direction=\"read\",device!~\"(dm-|md|loop|ram|zram).*\">)",
    )
    .means("Bytes per second read from disks.", "rate of system.disk.io (read); the busiest host"),
    node(
        "l3.disk_write",
        "By/s",
        "sum by (%) (rate<system.disk.io|direction=\"write\",device!~\"(dm-|md|loop|ram|zram).*\">)",
    )
    .means(
        "Bytes per second written to disks.",
        "rate of system.disk.io (write); the busiest host",
    ),
    node(
        "l3.disk_latency",
        "s",
        "max by (%) (sum by (%, device) (rate<system.disk.operation_time>) \
         / (sum by (%, device) (rate<system.disk.operations>) > 0))",
    )
    .undefined("no disk operation finished in the rate window")
    .means(
        "Mean time of a read or write, waiting included (await of iostat).",
        "rate(operation time) / rate(operations); the slowest device of the slowest host",
    ),
    node("l3.disk_busy", "1", "max by (%) (rate<system.disk.io_time>)").means(
        "Share of time in which a disk had at least one operation in flight; a parallel device \
         can be busy all the time and not be saturated.",
        "rate of system.disk.io_time; the busiest device of the busiest host",
    ),
    node(
        "l3.psi_io",
        "1",
        "max by (%) (rate<host.pressure.stall_time|resource=\"io\",kind=\"some\",cgroup=\"\">)",
    )
    .means(
        "Share of time in which some task waited for storage (pressure stall information).",
        "rate of host.pressure.stall_time (io, some); the worst host",
    ),
    node(
        "l3.psi_io_full",
        "1",
        "max by (%) (rate<host.pressure.stall_time|resource=\"io\",kind=\"full\",cgroup=\"\">)",
    )
    .means(
        "Share of time in which all tasks waited for storage at once.",
        "rate of host.pressure.stall_time (io, full); the worst host",
    ),
    node(
        "l3.filesystem_fill",
        "1",
        "max by (%) (<system.filesystem.utilization|type!~\"squashfs|iso9660|erofs\">) \
         or max by (%) (<system.filesystem.usage|state=\"used\",type!~\"squashfs|iso9660|erofs\"> \
         / on (%, device, mountpoint) \
         (<system.filesystem.limit|type!~\"squashfs|iso9660|erofs\"> > 0))",
    )
    .means(
        "Share of a file system that is used, without what is reserved for root. Images that are \
         full by nature are left out.",
        "used / (used + free); the fullest file system of the fullest host",
    ),
    node(
        "l3.nfs_latency",
        "s",
        "sum by (%) (rate<host.nfs.operation.rtt>) \
         / (sum by (%) (rate<host.nfs.operation.count>) > 0)",
    )
    .undefined("no NFS operation in the rate window")
    .means(
        "Mean time between sending an NFS request and its reply, queueing on the client not \
         included.",
        "rate(round-trip time) / rate(operations); the slowest host",
    ),
];
