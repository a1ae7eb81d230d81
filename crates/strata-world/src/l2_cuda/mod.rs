//! L2 CUDA and communication: computing, or waiting for other GPUs?

mod collectives;
mod kernels;
mod ranks;

use crate::recipe::Recipe;

pub(crate) const RECIPES: &[&[Recipe]] = &[collectives::ALL, kernels::ALL, ranks::ALL];
