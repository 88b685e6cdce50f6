//! Plumbing that every clusterbackup binary shares: how it logs, talks to the API server, serves TLS, shows its
//! state and stops. What a binary does with all that belongs in the binary.
//!
//! | module | concern |
//! |---|---|
//! | [`crypto`] | the one TLS provider of the process |
//! | [`logging`] | flags and format of the log |
//! | [`client`] | the one way to a Kubernetes client |
//! | [`rights`] | whether somebody has the rights that are asked of him |
//! | [`metrics`] | the registry, and helpers that register |
//! | [`readiness`] | what has to hold before the process may be called |
//! | [`lease`] | one leader among candidates |
//! | [`process`] | a process from its start to its end |
//! | [`shutdown`] | signals, and who stops when |
//! | [`tls`] | the certificate that is served, exchangeable at any time |
//! | [`server`] | HTTPS with deadlines and a drain that loses no request |
//! | [`body`] | reading a request's body within bounds |
//! | [`room`] | memory that requests share |
//! | [`admin`] | `/live`, `/ready` and `/metrics` |

pub mod admin;
pub mod body;
pub mod client;
pub mod crypto;
pub mod lease;
pub mod logging;
pub mod metrics;
pub mod process;
pub mod readiness;
pub mod rights;
pub mod room;
pub mod server;
pub mod shutdown;
pub mod tls;
