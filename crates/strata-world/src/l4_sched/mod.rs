//! L4 Kubernetes and scheduling: who owns the GPU?

mod gpus;
mod pods;
mod queues;

use crate::recipe::Recipe;

pub(crate) const RECIPES: &[&[Recipe]] = &[gpus::ALL, pods::ALL, queues::ALL];
