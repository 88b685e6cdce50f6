//! What the API server counts of its callers.

use anyhow::Result;
use http::Request;
use kube::Client;

use crate::metrics::Counts;

/// A scrape of an API server.
#[derive(Clone, Debug)]
pub struct Scrape(Counts);

impl Scrape {
    /// What it counts now.
    pub async fn of(admin: &Client) -> Result<Self> {
        let request = Request::get("/metrics").body(Vec::new())?;
        Ok(Self(Counts::parse(&admin.request_text(request).await?)?))
    }

    /// The open watches of a resource in some namespace. The control plane's own are of all namespaces together.
    pub fn watches_of_a_namespace(&self, resource: &str) -> u64 {
        self.open_watches(resource, "namespace")
    }

    /// The open watches of a resource in all namespaces, whoever has them.
    pub fn watches_of_all(&self, resource: &str) -> u64 {
        self.open_watches(resource, "cluster")
    }

    fn open_watches(&self, resource: &str, scope: &str) -> u64 {
        let (resource, scope) = (format!("resource=\"{resource}\""), format!("scope=\"{scope}\""));
        let labels = [resource.as_str(), scope.as_str(), "verb=\"WATCH\""];
        self.0.sum("apiserver_longrunning_requests", &labels)
    }

    /// The requests by ServiceAccounts so far, watches too. Those of the control plane are not among them.
    pub fn requests(&self) -> u64 {
        let labels = ["flow_schema=\"service-accounts\""];
        self.0
            .sum("apiserver_flowcontrol_dispatched_requests_total", &labels)
    }
}
