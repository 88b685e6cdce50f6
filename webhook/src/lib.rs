//! The admission server: changes restored objects by resource-modifier rules on their way into the cluster.
//!
//! | module | concern |
//! |---|---|
//! | [`door`] | which objects reach us, as one table; the webhook configurations are generated from it |
//! | [`service`] | HTTP to reviews and back |
//! | [`weight`] | how much memory reviews may take |
//! | [`review`] | the envelope: AdmissionReview in and out |
//! | [`object`] | the object in it, as far as rules may want it |
//! | [`intercept`] | `/intercept`: an opted-in object, changed by its rules |
//! | [`requester`] | `/requester`: who writes an instance or a hook is recorded in it |
//! | [`validate`] | `/validate`: what users write for us |
//! | [`interceptions`] | the interceptions and rules of the cluster, kept up to date |
//! | [`deadline`] | how long a review may ask the API server |
//! | [`shared_reads`], [`recent`] | that many reviews ask it once, and not again at once |
//! | [`identity`] | who we are to it, and how we get the right to read |
//! | [`velero`] | where Velero's Restores have mapped objects from |
//! | [`custom_kinds`] | what the definitions of custom kinds say of them |
//! | [`metrics`] | what can be counted |
//! | [`run`] | all of it, as a process |
//!
//! What should become of an object is decided in `clusterbackup_core::interception`.

pub mod custom_kinds;
pub mod deadline;
pub mod door;
pub mod identity;
pub mod intercept;
pub mod interceptions;
pub mod metrics;
pub mod object;
pub mod recent;
pub mod requester;
pub mod review;
pub mod run;
pub mod service;
pub mod shared_reads;
pub mod validate;
pub mod velero;
pub mod weight;
