//! Tokens and watts: the part of cost that needs no price.

use crate::entity::EntityKind;
use crate::recipe::{Recipe, Whole};

pub(crate) const ALL: &[Recipe] = &[
    Recipe::new(
        EntityKind::Node,
        "l8.power",
        "W",
        "sum by (%) (max by (%, gpu_uuid, gpu) (rate<hw.energy>)) \
         or sum by (%) (max by (%, gpu_uuid, gpu) (<hw.power|sensor!=\"instant\">)) \
         or sum by (%) (max by (%, gpu_uuid, gpu) (<hw.power>))",
    )
    .whole(Whole::Text(
        "sum(max by (gpu_uuid, node, gpu) (rate<hw.energy>)) \
         or sum(max by (gpu_uuid, node, gpu) (<hw.power|sensor!=\"instant\">)) \
         or sum(max by (gpu_uuid, node, gpu) (<hw.power>))",
    ))
    .unlike()
    .means(
        "Power of the GPUs, from their energy counters where they have them, else from their \
         power readings. Hosts, cooling and losses are not in it.",
        "rate of hw.energy, else hw.power; sum over the GPUs",
    ),
    Recipe::new(
        EntityKind::Node,
        "l8.tokens_per_joule",
        "{token}/J",
        "sum by (node) (rate<inference.generation_tokens>) / (\
         sum by (node) (max by (node, gpu_uuid, gpu) (rate<hw.energy>)) > 0)",
    )
    .whole(Whole::Text(
        "sum(rate<inference.generation_tokens>) / (\
         sum(max by (gpu_uuid, node, gpu) (rate<hw.energy>)) > 0)",
    ))
    .undefined("the energy counters did not move in the rate window")
    .means(
        "Output tokens per joule of GPU energy, both from counters. All GPUs in scope count, also \
         those that generate nothing.",
        "rate(generated tokens) / rate(hw.energy)",
    ),
    Recipe::new(
        EntityKind::Node,
        "l8.joules_per_token",
        "J/{token}",
        "sum by (node) (max by (node, gpu_uuid, gpu) (rate<hw.energy>)) \
         / (sum by (node) (rate<inference.generation_tokens>) > 0)",
    )
    .whole(Whole::Text(
        "sum(max by (gpu_uuid, node, gpu) (rate<hw.energy>)) \
         / (sum(rate<inference.generation_tokens>) > 0)",
    ))
    .undefined("no token was generated in the rate window")
    .means(
        "GPU energy per output token, both from counters. All GPUs in scope count, also those \
         that generate nothing.",
        "rate(hw.energy) / rate(generated tokens)",
    ),
];
