//! L4 Kubernetes and scheduling: who owns the GPU?

mod gpus;
mod jobs;
mod pods;
mod queues;

use crate::recipe::Recipe;

pub(crate) const RECIPES: &[&[Recipe]] = &[gpus::ALL, jobs::ALL, pods::ALL, queues::ALL];
