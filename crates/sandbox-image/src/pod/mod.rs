//! Pods: several apps that share namespaces and volumes, and their metadata service.

pub mod metadata;
mod plan;

pub use plan::{
    AppPlan, Missing, MountPlan, PodError, PodPlan, VolumeOwner, new_uuid, of_images, plan,
};
