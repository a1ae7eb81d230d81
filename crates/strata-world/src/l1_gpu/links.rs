//! What a GPU moves over its links.

use super::gpu;
use crate::recipe::{Recipe, Whole};

pub(crate) const ALL: &[Recipe] = &[
    gpu(
        "l1.pcie_receive",
        "By/s",
        "max by (%) (rate<hw.gpu.io|direction=\"receive\">) \
         or max by (%) (<gpu.pcie.throughput|direction=\"receive\">)",
    )
    .whole(Whole::Sum)
    .means(
        "Bytes per second the GPU receives over PCI Express, headers included.",
        "rate of hw.gpu.io, else gpu.pcie.throughput; sum over the GPUs",
    ),
    gpu(
        "l1.pcie_transmit",
        "By/s",
        "max by (%) (rate<hw.gpu.io|direction=\"transmit\">) \
         or max by (%) (<gpu.pcie.throughput|direction=\"transmit\">)",
    )
    .whole(Whole::Sum)
    .means(
        "Bytes per second the GPU transmits over PCI Express, headers included.",
        "rate of hw.gpu.io, else gpu.pcie.throughput; sum over the GPUs",
    ),
    // A source may give each direction, their total, or both: they are never added together.
    gpu(
        "l1.interconnect",
        "By/s",
        "sum by (%) (max by (%, link, direction) \
         (<gpu.interconnect.throughput|direction=~\"receive|transmit\",type!=\"c2c\">)) \
         or sum by (%) (max by (%, link) \
         (<gpu.interconnect.throughput|direction=~\"|total\",type!=\"c2c\">)) \
         or sum by (%) (max by (%, link, direction) (rate<gpu.interconnect.io|type!=\"c2c\">))",
    )
    .whole(Whole::Sum)
    .means(
        "Bytes per second over the links between GPUs (NVLink, XGMI), both directions.",
        "gpu.interconnect.throughput, else rate of gpu.interconnect.io; sum over the GPUs",
    ),
    gpu(
        "l1.c2c",
        "By/s",
        "sum by (%) (max by (%, direction) (<gpu.interconnect.throughput|type=\"c2c\">))",
    )
    .whole(Whole::Sum)
    .undefined("the GPU has no C2C link, or nobody profiles it")
    .means(
        "Bytes per second over the links to the processor on the same module (NVLink-C2C), both \
         directions.",
        "gpu.interconnect.throughput of type c2c; sum over the GPUs",
    ),
];
