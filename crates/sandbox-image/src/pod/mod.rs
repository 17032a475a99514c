//! Pods: several apps that share namespaces and volumes, and their metadata service.
