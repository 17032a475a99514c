//! Pods: several apps that share namespaces and volumes, and their metadata service.

pub mod metadata;
mod plan;

pub use plan::{
    AppPlan, Missing, MountPlan, Pod, PodApp, PodError, PodImage, PodMount, PodPlan, PodVolume,
    VolumeSource, new_uuid, plan,
};
