//! The restore hooks of one restore: which are asked for, in which pods they run, and what became of that. The agents of the
//! pods' nodes run them; a NodeTask for each pod says what, and keeps what has run until the restore has ended.
//!
//! | module | concern |
//! |---|---|
//! | `asked` | the hooks as they stand in the cluster, and who may have them run |
//! | `controllers` | what a pod is controlled by |
//! | `expected` | whose pods are still to come |
//! | `order` | the task for one pod |
//! | `outcome` | what came of a task |
//! | `run` | from the first new pod to the last command |

mod asked;
mod controllers;
mod expected;
mod order;
mod outcome;
mod run;

use std::sync::Arc;

use clusterbackup_core::restore::Ready;
use tokio::sync::mpsc;

pub(super) use self::asked::Asked;
use self::expected::Expected;
pub(super) use self::run::Run;

/// News that wait for whoever runs the hooks.
const QUEUE: usize = 256;

/// What whoever runs the hooks is told.
enum News {
    /// The restore has created something with this uid.
    Created(String, Option<Box<Expected>>),
    /// It creates nothing more.
    All,
}

/// Tells whoever runs the hooks what the restore has created.
pub(super) struct Teller {
    sender: mpsc::Sender<News>,
    asked: Arc<Asked>,
}

impl Teller {
    /// Something was created.
    pub(super) async fn created(&self, ready: &Ready, uid: &str) {
        let expected = Expected::of(ready, uid, &self.asked);
        let created = News::Created(uid.to_owned(), expected.map(Box::new));
        self.tell(created).await;
    }

    /// Nothing more is created.
    pub(super) async fn all(&self) {
        self.tell(News::All).await;
    }

    async fn tell(&self, news: News) {
        // Who has stopped listening is about to say why.
        _ = self.sender.send(news).await;
    }
}
