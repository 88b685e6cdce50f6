//! What runs on every node, and what leads it.
//!
//! | module | concern |
//! |---|---|
//! | [`node`] | the agent of a node: carries tasks out |
//! | [`watchdog`] | the container beside it that thaws what it leaves frozen |
//! | [`caretaker`] | thaws what the journal says and nobody undoes; in both of them |
//! | [`undo`], [`people`] | one pod's undo, and what people are told of it and say to it |
//! | [`journal`] | what is frozen, on the node's disk |
//! | [`command`] | one try of a command, and its record |
//! | `snapshots` | what is cut: requested, and watched |
//! | [`runtime`] | the way into the containers |
//! | [`clock`] | time that nobody can set |
//! | [`metrics`] | what agent and watchdog both count |
//! | [`leader`] | who tells the nodes what to do, and adds up what they did |
//! | [`process`] | what their processes have in common |

pub mod caretaker;
pub mod clock;
pub mod command;
pub mod journal;
pub mod leader;
pub mod metrics;
pub mod node;
pub mod people;
pub mod process;
pub mod runtime;
mod snapshots;
pub mod undo;
pub mod watchdog;
