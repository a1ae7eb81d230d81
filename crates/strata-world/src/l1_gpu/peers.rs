//! What GPUs of the same model do: the band that one GPU is looked at against.

use super::gpu;
use crate::recipe::{Recipe, Whole};

/// A quantile over the GPUs of the model of each GPU in scope, written on that GPU. The first part
/// is zero: it brings the GPU's own labels to what is told of its model.
macro_rules! cohort {
    ($quantile:literal, $metric:literal) => {
        concat!(
            "0 * max by (%, gpu_model) (<",
            $metric,
            ">) + on (gpu_model) group_left () quantile by (gpu_model) (",
            $quantile,
            ", max by (%, gpu_model) (<!",
            $metric,
            ">))"
        )
    };
}

const fn band(id: &'static str, unit: &'static str, each: &'static str) -> Recipe {
    gpu(id, unit, each).unlike().whole(Whole::Mean)
}

pub(crate) const ALL: &[Recipe] = &[
    band("l1.sm_clock_q1", "Hz", cohort!("0.25", "gpu.clock.frequency|domain!~\"memory|video\""))
        .means(
            "Clock that a quarter of the GPUs of the same model stay below, the GPU itself \
             included.",
            "lower quartile of gpu.clock.frequency by gpu_model",
        ),
    band(
        "l1.sm_clock_median",
        "Hz",
        cohort!("0.5", "gpu.clock.frequency|domain!~\"memory|video\""),
    )
    .means(
        "Clock in the middle of the GPUs of the same model, the GPU itself included.",
        "median of gpu.clock.frequency by gpu_model",
    ),
    band("l1.sm_clock_q3", "Hz", cohort!("0.75", "gpu.clock.frequency|domain!~\"memory|video\""))
        .means(
            "Clock that a quarter of the GPUs of the same model are above, the GPU itself \
             included.",
            "upper quartile of gpu.clock.frequency by gpu_model",
        ),
    band("l1.power_q1", "W", cohort!("0.25", "hw.power")).means(
        "Power that a quarter of the GPUs of the same model stay below, the GPU itself included.",
        "lower quartile of hw.power by gpu_model",
    ),
    band("l1.power_median", "W", cohort!("0.5", "hw.power")).means(
        "Power in the middle of the GPUs of the same model, the GPU itself included.",
        "median of hw.power by gpu_model",
    ),
    band("l1.power_q3", "W", cohort!("0.75", "hw.power")).means(
        "Power that a quarter of the GPUs of the same model are above, the GPU itself included.",
        "upper quartile of hw.power by gpu_model",
    ),
    band("l1.temperature_q1", "Cel", cohort!("0.25", "hw.temperature|sensor_location!=\"memory\""))
        .means(
            "Temperature that a quarter of the GPUs of the same model stay below, the GPU itself \
             included.",
            "lower quartile of hw.temperature by gpu_model",
        ),
    band(
        "l1.temperature_median",
        "Cel",
        cohort!("0.5", "hw.temperature|sensor_location!=\"memory\""),
    )
    .means(
        "Temperature in the middle of the GPUs of the same model, the GPU itself included.",
        "median of hw.temperature by gpu_model",
    ),
    band("l1.temperature_q3", "Cel", cohort!("0.75", "hw.temperature|sensor_location!=\"memory\""))
        .means(
            "Temperature that a quarter of the GPUs of the same model are above, the GPU itself \
             included.",
            "upper quartile of hw.temperature by gpu_model",
        ),
];
