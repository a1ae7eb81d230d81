//! Power, energy and temperature.

use super::gpu;
use crate::recipe::{Recipe, Whole};

pub(crate) const ALL: &[Recipe] = &[
    gpu("l1.power", "W", "max by (%) (<hw.power|sensor!=\"instant\">) or max by (%) (<hw.power>)")
        .whole(Whole::Sum)
        .means(
            "Power the device draws; averaged by the device where it tells the average and the \
             instant apart.",
            "hw.power; sum over the GPUs",
        ),
    gpu("l1.power_limit", "W", "max by (%) (<gpu.power.limit|kind=~\"|enforced\">)")
        .whole(Whole::Sum)
        .means(
            "Power limit that is enforced (NVML enforcedPowerLimit).",
            "gpu.power.limit of kind enforced; sum over the GPUs",
        ),
    gpu("l1.energy_rate", "W", "max by (%) (rate<hw.energy>)").whole(Whole::Sum).means(
        "Mean power from the energy counter, which loses nothing between samples.",
        "rate of hw.energy; sum over the GPUs",
    ),
    gpu("l1.temperature", "Cel", "max by (%) (<hw.temperature|sensor_location!=\"memory\">)")
        .means(
            "Temperature of the GPU, at its hottest place where several are told.",
            "hw.temperature without memory; the hottest GPU",
        ),
    gpu("l1.temperature_memory", "Cel", "max by (%) (<hw.temperature|sensor_location=\"memory\">)")
        .means("Temperature of the device memory.", "hw.temperature of memory; the hottest GPU"),
    gpu(
        "l1.temperature_limit",
        "Cel",
        "min by (%) (<hw.temperature.limit|limit_type=~\"|throttled\">)",
    )
    .whole(Whole::Min)
    .means(
        "Temperature at which the device slows down.",
        "hw.temperature.limit of type throttled; the lowest",
    ),
    gpu(
        "l1.temperature_margin",
        "Cel",
        "min by (%) (<gpu.temperature.margin>) \
         or min by (%) (<hw.temperature.limit|limit_type=~\"|throttled\">) \
         - max by (%) (<hw.temperature|sensor_location!=\"memory\">)",
    )
    .whole(Whole::Min)
    .means(
        "Degrees left until the device slows down, as the device says it (DCGM GPU_TEMP_LIMIT), \
         else limit less temperature.",
        "gpu.temperature.margin, else limit - temperature; the smallest",
    ),
];
